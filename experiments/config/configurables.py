"""What gin can bind: trax's configurables, and those that trax leaves out.

The only module that looks into gin's registry, for which gin has no public way
to list names.
"""

import dataclasses
import functools
import importlib
import inspect
import traceback
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from experiments.config.gin_statements import Import
from experiments.config.gin_values import REQUIRED
from experiments.foundation import terminal
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

MISSING = inspect.Parameter.empty

# gin's own, which plain `@constant` would otherwise be ambiguous with.
_HIDDEN = ('gin.macro', 'gin.constant')

# Losses and metrics of trax.layers that trax does not register.
_LAYERS = (
  'Accuracy',
  'BinaryCrossEntropyLoss',
  'CategoryAccuracy',
  'CrossEntropyLoss',
  'CrossEntropySum',
  'MaskedSequenceAccuracy',
)

# Of trax.layers, what makes one number of log-probabilities and classes; the
# first can be trained by.
_LOSSES = (
  'CategoryCrossEntropy',
  'CrossEntropyLoss',
  'CrossEntropyLossWithLogSoftmax',
  'CrossEntropySum',
  'WeightedCategoryCrossEntropy',
)
_METRICS = (
  'Accuracy',
  'CategoryAccuracy',
  'MacroAveragedFScore',
  'MaskedSequenceAccuracy',
  'SequenceAccuracy',
  'WeightedCategoryAccuracy',
  'WeightedFScore',
)

# Registered from outside: a call by their plain name takes nothing from gin.
_EXTERNAL: set[str] = set()


@dataclasses.dataclass(frozen=True)
class Signature:
  """The parameters of a configurable.

  Attributes:
    defaults: by parameter, in order; MISSING where there is none.
    annotations: by parameter, where there is one.
    is_open: whether it takes any other parameter too.
  """

  defaults: Mapping[str, Any]
  annotations: Mapping[str, Any]
  is_open: bool


def experiment(
  *,
  splits,
  vocab_size,
  model,
  n_steps,
  seed=0,
  n_folds=None,
  fold=None,
  text_separator=' ',
  split_by=None,
  skip_bad_rows=False,
  lower_case=False,
  truncate=False,
  keep_checkpoints=2,
  best_metric=None,
  best_direction='maximize',
  patience=None,
  ema_decay=None,
  calibration=None,
  reject_below=None,
  clip_grad_norm=None,
  init_from=None,
  embedding_file=None,
  embedding_rate=1.0,
  n_frozen_steps=0,
  encoder=None,
  encoder_rate=1.0,
  layer_decay=1.0,
  n_frozen_layers=0,
  histograms=False,
  projector=True,
):
  """What the framework itself reads from gin; see gin/base.gin.

  Args:
    splits: what to train and what to evaluate on, in TFDS's slicing syntax;
      of three the second is sampled during training.
    vocab_size: rows of the embedding.
    model: function of (vocab_size, n_classes, mode) that returns a layer.
    n_steps: training steps in total.
    seed: seeds weights, dropout and the order of the data.
    n_folds: into how many folds the first of them is cut; None: it is not.
    fold: which one is held out, and evaluated.
    text_separator: what stands between several texts of an example.
    split_by: of a user's own file, the column whose equal values stay in one
      split; None: equal texts do.
    skip_bad_rows: whether rows of such a file that will not do are left out.
    lower_case: whether texts are made lower-case first.
    truncate: whether longer examples keep their first tokens, as many as
      FilterByLength.max_length; else they are left out.
    keep_checkpoints: how many of the newest checkpoints are kept.
    best_metric: of the sampled evaluation, e.g. 'metrics/Accuracy'; the
      checkpoint with the best value is kept besides. None keeps no best.
    best_direction: 'maximize' or 'minimize' it.
    patience: how many evaluations in a row may fail to improve it before
      training ends; None: any.
    ema_decay: what the moving average of the weights, which is evaluated in
      their place, keeps of itself at each step; None: there is no average.
    calibration: 'temperature' fits one on the validation split, by which all
      log-probabilities are divided; None: none is.
    reject_below: the probability that an answer must have; None: any.
    clip_grad_norm: the largest L2 norm of the gradient of all weights; None:
      any, or what the optimizer says.
    init_from: a run directory, or a model.pkl.gz of trax, whose weights
      training starts from; None: random ones.
    embedding_file: word vectors, which give the vocabulary and what the
      embedding starts from; None: there are none.
    embedding_rate: what the learning rate of the embedding is multiplied by;
      0: it stays as it is.
    n_frozen_steps: how many steps, from the first, it stays as it is, and the
      encoder.
    encoder: the directory of a pretrained encoder; None: there is none.
    encoder_rate: what the learning rate of all of it is multiplied by.
    layer_decay: and that of each layer by this as often as there are layers of
      the encoder above it.
    n_frozen_layers: how many layers, with the embedding below them, stay as
      they are.
    histograms: whether weights and gradients are counted at each evaluation.
    projector: whether the embeddings are written for TensorBoard's projector.
  """
  raise AssertionError('experiment holds values and is never called.')


def register() -> None:
  """Imports trax and registers what it does not; can be called again."""
  from experiments.backend import trax_repairs
  from experiments.models import classifiers, encoders, losses, schedules

  trax_repairs.import_trax()
  from trax import layers as tl

  for name in _LAYERS:
    _register(getattr(tl, name), 'trax.layers')
  for name_in_gin, module in (
    ('losses', losses),
    ('models', classifiers),
    ('models', encoders),
    ('schedules', schedules),
  ):
    for name, function in vars(module).items():
      if (
        inspect.isfunction(function)
        and not name.startswith('_')
        and function.__module__ == module.__name__
      ):
        _register(function, f'experiments.{name_in_gin}')
  _register(experiment, 'experiments')


