"""A comparison as one page for a browser, to be sent to somebody."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterator, Sequence

from experiments.comparison import (
  compare_plots,
  config_names,
  disagreements,
  importance,
  pareto,
  verdicts,
)
from experiments.comparison.compare import Comparison, Group, Section
from experiments.comparison.disagreements import Answer, Disagreements
from experiments.comparison.evidence import GroupEvidence, SectionEvidence
from experiments.evaluation import metric_names
from experiments.reporting import html_page

# Of a section; more are counted.
_MOST_CONFIGS = 200
_LONGEST_ON_A_LINE = 40
_MOST_FIRST_COLUMNS = 4
# What says nothing of configs that differ in more than there are of them.
_OF_VALUES = ('values.png', 'parallel.png')
_STYLE = """
body { max-width: 72rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
td, th { vertical-align: top; overflow-wrap: normal; }
td.long, th.long { min-width: 16rem; overflow-wrap: anywhere; }
.number, .measured, .short { white-space: nowrap; }
td.measured { text-align: left; font-variant-numeric: tabular-nums; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid; }
th[aria-sort=ascending] button::after { content: ' \\25B4'; }
th[aria-sort=descending] button::after { content: ' \\25BE'; }
.whisker { width: 8rem; height: .9rem; display: block; }
.whisker line { stroke: currentColor; stroke-width: 1.5; }
.whisker circle { fill: #3274a1; }
tr.base { background: #8882; }
.small { font-size: .85em; opacity: .75; }
img { max-width: 100%; background: #fff; }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; color: #000; }
  .scroll { overflow: visible; }
  td, th { white-space: normal; padding-right: .4rem; font-size: 8pt; }
  .whisker { width: 5rem; }
  li, tr, img { break-inside: avoid; }
}
"""
_ALT = {
  'steps.png': 'Loss and metrics over steps, the best runs dark',
  'values.png': 'The objective against each binding that differs',
  'pareto.png': 'Both objectives, and what nothing is better than',
  'parallel.png': 'All bindings that differ, and the objective',
}
# Sorts the rows of a table by the column whose head is clicked.
_SCRIPT = """
for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => {
    const head = button.closest('th');
    const body = head.closest('table').tBodies[0];
    const column = head.cellIndex;
    const up = head.getAttribute('aria-sort') !== 'ascending';
    for (const other of head.parentNode.children) {
      other.removeAttribute('aria-sort');
    }
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const value = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if ((x === '') !== (y === '')) return x === '' ? 1 : -1;
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return up ? order : -order;
    };
    body.append(...Array.from(body.rows).sort(compare));
  });
}
"""


def render(
  comparison: Comparison, evidence: Sequence[SectionEvidence], title: str
) -> str:
  """Renders a page that needs nothing besides itself.

  Args:
    comparison: what to show.
    evidence: of each section; none where no run has kept predictions.
    title: what was compared, such as a directory.

  Returns:
    HTML.
  """
  heading = f'Comparison of {html_page.line(title)}'
  body = [f'<h1>{heading}</h1>']
  for i, section in enumerate(comparison.sections):
    known = evidence[i] if evidence else None
    body += _section(comparison, section, known)
  return html_page.page(
    heading, body, style=_STYLE, script=_SCRIPT, has_pictures=True
  )


def _section(
  comparison: Comparison, section: Section, evidence: SectionEvidence | None
) -> Iterator[str]:
  what = f'{section.dataset}, {section.split}'.strip(', ') or 'All runs'
  n_examples = section.n_examples
  size = f'{n_examples:,} examples' if n_examples else 'nothing measured yet'
  n_runs = len(section.runs)
  yield f'<h2>{html_page.line(what)}</h2>'
  yield (
    f'<p>{size}; {n_runs} run{"s" * (n_runs != 1)} of '
    f'{len(section.groups)} config{"s" * (len(section.groups) != 1)}, the best '
    f'by {html_page.line(comparison.objective)} first.</p>'
  )
  lines = verdicts.describe(comparison, section, evidence) if evidence else []
  lines += verdicts.describe_test(comparison, section, evidence)
  lines += pareto.describe(comparison, section)
  lines += importance.describe(comparison, section)
  yield from (f'<p>{html_page.line(line)}</p>' for line in lines)
  yield from _table(comparison, section, evidence)
  is_confounded = len(section.columns) >= len(section.groups)
  for name, png in compare_plots.draw_section(comparison, section).items():
    if is_confounded and name in _OF_VALUES:
      continue
    encoded = base64.b64encode(png).decode()
    yield (
      f'<p><img alt="{html.escape(_ALT.get(name, name))}" '
      f'src="data:image/png;base64,{encoded}"></p>'
    )
  found = evidence and disagreements.find(section, evidence)
  if found:
    yield from _pair(section, found)


def _table(
  comparison: Comparison, section: Section, evidence: SectionEvidence | None
) -> Iterator[str]:
  names = config_names.name_configs(section)
  groups = section.groups[:_MOST_CONFIGS]
  known = evidence.groups if evidence else ()
  metrics = comparison.choose_metrics(groups)
  has_differences = any(each.contrasts for each in known)
  scales = {name: _scale(name, groups, known) for name in metrics}
  told = [
    tuple(group.bindings.get(name, '') for name in section.columns)
    for group in section.groups
  ]
  is_told = len(set(told)) == len(told)
  if any(group.runs[0].system for group in section.groups):
    is_told = False
  has_seeds = any(group.n_seeds > 1 for group in groups)
  # Of configs that differ in much, what came of them comes first.
  columns = list(section.columns)
  is_short = len(columns) <= _MOST_FIRST_COLUMNS
  is_told = is_told and is_short
  first, last = (columns, []) if is_short else ([], columns)
  heads = ['config'] * (not is_told) + first
  heads += ['seeds'] * has_seeds
  for name in metrics:
    heads.append(name)
    if name == comparison.objective and has_differences:
      heads.append('difference')
  heads += ['steps', 'seconds', *last]
  yield '<div class="scroll"><table><thead><tr>'
  yield from (
    '<th scope="col">'
    f'<button type="button">{html_page.line(head)}</button></th>'
    for head in heads
  )
  yield '</tr></thead><tbody>'
  for j, group in enumerate(groups):
    each = known[j] if known else GroupEvidence()
    is_base = evidence is not None and evidence.baseline == j
    yield f'<tr{" class=base" * is_base}>'
    if not is_told:
      yield _cell(names[j], html_page.line(names[j]), _kind(names[j]))
    yield from _binding_cells(group, first)
    if has_seeds:
      yield _cell(group.n_seeds, str(group.n_seeds), 'number')
    for name in metrics:
      yield _metric_cell(name, group, each, scales[name])
      if name == comparison.objective and has_differences:
        yield _difference_cell(name, each, comparison.is_minimized)
    steps = max(run.steps for run in group.runs)
    yield _cell(steps, f'{steps:,}', 'number')
    times = [run.seconds for run in group.runs if run.seconds is not None]
    mean = sum(times) / len(times) if times else None
    yield _cell(mean, '' if mean is None else f'{mean:.1f}', 'number')
    yield from _binding_cells(group, last)
    yield '</tr>'
  yield '</tbody></table></div>'
  if len(groups) < len(section.groups):
    yield f'<p>The best {len(groups)} of {len(section.groups)}.</p>'
  if any(each.intervals for each in known):
    yield (
      '<p class="small">Whiskers and brackets: interval of 95 %, over examples '
      'and seeds. p is corrected for how many tests there are. A click on a '
      'head sorts.</p>'
    )


def _binding_cells(group: Group, columns: Sequence[str]) -> Iterator[str]:
  for column in columns:
    value = group.bindings.get(column, '')
    yield _cell(value, html_page.line(value), _kind(value))


def _cell(value: object, content: str, kind: str = 'measured') -> str:
  """Returns a cell.

  Args:
    value: what is sorted by; None comes last.
    content: HTML.
    kind: class of CSS.
  """
  if value is None or (isinstance(value, float) and not math.isfinite(value)):
    value = ''
  shown = html.escape(str(value))
  return f'<td class="{kind}" data-value="{shown}">{content}</td>'


def _kind(text: str) -> str:
  """Returns the class of CSS of a cell that holds a name or a value."""
  return 'short' if len(text) <= _LONGEST_ON_A_LINE else 'long'


def _scale(
  name: str, groups: Sequence[Group], known: Sequence[GroupEvidence]
) -> tuple[float, float]:
  """Returns the least and the greatest that the whiskers of a metric show."""
  values = [group.means[name] for group in groups if name in group.means]
  for each in known[: len(groups)]:
    if name in each.intervals:
      values += [each.intervals[name].low, each.intervals[name].high]
  values = [value for value in values if math.isfinite(value)]
  low, high = min(values, default=0.0), max(values, default=1.0)
  return (low, high) if low < high else (low - 0.5, low + 0.5)


def _metric_cell(
  name: str, group: Group, each: GroupEvidence, scale: tuple[float, float]
) -> str:
  value = group.means.get(name)
  if value is None:
    return _cell(None, '')
  content = metric_names.show_value(name, value)
  interval = each.intervals.get(name)
  if interval and math.isfinite(value):
    low, high = scale
    at = [
      3 + 114 * (x - low) / (high - low)
      for x in (interval.low, value, interval.high)
    ]
    told = f'[{interval.low:.4f}, {interval.high:.4f}]'
    content += (
      f' <span class="small">{told}</span>'
      f'<svg class="whisker" viewBox="0 0 120 14" role="img" '
      f'aria-label="{value:.4f} {told}">'
      f'<line x1="{at[0]:.1f}" x2="{at[2]:.1f}" y1="7" y2="7"/>'
      f'<line x1="{at[0]:.1f}" x2="{at[0]:.1f}" y1="3" y2="11"/>'
      f'<line x1="{at[2]:.1f}" x2="{at[2]:.1f}" y1="3" y2="11"/>'
      f'<circle cx="{at[1]:.1f}" cy="7" r="3.5"/></svg>'
    )
  return _cell(value, content)


def _difference_cell(name: str, each: GroupEvidence, is_minimized: bool) -> str:
  contrast = each.contrasts.get(name)
  if contrast is None:
    return _cell(None, html.escape(each.reason))
  value = contrast.difference.value
  kind = ''
  if contrast.is_certain:
    is_better = (value < 0) == is_minimized
    kind = ' class="right"' if is_better else ' class="wrong"'
  return _cell(
    value,
    f'<span{kind}>{verdicts.difference_cell(contrast, name)}</span><br>'
    f'<span class="small">p {html.escape(verdicts.p_value_cell(contrast))}'
    '</span>',
  )


def _pair(section: Section, found: Disagreements) -> Iterator[str]:
  """Yields what two configs do not share."""
  names = config_names.name_configs(section)
  first, second = (html_page.line(names[i]) for i in found.groups)
  yield f'<h3>{first} beside {second}</h3>'
  yield from _settings(section, found, first, second)
  yield '<table><thead><tr><th></th>'
  yield '<th class="number">rows</th></tr></thead><tbody>'
  for what, n in (
    ('both are right', found.n_both),
    (f'only {first} is right', found.n_first),
    (f'only {second} is right', found.n_second),
    ('neither is right', found.n_neither),
  ):
    yield f'<tr><td class="long">{what}</td>'
    yield f'<td class="number">{n:,}</td></tr>'
  yield '</tbody></table>'
  runs = ' and '.join(map(html_page.line, found.runs))
  yield f'<p class="small">Of {runs}, one seed each.</p>'
  n_all = found.n_first + found.n_second
  if not found.rows:
    return
  which = (
    f'The {len(found.rows)} of {n_all:,} rows that one has right, on which '
    'the other is surest'
    if len(found.rows) < n_all
    else f'The {n_all:,} rows that one of them has right'
  )
  yield f'<details open><summary>{which}</summary>'
  if found.why_no_texts:
    yield f'<p>Without texts: {html_page.line(found.why_no_texts)}.</p>'
  yield '<ol>'
  for row in found.rows:
    expected = html_page.name(row.expected)
    yield f'<li>expected <span class="right">{expected}</span>: '
    yield ', '.join(
      f'{name} {_show_answer(answer, row.expected)}'
      for name, answer in zip((first, second), row.answers, strict=True)
    )
    yield f' <span class="where">· row {row.number}</span>'
    if row.text is not None:
      yield html_page.text(row.text, 300)
    yield '</li>'
  yield '</ol></details>'


def _settings(
  section: Section, found: Disagreements, first: str, second: str
) -> Iterator[str]:
  """Yields a table of the settings in which two configs differ."""
  runs = [section.groups[i].runs[0] for i in found.groups]
  if any(run.system for run in runs):
    return
  names = list(dict.fromkeys(name for run in runs for name in run.settings))
  different = [
    name
    for name in names
    if runs[0].settings.get(name) != runs[1].settings.get(name)
  ]
  yield '<div class="scroll"><table><thead><tr>'
  yield '<th>what differs</th>'
  yield from (f'<th class="{_kind(x)}">{x}</th>' for x in (first, second))
  yield '</tr></thead><tbody>'
  for name in different:
    cells = [name, *(run.settings.get(name, '—') for run in runs)]
    yield '<tr>'
    yield from (
      f'<td class="{_kind(x)}">{html_page.line(x)}</td>' for x in cells
    )
    yield '</tr>'
  yield '</tbody></table></div>'


def _show_answer(answer: Answer, expected: str) -> str:
  kind = 'right' if answer.label == expected else 'wrong'
  sure = '' if answer.confidence is None else f' {answer.confidence:.3f}'
  return f'<span class="{kind}">{html_page.name(answer.label)}</span>{sure}'
