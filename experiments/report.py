"""What a person reads after a run: tables, a picture, example predictions."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import files, metrics

# Characters that mean something to Markdown within a line. References, because
# escapes by backslash differ between Markdown dialects.
_MARKDOWN = re.compile(r'[\\`*_\[\]<>&|~$]')
# ... and those that do at its start: headings, lists, rules, quotes, code.
_MARKDOWN_START = re.compile(r'^(\d*)([#+\-=:.)])')

_MAX_TEXT_LENGTH = 300
_MAX_PROBABILITIES = 5
_MAX_NAME_LENGTH = 24
# Beyond these many classes a cell has no room for the percentage, for any text.
_MAX_CLASSES_WITH_PERCENT = 12
_MAX_CLASSES_WITH_COUNT = 30


@dataclasses.dataclass(frozen=True)
class Prediction:
  """What a model says about one text.

  Attributes:
    text: the text, as the model saw it (detokenized) or as it was given.
    expected: the class that it is, by name; None if that is not known.
    label: the likeliest class, by name.
    probabilities: of every class, by name.
    n_tokens: the number of token ids, without padding.
  """

  text: str
  expected: str | None
  label: str
  probabilities: dict[str, float]
  n_tokens: int


def write_report(
  directory: str | os.PathLike[str],
  *,
  evaluation: metrics.Evaluation,
  predictions: Sequence[Prediction] = (),
) -> list[pathlib.Path]:
  """Writes the report of a run, each file whole or not at all.

  * confusion_matrix.png, confusion_matrix.csv (rows expected, columns
    predicted)
  * per_class.csv: class, precision, recall, f1, support
  * predictions.jsonl (all of each text) and predictions.md (its beginning)

  Args:
    directory: created if missing; files of an earlier report are replaced.
    evaluation: what is reported.
    predictions: examples of it.

  Returns:
    The paths written.

  Raises:
    OSError: a file cannot be written.
  """
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  contents: dict[str, str | bytes] = {
    'confusion_matrix.png': confusion_matrix_png(evaluation),
    'confusion_matrix.csv': _confusion_csv(evaluation),
    'per_class.csv': _per_class_csv(evaluation),
    'predictions.jsonl': ''.join(
      json.dumps(dataclasses.asdict(prediction), ensure_ascii=False) + '\n'
      for prediction in predictions
    ),
    'predictions.md': predictions_markdown(predictions) + '\n',
  }
  for name, content in contents.items():
    files.write_atomic(directory / name, content)
  return [directory / name for name in contents]


def format_evaluation(evaluation: metrics.Evaluation) -> str:
  """Returns the evaluation as text for a terminal, without a final newline."""
  dropped = ''
  if evaluation.n_dropped:
    dropped = f', {evaluation.n_dropped} dropped as too long'
  names = [_shorten(name) for name in evaluation.label_names]
  width = max(map(len, names))
  lines = [
    f'accuracy {evaluation.accuracy:.4f}, '
    f'cross-entropy {evaluation.cross_entropy:.4f}, '
    f'macro F1 {evaluation.macro_f1:.4f} '
    f'({evaluation.n_examples} examples{dropped})',
    '',
    f'{"":{width}}  precision  recall      F1  examples',
  ]
  for name, precision, recall, f1, support in zip(
    names,
    evaluation.precision,
    evaluation.recall,
    evaluation.f1,
    evaluation.support,
    strict=True,
  ):
    lines.append(
      f'{name:{width}}  {precision:9.4f}  {recall:6.4f}  {f1:6.4f}'
      f'  {support:8d}'
    )
  return '\n'.join(lines)


def format_predictions(predictions: Sequence[Prediction]) -> str:
  """Returns example predictions as text for a terminal, 80 columns wide."""
  blocks = []
  for prediction in predictions:
    label = _one_line(prediction.label)
    if prediction.expected is None:
      lines = [f'predicted {label}']
    else:
      lines = [f'expected {_one_line(prediction.expected)}, predicted {label}']
    probabilities = ', '.join(
      f'{_one_line(name)} {probability:.3f}'
      for name, probability in _likeliest(prediction)
    )
    for text, max_lines in ((probabilities, 2), (prediction.text, 3)):
      lines += textwrap.wrap(
        _one_line(text),
        width=80,
        initial_indent='  ',
        subsequent_indent='  ',
        max_lines=max_lines,
        placeholder=' …',
      )
    blocks.append('\n'.join(lines))
  return '\n\n'.join(blocks)


def predictions_markdown(predictions: Sequence[Prediction]) -> str:
  """Returns example predictions as a Markdown table, texts cut and escaped."""
  lines = [
    '| text | expected | predicted | probabilities |',
    '| --- | --- | --- | --- |',
  ]
  for prediction in predictions:
    text = _one_line(prediction.text)
    if len(text) > _MAX_TEXT_LENGTH:
      text = text[: _MAX_TEXT_LENGTH - 1].rstrip() + '…'
    expected = prediction.expected or ''
    label = escape_markdown(prediction.label)
    if prediction.expected not in (None, prediction.label):
      label = f'**{label}**'
    probabilities = ', '.join(
      f'{escape_markdown(name)} {probability:.3f}'
      for name, probability in _likeliest(prediction)
    )
    cells = [escape_markdown(text), escape_markdown(expected), label]
    lines.append(f'| {" | ".join(cells)} | {probabilities} |')
  return '\n'.join(lines)


def escape_markdown(text: str) -> str:
  """Returns Markdown that shows as `text`, on one line.

  Args:
    text: any text. White space and control characters become single spaces.

  Returns:
    Text that makes no markup at the start of a line, in a line or in a table's
    cell, in TensorBoard and on GitHub.
  """

  def reference(match: re.Match[str]) -> str:
    return f'&#{ord(match[0])};'

  text = _MARKDOWN.sub(reference, _one_line(text))
  return _MARKDOWN_START.sub(
    lambda match: f'{match[1]}&#{ord(match[2])};', text
  )


def confusion_matrix_png(evaluation: metrics.Evaluation) -> bytes:
  """Draws the confusion matrix.

  A cell's colour is its share of the row (the expected class); in it are the
  count and the share, if there is room.

  Args:
    evaluation: of any number of classes.

  Returns:
    An encoded PNG.
  """
  # A figure of its own, not pyplot's: no global state, no window system.
  from matplotlib import figure
  from matplotlib.backends import backend_agg

  confusion = evaluation.confusion
  n_classes = len(confusion)
  shares = confusion / confusion.sum(axis=1, keepdims=True).clip(min=1)
  names = [_shorten(name) for name in evaluation.label_names]
  # 0.8 inch holds '1234' over '100.0 %' at the size below.
  side = 0.8 if n_classes <= _MAX_CLASSES_WITH_PERCENT else 0.45
  size = max(3.0, min(side * n_classes, 24.0))
  font_size = 9 if n_classes <= _MAX_CLASSES_WITH_PERCENT else 7
  picture = figure.Figure(
    figsize=(size + 1.6, size + 1.6), dpi=100, layout='constrained'
  )
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
  buffer = io.BytesIO()
  with warnings.catch_warnings():
    # A script that the font lacks is drawn as boxes; the CSV has the names.
    warnings.filterwarnings('ignore', message=r'Glyph .* missing from')
    # savefig would draw it twice.
    backend_agg.FigureCanvasAgg(picture).print_png(buffer)
  return buffer.getvalue()


def _confusion_csv(evaluation: metrics.Evaluation) -> str:
  rows: list[list[object]] = [['expected', *evaluation.label_names]]
  for name, counts in zip(
    evaluation.label_names, evaluation.confusion.tolist(), strict=True
  ):
    rows.append([name, *counts])
  return _csv(rows)


def _per_class_csv(evaluation: metrics.Evaluation) -> str:
  rows: list[list[object]] = [['class', 'precision', 'recall', 'f1', 'support']]
  rows += map(
    list,
    zip(
      evaluation.label_names,
      evaluation.precision,
      evaluation.recall,
      evaluation.f1,
      evaluation.support,
      strict=True,
    ),
  )
  return _csv(rows)


def _csv(rows: Sequence[Sequence[object]]) -> str:
  buffer = io.StringIO()
  csv.writer(buffer, lineterminator='\n').writerows(rows)
  return buffer.getvalue()


def _likeliest(prediction: Prediction) -> list[tuple[str, float]]:
  ranked = sorted(
    prediction.probabilities.items(), key=lambda item: item[1], reverse=True
  )
  return ranked[:_MAX_PROBABILITIES]


def _one_line(text: str) -> str:
  """Returns the text without line breaks and terminal control characters."""
  text = ''.join(
    ' ' if unicodedata.category(character) in ('Cc', 'Cs') else character
    for character in text
  )
  return ' '.join(text.split())


def _shorten(name: str) -> str:
  """Returns the name, cut in the middle: names often differ at their ends."""
  name = _one_line(name)
  if len(name) <= _MAX_NAME_LENGTH:
    return name
  half = _MAX_NAME_LENGTH // 2
  return f'{name[:half]}…{name[-(half - 1) :]}'
