"""What can be bound: the macros, the parameters, and what each may be.

One table of macros (the README's table and the messages come from it), one of
the configurables that the framework itself reads, and one of parameters whose
range says more than the type of their default.
"""

import dataclasses
import itertools
import math
import typing
from collections.abc import Callable, Mapping
from typing import Any

from experiments.config.gin_values import Reference, leaves
from experiments.foundation import paths


class WrongValueError(ValueError):
  """A value that its `Spec` refuses; the message goes after 'must be'."""


@dataclasses.dataclass(frozen=True)
class Spec:
  """What a value must be.

  Attributes:
    expected: a phrase for after 'must be'.
    normalised: returns the value in its one form (1 becomes 1.0 where a float
      is meant, a list becomes a tuple); raises WrongValueError.
    is_path: whether the value names a file or a directory.
  """

  expected: str
  normalised: Callable[[Any], Any]
  is_path: bool = False


def _spec(expected: str, accepts: Callable[[Any], bool], form=None) -> Spec:
  def normalised(value):
    if not accepts(value):
      raise WrongValueError(expected)
    return form(value) if form else value

  return Spec(expected, normalised)


def _is_whole(value) -> bool:
  return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value) -> bool:
  return _is_whole(value) or isinstance(value, float)


def _is_finite(value) -> bool:
  try:
    return _is_number(value) and math.isfinite(value)
  except OverflowError:
    return False


def _is_string(value) -> bool:
  return isinstance(value, str) and bool(value.strip())


def _is_reference(value) -> bool:
  return isinstance(value, Reference)


def _are_strings(value) -> bool:
  return isinstance(value, list | tuple) and all(map(_is_string, value))


def _are_sizes(value) -> bool:
  return (
    isinstance(value, list | tuple)
    and bool(value)
    and all(_is_whole(item) and item >= 1 for item in value)
  )


def _increases(value) -> bool:
  return all(a < b for a, b in itertools.pairwise(value))


def optional(spec: Spec) -> Spec:
  """Returns a spec that accepts None too."""

  def normalised(value):
    if value is None:
      return None
    try:
      return spec.normalised(value)
    except WrongValueError as error:
      raise WrongValueError(f'{error}, or None') from None

  return Spec(f'{spec.expected}, or None', normalised, spec.is_path)


def whole(minimum: int) -> Spec:
  """Returns the spec of an int that is at least `minimum`."""
  return _spec(
    f'a whole number of at least {minimum}',
    lambda value: _is_whole(value) and value >= minimum,
  )


def _path(form: Callable[[str], str]) -> Spec:
  """Returns the spec of a path; `form` returns it in its one form."""

  def normalised(value):
    try:
      return form(STRING.normalised(value))
    except paths.BadPathError as error:
      raise WrongValueError(str(error)) from None

  return Spec(STRING.expected, normalised, is_path=True)


SIZE = whole(1)
COUNT = whole(0)
STRING = _spec('a quoted string', _is_string)
# Where the working directory is another, such as in --mode=eval, it must still
# mean the same: so it is resolved once, when a config is checked.
DIRECTORY = _path(paths.absolute)
# A name that is looked for in several directories stays a name.
FILE = _path(paths.expand)
POSITIVE = _spec(
  'a finite number above 0', lambda v: _is_finite(v) and v > 0, float
)
NOT_NEGATIVE = _spec(
  'a finite number of at least 0', lambda v: _is_finite(v) and v >= 0, float
)
FRACTION = _spec(
  'a number from 0 to below 1', lambda v: _is_finite(v) and 0 <= v < 1, float
)
BOOLEAN = _spec('True or False', lambda value: isinstance(value, bool))
SEED = _spec(
  'a whole number from 0 to 4294967295',
  lambda value: _is_whole(value) and 0 <= value < 2**32,
)
KEYS = _spec(
  'two or more quoted strings, text first and label last, such as '
  "('text', 'label')",
  lambda value: _are_strings(value) and len(value) >= 2,
  tuple,
)
SPLITS = _spec(
  'two or three quoted strings, what to train on and what to evaluate on, such '
  "as ('train', 'test')",
  lambda value: _are_strings(value) and len(value) in (2, 3),
  tuple,
)
BOUNDARIES = _spec(
  'increasing whole numbers of at least 1, such as [32, 128]',
  lambda value: _are_sizes(value) and _increases(value),
  list,
)
SIZES = _spec(
  'whole numbers of at least 1, such as [64, 32, 8]', _are_sizes, list
)
VOCAB_TYPE = _spec(
  "'subword' or 'word'", lambda value: value in ('subword', 'word')
)
COMBINER = _spec("'mean' or 'sqrtn'", lambda value: value in ('mean', 'sqrtn'))
DIRECTION = _spec(
  "'maximize' or 'minimize'", lambda value: value in ('maximize', 'minimize')
)
WIDTHS = _spec(
  'whole numbers of at least 1, such as (3, 4, 5)', _are_sizes, tuple
)
FUNCTION = _spec(
  'a reference without brackets, such as @mean_embedding',
  lambda value: isinstance(value, Reference) and not value.evaluate,
)
OPTIMIZER = _spec('a reference, such as @Adam', _is_reference)
SCHEDULE = _spec('a reference, such as @warmup', _is_reference)
LOSS = _spec('a reference, such as @CrossEntropyLoss', _is_reference)
REFERENCES = _spec(
  'a list of references, such as [@CrossEntropyLoss, @Accuracy]',
  lambda value: (
    isinstance(value, list | tuple)
    and bool(value)
    and all(isinstance(item, Reference) for item in value)
  ),
  list,
)


