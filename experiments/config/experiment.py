"""An experiment: a checked config as values with types, and what makes parts.

`resolve` is where a config stops being text. What comes after takes its values
from here as arguments and never asks gin. Only the parts that are trax's
(model, optimizer, schedule, loss, metrics) take parameters of their own from
gin, when they are made and when their code runs: by the methods of
`Experiment`, and where its `bound` is entered.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from experiments.backend import trax_optimizers
from experiments.config import gin_config
from experiments.config.gin_config import Config
from experiments.config.gin_state import GinState, instance, look_up_binding
from experiments.foundation.errors import UserError
from experiments.models.encoder_config import EncoderConfig

_TRAIN_TASK = 'trax.supervised.training.TrainTask'
_EVAL_TASK = 'trax.supervised.training.EvalTask'
_EXPERIMENT = 'experiments.experiment'


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
  """Which examples.

  Attributes:
    name: of the data set, as TFDS takes it, or the path of a user's own files.
    keys: of the texts, and last that of the label.
    splits: what to train and what to evaluate on, in TFDS's slicing syntax; of
      three the second is what is sampled during training.
    data_dir: where prepared data sets are; None: TFDS's own choice.
    text_separator: what stands between several texts of an example.
    split_by, skip_bad_rows: how a user's own files are read; see
      `datasets.file_survey.ImportOptions`.
  """

  name: str
  keys: tuple[str, ...]
  splits: tuple[str, ...]
  data_dir: str | None
  text_separator: str
  split_by: str | None
  skip_bad_rows: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldConfig:
  """Which part of what is to be trained on is held out, and evaluated.

  Attributes:
    n_folds: into how many parts it is cut.
    fold: the number of the part, from 0.
  """

  n_folds: int
  fold: int

  def name_of(self, split: str) -> str:
    """Returns what the part is called, e.g. 'train[fold_0_of_5]'.

    Args:
      split: what is cut, in TFDS's syntax.
    """
    return f'{split}[fold_{self.fold}_of_{self.n_folds}]'


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextConfig:
  """How texts become token ids.

  Attributes:
    lower_case: whether they are made lower-case first.
    vocab_file: a vocabulary; None: one is built.
    vocab_dir: where it is; None: the working directory, then trax's bucket.
    vocab_type: 'subword' or 'word'.
    max_tokens: how many of its tokens a longer text keeps; None: all.
    embedding_file: word vectors, which give the vocabulary; or None.
  """

  lower_case: bool
  vocab_file: str | None
  vocab_dir: str | None
  vocab_type: str
  max_tokens: int | None
  embedding_file: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class BucketConfig:
  """How examples become batches; lengths are in tokens.

  Attributes:
    boundaries: increasing lengths.
    batch_sizes: of each bucket, the last for what is longer than them all.
    min_length: shorter examples are left out.
    max_length: longer examples are left out.
    strict_pad_on_len: whether training pads a text by its own length alone, as
      an evaluation does; else as trax does by default.
  """

  boundaries: tuple[int, ...]
  batch_sizes: tuple[int, ...]
  min_length: int
  max_length: int
  strict_pad_on_len: bool

  def as_arguments(self) -> dict[str, Any]:
    """Returns buckets and limits by name, as what forms batches takes them."""
    names = ('boundaries', 'batch_sizes', 'min_length', 'max_length')
    return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
  """What is trained; `Experiment.make_model` makes it.

  Attributes:
    vocab_size: rows of the embedding.
    init_from: a run directory or a file of trax to start from; or None.
    encoder: the directory of a pretrained encoder; None: there is none.
  """

  vocab_size: int
  init_from: str | None
  encoder: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
  """How it is trained; `Experiment` makes optimizer, schedule and loss.

  Attributes:
    n_steps: training steps in total.
    seed: seeds weights, dropout and the order of the data.
    clip_grad_norm: the largest L2 norm of the gradient; None: any, or what the
      optimizer says.
    ema_decay: of the average of the weights; None: there is no average.
    patience: evaluations in a row that may fail to improve; None: any.
    embedding_rate, n_frozen_steps, encoder_rate, layer_decay,
      n_frozen_layers: how parts learn, see `configurables.experiment`.
  """

  n_steps: int
  seed: int
  clip_grad_norm: float | None
  ema_decay: float | None
  patience: int | None
  embedding_rate: float
  n_frozen_steps: int
  encoder_rate: float
  layer_decay: float
  n_frozen_layers: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
  """What is measured; `Experiment.make_metrics` makes the sampled metrics.

  Attributes:
    every_n_steps: steps between two sampled evaluations, and checkpoints.
    n_batches: of a sampled evaluation.
    best_metric: of the sampled evaluations, by which the best checkpoint is
      chosen; None: the last one is taken.
    best_direction: 'maximize' or 'minimize' it.
    calibration: 'temperature', or None.
    reject_below: the probability that an answer must have; None: any.
  """

  every_n_steps: int
  n_batches: int
  best_metric: str | None
  best_direction: str
  calibration: str | None
  reject_below: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
  """What a run leaves behind.

  Attributes:
    keep_checkpoints: how many of the newest checkpoints are kept.
    histograms: whether weights and gradients are counted at each evaluation.
    projector: whether the embeddings are written for TensorBoard's projector.
  """

  keep_checkpoints: int
  histograms: bool
  projector: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
  """A checked config as values, and what makes the parts that trax has.

  Several can live in one process, and be used from several threads.

  Attributes:
    config: the config it was made of.
    data, text, buckets, model, optimization, evaluation, run: its values.
    folds: of cross-validation; None: the last split is evaluated.
    gin_state: its bindings, for what trax makes.
  """

  config: Config
  data: DataConfig
  text: TextConfig
  buckets: BucketConfig
  model: ModelConfig
  optimization: OptimizationConfig
  evaluation: EvaluationConfig
  run: RunConfig
  folds: FoldConfig | None = None
  gin_state: GinState = dataclasses.field(repr=False, compare=False)

  @property
  def evaluated_split(self) -> str:
    """What the exact evaluation of a run is of."""
    if self.folds:
      return self.folds.name_of(self.data.splits[0])
    return self.data.splits[-1]

  def bound(self) -> contextlib.AbstractContextManager[None]:
    """Returns a context in which gin gives parameters as the config says.

    For code that may call configurables: while a layer is made, initialized or
    traced.
    """
    return self.gin_state.bound()

  def make_model(
    self, *, n_classes: int, mode: str, encoder: EncoderConfig | None = None
  ):
    """Makes the model.

    Args:
      n_classes: number of classes of the data set.
      mode: 'train' or 'eval'.
      encoder: what `model.encoder` is, if the model is made of one.

    Returns:
      A trax layer without weights.

    Raises:
      UserError: its parameters do not go together.
    """
    with self.bound():
      function = look_up_binding(_EXPERIMENT, 'model')
      try:
        return function(
          vocab_size=self.model.vocab_size,
          n_classes=n_classes,
          mode=mode,
          **({} if encoder is None else {'encoder': encoder}),
        )
      except UserError as error:
        # gin adds where in its own calls that was.
        message = str(error).partition('\n  In call to configurable')[0]
        raise UserError(message) from None

  def make_optimizer(self):
    """Makes the optimizer, which clips gradients if the config says so."""
    with self.bound():
      optimizer = instance(look_up_binding(_TRAIN_TASK, 'optimizer'))
    if self.optimization.clip_grad_norm is not None:
      trax_optimizers.clip_gradients(
        optimizer, self.optimization.clip_grad_norm
      )
    return optimizer

  def make_loss(self):
    """Makes the layer that computes the loss."""
    with self.bound():
      return instance(look_up_binding(_TRAIN_TASK, 'loss_layer'))

  def make_schedule(self) -> Callable[[int], float] | None:
    """Makes the learning rate by step; None: it is the optimizer's."""
    with self.bound():
      schedule = look_up_binding(_TRAIN_TASK, 'lr_schedule')
      if schedule is None:
        return None
      schedule = instance(schedule)

    def learning_rate(step: int) -> float:
      with self.bound():
        return schedule(step)

    return learning_rate

  def make_metrics(self) -> list[Any]:
    """Makes the layers that a sampled evaluation measures with."""
    with self.bound():
      return [instance(each) for each in look_up_binding(_EVAL_TASK, 'metrics')]


