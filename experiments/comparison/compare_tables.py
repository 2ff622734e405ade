"""A comparison as a table: text, Markdown, CSV or JSON."""

import math
import textwrap
from collections.abc import Sequence

from experiments.comparison.compare import (
  Comparison,
  Group,
  Section,
  to_json,
)
from experiments.comparison.text_table import Column, fit
from experiments.evaluation import metric_names
from experiments.foundation import choices, csv_text, json_text, plain_text
from experiments.rundir import run_dir

# Of a table of many configs, those that are shown unless asked for more.
N_ROWS = 20


def render(
  comparison: Comparison,
  format_: str = 'text',
  *,
  width: float = math.inf,
  n_rows: int | None = None,
) -> str:
  """Renders a comparison.

  Args:
    comparison: what to show.
    format_: one of `choices.FORMATS`. Of these CSV holds a row a run; text and
      Markdown a row a config, with the means over its seeds; JSON both.
    width: of the terminal in characters, for text; infinity for any.
    n_rows: of text and Markdown, how many configs of each data set are shown,
      the best first; None for all.
  """
  choices.check('format', format_, choices.FORMATS)
  if format_ == 'json':
    return json_text.to_json(to_json(comparison), indent=2)
  if format_ == 'csv':
    return csv_text.to_csv(_run_rows(comparison)).rstrip('\n')
  parts = []
  for section in comparison.sections:
    groups = section.groups[:n_rows]
    table = _table(comparison, section, groups)
    parts.append(_heading(section))
    if format_ == 'markdown':
      parts.append(_markdown(table))
    else:
      text, left_out = fit(table, width)
      parts.append(text)
      if left_out:
        note = f'No room for {", ".join(left_out)}: see --format=csv.'
        parts.append(textwrap.fill(note, int(width)))
    if len(groups) < len(section.groups):
      parts.append(
        f'The best {len(groups)} of {len(section.groups)}: --mode=compare '
        '--top=0 shows all.'
      )
  errors = [
    plain_text.escape_line(f'{run.name}: {run.error.strip().splitlines()[0]}')
    for run in comparison.runs
    if run.error
  ]
  if errors:
    parts.append('\n'.join(errors))
  return '\n\n'.join(parts)


def _heading(section: Section) -> str:
  """Returns a line on what runs of a section are measured on."""
  n_runs, n_groups = len(section.runs), len(section.groups)
  runs = f'{n_runs} run' + 's' * (n_runs != 1)
  if n_groups < n_runs:
    runs += f' of {n_groups} config' + 's' * (n_groups != 1)
  if not section.n_examples:
    return f'{runs}, nothing measured yet'
  return plain_text.escape_line(
    f'{section.dataset}, {section.split}: {section.n_examples:,} examples; '
    f'{runs}'
  )


def _table(
  comparison: Comparison, section: Section, groups: Sequence[Group]
) -> list[Column]:
  """Returns the columns of a section."""
  table = [
    Column(name, [group.bindings.get(name, '') for group in groups])
    for name in section.columns
  ]
  told_apart = set(zip(*(column.cells for column in table), strict=True))
  if len(told_apart) < len(groups):
    table.insert(0, Column('run', [group.name for group in groups]))
  n_seeds = [len(group.runs) for group in groups]
  if max(n_seeds) > 1:
    rank = 6 if len(set(n_seeds)) == 1 else 0
    table.append(Column('seeds', list(map(str, n_seeds)), rank=rank))
  measured = [
    name
    for name in comparison.metrics
    if (name == comparison.objective or not metric_names.is_rare(name))
    and any(name in group.means for group in groups)
  ]
  for name in measured:
    table.append(
      Column(
        name,
        [_mean(group, name) for group in groups],
        short=[_value(group, name) for group in groups],
        rank=0 if name == comparison.objective else 4,
        is_whole=name == comparison.objective,
      )
    )
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


def _status(group: Group) -> str:
  """Returns the status of a group's runs, or how many have which."""
  statuses = [run.status for run in group.runs]
  different = dict.fromkeys(statuses)
  if len(different) == 1:
    return statuses[0]
  return ', '.join(f'{statuses.count(each)} {each}' for each in different)


def _steps(group: Group) -> str:
  """Returns the steps done; the least and the most where they differ."""
  steps = {run.steps for run in group.runs}
  if len(steps) == 1:
    return str(min(steps))
  return f'{min(steps)}-{max(steps)}'


def _seconds(group: Group) -> str:
  """Returns the mean of what runs took, in seconds."""
  seconds = [run.seconds for run in group.runs if run.seconds is not None]
  return f'{math.fsum(seconds) / len(seconds):.1f}' if seconds else ''


def _value(group: Group, name: str) -> str:
  return f'{group.means[name]:.4f}' if name in group.means else ''


def _mean(group: Group, name: str) -> str:
  error = group.standard_errors.get(name, math.nan)
  if math.isnan(error):
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
          section.split,
          *(run.shown_binding(name) or '' for name in names),
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
