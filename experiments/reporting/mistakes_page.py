"""The worst mistakes of a model as a page for a browser.

The texts are anyone's: all of them are escaped, and the page forbids itself
scripts and whatever it would have to load.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.evaluation import metrics
from experiments.foundation import plain_text

MAX_MISTAKES = 50
_MAX_PAIRS = 20
# What is seen of a text at first, and what there is of it at all.
_SHOWN_CHARACTERS = 600
_MAX_CHARACTERS = 10_000

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
th { font-weight: 600; border-bottom: 1px solid; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
ol { padding: 0; list-style: none; }
li { border-top: 1px solid #8886; padding: .8rem 0; }
.wrong { color: #c22; font-weight: 600; } .right { color: #183; }
@media (prefers-color-scheme: dark) {
  .wrong { color: #f77; } .right { color: #6c8; }
}
.where { opacity: .7; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .4rem 0 0; }
meter { width: 6rem; vertical-align: middle; }
summary { cursor: pointer; }
"""


class Mistake(NamedTuple):
  """An example whose predicted class is not the expected one.

  Attributes:
    example: its number in the split, from 0.
    text: the text, as the model saw it.
    expected: the class that it is, by name.
    predicted: the likeliest class, by name.
    confidence: probability of the predicted class.
    expected_probability: that of the expected one.
    n_tokens: the number of token ids, without padding.
  """

  example: int
  text: str
  expected: str
  predicted: str
  confidence: float
  expected_probability: float
  n_tokens: int


def mistakes_html(
  evaluation: metrics.Evaluation,
  mistakes: Sequence[Mistake],
  *,
  dataset: str,
  split: str,
) -> str:
  """Renders a page that needs nothing besides itself.

  Args:
    evaluation: of the whole split.
    mistakes: the worst first.
    dataset: of which data set, such as 'bbc_news:1.0.0'.
    split: and of which split, such as 'test' or 'train[80%:]'.

  Returns:
    HTML.
  """
  total = evaluation.confusion.sum() - evaluation.confusion.trace()
  title = f'{total} of {evaluation.n_examples} examples classified wrongly'
  body = [
    f'<h1>{title}</h1>',
    f'<p>Accuracy {evaluation.accuracy:.4f} on {_name(dataset)}, split '
    f'{_name(split)}.</p>',
  ]
  if total:
    body += [
      '<h2>What is taken for what</h2>',
      *_pairs(evaluation),
      f'<h2>{_how_many(len(mistakes), int(total))}, the surest first</h2>',
      '<ol>',
      *map(_item, mistakes),
      '</ol>',
    ]
  digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
  policy = (
    f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
    "form-action 'none'"
  )
  return '\n'.join(
    [
      '<!DOCTYPE html>',
      '<html lang="en">',
      '<head>',
      '<meta charset="utf-8">',
      f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      f'<title>{title}</title>',
      f'<style>{_STYLE}</style>',
      '</head>',
      '<body>',
      *body,
      '</body>',
      '</html>',
      '',
    ]
  )


def _how_many(n_shown: int, total: int) -> str:
  if n_shown < total:
    return f'{n_shown} of the {total} mistakes'
  return 'The mistakes' if total > 1 else 'The mistake'


def _pairs(evaluation: metrics.Evaluation) -> list[str]:
  """Returns a table of the commonest pairs of expected and predicted class."""
  wrong = evaluation.confusion.copy()
  np.fill_diagonal(wrong, 0)
  order = np.argsort(-wrong, axis=None, kind='stable')
  order = order[: min(_MAX_PAIRS, np.count_nonzero(wrong))]
  lines = [
    '<table>',
    '<thead><tr><th>expected</th><th>predicted</th>'
    '<th class="number">mistakes</th>'
    '<th class="number">of the expected class</th></tr></thead>',
    '<tbody>',
  ]
  for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True):
    count = wrong[row, column]
    lines.append(
      f'<tr><td>{_name(evaluation.label_names[row])}</td>'
      f'<td>{_name(evaluation.label_names[column])}</td>'
      f'<td class="number">{count}</td>'
      f'<td class="number">{count / evaluation.support[row]:.1%}</td></tr>'
    )
  lines += ['</tbody>', '</table>']
  n_more = np.count_nonzero(wrong) - len(order)
  if n_more:
    lines.append(f'<p>… and {n_more} rarer pairs.</p>')
  return lines


def _item(mistake: Mistake) -> str:
  confidence = f'{mistake.confidence:.3f}'
  return (
    '<li>'
    f'predicted <span class="wrong">{_name(mistake.predicted)}</span> '
    f'<meter value="{confidence}">{confidence}</meter> {confidence}, '
    f'expected <span class="right">{_name(mistake.expected)}</span> '
    f'{mistake.expected_probability:.3f} '
    f'<span class="where">· {mistake.n_tokens} tokens · example '
    f'{mistake.example}</span>'
    f'{_text(mistake.text)}</li>'
  )


def _name(name: str) -> str:
  # Isolated, so that no character of it turns around the text beside it.
  return f'<bdi>{html.escape(plain_text.one_line(name))}</bdi>'


def _text(text: str) -> str:
  """Returns the beginning of a text, with the rest to be unfolded."""
  text = plain_text.lines(text).strip()
  if len(text) > _MAX_CHARACTERS:
    text = text[: _MAX_CHARACTERS - 1] + '…'
  if len(text) <= _SHOWN_CHARACTERS:
    return _paragraph(text)
  end = text.rfind(' ', _SHOWN_CHARACTERS // 2, _SHOWN_CHARACTERS)
  end = end if end > 0 else _SHOWN_CHARACTERS
  return (
    f'{_paragraph(text[:end])}<details><summary>The rest</summary>'
    f'{_paragraph(text[end:].lstrip())}</details>'
  )


def _paragraph(text: str) -> str:
  return f'<p class="text" dir="auto">{html.escape(text)}</p>'
