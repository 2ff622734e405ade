"""What a sweep itself can be told, by bindings of `sweep` that no trial sees.

--gin_bindings="sweep.objective='macro_f1'", or in a sweep's YAML file
sweep.objective: macro_f1
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from experiments.comparison import compare
from experiments.config import specs
from experiments.config.gin_statements import read_text
from experiments.config.gin_values import shorten
from experiments.evaluation import metric_names
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

Direction = Literal['maximize', 'minimize']
DIRECTIONS: tuple[Direction, ...] = ('maximize', 'minimize')
PRUNERS = ('none', 'median', 'halving', 'hyperband')
_CONFIGURABLE = 'sweep'


@dataclasses.dataclass(frozen=True)
class Settings:
  """Settings of a sweep.

  Attributes:
    objective: the metric to sort by and to search for, of the exact evaluation.
    second_objective: another that is searched for, too, by its usual
      direction; None for none.
    direction: 'maximize' or 'minimize'; None goes by the metric's name.
    pruner: of `PRUNERS`; gives hopeless trials up.
    pruning_metric: of the sampled evaluations, e.g. 'metrics/Accuracy'; None
      takes the one that is most like the objective.
    pruner_startup_trials: how many trials the median pruner lets finish first.
    seed: of the sampler.
    num_cpus: that Ray sets aside for a trial.
    num_gpus: likewise; below 1, trials share a GPU.
    memory_mib: likewise; 0 sets none aside.
    resources: likewise, amounts by a name that the cluster's machines give.
  """

  objective: str = compare.DEFAULT_OBJECTIVE
  second_objective: str | None = None
  direction: str | None = None
  pruner: str = 'none'
  pruning_metric: str | None = None
  pruner_startup_trials: int = 5
  seed: int = 0
  num_cpus: float = 1.0
  num_gpus: float = 0.0
  memory_mib: float = 0.0
  resources: Mapping[str, float] = dataclasses.field(default_factory=dict)

  @property
  def objectives(self) -> str:
    """One objective or both, as --objective has them."""
    return ','.join(filter(None, (self.objective, self.second_objective)))

  @property
  def directions(self) -> list[Direction]:
    """'minimize' or 'maximize', of each objective."""
    directions = [_direction(self.is_minimized)]
    if self.second_objective is not None:
      is_minimized = metric_names.is_minimized(self.second_objective)
      directions.append(_direction(is_minimized))
    return directions

  @property
  def is_minimized(self) -> bool:
    """Whether less of the objective is better."""
    if self.direction is None:
      return metric_names.is_minimized(self.objective)
    return self.direction == 'minimize'


def _direction(is_minimized: bool) -> Direction:
  return 'minimize' if is_minimized else 'maximize'


def _one_of(names: Iterable[str]) -> specs.Spec:
  names = tuple(names)

  def normalize(value):
    if value not in names:
      raise specs.WrongValueError
    return value

  return specs.Spec(' or '.join(map(repr, names)), normalize)


def _objectives(value: Any) -> tuple[str, ...]:
  names = (value,) if isinstance(value, str) else value
  if (
    not isinstance(names, list | tuple)
    or not 1 <= len(names) <= 2
    or len(set(map(str, names))) < len(names)
  ):
    raise specs.WrongValueError
  for name in names:
    if not isinstance(name, str) or not metric_names.is_objective(name):
      raise specs.WrongValueError
  return tuple(names)


def _amounts(value: Any) -> dict[str, float]:
  if not isinstance(value, dict) or not all(
    isinstance(name, str) and name for name in value
  ):
    raise specs.WrongValueError
  return {
    name: specs.POSITIVE.normalize(amount) for name, amount in value.items()
  }


_SPECS: Mapping[str, specs.Spec] = {
  'objective': specs.Spec(
    f"one of {metric_names.EXPECTED}, or two such as ('accuracy', 'n_weights')",
    _objectives,
  ),
  'direction': _one_of(DIRECTIONS),
  'pruner': _one_of(PRUNERS),
  'pruning_metric': specs.STRING,
  'pruner_startup_trials': specs.COUNT,
  'seed': specs.SEED,
  'num_cpus': specs.NOT_NEGATIVE,
  'num_gpus': specs.NOT_NEGATIVE,
  'memory_mib': specs.NOT_NEGATIVE,
  'resources': specs.Spec(
    "amounts above 0 by name, such as {'fast_disk': 1}", _amounts
  ),
}


# Which settings have an effect only where another thing is so: when, and what
# that is.
_NEEDS: tuple[
  tuple[tuple[str, ...], Callable[[Settings, str], bool], str], ...
] = (
  (
    ('pruner', 'seed'),
    lambda settings, search: search != 'grid',
    '--search=random and --search=tpe',
  ),
  (
    ('pruner',),
    lambda settings, search: settings.second_objective is None,
    'a single sweep.objective: of two, none is hopeless early',
  ),
  (
    ('pruning_metric',),
    lambda settings, search: settings.pruner != 'none',
    "a sweep.pruner, such as 'median'",
  ),
  (
    ('pruner_startup_trials',),
    lambda settings, search: settings.pruner == 'median',
    "sweep.pruner = 'median'",
  ),
)


def check_effects(settings: Settings, search: str) -> None:
  """Refuses settings of which nothing would come.

  Args:
    settings: of a sweep.
    search: 'grid', 'random' or 'tpe'.

  Raises:
    UserError: one of them is not the default, and has no effect.
  """
  for names, has_effect, what in _NEEDS:
    for name in names:
      is_set = getattr(settings, name) != getattr(Settings(), name)
      if is_set and not has_effect(settings, search):
        raise UserError(f'sweep.{name} is for {what}.')


def split_bindings(
  gin_bindings: Iterable[str], from_files: Mapping[str, Any]
) -> tuple[list[str], Settings]:
  """Takes what is for the sweep out of bindings.

  Args:
    gin_bindings: as --gin_bindings; they win.
    from_files: settings of YAML files, by name.

  Returns:
    The bindings that are for the trials, and the settings.

  Raises:
    UserError: there is no such setting, or its value is wrong.
  """
  found = {
    name: _check(name, value, f'--sweep: {_CONFIGURABLE}.{name}')
    for name, value in from_files.items()
  }
  rest = []
  for text in gin_bindings:
    statements = read_text(text, '')
    ours = [b for b in statements.bindings if b.selector == _CONFIGURABLE]
    if not ours:
      rest.append(text)
    elif len(ours) < len(statements.bindings):
      raise UserError(
        f'--gin_bindings={text!r}: give what is for the sweep and what is for '
        'its trials by two flags.'
      )
    for each in ours:
      found[each.parameter] = _check(
        each.parameter, each.value, f'{each.place}: {each.name}'
      )
  if 'objective' in found:
    first, *second = found['objective']
    found['objective'] = first
    found['second_objective'] = second[0] if second else None
  return rest, Settings(**found)


def _check(name: str, value: Any, subject: str) -> Any:
  if name not in _SPECS:
    raise UserError(
      f'{subject} is no setting of a sweep. There are {", ".join(_SPECS)}.'
      + did_you_mean(name, _SPECS)
    )
  try:
    return _SPECS[name].normalize(value)
  except specs.WrongValueError:
    raise UserError(
      f'{subject} must be {_SPECS[name].expected}, not {shorten(value)}.'
    ) from None
