"""What can be bound: the macros, the parameters, and what each may be.

One table of macros (docs/macros.md and the messages come from it), one of the
configurables that the framework itself reads, and one of parameters whose range
says more than the type of their default.
"""

import dataclasses
from collections.abc import Mapping

from experiments.config.specs import (
  BOOLEAN,
  BOUNDARIES,
  CALIBRATION,
  COMBINER,
  COUNT,
  DATASET,
  DEPTH,
  DIRECTION,
  DIRECTORY,
  FACTORS,
  FILE,
  FOLDS,
  FRACTION,
  FUNCTION,
  KEYS,
  LOSS,
  MOMENTUM_TYPE,
  NOT_NEGATIVE,
  OPTIMIZER,
  POOLING,
  POSITIVE,
  REFERENCES,
  SCHEDULE,
  SEED,
  SHARE,
  SIZE,
  SIZES,
  SPLITS,
  STEPS,
  STRING,
  TEXT,
  TOKENS,
  VOCAB_TYPE,
  WIDTH,
  WIDTHS,
  Spec,
  optional,
)


@dataclasses.dataclass(frozen=True)
class MacroEntry:
  """A macro of gin/base.gin: what it must be and what it means."""

  spec: Spec
  meaning: str


# In the order of gin/base.gin, which is the order of config.gin.
MACROS: Mapping[str, MacroEntry] = {
  'DATASET': MacroEntry(
    DATASET,
    'TFDS data set: `name`, `name/config` or `name:version`; or a path of your '
    'own file or directory, such as `reviews.csv` or `./reviews`',
  ),
  'KEYS': MacroEntry(
    KEYS,
    'TFDS keys or columns; several texts are joined by `TEXT_SEPARATOR`',
  ),
  'TEXT_SEPARATOR': MacroEntry(
    TEXT, "what stands between several texts, such as ' ' or ' [SEP] '"
  ),
  'SPLITS': MacroEntry(
    SPLITS,
    "what to train and what to evaluate on, in TFDS's slicing syntax; of three "
    'the second is sampled during training, chooses the best checkpoint, and '
    'is what runs are compared on',
  ),
  'N_FOLDS': MacroEntry(
    optional(FOLDS),
    'into how many folds the first of `SPLITS` is cut for cross-validation; '
    'None: it is not',
  ),
  'FOLD': MacroEntry(
    optional(COUNT),
    'which of them, from 0, is held out and evaluated; `--folds` tries all',
  ),
  'SPLIT_BY': MacroEntry(
    optional(STRING),
    'column of your own file; rows that are equal in it stay in one split',
  ),
  'SKIP_BAD_ROWS': MacroEntry(
    BOOLEAN,
    'whether rows of your own file that will not do are left out, and written '
    'to a file; else they stop the run',
  ),
  'DATA_DIR': MacroEntry(
    optional(DIRECTORY),
    "where prepared data sets are; None: `TFDS_DATA_DIR`, else TFDS's default",
  ),
  'LOWER_CASE': MacroEntry(BOOLEAN, 'whether texts are made lower-case first'),
  'VOCAB_FILE': MacroEntry(
    optional(FILE),
    'a subword vocabulary, or a .json, .model or .words file; None builds one '
    'from the train split',
  ),
  'VOCAB_DIR': MacroEntry(
    optional(DIRECTORY),
    "where it is; None: the working directory, then trax's public bucket",
  ),
  'VOCAB_TYPE': MacroEntry(VOCAB_TYPE, 'what `VOCAB_FILE = None` builds'),
  'VOCAB_SIZE': MacroEntry(TOKENS, 'rows of the embedding'),
  'MAX_LENGTH': MacroEntry(
    TOKENS, 'longer examples are dropped and counted, in tokens'
  ),
  'TRUNCATE': MacroEntry(
    BOOLEAN, 'whether they keep their first `MAX_LENGTH` tokens instead'
  ),
  'BUCKET_BOUNDARIES': MacroEntry(BOUNDARIES, 'padded lengths, in tokens'),
  'BUCKET_BATCH_SIZES': MacroEntry(
    SIZES,
    'batch size of each bucket; the last is for what is longer than the last '
    'boundary',
  ),
  'MODEL': MacroEntry(
    FUNCTION, 'a function of vocab_size, n_classes and mode that returns layers'
  ),
  'EMBEDDING_SIZE': MacroEntry(WIDTH, 'width of the embedding'),
  'EMBEDDING_FILE': MacroEntry(
    optional(DIRECTORY),
    'word vectors: a .txt, .vec, .gz, .npy or .safetensors file, or the '
    'directory of a static model; they give the vocabulary and what the '
    'embedding starts from',
  ),
  'EMBEDDING_RATE': MacroEntry(
    NOT_NEGATIVE,
    'what the learning rate and the weight decay of the embedding are '
    'multiplied by; 0: it stays as it is',
  ),
  'N_FROZEN_STEPS': MacroEntry(
    COUNT,
    'how many steps, from the first, the embedding, or the encoder, stays as '
    'it is',
  ),
  'ENCODER': MacroEntry(
    optional(DIRECTORY),
    'directory of a pretrained encoder, in the layout of Hugging Face, for '
    '`MODEL = @pretrained_encoder`; it gives the vocabulary',
  ),
  'ENCODER_RATE': MacroEntry(
    NOT_NEGATIVE,
    'what its learning rate and weight decay are multiplied by; 0: it stays '
    'as it is',
  ),
  'LAYER_DECAY': MacroEntry(
    SHARE,
    'and those of each of its layers by this, as often as there are layers '
    'above it',
  ),
  'N_FROZEN_LAYERS': MacroEntry(
    COUNT,
    'how many of its layers, from the first, stay as they are, and with them '
    'its embedding',
  ),
  'DROPOUT': MacroEntry(
    FRACTION, 'share of the features of a text that training drops'
  ),
  'OPTIMIZER': MacroEntry(OPTIMIZER, "one of trax's optimizers"),
  'LEARNING_RATE': MacroEntry(
    POSITIVE, 'learning rate of the optimizer, or the peak of its schedule'
  ),
  'LR_SCHEDULE': MacroEntry(
    optional(SCHEDULE), "one of trax's schedules; None: the optimizer's rate"
  ),
  'WEIGHT_DECAY': MacroEntry(
    NOT_NEGATIVE,
    'fraction of each weight that a step of Adam, Adafactor or '
    'Momentum takes away',
  ),
  'CLIP_GRAD_NORM': MacroEntry(
    optional(POSITIVE), 'largest L2 norm of the gradient; None: any'
  ),
  'LABEL_SMOOTHING': MacroEntry(
    FRACTION, 'probability that is taken from the label, for all classes'
  ),
  'EMA_DECAY': MacroEntry(
    optional(FRACTION),
    'what the moving average of the weights, evaluated in their place, keeps '
    'of itself at a step; None: no average',
  ),
  'N_STEPS': MacroEntry(STEPS, 'training steps in total'),
  'N_STEPS_PER_CHECKPOINT': MacroEntry(
    STEPS, 'steps between checkpoints, each with a sampled evaluation'
  ),
  'N_EVAL_BATCHES': MacroEntry(SIZE, 'batches of a sampled evaluation'),
  'SEED': MacroEntry(SEED, 'seeds weights, dropout and the order of the data'),
  'CALIBRATION': MacroEntry(
    optional(CALIBRATION),
    "'temperature' fits one number on the validation split that makes "
    'probabilities as sure as they are right; None leaves them',
  ),
  'REJECT_BELOW': MacroEntry(
    optional(FRACTION),
    'an answer whose probability is below is rejected; None: no answer is',
  ),
}


