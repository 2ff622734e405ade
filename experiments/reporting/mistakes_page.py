"""The worst mistakes of a model as a page for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.evaluation import metrics
from experiments.reporting import html_page

MAX_MISTAKES = 50
_MAX_PAIRS = 20


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
    dataset: the data set evaluated, such as 'bbc_news:1.0.0'.
    split: the split evaluated, such as 'test' or 'train[80%:]'.

  Returns:
    HTML.
  """
  total = evaluation.confusion.sum() - evaluation.confusion.trace()
  title = f'{total} of {evaluation.n_examples} examples classified wrongly'
  body = [
    f'<h1>{title}</h1>',
    f'<p>Accuracy {evaluation.accuracy:.4f} on {html_page.name(dataset)}, '
    f'split {html_page.name(split)}.</p>',
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
  return html_page.page(title, body)


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
      f'<tr><td>{html_page.name(evaluation.label_names[row])}</td>'
      f'<td>{html_page.name(evaluation.label_names[column])}</td>'
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
    f'predicted <span class="wrong">{html_page.name(mistake.predicted)}</span> '
    f'<meter value="{confidence}">{confidence}</meter> {confidence}, '
    f'expected <span class="right">{html_page.name(mistake.expected)}</span> '
    f'{mistake.expected_probability:.3f} '
    f'<span class="where">· {mistake.n_tokens} tokens · example '
    f'{mistake.example}</span>'
    f'{html_page.text(mistake.text)}</li>'
  )