@dataclasses.dataclass(frozen=True)
class MacroEntry:
  """A macro of gin/base.gin: what it must be and what it means."""

  spec: Spec
  meaning: str


# In the order of gin/base.gin, which is the order of config.gin.
MACROS: Mapping[str, MacroEntry] = {
  'DATASET': MacroEntry(
    STRING, 'TFDS data set: `name`, `name/config` or `name:version`'
  ),
  'KEYS': MacroEntry(
    KEYS, 'TFDS keys; several text keys are joined with a space'
  ),
  'SPLITS': MacroEntry(
    SPLITS,
    "what to train and what to evaluate on, in TFDS's slicing syntax; of three "
    'the second is sampled during training, and chooses the best checkpoint',
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
  'VOCAB_SIZE': MacroEntry(SIZE, 'rows of the embedding'),
  'MAX_LENGTH': MacroEntry(
    SIZE, 'longer examples are dropped and counted, in tokens'
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
  'EMBEDDING_SIZE': MacroEntry(SIZE, 'width of the embedding'),
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
  'N_STEPS': MacroEntry(SIZE, 'training steps in total'),
  'N_STEPS_PER_CHECKPOINT': MacroEntry(
    SIZE, 'steps between checkpoints, each with a sampled evaluation'
  ),
  'N_EVAL_BATCHES': MacroEntry(SIZE, 'batches of a sampled evaluation'),
  'SEED': MacroEntry(SEED, 'seeds weights, dropout and the order of the data'),
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
  'trax.data.FilterByLength': {'max_length': SIZE, 'min_length': COUNT},
  'trax.data.BucketByLength': {
    'boundaries': BOUNDARIES,
    'batch_sizes': SIZES,
    'strict_pad_on_len': BOOLEAN,
  },
  'experiments.experiment': {
    'splits': SPLITS,
    'vocab_size': SIZE,
    'model': FUNCTION,
    'n_steps': SIZE,
    'seed': SEED,
    'lower_case': BOOLEAN,
    'truncate': BOOLEAN,
    'keep_checkpoints': SIZE,
    'best_metric': optional(STRING),
    'best_direction': DIRECTION,
    'patience': optional(SIZE),
    'ema_decay': optional(FRACTION),
    'clip_grad_norm': optional(POSITIVE),
    'init_from': optional(DIRECTORY),
    'histograms': BOOLEAN,
    'projector': BOOLEAN,
  },
  'trax.supervised.training.TrainTask': {
    'optimizer': OPTIMIZER,
    'loss_layer': LOSS,
    'lr_schedule': optional(SCHEDULE),
    'n_steps_per_checkpoint': SIZE,
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
  ('EvalTask', 'labeled_data'): 'it comes from DATASET',
  ('EvalTask', 'sample_batch'): 'it comes from DATASET',
}

# What the framework gives to every model.
SET_FOR_MODELS: Mapping[str, str] = {
  'vocab_size': 'VOCAB_SIZE gives it',
  'n_classes': 'the data set gives it',
  'mode': "it is 'train' or 'eval' as the step needs",
}

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
  'warmup_steps': SIZE,
  'd_feature': SIZE,
  'd_model': SIZE,
  'd_ff': SIZE,
  'd_hidden': SIZE,
  'n_layers': SIZE,
  'n_heads': SIZE,
  'max_len': SIZE,
  'dropout': FRACTION,
  'token_dropout': FRACTION,
  'combiner': COMBINER,
  'd_attention': SIZE,
  'init_range': POSITIVE,
  'max_n': SIZE,
  'n_buckets': SIZE,
  'n_filters': SIZE,
  'widths': WIDTHS,
  'label_smoothing': FRACTION,
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


def spec_of_default(default: Any) -> Spec | None:
  """Derives what a parameter must be from its default; None: anything."""
  if isinstance(default, bool):
    return BOOLEAN
  if _is_whole(default) and default != 0:
    return _spec('a whole number', _is_whole)
  if _is_number(default):
    form = float if isinstance(default, float) else None
    return _spec('a number', _is_finite, form)
  if isinstance(default, str):
    return _spec('a quoted string', lambda value: isinstance(value, str))
  if isinstance(default, list | tuple):
    return _spec(
      'a list or a tuple',
      lambda value: isinstance(value, list | tuple),
      type(default),
    )
  if callable(default):
    return _spec(
      'a reference, such as @Relu, or None',
      lambda value: value is None or isinstance(value, Reference),
    )
  return None


def spec_of_annotation(annotation: Any) -> Spec | None:
  """Derives what a parameter must be from its annotation; None: anything."""
  members = set(typing.get_args(annotation)) or {annotation}
  is_optional = type(None) in members
  members -= {type(None)}
  spec = None
  if len(members) == 1:
    # Of each type one value stands for all.
    samples: Mapping[Any, Any] = {bool: True, int: 1, float: 1.0, str: ''}
    member = members.pop()
    if member in samples and (is_optional or member is annotation):
      spec = spec_of_default(samples[member])
  return optional(spec) if spec and is_optional else spec


def is_unevaluated(value: Any) -> bool:
  """Tells whether only a call at run time would give the value."""
  return any(
    isinstance(leaf, Reference) and leaf.evaluate for leaf in leaves(value)
  )


def macro_table() -> str:
  """Returns the macros as a table in Markdown."""
  rows = [
    f'| `{name}` | {entry.spec.expected} | {entry.meaning} |'
    for name, entry in MACROS.items()
  ]
  return '\n'.join(['| macro | must be | meaning |', '|---|---|---|', *rows])