# What the framework reads: full selector, then parameter and spec. Nothing else
# of these configurables has an effect.
ROOTS: Mapping[str, Mapping[str, Spec]] = {
  'trax.data.TFDS': {
    'dataset_name': MACROS['DATASET'].spec,
    'keys': KEYS,
    'data_dir': optional(DIRECTORY),
  },
  'trax.data.Tokenize': {
    'vocab_file': optional(FILE),
    'vocab_dir': optional(DIRECTORY),
    'vocab_type': VOCAB_TYPE,
  },
  'trax.data.FilterByLength': {'max_length': TOKENS, 'min_length': COUNT},
  'trax.data.BucketByLength': {
    'boundaries': BOUNDARIES,
    'batch_sizes': SIZES,
    'strict_pad_on_len': BOOLEAN,
  },
  'experiments.experiment': {
    'splits': SPLITS,
    'n_folds': optional(FOLDS),
    'fold': optional(COUNT),
    'text_separator': TEXT,
    'split_by': optional(STRING),
    'skip_bad_rows': BOOLEAN,
    'vocab_size': TOKENS,
    'model': FUNCTION,
    'n_steps': STEPS,
    'seed': SEED,
    'lower_case': BOOLEAN,
    'truncate': BOOLEAN,
    'keep_checkpoints': SIZE,
    'best_metric': optional(STRING),
    'best_direction': DIRECTION,
    'patience': optional(SIZE),
    'ema_decay': optional(FRACTION),
    'calibration': optional(CALIBRATION),
    'reject_below': optional(FRACTION),
    'clip_grad_norm': optional(POSITIVE),
    'init_from': optional(DIRECTORY),
    'embedding_file': optional(DIRECTORY),
    'embedding_rate': NOT_NEGATIVE,
    'n_frozen_steps': COUNT,
    'encoder': optional(DIRECTORY),
    'encoder_rate': NOT_NEGATIVE,
    'layer_decay': SHARE,
    'n_frozen_layers': COUNT,
    'histograms': BOOLEAN,
    'projector': BOOLEAN,
  },
  'trax.supervised.training.TrainTask': {
    'optimizer': OPTIMIZER,
    'loss_layer': LOSS,
    'lr_schedule': optional(SCHEDULE),
    'n_steps_per_checkpoint': STEPS,
  },
  'trax.supervised.training.EvalTask': {
    'metrics': REFERENCES,
    'n_eval_batches': SIZE,
  },
}

