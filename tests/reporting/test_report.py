"""The report's files, and text that tries to be markup."""

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.evaluation import by_length, calibration, metrics
from experiments.foundation import plain_text
from experiments.reporting import mistakes_page, report


def make_evaluation(label_names, *, n_examples=40):
  """Returns an evaluation in which class 1 is always taken for class 0."""
  n_classes = len(label_names)
  targets = np.arange(n_examples) % n_classes
  predicted = np.where(targets == 1, 0, targets)
  probabilities = np.full((n_examples, n_classes), 0.1 / (n_classes - 1))
  probabilities[np.arange(n_examples), predicted] = 0.9
  return metrics.evaluate_log_probs(
    log_probs=np.log(probabilities).astype(np.float32),
    targets=targets,
    label_names=label_names,
    n_dropped=3,
  )


PREDICTIONS = [
  report.Prediction(
    text='Rates rise,\nagain',
    expected='World',
    label='Business',
    probabilities={'World': 0.25, 'Business': 0.75},
    n_tokens=4,
  ),
  report.Prediction(
    text='Ünïcode 世界',
    expected=None,
    label='World',
    probabilities={'World': 0.875, 'Business': 0.125},
    n_tokens=3,
  ),
]


def read_csv(path):
  return list(csv.reader(io.StringIO(path.read_text())))


def write(directory, evaluation, **options):
  """Writes a report of an evaluation with two bins of anything."""
  return report.write_report(
    directory,
    evaluation=evaluation,
    dataset='bbc_news:1.0.0',
    split='test',
    calibrated=calibration.Calibration(
      np.array([0, 4]), np.array([np.nan, 0.75]), np.array([np.nan, 0.5])
    ),
    lengths=[
      by_length.LengthBin(1, 4, 2.5, 4, 0.75, 0.25),
      by_length.LengthBin(8, 30, 14.25, 4, 0.5, 0.125),
    ],
    **options,
  )


def test_of_many_classes_the_worst_are_shown():
  names = [f'class {i}' for i in range(1000)]
  shown = report.format_evaluation(make_evaluation(names, n_examples=3998))
  lines = shown.split('\n')
  assert len(lines) == 24
  # Class 1 is never right, so class 0, which it is taken for, comes next.
  assert lines[3].split() == ['class', '1', '0.0000', '0.0000', '0.0000', '4']
  assert lines[4].split() == ['class', '0', '0.5000', '1.0000', '0.6667', '4']
  assert lines[-1] == (
    'These are the 20 of 1,000 classes with the lowest F1. All are in '
    'report/per_class.csv.'
  )


def test_files_of_a_report(tmp_path):
  directory = tmp_path / 'new' / 'report'
  evaluation = make_evaluation(('World', 'Business'), n_examples=5)
  mistake = mistakes_page.Mistake(
    4, 'Goal!', 'World', 'Business', 0.75, 0.25, 2
  )
  paths = write(
    directory, evaluation, predictions=PREDICTIONS, mistakes=[mistake]
  )
  assert [path.name for path in paths] == [
    'confusion_matrix.png',
    'confusion_matrix.csv',
    'per_class.csv',
    'calibration.png',
    'calibration.csv',
    'accuracy_by_length.png',
    'accuracy_by_length.csv',
    'mistakes.html',
    'predictions.jsonl',
    'predictions.md',
  ]
  assert sorted(os.listdir(directory)) == sorted(path.name for path in paths)
  # Targets 0 1 0 1 0, all predicted as 0.
  assert read_csv(directory / 'confusion_matrix.csv') == [
    ['expected', 'World', 'Business'],
    ['World', '3', '0'],
    ['Business', '2', '0'],
  ]
  [header, world, business] = read_csv(directory / 'per_class.csv')
  assert header == ['class', 'precision', 'recall', 'f1', 'support']
  assert world[0] == 'World'
  assert [float(x) for x in world[1:]] == pytest.approx([3 / 5, 1, 3 / 4, 3])
  assert business == ['Business', '0.0', '0.0', '0.0', '2']
  assert read_csv(directory / 'calibration.csv') == [
    ['above', 'up_to', 'n_examples', 'mean_confidence', 'accuracy'],
    ['0.0', '0.5', '0', '', ''],
    ['0.5', '1.0', '4', '0.75', '0.5'],
  ]
  [header, *rows] = read_csv(directory / 'accuracy_by_length.csv')
  assert header == list(by_length.LengthBin._fields)
  assert rows == [
    ['1', '4', '2.5', '4', '0.75', '0.25'],
    ['8', '30', '14.25', '4', '0.5', '0.125'],
  ]
  assert 'Goal!' in (directory / 'mistakes.html').read_text()
  lines = (directory / 'predictions.jsonl').read_text().splitlines()
  assert [report.Prediction(**json.loads(line)) for line in lines] == (
    PREDICTIONS
  )
  assert '世界' in lines[1]


def test_an_earlier_report_is_replaced(tmp_path):
  evaluation = make_evaluation(('a', 'b'))
  write(tmp_path, evaluation, predictions=PREDICTIONS)
  write(tmp_path, evaluation)
  assert (tmp_path / 'predictions.jsonl').read_text() == ''
  assert len(os.listdir(tmp_path)) == 10


def test_names_with_commas_and_quotes_survive_csv(tmp_path):
  names = ('a, "b"', 'c\nd')
  write(tmp_path, make_evaluation(names))
  rows = read_csv(tmp_path / 'confusion_matrix.csv')
  assert rows[0] == ['expected', *names]
  assert [row[0] for row in rows[1:]] == list(names)


