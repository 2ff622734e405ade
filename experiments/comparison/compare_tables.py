"""A comparison as a table: text, Markdown, CSV or JSON."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.comparison import (
  config_names,
  importance,
  pareto,
  verdicts,
)
from experiments.comparison.compare import (
  Comparison,
  Group,
  Section,
)
from experiments.comparison.compare_json import to_json
from experiments.comparison.text_table import Column, fit
from experiments.evaluation import metric_names
from experiments.foundation import choices, csv_text, json_text, plain_text
from experiments.rundir import run_dir

if TYPE_CHECKING:
  from experiments.comparison.evidence import GroupEvidence, SectionEvidence

# Of a table of many configs, those that are shown unless asked for more.
N_ROWS = 20
# Columns without room that are named.
_MOST_LEFT_OUT = 8
_INTERVALS = '[low, high]: interval of 95 %, over examples and seeds.'
_DIFFERENCES = ('difference', 'p')
_TESTS = ' p: corrected for how many tests there are.'


def render(
  comparison: Comparison,
  format_: str = 'text',
  *,
  width: float = math.inf,
  n_rows: int | None = None,
  evidence: Sequence[SectionEvidence] = (),
) -> str:
  """Renders a comparison.

  Args:
    comparison: what to show.
    format_: one of `choices.FORMATS`. Of these CSV holds a row a run; text and
      Markdown a row a config, with the means over its seeds; JSON both.
    width: of the terminal in characters, for text; infinity for any.
    n_rows: of text and Markdown, how many configs of each data set are shown,
      the best first; None for all.
    evidence: of each section, what the runs have kept; none if that was not
      looked at.
  """
  choices.check('format', format_, choices.FORMATS)
  if format_ == 'json':
    return json_text.to_json(to_json(comparison, evidence), indent=2)
  if format_ == 'csv':
    return csv_text.to_csv(_run_rows(comparison)).rstrip('\n')
  parts = []
  for i, section in enumerate(comparison.sections):
    groups = section.groups[:n_rows]
    known = evidence[i] if evidence else None
    table = _table(comparison, section, groups, known)
    parts.append(_heading(section))
    if format_ == 'markdown':
      parts.append(_markdown(table))
    else:
      text, left_out = fit(table, width)
      if set(left_out) & {*section.columns, *_DIFFERENCES}:
        text, left_out = fit(_with_names(table, section), width)
      parts.append(text)
      if left_out:
        parts.append(_wrap(_tell_left_out(left_out), width))
    if len(groups) < len(section.groups):
      parts.append(
        f'The best {len(groups)} of {len(section.groups)}: --mode=compare '
        '--top=0 shows all.'
      )
    parts += _verdicts(comparison, section, known, width, format_)
  known_groups = [each for known in evidence for each in known.groups]
  if any(each.intervals for each in known_groups):
    tests = _TESTS * any(each.contrasts for each in known_groups)
    parts.append(_wrap(f'{_INTERVALS}{tests} See docs/comparing.md.', width))
  errors = [
    plain_text.escape_line(f'{run.name}: {run.error.strip().splitlines()[0]}')
    for run in comparison.runs
    if run.error
  ]
  if errors:
    parts.append('\n'.join(errors))
  return '\n\n'.join(parts)


def _tell_left_out(heads: Sequence[str]) -> str:
  """Returns which columns are not shown."""
  names = [plain_text.escape_line(head) for head in heads]
  if len(names) > _MOST_LEFT_OUT:
    n_more = len(names) - _MOST_LEFT_OUT
    names[_MOST_LEFT_OUT:] = [f'{n_more} other columns']
  return f'No room for {", ".join(names)}: see --format=csv.'


def _wrap(text: str, width: float) -> str:
  return textwrap.fill(text, int(width)) if math.isfinite(width) else text


def _verdicts(
  comparison: Comparison,
  section: Section,
  evidence: SectionEvidence | None,
  width: float,
  format_: str,
) -> list[str]:
  """Returns what is known in words, as paragraphs."""
  lines = []
  if evidence:
    lines += verdicts.describe(comparison, section, evidence)
  lines += verdicts.describe_test(comparison, section, evidence)
  lines += pareto.describe(comparison, section)
  lines += importance.describe(comparison, section)
  if format_ == 'markdown':
    return lines
  return ['\n'.join(_wrap(line, width) for line in lines)] if lines else []


def _heading(section: Section) -> str:
  """Returns a line on what runs of a section are measured on."""
  n_runs, n_groups = len(section.runs), len(section.groups)
  runs = f'{n_runs} run' + 's' * (n_runs != 1)
  if n_groups < n_runs:
    runs += f' of {n_groups} config' + 's' * (n_groups != 1)
  if not section.n_examples:
    return f'{runs}, nothing measured yet'
  data = f'{section.dataset}, {section.split}: '
  if not section.dataset:
    # Of other systems only.
    data = ''
  return plain_text.escape_line(
    f'{data}{section.n_examples:,} examples; {runs}'
  )


def _table(
  comparison: Comparison,
  section: Section,
  groups: Sequence[Group],
  evidence: SectionEvidence | None,
) -> list[Column]:
  """Returns the columns of a section."""
  table = [
    Column(name, [group.bindings.get(name, '') for group in groups])
    for name in section.columns
  ]
  told_apart = set(zip(*(column.cells for column in table), strict=True))
  if any(group.runs[0].system for group in groups):
    names = config_names.name_configs(section)[: len(groups)]
    table.insert(0, Column('config', names))
  elif len(told_apart) < len(groups):
    table.insert(0, Column('run', [group.name for group in groups]))
  n_seeds = [group.n_seeds for group in groups]
  if max(n_seeds) > 1:
    rank = 6 if len(set(n_seeds)) == 1 else 0
    table.append(Column('seeds', list(map(str, n_seeds)), rank=rank))
  folds = [group.folds for group in groups]
  if any(folds):
    rank = 6 if all(n.isdecimal() for n in folds) else 0
    table.append(Column('folds', folds, rank=rank))
  known = evidence.groups[: len(groups)] if evidence else [None] * len(groups)
  for name in comparison.choose_metrics(groups):
    table.append(
      Column(
        name,
        [
          _mean(group, name, each)
          for group, each in zip(groups, known, strict=True)
        ],
        short=[_value(group, name) for group in groups],
        rank=0 if name == comparison.objective else 4,
        is_whole=name == comparison.objective,
      )
    )
    if name == comparison.objective:
      table += _differences(name, known)
  statuses = [_status(group) for group in groups]
  steps = [_steps(group) for group in groups]
  table += [
    Column('steps', steps, rank=5 if len(set(steps)) == 1 else 3),
    Column(
      'status', statuses, rank=5 if set(statuses) <= {run_dir.FINISHED} else 1
    ),
    Column('seconds', [_seconds(group) for group in groups], rank=6),
  ]
  return table


def _with_names(table: Sequence[Column], section: Section) -> list[Column]:
  """Returns a table whose configs have names; what they bind comes second."""
  names = config_names.name_configs(section)[: len(table[0].cells)]
  return [
    Column('config', names, is_whole=True),
    *(
      dataclasses.replace(column, rank=8)
      if column.head in section.columns
      else column
      for column in table
      if column.head not in ('run', 'config')
    ),
  ]


def _status(group: Group) -> str:
  """Returns the status of a group's runs, or how many have which."""
  statuses = [run.status for run in group.runs]
  different = dict.fromkeys(statuses)
  if len(different) == 1:
    return statuses[0]
  return ', '.join(f'{statuses.count(each)} {each}' for each in different)


