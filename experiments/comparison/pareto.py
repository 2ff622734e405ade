"""Two objectives at once: the configs that no other is better than in both."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.comparison import config_names
from experiments.comparison.compare import Comparison, Group, Section
from experiments.evaluation import metric_names
from experiments.foundation import plain_text

_MOST_NAMES = 12


def find_front(comparison: Comparison, groups: Sequence[Group]) -> list[int]:
  """Returns the indices of the Pareto front, the best by the objective first.

  Args:
    comparison: that they are of; without a second objective there is no front.
    groups: of a section.
  """
  second = comparison.second_objective
  if second is None:
    return []
  signs = [
    1 if is_minimized else -1
    for is_minimized in (
      comparison.is_minimized,
      metric_names.is_minimized(second),
    )
  ]
  points = {
    i: tuple(
      sign * group.means[name]
      for sign, name in zip(signs, (comparison.objective, second), strict=True)
    )
    for i, group in enumerate(groups)
    if all(
      math.isfinite(group.means.get(name, math.nan))
      for name in (comparison.objective, second)
    )
  }
  front = [
    i
    for i, (x, y) in points.items()
    if not any(
      a <= x and b <= y and (a, b) != (x, y) for a, b in points.values()
    )
  ]
  return sorted(front, key=lambda i: points[i])


def describe(comparison: Comparison, section: Section) -> list[str]:
  """Returns the front in a sentence; nothing without a second objective.

  Args:
    comparison: that the section is of.
    section: the configs.
  """
  front = find_front(comparison, section.groups)
  second = comparison.second_objective
  if not front or second is None:
    return []
  names = config_names.name_configs(section)
  told = [
    f'{names[i]} ({_show(comparison.objective, section.groups[i])}, '
    f'{_show(second, section.groups[i])})'
    for i in front[:_MOST_NAMES]
  ]
  more = f' and {len(front) - _MOST_NAMES} others' * (len(front) > _MOST_NAMES)
  objectives = ' and '.join(
    map(plain_text.escape_line, (comparison.objective, second))
  )
  return [
    f'Nothing is better in both {objectives} than {len(front)} of '
    f'{len(section.groups)}: {", ".join(told)}{more}.'
  ]


def _show(name: str, group: Group) -> str:
  value = group.means[name]
  unit = ' weights' * (name == metric_names.N_WEIGHTS)
  return metric_names.show_value(name, value) + unit
