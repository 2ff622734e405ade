"""What runs of one process that differ in numbers only make once: programs.

What a program takes as an array (the optimizer's numbers, the learning rate of
each step, the seed) can change without compiling again; sizes, layers and what
Python branches on cannot.
"""

import collections
import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

_Result = TypeVar('_Result')

# Of each of trax's optimizers what reaches its update as an array, and what
# nothing in its code branches on.
_ARRAYS: Mapping[str, tuple[str, ...]] = {
  'Adam': ('learning_rate', 'weight_decay_rate', 'b1', 'b2', 'eps'),
  'Adafactor': (
    'learning_rate',
    'beta1',
    'decay_rate',
    'clipping_threshold',
    'weight_decay_rate',
    'weight_decay_n_steps',
    'epsilon1',
    'epsilon2',
  ),
  'Momentum': ('learning_rate', 'mass', 'weight_decay_rate'),
  'RMSProp': ('learning_rate', 'gamma', 'eps'),
  'SGD': ('learning_rate',),
  'SM3': ('learning_rate', 'weight_decay'),
}
# A schedule's numbers come to the program as the rates of its steps.
_SCHEDULES = (
  'constant',
  'multifactor',
  'warmup',
  'warmup_and_cosine_decay',
  'warmup_and_linear_decay',
  'warmup_and_rsqrt_decay',
)
_HOST_ONLY = frozenset(
  {
    'EvalTask.n_eval_batches',
    'TrainTask.lr_schedule',
    'TrainTask.n_steps_per_checkpoint',
    'experiment.histograms',
    'experiment.init_from',
    'experiment.n_steps',
    'experiment.patience',
    'experiment.projector',
    'experiment.seed',
  }
)
# Programs hold the weights of the run that made them.
MOST_KEPT = 4

# What runs of a structure have made, by name; the newest structure is last.
_kept: collections.OrderedDict[str, dict[str, Any]] = collections.OrderedDict()
_current: dict[str, Any] | None = None


@contextlib.contextmanager
def sharing(config_text: str) -> Iterator[None]:
  """Lets a run use what earlier runs of this process have compiled.

  Without it, nothing is kept.

  Args:
    config_text: `gin_config.Config.text` of the run.
  """
  global _current
  key = structure(config_text)
  _current = _kept.setdefault(key, {})
  _kept.move_to_end(key)
  while len(_kept) > MOST_KEPT:
    _kept.popitem(last=False)
  try:
    yield
  finally:
    _current = None


def kept(name: str, make: Callable[[], Any]) -> Any:
  """Returns a compiled function, made if no run of this structure has.

  Args:
    name: what it is, the same in every run.
    make: makes it; what it closes over may depend on nothing but the structure
      of the config.
  """
  if _current is None:
    return make()
  if name not in _current:
    _current[name] = make()
  return _current[name]


def keeping(function: Callable[..., _Result]) -> Callable[..., _Result]:
  """Decorates what depends on nothing but the structure, such as the data."""

  @functools.wraps(function)
  def wrapper(*args: Any, **kwargs: Any) -> _Result:
    return kept(function.__qualname__, lambda: function(*args, **kwargs))

  return wrapper


def structure(config_text: str) -> str:
  """Returns what of a config the compiled programs depend on.

  Args:
    config_text: `gin_config.Config.text`.

  Returns:
    Text that is equal for two configs if they can share their programs. It may
    differ where they still could.
  """
  pairs = (line.partition(' = ') for line in config_text.splitlines())
  values = {name: value for name, equals, value in pairs if equals}
  lines = [
    f'{name} = {_resolved(value, values)}'
    for name, value in values.items()
    if '.' in name and not _is_array(name)
  ]
  imports = [
    line for line in config_text.splitlines() if line and ' = ' not in line
  ]
  return '\n'.join([*imports, *lines])


def _is_array(name: str) -> bool:
  selector, _, parameter = name.rpartition('.')
  # With a scope or a module before it, it is the same configurable.
  last = re.split(r'[./]', selector)[-1]
  return (
    name in _HOST_ONLY
    or last in _SCHEDULES
    or parameter in _ARRAYS.get(last, ())
  )


def _resolved(value: str, values: Mapping[str, str]) -> str:
  """Puts the values of macros in the place of their names."""

  def replaced(match: re.Match[str]) -> str:
    name = match[1]
    return _resolved(values[name], values) if name in values else match[0]

  return re.sub(r'%([\w./]+)', replaced, value)