def _steps(group: Group) -> str:
  """Returns the steps done; the least and the most where they differ."""
  if group.runs[0].system:
    return ''
  steps = {run.steps for run in group.runs}
  if len(steps) == 1:
    return str(min(steps))
  return f'{min(steps)}-{max(steps)}'


def _seconds(group: Group) -> str:
  """Returns the mean of what runs took, in seconds."""
  seconds = [run.seconds for run in group.runs if run.seconds is not None]
  return f'{math.fsum(seconds) / len(seconds):.1f}' if seconds else ''


def _value(group: Group, name: str) -> str:
  if name not in group.means:
    return ''
  return metric_names.show_value(name, group.means[name])


def _differences(
  name: str, evidence: Sequence[GroupEvidence | None]
) -> list[Column]:
  """Returns how far configs are from the baseline; no columns for nothing."""
  contrasts = [each and each.contrasts.get(name) for each in evidence]
  if not any(contrasts):
    return []
  heads = _DIFFERENCES
  return [
    Column(
      heads[0],
      [
        verdicts.difference_cell(each, name) if each else ''
        for each in contrasts
      ],
      rank=2,
    ),
    Column(
      heads[1],
      [verdicts.p_value_cell(each) if each else '' for each in contrasts],
      rank=2,
    ),
  ]


def _mean(group: Group, name: str, evidence: GroupEvidence | None) -> str:
  interval = evidence and evidence.intervals.get(name)
  if interval:
    return f'{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]'
  error = group.standard_errors.get(name, math.nan)
  if math.isnan(error) or name == metric_names.N_WEIGHTS:
    return _value(group, name)
  return f'{group.means[name]:.4f} ± {error:.4f}'


def _run_rows(comparison: Comparison) -> list[list[str]]:
  """Returns a row a run, with all digits."""
  names = comparison.columns
  rows = [
    ['run', 'dataset', 'split', *names, *comparison.metrics, 'steps', 'status',
     'seconds']
  ]  # fmt: skip
  for section in comparison.sections:
    for run in section.runs:
      rows.append(
        [
          run.name,
          section.dataset,
          section.split if run.fold is None else run.split,
          *(run.show_binding(name) or '' for name in names),
          *(
            repr(run.metrics[name]) if name in run.metrics else ''
            for name in comparison.metrics
          ),
          str(run.steps),
          run.status,
          '' if run.seconds is None else f'{run.seconds:.1f}',
        ]
      )
  return rows


def _markdown(table: Sequence[Column]) -> str:
  def line(cells: Sequence[str]) -> str:
    escaped = (
      plain_text.escape_line(cell).replace('|', r'\|') for cell in cells
    )
    return f'| {" | ".join(escaped)} |'

  rows = zip(*(column.cells for column in table), strict=True)
  return '\n'.join(
    [
      line([column.head for column in table]),
      '|' + '---|' * len(table),
      *map(line, rows),
    ]
  )