_ROOTS_BY_LAST_PART = {
  selector.rpartition('.')[2]: parameters
  for selector, parameters in ROOTS.items()
}
# Of parameters whose value is a path, (scope, selector, parameter).
PATHS = tuple(
  ('', selector, parameter)
  for selector, parameters in ROOTS.items()
  for parameter, spec in parameters.items()
  if spec.is_path
)

# What the framework sets itself: (last part of the selector, parameter).
SET_BY_FRAMEWORK: Mapping[tuple[str, str], str] = {
  ('TFDS', 'train'): 'SPLITS says what is read',
  ('TFDS', 'eval_holdout_size'): 'SPLITS says what is read',
  ('TFDS', 'use_alt_eval'): 'SPLITS says what is read',
  ('TFDS', 'shuffle_train'): 'SEED gives the order of the data',
  ('Tokenize', 'keys'): 'KEYS says which text is read',
  ('FilterByLength', 'length_keys'): 'the length of the text counts',
  ('FilterByLength', 'length_axis'): 'the length of the text counts',
  ('BucketByLength', 'length_keys'): 'the length of the text counts',
  ('BucketByLength', 'length_axis'): 'the length of the text counts',
  ('TrainTask', 'labeled_data'): 'it comes from DATASET',
  ('TrainTask', 'sample_batch'): 'it comes from DATASET',
  ('Accuracy', 'classifier'): 'the most probable class counts',
  ('SequenceAccuracy', 'classifier'): 'the most probable class counts',
  ('EvalTask', 'labeled_data'): 'it comes from DATASET',
  ('EvalTask', 'sample_batch'): 'it comes from DATASET',
}

# What the framework gives to models, if they take it, and what every one takes.
SET_FOR_MODELS: Mapping[str, str] = {
  'encoder': 'ENCODER gives it',
  'vocab_size': 'VOCAB_SIZE gives it',
  'n_classes': 'the data set gives it',
  'mode': "it is 'train' or 'eval' as the step needs",
}
MODELS_TAKE = ('vocab_size', 'n_classes', 'mode')

# Ranges by name of the parameter, whatever the configurable.
PARAMETERS: Mapping[str, Spec] = {
  'learning_rate': POSITIVE,
  'clip_grad_norm': optional(POSITIVE),
  'weight_decay_rate': NOT_NEGATIVE,
  'weight_decay': NOT_NEGATIVE,
  'eps': POSITIVE,
  'b1': FRACTION,
  'b2': FRACTION,
  'beta1': FRACTION,
  'mass': FRACTION,
  'gamma': FRACTION,
  'n_warmup_steps': COUNT,
  'max_value': POSITIVE,
  'warmup_steps': STEPS,
  'n_steps': STEPS,
  'steps_per_decay': STEPS,
  'steps_per_cycle': STEPS,
  'second_constant_step': COUNT,
  'second_constant': POSITIVE,
  'constant': POSITIVE,
  'value': POSITIVE,
  'decay_factor': POSITIVE,
  'minimum': NOT_NEGATIVE,
  'factors': FACTORS,
  'decay_rate': POSITIVE,
  'clipping_threshold': POSITIVE,
  'weight_decay_n_steps': COUNT,
  'epsilon1': POSITIVE,
  'epsilon2': POSITIVE,
  'momentum': FRACTION,
  'momentum_type': MOMENTUM_TYPE,
  'second_moment_averaging': SHARE,
  'd_feature': WIDTH,
  'd_model': WIDTH,
  'd_ff': WIDTH,
  'd_hidden': WIDTH,
  'n_layers': DEPTH,
  'n_heads': WIDTH,
  'max_len': TOKENS,
  'dropout': FRACTION,
  'token_dropout': FRACTION,
  'combiner': COMBINER,
  'pooling': optional(POOLING),
  'd_attention': WIDTH,
  'init_range': POSITIVE,
  'max_n': DEPTH,
  'n_buckets': TOKENS,
  'n_filters': WIDTH,
  'widths': WIDTHS,
  'label_smoothing': FRACTION,
  'cutoff': NOT_NEGATIVE,
  'beta': POSITIVE,
  'initial_category_index': COUNT,
  'min_value': NOT_NEGATIVE,
}


def path_spec(selector: str, parameter: str) -> Spec | None:
  """Returns what the value of a binding must be if it is a path, else None.

  Args:
    selector: of a configurable, maybe in part; or a macro.
    parameter: '' for a macro.
  """
  if parameter:
    last = selector.rpartition('.')[2]
    spec = _ROOTS_BY_LAST_PART.get(last, {}).get(parameter)
  else:
    spec = MACROS[selector].spec if selector in MACROS else None
  return spec if spec and spec.is_path else None
