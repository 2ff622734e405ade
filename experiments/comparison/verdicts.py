"""What a comparison comes to, in words."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.comparison import config_names
from experiments.comparison.compare import Comparison, Section
from experiments.foundation import plain_text

if TYPE_CHECKING:
  from experiments.comparison.evidence import Contrast, SectionEvidence

# More names than these are counted.
_MOST_NAMES = 6


def describe(
  comparison: Comparison, section: Section, evidence: SectionEvidence
) -> list[str]:
  """Returns what is known of the configs of a section, a sentence each.

  Args:
    comparison: that the section is of.
    section: the configs.
    evidence: of them.
  """
  names = config_names.name_configs(section)
  if evidence.baseline is None:
    if comparison.baseline:
      return ['Not comparable with the baseline: other examples.']
    return _reasons(section, names, evidence)
  objective = comparison.objective
  sign = -1 if comparison.is_minimized else 1
  found = [
    (name, each.contrasts[objective])
    for name, each in zip(names, evidence.groups, strict=True)
    if objective in each.contrasts
  ]
  lines = []
  if found:
    lines.append(
      f'By {plain_text.escape_line(objective)}, '
      f'{_verdict(names[evidence.baseline], found, objective, sign)}.'
    )
    lines.append(_smallest(evidence, objective))
  elif any(
    each.n_shared and objective in group.means
    for each, group in zip(evidence.groups, section.groups, strict=True)
  ):
    lines.append(
      f'Of {plain_text.escape_line(objective)} there is no interval: it is not '
      'measured on examples.'
    )
  return [
    *lines,
    *_luck(names[0], objective, sign, evidence),
    *_fewer_rows(names, evidence),
    *_reasons(section, names, evidence),
  ]


def describe_test(
  comparison: Comparison, section: Section, evidence: SectionEvidence | None
) -> list[str]:
  """Returns what the best is on test, where it was chosen on validation.

  Args:
    comparison: that the section is of.
    section: the configs.
    evidence: of them; None if that was not looked at.
  """
  name = comparison.objective
  test = section.groups[0].test_mean(name)
  if test is None:
    return []
  shown = f'{test.value:.4f}'
  interval = evidence and evidence.on_test
  if interval:
    shown += f' [{interval.low:.4f}, {interval.high:.4f}]'
  config = config_names.name_configs(section)[0]
  split, name = map(plain_text.escape_line, (test.split, name))
  return [
    f'On {split}, by which nothing is chosen here, {config} has {name} '
    f'{shown}, {test.n_examples:,} examples.'
  ]


def _luck(
  best: str, objective: str, sign: int, evidence: SectionEvidence
) -> list[str]:
  """Returns how much of the best is luck, if the best was looked for."""
  choice = evidence.choice
  if choice is None or choice.n_configs < 2:
    return []
  is_lucky = sign * (choice.measured - choice.expected) > 0
  luck = 'is in part the luckiest' if is_lucky else 'owes little to luck'
  return [
    f'The best of {choice.n_configs} {luck}: of {best}, measured on other '
    f'examples, {plain_text.escape_line(objective)} {choice.expected:.4f} is '
    f'to be expected, {"not" if is_lucky else "after"} {choice.measured:.4f} '
    'on these.'
  ]


def _verdict(
  baseline: str,
  found: Sequence[tuple[str, Contrast]],
  objective: str,
  sign: int,
) -> str:
  """Returns a sentence on the baseline: what it is better than, and so on."""
  parts = []
  for word, side in (('better', -sign), ('worse', sign)):
    ranges = [
      f'than {name} by {how_much(contrast, objective)}'
      for name, contrast in found
      if contrast.is_certain and contrast.difference.value * side > 0
    ]
    if ranges:
      parts.append(f'is {word} {_join_names(ranges)}')
  unknown = [name for name, contrast in found if not contrast.is_certain]
  if unknown:
    parts.append(f'cannot be told apart from {_join_names(unknown)}')
  return f'{baseline} ' + '; it '.join(parts)


def _join_names(names: Sequence[str]) -> str:
  names = list(names)
  if len(names) > _MOST_NAMES:
    n_more = len(names) - _MOST_NAMES + 1
    names[_MOST_NAMES - 1 :] = [f'{n_more} others']
  if len(names) == 1:
    return names[0]
  return f'{", ".join(names[:-1])} and {names[-1]}'


def how_much(contrast: Contrast, metric: str) -> str:
  """Returns between what a difference lies, in either direction.

  Args:
    contrast: of two configs that are told apart.
    metric: its name.
  """
  low, high = sorted(map(abs, contrast.difference[1:3]))
  if contrast.difference.low * contrast.difference.high <= 0:
    return f'up to {_amount(high, high, metric)}'
  width = high - low
  unit = ' points' * in_points(metric)
  return (
    f'{_number(low, width, metric)} to {_number(high, width, metric)}{unit}'
  )


def in_points(metric: str) -> bool:
  """Tells whether differences of a metric are shown in hundredths of it.

  Args:
    metric: its name; of all but sums of logarithms and squares.
  """
  return not any(
    word in metric.partition(':')[0]
    for word in ('entropy', 'loss', 'brier', 'correlation')
  )


def _amount(value: float, width: float, metric: str) -> str:
  unit = ' points' * in_points(metric)
  return _number(value, width, metric) + unit


def _number(value: float, width: float, metric: str) -> str:
  if in_points(metric):
    # As many digits as mean something beside the width.
    return f'{100 * value:.{1 if width >= 0.005 else 2}f}'
  return f'{value:.{3 if width >= 0.005 else 4}f}'


def difference_cell(contrast: Contrast, metric: str) -> str:
  """Returns a difference and its interval, for a table."""
  value, low, high = contrast.difference[:3]
  width = high - low
  shown = [_number(each, width, metric) for each in (value, low, high)]
  if not shown[0].startswith('-'):
    shown[0] = f'+{shown[0]}'
  return f'{shown[0]} [{shown[1]}, {shown[2]}]'


def p_value_cell(contrast: Contrast) -> str:
  """Returns a corrected p-value, for a table."""
  p_value = contrast.corrected_p_value
  return '<0.0001' if p_value < 1e-4 else f'{p_value:.4f}'


def _smallest(evidence: SectionEvidence, objective: str) -> str:
  compared = [each for each in evidence.groups if objective in each.contrasts]
  # It matters where nothing was found; what is far off has another variance.
  unknown = [x for x in compared if not x.contrasts[objective].is_certain]
  smallest = statistics.median(
    each.contrasts[objective].difference.smallest
    for each in unknown or compared
  )
  n = max(each.n_shared for each in compared)
  tests = f' ({evidence.n_tests} tests)' * (evidence.n_tests > 1)
  return (
    f'The smallest difference that these {n:,} examples would show in 4 of 5 '
    f'cases: {_amount(smallest, smallest, objective)}{tests}.'
  )


def _fewer_rows(names: Sequence[str], evidence: SectionEvidence) -> list[str]:
  """Returns which configs are compared on some of the rows only."""
  most = max(each.n_shared for each in evidence.groups)
  fewer: dict[int, list[str]] = {}
  for name, each in zip(names, evidence.groups, strict=True):
    if 0 < each.n_shared < most:
      fewer.setdefault(each.n_shared, []).append(name)
  base = names[evidence.baseline or 0]
  return [
    f'{_join_names(some)}: compared on the {n:,} rows in common with {base}.'
    for n, some in fewer.items()
  ]


def _reasons(
  section: Section, names: Sequence[str], evidence: SectionEvidence
) -> list[str]:
  """Returns which configs are not compared, and why."""
  reasons: dict[str, list[str]] = {}
  for name, group, each in zip(
    names, section.groups, evidence.groups, strict=True
  ):
    # Of a run that has measured nothing, the table says so.
    if each.reason and group.means:
      reasons.setdefault(each.reason, []).append(name)
  return [
    f'Not compared: {_join_names(some)} ({plain_text.escape_line(reason)}).'
    for reason, some in reasons.items()
  ]
