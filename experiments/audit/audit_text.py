"""An audit as a page on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from experiments.audit.audit import Audit
from experiments.audit.findings import CLASSES, SECTIONS, Finding, Item
from experiments.comparison import text_table
from experiments.foundation import plain_text

WIDTH = 80
# Of each finding, and of the classes: the largest and the smallest.
N_ITEMS = 2
_N_LARGEST, _N_SMALLEST = 7, 3
_MOST_ROWS = 4


def find_shown(findings: Iterable[Finding]) -> list[Item]:
  """Returns the items that the page shows.

  Args:
    findings: of the audit.
  """
  return [item for each in findings for item in each.items[:N_ITEMS]]


def render(
  audit: Audit, findings: Sequence[Finding], places: Mapping[int, str]
) -> str:
  """Returns the page.

  Args:
    audit: what was found.
    findings: the same in words.
    places: 'file:line' of rows, where known.
  """
  rows = audit.rows
  sizes = ', '.join(
    f'{name} {n:,}'
    for name, n in zip(
      rows.split_names, np.diff(rows.starts).tolist(), strict=True
    )
  )
  lines = _wrap(f'{audit.dataset}: {len(rows):,} rows ({sizes})', '')
  for section in SECTIONS:
    lines += ['', section]
    if section == CLASSES:
      lines += [f'  {line}' for line in _class_table(audit).split('\n')]
    for finding in findings:
      if finding.section == section:
        lines += _wrap(finding.title, '  ', '- ')
        for item in finding.items[:N_ITEMS]:
          lines += _show_item(audit, item, places)
        n_more = len(finding.items) - N_ITEMS
        if n_more > 0:
          lines.append(f'      … {n_more:,} more')
  return '\n'.join(lines) + '\n'


def row_name(audit: Audit, row: int, places: Mapping[int, str]) -> str:
  """Returns a row's split, number and place, such as 'test 7 (a.csv:9)'.

  Args:
    audit: of which the row is.
    row: which.
    places: 'file:line' of rows, where known.
  """
  place = f' ({places[row]})' if row in places else ''
  return f'{audit.rows.place(row)}{place}'


def _class_table(audit: Audit) -> str:
  n = len(audit.rows.label_names)
  order = np.argsort(-audit.counts[0], kind='stable').tolist()
  more = n - _N_LARGEST - _N_SMALLEST
  # A line in place of one class says less than the class.
  parts = [order[:_N_LARGEST], order[-_N_SMALLEST:]] if more > 1 else [order]
  over = f'over {audit.limits.max_length}'
  heads = ['class', *audit.rows.split_names, 'half', '95 %', over]
  cells = []
  for i, part in enumerate(parts):
    if i:
      cells.append([f'… {more:,} more', *[''] * (len(heads) - 1)])
    for label in part:
      lengths = audit.lengths_by_class[label]
      cells.append(
        [
          audit.rows.label_names[label],
          *map(str, audit.counts[:, label].tolist()),
          str(lengths.median),
          str(lengths.long),
          f'{lengths.n_over / max(lengths.n, 1):.1%}',
        ]
      )
  columns = [
    text_table.Column(head, column)
    for head, column in zip(heads, zip(*cells, strict=True), strict=True)
  ]
  return text_table.fit(columns, WIDTH - 2)[0]


def _show_item(
  audit: Audit, item: Item, places: Mapping[int, str]
) -> Iterator[str]:
  named = [row_name(audit, row, places) for row in item.rows[:_MOST_ROWS]]
  if len(item.rows) > _MOST_ROWS:
    named.append('…')
  note = f': {item.note}' if item.note else ''
  yield from _wrap(f'{", ".join(named)}{note}', '      ')
  text = plain_text.one_line(audit.rows.texts[item.rows[0]][:1000])
  yield f'        {_cut(text, WIDTH - 8)}'


def _wrap(text: str, indent: str, bullet: str = '') -> list[str]:
  return textwrap.wrap(
    plain_text.one_line(text),
    WIDTH,
    initial_indent=f'{indent}{bullet}',
    subsequent_indent=indent + ' ' * max(len(bullet), 2),
    break_on_hyphens=False,
  )


def _cut(text: str, width: int) -> str:
  return text if len(text) <= width else f'{text[: width - 1]}…'
