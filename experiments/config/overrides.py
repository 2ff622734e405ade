"""Parameters that have no effect while another has a certain value.

gin gives them, the code takes them, and nothing comes of it: such a binding is
refused with the name of what overrides it. One table; a test tries every
parameter that can be bound, and fails for one that belongs here and is missing.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from experiments.config import configurables
from experiments.config.consumption import Key, winners
from experiments.config.gin_statements import Binding
from experiments.config.gin_values import Macro, Reference, shorten
from experiments.config.macro_checks import origin, resolve_value
from experiments.foundation.data_paths import is_data_path

_EXPERIMENT = 'experiments.experiment'
_TRAIN_TASK = 'trax.supervised.training.TrainTask'
_TFDS = 'trax.data.TFDS'
_TOKENIZE = 'trax.data.Tokenize'
_ADAFACTOR = 'trax.optimizers.Adafactor'
_SM3 = 'trax.optimizers.SM3'
_MOMENTUM = 'trax.optimizers.Momentum'
_CONFIGURABLE_ENCODER = 'trax.models.ConfigurableTransformerEncoder'
_MULTIFACTOR = 'trax.supervised.lr_schedules.multifactor'
# Stands for whatever TrainTask.optimizer refers to.
_OPTIMIZER = ''


@dataclasses.dataclass(frozen=True)
class Override:
  """What leaves a parameter without effect.

  Attributes:
    selector: of the parameter's configurable, or `_OPTIMIZER`.
    parameter: its name.
    by: selector and name of the parameter that decides.
    when: tells from the value of that one whether it does.
    reason: goes after that value in a message, with the way out.
    fed_by: the macro that gin/base.gin gives the parameter in any case, and
      that has an effect elsewhere: to bind the parameter to it is right.
  """

  selector: str
  parameter: str
  by: tuple[str, str]
  when: Callable[[Any], bool]
  reason: str
  fed_by: str = ''


def _is_set(value: Any) -> bool:
  return value is not None


def _is_unset(value: Any) -> bool:
  return value is None


def _is_zero(value: Any) -> bool:
  return not isinstance(value, Reference) and value == 0


def _is_not_axial(value: Any) -> bool:
  known = ('sin-cos', 'fixed-base', 'infinite', 'infinite-affine', 'time-bin')
  return value is None or value in (*known, 'no')


def _is_own_file(dataset: Any) -> bool:
  return isinstance(dataset, str) and is_data_path(dataset)


def _is_of_tfds(dataset: Any) -> bool:
  return isinstance(dataset, str) and not is_data_path(dataset)


def _is_one_text(keys: Any) -> bool:
  return isinstance(keys, list | tuple) and len(keys) == 2


def _lack(*factors: str) -> Callable[[Any], bool]:
  """Returns what tells whether a product has none of some factors."""

  def when(product: Any) -> bool:
    return isinstance(product, str) and not set(factors).intersection(
      each.strip() for each in product.split('*')
    )

  return when


def _of_multifactor(
  parameter: str, *factors: str, fed_by: str = ''
) -> Override:
  return Override(
    _MULTIFACTOR,
    parameter,
    (_MULTIFACTOR, 'factors'),
    _lack(*factors),
    f'does not ask for it; {" and ".join(factors)} would',
    fed_by,
  )


OVERRIDES = (
  Override(
    _OPTIMIZER,
    'learning_rate',
    (_TRAIN_TASK, 'lr_schedule'),
    _is_set,
    'sets the learning rate of each step. Bind LEARNING_RATE, or LR_SCHEDULE = '
    'None',
    fed_by='LEARNING_RATE',
  ),
  Override(
    _OPTIMIZER,
    'clip_grad_norm',
    (_EXPERIMENT, 'clip_grad_norm'),
    _is_set,
    'takes its place. Bind one of them',
  ),
  *(
    Override(
      _EXPERIMENT,
      parameter,
      (_TFDS, 'dataset_name'),
      _is_of_tfds,
      'names a data set of TFDS, which is taken as it is. It is for a path of '
      'your own data',
    )
    for parameter in ('split_by', 'skip_bad_rows')
  ),
  Override(
    _TFDS,
    'data_dir',
    (_TFDS, 'dataset_name'),
    _is_own_file,
    'is data of your own, which is kept in the cache',
  ),
  Override(
    _EXPERIMENT,
    'text_separator',
    (_TFDS, 'keys'),
    _is_one_text,
    'names one text. It stands between several',
  ),
  Override(
    _TOKENIZE,
    'vocab_dir',
    (_TOKENIZE, 'vocab_file'),
    _is_unset,
    'builds a vocabulary. Bind VOCAB_FILE to the name of one',
  ),
  Override(
    _EXPERIMENT,
    'best_direction',
    (_EXPERIMENT, 'best_metric'),
    _is_unset,
    'keeps no best checkpoint. Bind it, e.g. experiment.best_metric = '
    "'metrics/Accuracy'",
  ),
  *(
    Override(selector, parameter, (selector, switch), _is_zero, 'leaves it out')
    for selector, parameter, switch in (
      (_ADAFACTOR, 'beta1', 'do_momentum'),
      (_ADAFACTOR, 'momentum_in_bfloat16', 'do_momentum'),
      (_ADAFACTOR, 'clipping_threshold', 'do_clipping'),
      (_ADAFACTOR, 'epsilon2', 'multiply_by_parameter_scale'),
      (_ADAFACTOR, 'weight_decay_n_steps', 'weight_decay_rate'),
      (_MOMENTUM, 'nesterov', 'mass'),
      (_SM3, 'momentum_type', 'momentum'),
      (_CONFIGURABLE_ENCODER, 'ff_sparsity_type', 'ff_sparsity'),
    )
  ),
  *(
    Override(
      _CONFIGURABLE_ENCODER,
      parameter,
      (_CONFIGURABLE_ENCODER, 'pos_type'),
      _is_not_axial,
      "leaves it out; 'axial' asks for it",
    )
    for parameter in ('pos_axial_shape', 'pos_d_axial_embs')
  ),
  _of_multifactor(
    'constant', 'constant', 'two_constants', fed_by='LEARNING_RATE'
  ),
  _of_multifactor(
    'warmup_steps',
    'linear_warmup',
    'rsqrt_decay',
    'rsqrt_normalized_decay',
    'cosine_decay',
  ),
  _of_multifactor('decay_factor', 'decay_every'),
  _of_multifactor('steps_per_decay', 'decay_every'),
  _of_multifactor('steps_per_cycle', 'cosine_decay'),
  _of_multifactor('second_constant', 'two_constants'),
  _of_multifactor('second_constant_step', 'two_constants'),
)


# The macros that gin/base.gin gives to parameters that may be overridden.
FEEDING = frozenset(each.fed_by for each in OVERRIDES if each.fed_by)


def decides_by_value(selector: str, parameter: str) -> bool:
  """Tells whether another number or string may override something.

  Args:
    selector: of a configurable, in full.
    parameter: of it.
  """
  return any(
    each.by == (selector, parameter) and each.when not in (_is_set, _is_unset)
    for each in OVERRIDES
  )


class Overridden:
  """What has no effect in a config."""

  def __init__(self, bindings: Mapping[Key, Binding]):
    """Looks nothing up yet.

    Args:
      bindings: all of them, with full selectors.
    """
    self._bindings = bindings
    task = bindings.get(('', _TRAIN_TASK, 'optimizer'))
    self._optimizer = resolve_value(task.value, bindings) if task else None

  def find(self, scope: str, selector: str, parameter: str) -> Override | None:
    """Returns what overrides a parameter in an active scope, if anything does.

    Args:
      scope: of the reference by which the configurable is reached.
      selector: of the configurable, in full.
      parameter: of the configurable.
    """
    for override in _BY_PARAMETER.get(parameter, ()):
      if self._is_meant(override, scope, selector) and override.when(
        self._value(override, scope)
      ):
        return override
    return None

  def excuse(self, scope: str, key: Key) -> str | bool | None:
    """See `consumption.reach`."""
    override = self.find(scope, *key[1:])
    if override is None:
      return None
    value = self._bindings[key].value
    if override.fed_by and value == Macro(override.fed_by):
      return override.fed_by
    default = configurables.signature(key[1]).defaults.get(
      key[2], configurables.MISSING
    )
    return resolve_value(value, self._bindings) == default

  def explain(self, scope: str, key: Key) -> str:
    """Says what overrides a binding, such as 'LR_SCHEDULE = @warmup sets …'.

    Args:
      scope: in which it is reached.
      key: of the binding.
    """
    override = self.find(scope, *key[1:])
    assert override is not None
    selector, parameter = override.by
    name = f'{configurables.short(selector)}.{parameter}'
    value = self._value(override, scope)
    binding = self._decider(override, scope)
    if binding is not None:
      source = origin(binding, self._bindings)
      name = source.name if source.is_macro else name
    if isinstance(value, Reference):
      value = dataclasses.replace(
        value, selector=configurables.short(value.selector)
      )
    return f'{name} = {shorten(value)} {override.reason}'

  def _decider(self, override: Override, scope: str) -> Binding | None:
    """Returns the binding that decides; None where a default does."""
    return self._bindings.get(
      winners(self._bindings, scope, override.by[0]).get(
        override.by[1], ('', '', '')
      )
    )

  def _is_meant(self, override: Override, scope: str, selector: str) -> bool:
    if override.selector != _OPTIMIZER:
      return override.selector == selector
    return isinstance(self._optimizer, Reference) and (
      self._optimizer.scope,
      self._optimizer.selector,
    ) == (scope, selector)

  def _value(self, override: Override, scope: str) -> Any:
    binding = self._decider(override, scope)
    if binding is None:
      selector, parameter = override.by
      return configurables.signature(selector).defaults.get(parameter)
    return resolve_value(binding.value, self._bindings)


_BY_PARAMETER: dict[str, list[Override]] = {}
for _override in OVERRIDES:
  _BY_PARAMETER.setdefault(_override.parameter, []).append(_override)
