"""The pictures of a report."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import by_length, calibration, metrics, plain_text

# Beyond these many classes a cell has no room for the percentage, for any text.
_MAX_CLASSES_WITH_PERCENT = 12
_MAX_CLASSES_WITH_COUNT = 30
_DPI = 100
_BLUE, _RED = '#3274a1', '#d62728'


def confusion_matrix_png(evaluation: metrics.Evaluation) -> bytes:
  """Draws the confusion matrix.

  A cell's colour is its share of the row (the expected class); in it are the
  count and the share, if there is room.

  Args:
    evaluation: of any number of classes.

  Returns:
    An encoded PNG.
  """
  confusion = evaluation.confusion
  n_classes = len(confusion)
  shares = confusion / confusion.sum(axis=1, keepdims=True).clip(min=1)
  names = [plain_text.shortened(name) for name in evaluation.label_names]
  # 0.8 inch holds '1234' over '100.0 %' at the size below.
  side = 0.8 if n_classes <= _MAX_CLASSES_WITH_PERCENT else 0.45
  size = max(3.0, min(side * n_classes, 24.0))
  font_size = 9 if n_classes <= _MAX_CLASSES_WITH_PERCENT else 7
  picture = _figure(size + 1.6, size + 1.6)
  axes = picture.add_subplot()
  axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
  # Names are data: a dollar sign in one is no formula.
  plain: dict[str, Any] = {'parse_math': False, 'fontsize': font_size}
  axes.set_xticks(
    range(n_classes),
    names,
    rotation=40,
    ha='right',
    rotation_mode='anchor',
    **plain,
  )
  axes.set_yticks(range(n_classes), names, **plain)
  axes.set_xlabel('predicted')
  axes.set_ylabel('expected')
  axes.set_title(
    f'{evaluation.n_examples} examples, accuracy {evaluation.accuracy:.2%}',
    fontsize=11,
  )
  if n_classes <= _MAX_CLASSES_WITH_COUNT:
    for row, column in np.ndindex(n_classes, n_classes):
      share = shares[row, column]
      text = str(confusion[row, column])
      if n_classes <= _MAX_CLASSES_WITH_PERCENT:
        text += f'\n{share:.1%}'
      axes.text(
        column,
        row,
        text,
        ha='center',
        va='center',
        fontsize=font_size,
        color='white' if share > 0.5 else 'black',
        # It lies within the axes: nothing to make room for.
        in_layout=False,
      )
  return _png(picture)


def calibration_png(found: calibration.Calibration) -> bytes:
  """Draws a reliability diagram.

  Bars are a bin's accuracy, with the number of its examples on top; the dots
  are its mean confidence, which lie on the diagonal. A bar that ends below its
  dot is of a model that is surer than it is right.

  Args:
    found: the bins.

  Returns:
    An encoded PNG.
  """
  picture = _figure(5.6, 4.4)
  axes = picture.add_subplot()
  used = np.flatnonzero(found.counts)
  width = 1 / len(found.counts)
  axes.bar(
    found.edges[used],
    found.accuracies[used],
    width,
    align='edge',
    color=_BLUE,
    edgecolor='white',
    label='accuracy',
  )
  axes.plot([0, 1], [0, 1], color='grey', linewidth=1, linestyle='--')
  axes.plot(
    found.confidences[used],
    found.confidences[used],
    'o',
    color=_RED,
    markersize=4,
    label='mean confidence',
  )
  for b in used:
    axes.text(
      found.edges[b] + width / 2,
      found.accuracies[b] + 0.01,
      str(found.counts[b]),
      ha='center',
      fontsize=7,
      in_layout=False,
    )
  axes.set_xlim(0, 1)
  axes.set_ylim(0, 1.06)
  axes.set_xlabel('confidence: probability of the predicted class')
  axes.set_ylabel('share of examples that are right')
  axes.set_title(
    f'{found.counts.sum()} examples, expected calibration error '
    f'{found.error:.4f}',
    fontsize=11,
  )
  axes.legend(loc='upper left', fontsize=8)
  return _png(picture)


def accuracy_by_length_png(bins: Sequence[by_length.LengthBin]) -> bytes:
  """Draws accuracy against the length of the text, with standard errors.

  Args:
    bins: at least one, the shortest texts first.

  Returns:
    An encoded PNG.
  """
  picture = _figure(5.6, 4.0)
  axes = picture.add_subplot()
  axes.errorbar(
    range(len(bins)),
    [each.accuracy for each in bins],
    [each.standard_error for each in bins],
    fmt='o-',
    color=_BLUE,
    ecolor='grey',
    capsize=3,
  )
  axes.set_xticks(
    range(len(bins)),
    [_range(each) for each in bins],
    rotation=30,
    ha='right',
    rotation_mode='anchor',
    fontsize=8,
  )
  axes.set_xlabel('length in tokens')
  axes.set_ylabel('accuracy ± standard error')
  axes.set_title(
    f'{sum(each.n_examples for each in bins)} examples in {len(bins)} bins',
    fontsize=11,
  )
  axes.grid(axis='y', alpha=0.3)
  return _png(picture)


def _range(each: by_length.LengthBin) -> str:
  if each.shortest == each.longest:
    return str(each.longest)
  return f'{each.shortest}-{each.longest}'


def _figure(width: float, height: float):
  """Returns a figure of a size in inches."""
  # A figure of its own, not pyplot's: no global state, no window system.
  from matplotlib import figure

  return figure.Figure(figsize=(width, height), dpi=_DPI, layout='constrained')


def _png(picture) -> bytes:
  from matplotlib.backends import backend_agg

  buffer = io.BytesIO()
  with warnings.catch_warnings():
    # A script that the font lacks is drawn as boxes; the CSV has the names.
    warnings.filterwarnings('ignore', message=r'Glyph .* missing from')
    # savefig would draw it twice.
    backend_agg.FigureCanvasAgg(picture).print_png(buffer)
  return buffer.getvalue()
