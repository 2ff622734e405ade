"""A comparison as a table: text, Markdown, CSV or JSON."""

import math
from collections.abc import Callable, Mapping, Sequence

from experiments.comparison.compare import Comparison, to_json
from experiments.foundation import choices, csv_text, json_text, plain_text

_WIDEST_CELL = 40


def render(comparison: Comparison, format_: str = 'text') -> str:
  """Renders a comparison.

  Args:
    comparison: what to show.
    format_: one of `choices.FORMATS`. Of these CSV holds the runs alone; the
      others also the means over seeds, if there are any.
  """
  choices.check('format', format_, choices.FORMATS)
  if format_ == 'json':
    return json_text.to_json(to_json(comparison), indent=2)
  if format_ == 'csv':
    return csv_text.to_csv(_rows(comparison, exact=True)).rstrip('\n')
  layout: Callable[[Sequence[Sequence[str]]], str] = (
    _markdown if format_ == 'markdown' else columns
  )
  parts = [layout(_rows(comparison))]
  if comparison.groups:
    parts.append('Mean ± standard error over SEED:')
    parts.append(layout(_group_rows(comparison)))
  errors = [
    plain_text.escape_line(f'{run.name}: {run.error.strip().splitlines()[0]}')
    for run in comparison.runs
    if run.error
  ]
  if errors:
    parts.append('\n'.join(errors))
  return '\n\n'.join(parts)


def _rows(comparison: Comparison, exact: bool = False) -> list[list[str]]:
  rows = [
    ['run', *comparison.columns, *comparison.metrics, 'steps', 'status',
     'seconds']
  ]  # fmt: skip
  for run in comparison.runs:
    rows.append(
      [
        run.name,
        *(run.bindings.get(name, '') for name in comparison.columns),
        *(_number(run.metrics, name, exact) for name in comparison.metrics),
        str(run.steps),
        run.status,
        '' if run.seconds is None else f'{run.seconds:.1f}',
      ]
    )
  n_columns = len(comparison.columns)
  told_apart = {tuple(row[1 : 1 + n_columns]) for row in rows}
  if not exact and len(told_apart) == len(rows):
    # The name would repeat what the bindings say.
    rows = [row[1:] for row in rows]
  return rows


def _group_rows(comparison: Comparison) -> list[list[str]]:
  names = [name for name in comparison.columns if name != 'SEED']
  rows = [[*names, *comparison.metrics, 'seeds']]
  for group in comparison.groups:
    bindings = group.runs[0].bindings
    rows.append(
      [
        *(bindings.get(name, '') for name in names),
        *(
          _mean(group.means, group.standard_errors, name)
          for name in comparison.metrics
        ),
        str(len(group.runs)),
      ]
    )
  return rows


def _number(values: Mapping[str, float], name: str, exact: bool) -> str:
  if name not in values:
    return ''
  return repr(values[name]) if exact else f'{values[name]:.4f}'


def _mean(
  means: Mapping[str, float], errors: Mapping[str, float], name: str
) -> str:
  if name not in means:
    return ''
  if math.isnan(errors[name]):
    return f'{means[name]:.4f}'
  return f'{means[name]:.4f} ± {errors[name]:.4f}'


def columns(rows: Sequence[Sequence[str]], widest: int = _WIDEST_CELL) -> str:
  """Lays out rows of cells as aligned text.

  Args:
    rows: the first holds the heads.
    widest: longer cells are cut, in characters.
  """
  escaped = [[plain_text.escape_line(cell) for cell in row] for row in rows]
  cut = [
    [c if len(c) <= widest else f'{c[: widest - 1]}…' for c in row]
    for row in escaped
  ]
  widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
  is_number = [
    all(_is_number(cell) for cell in column[1:])
    for column in zip(*cut, strict=True)
  ]
  lines = []
  for row in cut:
    cells = [
      cell.rjust(width) if right else cell.ljust(width)
      for cell, width, right in zip(row, widths, is_number, strict=True)
    ]
    lines.append('  '.join(cells).rstrip())
  return '\n'.join(lines)


def _is_number(cell: str) -> bool:
  try:
    float(cell.partition(' ± ')[0] or 0)
  except ValueError:
    return False
  return True


def _markdown(rows: Sequence[Sequence[str]]) -> str:
  def line(cells: Sequence[str]) -> str:
    escaped = (
      plain_text.escape_line(cell).replace('|', r'\|') for cell in cells
    )
    return f'| {" | ".join(escaped)} |'

  return '\n'.join(
    [line(rows[0]), '|' + '---|' * len(rows[0]), *map(line, rows[1:])]
  )
