"""What a person reads after a run: tables, pictures, predictions, mistakes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import textwrap
from collections.abc import Sequence

import numpy as np

from experiments.evaluation import (
  by_length,
  calibration,
  metrics,
  rejection,
)
from experiments.foundation import csv_text, json_text, plain_text
from experiments.foundation.directory import Directory
from experiments.reporting import mistakes_page, report_plots
from experiments.rundir.run_record import Answers

# Characters that mean something to Markdown within a line. References, because
# escapes by backslash differ between Markdown dialects.
_MARKDOWN = re.compile(r'[\\`*_\[\]<>&|~$]')
# ... and those that do at its start: headings, lists, rules, quotes, code.
_MARKDOWN_START = re.compile(r'^(\d*)([#+\-=:.)])')

_MAX_TEXT_LENGTH = 300
_MAX_PROBABILITIES = 5
# More rows leave the screen; then the worst are shown.
_MAX_CLASS_ROWS, _WORST_CLASSES = 50, 20


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
  directory: Directory | str | os.PathLike[str],
  *,
  evaluation: metrics.Evaluation,
  dataset: str,
  split: str,
  calibrated: calibration.Calibration,
  lengths: Sequence[by_length.LengthBin],
  mistakes: Sequence[mistakes_page.Mistake] = (),
  predictions: Sequence[Prediction] = (),
  risk: rejection.RiskCoverage | None = None,
) -> list[pathlib.Path]:
  """Writes the report of a run, each file whole or not at all.

  * confusion_matrix.png, confusion_matrix.csv (rows expected, columns
    predicted)
  * per_class.csv: class, precision, recall, f1, support
  * calibration.png, calibration.csv: a row a bin, empty where no example is
  * accuracy_by_length.png, accuracy_by_length.csv: a row a bin
  * risk_coverage.png, risk_coverage.csv: a row a threshold, if there is `risk`
  * mistakes.html
  * predictions.jsonl (all of each text) and predictions.md (its beginning)

  Args:
    directory: created if missing; files of an earlier report are replaced.
    evaluation: what is reported.
    dataset: what it is of, such as 'bbc_news:1.0.0'.
    split: the split evaluated, such as 'test' or 'train[80%:]'.
    calibrated: its examples by confidence.
    lengths: its examples by length.
    mistakes: of it, the worst first.
    predictions: examples of it.
    risk: by coverage, where answers may be rejected.

  Returns:
    The paths written.

  Raises:
    OSError: a file cannot be written.
  """
  directory = Directory.at(directory)
  directory.make()
  contents: dict[str, str | bytes] = {
    'confusion_matrix.png': report_plots.confusion_matrix_png(evaluation),
    'confusion_matrix.csv': _confusion_csv(evaluation),
    'per_class.csv': _per_class_csv(evaluation),
    'calibration.png': report_plots.calibration_png(calibrated),
    'calibration.csv': _calibration_csv(calibrated),
    'accuracy_by_length.png': report_plots.accuracy_by_length_png(lengths),
    'accuracy_by_length.csv': csv_text.to_csv(
      [list(by_length.LengthBin._fields), *map(list, lengths)]
    ),
    'mistakes.html': mistakes_page.mistakes_html(
      evaluation, mistakes, dataset=dataset, split=split
    ),
    'predictions.jsonl': ''.join(
      json_text.to_json(dataclasses.asdict(prediction)) + '\n'
      for prediction in predictions
    ),
    'predictions.md': predictions_markdown(predictions) + '\n',
  }
  if risk is not None:
    contents['risk_coverage.png'] = report_plots.risk_coverage_png(risk)
    contents['risk_coverage.csv'] = csv_text.to_csv(
      [
        ['threshold', 'coverage', 'risk'],
        *zip(
          risk.thresholds.tolist(),
          risk.coverages.tolist(),
          risk.risks.tolist(),
          strict=True,
        ),
      ]
    )
  for name, content in contents.items():
    directory.file(name).write(content)
  return [directory.path / name for name in contents]


def format_results(
  evaluation: metrics.Evaluation,
  predictions: Sequence[Prediction],
  answers: Answers | None = None,
) -> str:
  """Returns an evaluation and some predictions as text for a terminal."""
  blocks = [format_evaluation(evaluation)]
  if answers and any(answers.values()):
    blocks.append(format_answers(evaluation, answers))
  return '\n\n'.join([*blocks, format_predictions(predictions)])


def format_answers(evaluation: metrics.Evaluation, answers: Answers) -> str:
  """Returns what calibration and rejection came to, a line or two each.

  Args:
    evaluation: of the same examples.
    answers: at least one of both.
  """
  lines = []
  if calibrated := answers['calibration']:
    lines += [
      f'Calibrated at temperature {calibrated["temperature"]:.3f}; without it '
      f'cross-entropy {calibrated["cross_entropy_before"]:.4f},',
      f'ECE {calibrated["expected_calibration_error_before"]:.4f}.',
    ]
  if rejected := answers['rejection']:
    risk = rejected['risk']
    right = '' if risk is None else f', of which {1 - risk:.2%} are right'
    n_answered = round(rejected['coverage'] * evaluation.n_examples)
    lines += [
      f'At least {rejected["threshold"]:g} sure: {n_answered} of '
      f'{evaluation.n_examples} answers{right}. Area under the',
      f'risk-coverage curve {rejected["area"]:.4f}.',
    ]
  return '\n'.join(lines)


def format_evaluation(evaluation: metrics.Evaluation) -> str:
  """Returns the evaluation as text for a terminal, without a final newline.

  Args:
    evaluation: of any number of classes; of many, the worst get a row.
  """
  dropped = ''
  if evaluation.n_dropped:
    dropped = f', {evaluation.n_dropped} dropped as too long'
  shown = np.arange(len(evaluation.label_names))
  notes = []
  if len(shown) > _MAX_CLASS_ROWS:
    seen = np.flatnonzero(evaluation.support)
    order = np.argsort(np.asarray(evaluation.f1)[seen], kind='stable')
    shown = seen[order[:_WORST_CLASSES]]
    notes.append(
      f'These are the {len(shown)} of {len(evaluation.label_names):,} classes '
      'with the lowest F1. All are in report/per_class.csv.'
    )
  n_unseen = int(np.count_nonzero(~evaluation.is_seen))
  if n_unseen:
    notes.append(
      'Macro F1 leaves out what is neither expected nor predicted: '
      f'{n_unseen:,} of {len(evaluation.label_names):,} classes.'
    )
  names = [plain_text.shorten_name(evaluation.label_names[i]) for i in shown]
  width = max(map(len, names))
  lines = [
    f'accuracy {evaluation.accuracy:.4f}, '
    f'cross-entropy {evaluation.cross_entropy:.4f}, '
    f'macro F1 {evaluation.macro_f1:.4f}, '
    f'ECE {evaluation.expected_calibration_error:.4f} '
    f'({evaluation.n_examples} examples{dropped})',
    '',
    f'{"":{width}}  precision  recall      F1  examples',
  ]
  for i, name in zip(shown, names, strict=True):
    lines.append(
      f'{name:{width}}  {evaluation.precision[i]:9.4f}  '
      f'{evaluation.recall[i]:6.4f}  {evaluation.f1[i]:6.4f}'
      f'  {evaluation.support[i]:8d}'
    )
  return '\n'.join([*lines, *notes])


def format_predictions(predictions: Sequence[Prediction]) -> str:
  """Returns example predictions as text for a terminal, 80 columns wide."""
  blocks = []
  for prediction in predictions:
    classes = f'predicted {plain_text.one_line(prediction.label)}'
    if prediction.expected is not None:
      expected = plain_text.one_line(prediction.expected)
      classes = f'expected {expected}, {classes}'
    lines = [classes]
    probabilities = ', '.join(
      f'{plain_text.one_line(name)} {probability:.3f}'
      for name, probability in _likeliest(prediction)
    )
    for text, max_lines in ((probabilities, 2), (prediction.text, 3)):
      lines += textwrap.wrap(
        plain_text.one_line(text),
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
    text = plain_text.one_line(prediction.text)
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

  text = _MARKDOWN.sub(reference, plain_text.one_line(text))
  return _MARKDOWN_START.sub(
    lambda match: f'{match[1]}&#{ord(match[2])};', text
  )


def _confusion_csv(evaluation: metrics.Evaluation) -> str:
  rows: list[list[object]] = [['expected', *evaluation.label_names]]
  for name, counts in zip(
    evaluation.label_names, evaluation.confusion.tolist(), strict=True
  ):
    rows.append([name, *counts])
  return csv_text.to_csv(rows)


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
  return csv_text.to_csv(rows)


def _calibration_csv(calibrated: calibration.Calibration) -> str:
  """Returns a row a bin."""
  rows: list[list[object]] = [
    ['above', 'up_to', 'n_examples', 'mean_confidence', 'accuracy']
  ]
  for low, high, count, confidence, accuracy in zip(
    calibrated.edges[:-1].tolist(),
    calibrated.edges[1:].tolist(),
    calibrated.counts.tolist(),
    calibrated.confidences.tolist(),
    calibrated.accuracies.tolist(),
    strict=True,
  ):
    means = [confidence, accuracy] if count else ['', '']
    rows.append([low, high, count, *means])
  return csv_text.to_csv(rows)


def _likeliest(prediction: Prediction) -> list[tuple[str, float]]:
  ranked = sorted(
    prediction.probabilities.items(), key=lambda item: item[1], reverse=True
  )
  return ranked[:_MAX_PROBABILITIES]