def _register(function: Callable, module: str) -> None:
  import gin

  selector = f'{module}.{function.__name__}'
  if selector not in _registry():
    gin.external_configurable(function, module=module)
    _EXTERNAL.add(selector)


def _registry():
  from gin import config

  return config._REGISTRY


def import_modules(imports: Iterable[Import]) -> None:
  """Imports what the gin files import.

  What the modules print goes to stderr: stdout is for results, which
  --mode=predict writes for programs to read.

  Raises:
    UserError: a module does not exist, or raises an exception.
  """
  for statement in imports:
    try:
      with terminal.stdout_to_stderr():
        importlib.import_module(statement.module)
    except ModuleNotFoundError as error:
      missing = error.name or statement.module
      if not f'{statement.module}.'.startswith(f'{missing}.'):
        missing = f'{missing}, which {statement.module} imports,'
      raise UserError(
        f'{statement.place}: module {missing} does not exist. It must be '
        'installed, or stand where PYTHONPATH leads.'
      ) from error
    except (Exception, SystemExit) as error:
      frame = traceback.extract_tb(error.__traceback__)[-1]
      file, line = frame.filename, frame.lineno
      reason = str(error)
      if isinstance(error, SyntaxError):
        file, line, reason = error.filename or file, error.lineno, error.msg
      raise UserError(
        f'{statement.place}: importing {statement.module} failed in '
        f'{file}:{line}: {type(error).__name__}: {reason}'
      ) from error


def names() -> list[str]:
  """Returns the full selectors of all configurables."""
  return [name for name, _ in _registry().items() if name not in _HIDDEN]


def constants() -> list[str]:
  """Returns what `%NAME` can mean without being bound: gin's constants."""
  from gin import config

  found = []
  for name, _ in config._CONSTANTS.items():
    if name == REQUIRED:
      continue
    parts = name.split('.')
    found += ['.'.join(parts[n:]) for n in range(len(parts))]
  return found


def matches(selector: str) -> list[str]:
  """Returns the full selectors that a selector, maybe partial, can mean."""
  found = _registry().matching_selectors(selector)
  return sorted(name for name in found if name not in _HIDDEN)


def complete(selector: str) -> str:
  """Returns the full selector of the one configurable that is meant.

  Raises:
    UserError: there is none, or several; the message has no place yet.
  """
  found = matches(selector)
  if len(found) == 1:
    return found[0]
  if found:
    shorts = ' or '.join(map(short, found))
    raise UserError(f'{selector} is ambiguous. Write {shorts}.')
  message = f'there is no configurable {selector}.'
  candidates = [short(name) for name in names()]
  raise UserError(
    message
    + (
      did_you_mean(selector, candidates)
      or ' Import the module that registers it in the gin file.'
    )
  )


def short(selector: str) -> str:
  """Returns the shortest selector with which gin finds the same."""
  return _registry().minimal_selector(selector)


def function_of(selector: str) -> Callable:
  """Returns the function or class as it was before gin wrapped it."""
  return _registry()[selector].wrapped


@functools.cache
def signature(selector: str) -> Signature:
  """Returns what parameters a configurable has."""
  configurable = _registry()[selector]
  function = inspect.unwrap(configurable.wrapped)
  if inspect.isclass(function):
    function = function.__init__ if '__init__' in dir(function) else function
  parameters = list(inspect.signature(function).parameters.values())
  if inspect.isclass(configurable.wrapped):
    parameters = parameters[1:]
  try:
    annotations = typing.get_type_hints(function)
  except Exception:
    # An annotation that cannot be evaluated says nothing about a value.
    annotations = {}
  named = [
    parameter
    for parameter in parameters
    if parameter.kind
    in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    and parameter.name not in (configurable.denylist or ())
    and (not configurable.allowlist or parameter.name in configurable.allowlist)
  ]
  return Signature(
    {parameter.name: parameter.default for parameter in named},
    annotations,
    any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters)
    # SGD hands them to its update, which knows none of them.
    and not selector.startswith('trax.optimizers.'),
  )


def is_optimizer(selector: str) -> bool:
  """Tells whether a configurable is one of trax's optimizers, or a new one."""
  from trax.optimizers import base

  function = function_of(selector)
  return inspect.isclass(function) and issubclass(function, base.Optimizer)


def is_model(selector: str) -> bool:
  """Tells whether a configurable is one of the models of trax or ours."""
  return selector.startswith(('experiments.models.', 'trax.models.'))


def is_schedule(selector: str) -> bool:
  """Tells whether a configurable is a schedule, or may be one of a user's."""
  return _is_of_users(selector) or selector.startswith(
    ('trax.supervised.lr_schedules.', 'experiments.schedules.')
  )


def is_loss(selector: str) -> bool:
  """Tells whether a configurable is a loss, or may be one of a user's."""
  return (
    _is_of_users(selector)
    or selector.startswith('experiments.losses.')
    or selector.removeprefix('trax.layers.') in _LOSSES
  )


def is_metric(selector: str) -> bool:
  """Tells whether a configurable is a metric, or may be one of a user's."""
  return is_loss(selector) or selector.removeprefix('trax.layers.') in _METRICS


def _is_of_users(selector: str) -> bool:
  return not selector.startswith(('trax.', 'experiments.', 'gin.'))


def takes_encoder(selector: str) -> bool:
  """Tells whether a model is made of a pretrained encoder."""
  return 'encoder' in signature(selector).defaults


def is_external(selector: str) -> bool:
  """Tells whether code that calls it by its plain name goes around gin."""
  return selector in _EXTERNAL
