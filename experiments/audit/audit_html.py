"""An audit as a page for a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from experiments.audit.audit import Audit
from experiments.audit.audit_text import row_name
from experiments.audit.findings import CLASSES, SECTIONS, Finding, Item
from experiments.reporting import html_page

# Of each finding; of the rows of an item; of the classes.
N_ITEMS = 100
_MOST_ROWS = 20
_MOST_CLASSES = 200
_SHOWN_CHARACTERS = 300


def find_shown(findings: Iterable[Finding]) -> list[Item]:
  """Returns the items that the page shows.

  Args:
    findings: of the audit.
  """
  return [item for each in findings for item in each.items[:N_ITEMS]]


def render(
  audit: Audit, findings: Sequence[Finding], places: Mapping[int, str]
) -> str:
  """Returns HTML that needs nothing besides itself.

  Args:
    audit: what was found.
    findings: the same in words.
    places: 'file:line' of rows, where known.
  """
  title = f'Audit of {html_page.line(audit.dataset)}'
  sizes = zip(
    audit.rows.split_names, np.diff(audit.rows.starts).tolist(), strict=True
  )
  body = [
    f'<h1>{title}</h1>',
    f'<p>{len(audit.rows):,} rows: '
    + ', '.join(f'{n:,} of {html_page.name(name)}' for name, n in sizes)
    + '. Rows are numbered from 0 in each split.</p>',
  ]
  for section in SECTIONS:
    body.append(f'<h2>{section}</h2>')
    if section == CLASSES:
      body += _class_table(audit)
    for finding in findings:
      if finding.section == section:
        body += _show_finding(audit, finding, places)
  return html_page.page(title, body)


def _class_table(audit: Audit) -> Iterator[str]:
  rows = audit.rows
  heads = [
    *map(html_page.name, rows.split_names),
    *('half of the texts', '95 % of them', 'the longest'),
    f'over {audit.limits.max_length:,}',
  ]
  yield '<table><thead><tr><th>class</th>'
  yield from (f'<th class="number">{head}</th>' for head in heads)
  yield '</tr></thead><tbody>'
  order = np.argsort(-audit.counts[0], kind='stable').tolist()
  for label in order[:_MOST_CLASSES]:
    lengths = audit.lengths_by_class[label]
    cells = [
      *(f'{n:,}' for n in audit.counts[:, label].tolist()),
      *(f'{n:,}' for n in (lengths.median, lengths.long, lengths.longest)),
      f'{lengths.n_over / max(lengths.n, 1):.1%}',
    ]
    yield f'<tr><td>{html_page.name(rows.label_names[label])}</td>'
    yield from (f'<td class="number">{cell}</td>' for cell in cells)
    yield '</tr>'
  yield '</tbody></table>'
  if len(order) > _MOST_CLASSES:
    yield f'<p>… and {len(order) - _MOST_CLASSES:,} smaller classes.</p>'


def _show_finding(
  audit: Audit, finding: Finding, places: Mapping[int, str]
) -> Iterator[str]:
  if not finding.items:
    yield f'<p>{html_page.line(finding.title)}</p>'
    return
  yield f'<details><summary>{html_page.line(finding.title)}</summary><ol>'
  for item in finding.items[:N_ITEMS]:
    yield from _show_item(audit, item, places)
  yield '</ol>'
  n_more = len(finding.items) - N_ITEMS
  if n_more > 0:
    yield f'<p>… and {n_more:,} more; --format=json lists all.</p>'
  yield '</details>'


def _show_item(
  audit: Audit, item: Item, places: Mapping[int, str]
) -> Iterator[str]:
  yield '<li>'
  if item.note:
    yield f'<span class="wrong">{html_page.line(item.note)}</span>'
  said = None
  for row in item.rows[:_MOST_ROWS]:
    label = html_page.name(audit.rows.label(row))
    place = html_page.line(row_name(audit, row, places))
    yield f'<div><span class="where">{place} ·'
    yield f'</span> <span class="right">{label}</span></div>'
    text = audit.rows.texts[row]
    # Equal texts once.
    if text != said:
      yield html_page.text(text, _SHOWN_CHARACTERS)
    said = text
  if len(item.rows) > _MOST_ROWS:
    yield f'<p>… and {len(item.rows) - _MOST_ROWS:,} more rows.</p>'
  yield '</li>'
