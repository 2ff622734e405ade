"""The pictures of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.evaluation import (
  by_length,
  calibration,
  metrics,
  rejection,
)
from experiments.foundation import plain_text
from experiments.reporting import drawing

# Beyond these many classes a cell has no room for the percentage, for any text.
_MAX_CLASSES_WITH_PERCENT = 12
_MAX_CLASSES_WITH_COUNT = 30
_MAX_SIDE = 2400
# Beyond these many a name has no room either, and most of the matrix is empty.
_MAX_CLASSES = 100
_BLUE, _RED = (50, 116, 161), (214, 39, 40)
# ColorBrewer's 'Blues', from none of a row to all of it.
_BLUES = np.array(
  [
    (247, 251, 255),
    (222, 235, 247),
    (198, 219, 239),
    (158, 202, 225),
    (107, 174, 214),
    (66, 146, 198),
    (33, 113, 181),
    (8, 81, 156),
    (8, 48, 107),
  ]
)


def confusion_matrix_png(evaluation: metrics.Evaluation) -> bytes:
  """Draws the confusion matrix.

  A cell's colour is its share of the row (the expected class); in it are the
  count and the share, if there is room. Of more than a hundred classes it shows
  those with the most mistakes, and all others as one.

  Args:
    evaluation: of any number of classes.

  Returns:
    An encoded PNG.
  """
  confusion, labels = evaluation.confusion, list(evaluation.label_names)
  title = (
    f'{evaluation.n_examples} examples, accuracy {evaluation.accuracy:.2%}'
  )
  if len(labels) > _MAX_CLASSES:
    confusion, labels = merge_others(evaluation, _MAX_CLASSES_WITH_COUNT - 1)
    title += (
      f'; the {len(labels) - 1} of {len(evaluation.label_names):,} classes '
      'with most mistakes'
    )
  n = len(confusion)
  shares = confusion / confusion.sum(axis=1, keepdims=True).clip(min=1)
  with_percent = n <= _MAX_CLASSES_WITH_PERCENT
  # 80 pixels hold '1234' over '100.0%' at the size below.
  size = max(300, min((80 if with_percent else 45) * n, _MAX_SIDE))
  font_size = 12 if with_percent else 9
  names = [plain_text.shorten_name(name) for name in labels]
  axes = drawing.Axes(
    size,
    size,
    title=title,
    x_label='predicted',
    y_label='expected',
    x_range=(0, n),
    y_range=(n, 0),
    x_ticks=[(i + 0.5, name) for i, name in enumerate(names)],
    y_ticks=[(i + 0.5, name) for i, name in enumerate(names)],
    x_angle=40,
    tick_size=font_size,
  )
  for row, column in np.ndindex(n, n):
    share = float(shares[row, column])
    axes.canvas.rectangle(
      axes.at(column, row), axes.at(column + 1, row + 1), _blue(share)
    )
    if n > _MAX_CLASSES_WITH_COUNT:
      continue
    lines = [str(confusion[row, column])]
    if with_percent:
      lines.append(f'{share:.1%}')
    for i, line in enumerate(lines):
      # Above and below the middle.
      offset = (i + 0.5 - len(lines) / 2) * 1.3 * font_size
      x, y = axes.at(column + 0.5, row + 0.5)
      colour = (255, 255, 255) if share > 0.5 else drawing.BLACK
      axes.canvas.text((x, y + offset), line, size=font_size, colour=colour)
  return axes.png()


def merge_others(
  evaluation: metrics.Evaluation, n: int
) -> tuple[np.ndarray, list[str]]:
  """Leaves the classes with the most mistakes, and makes one of all others.

  Args:
    evaluation: of more classes.
    n: how many to leave.

  Returns:
    Counts int64 [n + 1, n + 1], in the order of the classes, the others last;
    and what to call them.
  """
  confusion = evaluation.confusion
  mistakes = confusion.sum(0) + confusion.sum(1) - 2 * confusion.diagonal()
  chosen = np.sort(np.argsort(-mistakes, kind='stable')[:n])
  places = np.full(len(confusion), n)
  places[chosen] = np.arange(n)
  cells = places[:, np.newaxis] * (n + 1) + places
  merged = np.bincount(cells.ravel(), confusion.ravel(), (n + 1) ** 2)
  names = [evaluation.label_names[i] for i in chosen]
  n_others = len(confusion) - n
  return merged.astype(np.int64).reshape(n + 1, n + 1), [
    *names,
    f'{n_others:,} others',
  ]


def calibration_png(found: calibration.Calibration) -> bytes:
  """Draws a reliability diagram.

  Bars are a bin's accuracy; the dots are its mean confidence, which lie on the
  diagonal. A bar that ends below its dot is of a model that is surer than it is
  right. The numbers of examples stand above all bars, where no dot can be.

  Args:
    found: the bins.

  Returns:
    An encoded PNG.
  """
  top, legend_at, counts_at = 1.22, 1.165, 1.055
  fifths = [(i / 5, f'{i / 5:.1f}') for i in range(6)]
  axes = drawing.Axes(
    480,
    360,
    title=(
      f'{found.counts.sum()} examples, expected calibration error '
      f'{found.error:.4f}'
    ),
    x_label='confidence: probability of the predicted class',
    y_label='share of examples that are right',
    x_range=(0, 1),
    y_range=(0, top),
    x_ticks=fifths,
    y_ticks=fifths,
  )
  canvas = axes.canvas
  for b in np.flatnonzero(found.counts):
    low, high = found.edges[b], found.edges[b + 1]
    x, y = axes.at(low, found.accuracies[b])
    right, bottom = axes.at(high, 0)
    canvas.rectangle((x + 1, y), (right - 1, bottom), _BLUE)
    _, above = axes.at(low, counts_at)
    canvas.text(((x + right) / 2, above), _count(found.counts[b]), size=10)
  canvas.line([axes.at(0, 1), axes.at(1, 1)], drawing.PALE)
  canvas.line([axes.at(0, 0), axes.at(1, 1)], drawing.GREY)
  for confidence in found.confidences[found.counts > 0]:
    canvas.dot(axes.at(confidence, confidence), _RED)
  x, y = axes.at(0.02, legend_at)
  canvas.rectangle((x, y - 5), (x + 12, y + 5), _BLUE)
  canvas.text((x + 20, y), 'accuracy', size=12, anchor='lm')
  canvas.dot((x + 106, y), _RED)
  canvas.text((x + 116, y), 'mean confidence', size=12, anchor='lm')
  x, y = axes.at(0.98, legend_at)
  canvas.text((x, y), 'below: examples', size=12, anchor='rm')
  return axes.png()


def accuracy_by_length_png(bins: Sequence[by_length.LengthBin]) -> bytes:
  """Draws accuracy against the length of the text, with standard errors.

  Args:
    bins: at least one, the shortest texts first.

  Returns:
    An encoded PNG.
  """
  lowest = min(each.accuracy - each.standard_error for each in bins)
  highest = max(each.accuracy + each.standard_error for each in bins)
  margin = max(0.05 * (highest - lowest), 0.005)
  low, high = lowest - margin, highest + margin
  ticks = drawing.ticks(low, high)
  n_examples = sum(each.n_examples for each in bins)
  axes = drawing.Axes(
    480,
    300,
    title=f'{n_examples} examples in {len(bins)} bins',
    x_label='length in tokens',
    y_label='accuracy ± standard error',
    x_range=(-0.5, len(bins) - 0.5),
    y_range=(low, high),
    x_ticks=[(i, _range(each)) for i, each in enumerate(bins)],
    y_ticks=ticks,
    x_angle=30,
  )
  canvas = axes.canvas
  for tick, _ in ticks:
    canvas.line(
      [axes.at(-0.5, tick), axes.at(len(bins) - 0.5, tick)], drawing.PALE
    )
  for i, each in enumerate(bins):
    ends = [
      axes.at(i, each.accuracy - each.standard_error),
      axes.at(i, each.accuracy + each.standard_error),
    ]
    canvas.line(ends, drawing.GREY, 1.5)
    for x, y in ends:
      canvas.line([(x - 4, y), (x + 4, y)], drawing.GREY, 1.5)
  points = [axes.at(i, each.accuracy) for i, each in enumerate(bins)]
  if len(points) > 1:
    canvas.line(points, _BLUE, 1.5)
  for point in points:
    canvas.dot(point, _BLUE, 4)
  return axes.png()


def risk_coverage_png(found: rejection.RiskCoverage) -> bytes:
  """Draws the share of wrong answers against the share of examples answered.

  Args:
    found: the curve.

  Returns:
    An encoded PNG.
  """
  highest = max(1.05 * float(found.risks.max()), 0.005)
  ticks = drawing.ticks(0, highest)
  axes = drawing.Axes(
    480,
    300,
    title=f'area under the risk-coverage curve {found.area:.4f}',
    x_label='coverage: share of examples that are answered',
    y_label='risk: share of wrong answers',
    x_range=(0, 1),
    y_range=(0, highest),
    x_ticks=[(i / 5, f'{i / 5:.1f}') for i in range(6)],
    y_ticks=ticks,
  )
  for tick, _ in ticks:
    axes.canvas.line([axes.at(0, tick), axes.at(1, tick)], drawing.PALE)
  points = [
    axes.at(x, y) for x, y in zip(found.coverages, found.risks, strict=True)
  ]
  if len(points) > 1:
    axes.canvas.line(points, _BLUE, 1.5)
  axes.canvas.dot(points[-1], _BLUE)
  return axes.png()


def _count(n: int) -> str:
  """Returns a number in at most four characters, up to ten million."""
  if n < 10_000:
    return str(n)
  return f'{n / 1e3:.0f}k' if n < 999_500 else f'{n / 1e6:.0f}M'


def _range(each: by_length.LengthBin) -> str:
  if each.shortest == each.longest:
    return str(each.longest)
  return f'{each.shortest}-{each.longest}'


def _blue(share: float) -> drawing.Colour:
  """Returns the colour of a share from 0 to 1."""
  places = np.linspace(0, 1, len(_BLUES))
  red, green, blue = (
    round(float(np.interp(share, places, channel))) for channel in _BLUES.T
  )
  return red, green, blue