def test_a_class_without_examples():
  evaluation = metrics.evaluate_log_probs(
    log_probs=np.log(np.full((3, 2), 0.5, np.float32)),
    targets=np.zeros(3, np.int32),
    label_names=('seen', 'never'),
  )
  assert report.format_evaluation(evaluation).endswith(
    'never     0.0000  0.0000  0.0000         0\n'
    'Macro F1 leaves out what is neither expected nor predicted: 1 of 2 '
    'classes.'
  )


def test_evaluation_for_a_terminal():
  evaluation = make_evaluation(('World', 'Sci/Tech'), n_examples=5)
  # p(expected) is 0.9 three times and 0.1 twice.
  cross_entropy = -(3 * np.log(0.9) + 2 * np.log(0.1)) / 5
  assert report.format_evaluation(evaluation) == (
    f'accuracy 0.6000, cross-entropy {cross_entropy:.4f}, macro F1 0.3750, '
    'ECE 0.3000 '
    '(5 examples, 3 dropped as too long)\n'
    '\n'
    '          precision  recall      F1  examples\n'
    'World        0.6000  1.0000  0.7500         3\n'
    'Sci/Tech     0.0000  0.0000  0.0000         2'
  )


def test_predictions_for_a_terminal():
  assert report.format_predictions(PREDICTIONS) == (
    'expected World, predicted Business\n'
    '  Business 0.750, World 0.250\n'
    '  Rates rise, again\n'
    '\n'
    'predicted World\n'
    '  World 0.875, Business 0.125\n'
    '  Ünïcode 世界'
  )


def test_a_terminal_is_sent_no_control_characters():
  text = report.format_predictions(
    [
      report.Prediction(
        text='\x1b[31mred\x07 \x9b2J ' + 'long ' * 100,
        expected='\x1b[0m',
        label='b\x08',
        probabilities={'b\x08': 1.0},
        n_tokens=1,
      )
    ]
  )
  assert not re.search(r'[\x00-\x09\x0b-\x1f\x7f-\x9f]', text)
  assert text.endswith(' …')
  assert max(len(line) for line in text.splitlines()) <= 80


def test_predictions_as_markdown():
  lines = report.predictions_markdown(PREDICTIONS).splitlines()
  assert lines == [
    '| text | expected | predicted | probabilities |',
    '| --- | --- | --- | --- |',
    '| Rates rise, again | World | **Business** '
    '| Business 0.750, World 0.250 |',
    '| Ünïcode 世界 |  | World | World 0.875, Business 0.125 |',
  ]


def test_markdown_cuts_long_texts_and_keeps_the_likeliest_classes():
  [*_, line] = report.predictions_markdown(
    [
      report.Prediction(
        text='x' * 1000,
        expected='3',
        label='3',
        probabilities={str(i): [0.01, 0.94][i == 3] for i in range(7)},
        n_tokens=9,
      )
    ]
  ).splitlines()
  assert line.startswith(f'| {"x" * 299}… | 3 | 3 | 3 0.940, 0 0.010, ')
  assert line.count('0.010') == 4


def rendered(markdown):
  """Returns the HTML that TensorBoard shows for a Markdown text."""
  with warnings.catch_warnings():
    # TensorBoard's own copy of html5lib warns of itself when it is imported.
    warnings.filterwarnings('ignore', message="html5lib's sanitizer is depre")
    from tensorboard import plugin_util

  return plugin_util.markdown_to_safe_html(markdown)


MARKUP = [
  '# no heading',
  '1. no list',
  '12) no list',
  '- no list',
  '+ no list',
  '> no quote',
  '--- no rule',
  '===',
  '[no link](http://example.com) ![no image](x.png)',
  '<script>alert(1)</script><img src=x onerror=alert(1)>',
  '*no* _emphasis_ __at__ **all** ~~here~~',
  '`no code` ```nor here```',
  'a | b | c',
  '&lt; stays &amp; as it is',
  'back\\slash \\* \\',
  '$x$ for $5 and $6',
  '    indented is no code',
  ': definition',
]


def check_text_survives(text):
  shown = rendered(report.escape_markdown(text))
  tags = set(re.findall(r'</?\w+', shown))
  assert tags <= {'<p', '</p'}
  plain = html.unescape(re.sub(r'</?p>', '', shown)).strip()
  assert plain == plain_text.one_line(text)


@pytest.mark.parametrize('text', MARKUP)
def test_markup_is_shown_as_text(text):
  check_text_survives(text)


@given(
  st.lists(
    st.sampled_from([*'#*_-+=<>[](){}|`~!&;:.\\$1a "\'', 'http://a.b', '&#35;'])
  ).map(''.join)
  | st.text(st.characters(exclude_categories=['Cs', 'Co', 'Cn']))
)
def test_any_text_is_shown_as_text(text):
  check_text_survives(text)


@pytest.mark.parametrize('text', MARKUP)
def test_markup_stays_in_its_cell(text):
  prediction = report.Prediction(
    text=text,
    expected=text,
    label=text,
    probabilities={text: 1.0},
    n_tokens=1,
  )
  shown = rendered(report.predictions_markdown([prediction]))
  cells = re.findall(r'<td>(.*?)</td>', shown, re.DOTALL)
  text = plain_text.one_line(text)
  assert [html.unescape(cell) for cell in cells] == [
    text,
    text,
    text,
    f'{text} 1.000',
  ]


def test_import_leaves_matplotlib_out():
  code = (
    'import sys, experiments.reporting.report; '
    'assert "matplotlib" not in sys.modules'
  )
  subprocess.run([sys.executable, '-c', code], check=True)