def read(
  gin_files: Sequence[str],
  gin_bindings: Sequence[str] = (),
  gin_search_paths: Sequence[str] = (),
) -> Experiment:
  """Reads, checks and resolves a config.

  Args:
    gin_files: as --gin_file.
    gin_bindings: as --gin_bindings.
    gin_search_paths: as --gin_search_paths.

  Raises:
    UserError: it does not pass the checks.
  """
  return resolve(
    gin_config.check(
      gin_config.parse(gin_files, gin_bindings, gin_search_paths)
    )
  )


def resolve(config: Config) -> Experiment:
  """Turns a checked config into values.

  Args:
    config: what has passed every check.
  """
  import gin

  state = GinState(config.text)
  with state.bound():
    data, tokenize, lengths, bucket = (
      gin.get_bindings(f'trax.data.{name}')
      for name in ('TFDS', 'Tokenize', 'FilterByLength', 'BucketByLength')
    )
    own = gin.get_bindings(_EXPERIMENT)
    every_n_steps = look_up_binding(_TRAIN_TASK, 'n_steps_per_checkpoint')
    n_eval_batches = look_up_binding(_EVAL_TASK, 'n_eval_batches')
  return Experiment(
    config=config,
    data=DataConfig(
      name=data['dataset_name'],
      keys=tuple(data['keys']),
      splits=tuple(own['splits']),
      data_dir=data['data_dir'],
      text_separator=own['text_separator'],
      split_by=own['split_by'],
      skip_bad_rows=own['skip_bad_rows'],
    ),
    text=TextConfig(
      lower_case=own['lower_case'],
      vocab_file=tokenize['vocab_file'],
      vocab_dir=tokenize['vocab_dir'],
      vocab_type=tokenize['vocab_type'],
      max_tokens=lengths['max_length'] if own['truncate'] else None,
      embedding_file=own['embedding_file'],
    ),
    buckets=BucketConfig(
      boundaries=tuple(bucket['boundaries']),
      batch_sizes=tuple(bucket['batch_sizes']),
      min_length=lengths['min_length'],
      max_length=lengths['max_length'],
      strict_pad_on_len=bucket['strict_pad_on_len'],
    ),
    model=ModelConfig(
      vocab_size=own['vocab_size'],
      init_from=own['init_from'],
      encoder=own['encoder'],
    ),
    optimization=OptimizationConfig(
      n_steps=own['n_steps'],
      seed=own['seed'],
      clip_grad_norm=own['clip_grad_norm'],
      ema_decay=own['ema_decay'],
      patience=own['patience'],
      embedding_rate=own['embedding_rate'],
      n_frozen_steps=own['n_frozen_steps'],
      encoder_rate=own['encoder_rate'],
      layer_decay=own['layer_decay'],
      n_frozen_layers=own['n_frozen_layers'],
    ),
    evaluation=EvaluationConfig(
      every_n_steps=every_n_steps,
      n_batches=n_eval_batches,
      best_metric=own['best_metric'],
      best_direction=own['best_direction'],
      calibration=own['calibration'],
      reject_below=own['reject_below'],
    ),
    run=RunConfig(
      keep_checkpoints=own['keep_checkpoints'],
      histograms=own['histograms'],
      projector=own['projector'],
    ),
    folds=FoldConfig(n_folds=own['n_folds'], fold=own['fold'])
    if own['n_folds'] is not None
    else None,
    gin_state=state,
  )
