"""--mode=predict, as a user does it."""

import codecs
import csv
import html
import json
import re
import shlex
import shutil
import subprocess

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from experiments.commands import predict as predict_command
from experiments.commands import questions
from experiments.datasets import bbc_news_corpus
from experiments.foundation import plain_text
from experiments.pipeline import (
  run_config,
  saved_model,
  vocabularies,
)
from experiments.rundir import run_dir
from tests.commands import test_questions


def answers(done):
  return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope='module')
def predict(launcher, trained):
  path, _, _ = trained

  def run(input_path, **options):
    return launcher(
      '--mode=predict',
      f'--output_dir={path}',
      f'--input={input_path}',
      **options,
    )

  return run


def test_scikit_learn_finds_the_reported_numbers_in_the_predictions(
  predict, trained, token_counts, tmp_path
):
  """The whole test split, through another way than the evaluation's."""
  path, _, _ = trained
  run = json.loads((path / 'run.json').read_text())
  articles = bbc_news_corpus.read_splits()['test']
  (tmp_path / 'test.jsonl').write_text(
    ''.join(
      json.dumps({'id': i, 'text': article.text}) + '\n'
      for i, article in enumerate(articles)
    )
  )
  counts = token_counts['test']
  too_long = [i for i, count in enumerate(counts) if count > 1200]
  done = predict(tmp_path / 'test.jsonl')
  assert done.returncode == 2
  assert done.stderr == (
    f'--input={tmp_path}/test.jsonl: {len(too_long)} of {len(articles)} lines '
    "could not be classified; their answers have an 'error'.\n"
  )
  predictions = answers(done)
  assert [p['id'] for p in predictions] == list(range(len(articles)))
  kept = [i for i, p in enumerate(predictions) if 'error' not in p]
  assert sorted({*range(len(articles))} - {*kept}) == too_long
  for i in too_long:
    answer = predictions[i]
    assert answer['n_tokens'] == counts[i]
    assert answer['error'] == (f'{counts[i]} tokens, at most 1200 are taken')
  expected = [articles[i].label for i in kept]
  predicted = [predictions[i]['label'] for i in kept]
  probabilities = np.array(
    [[predictions[i]['probabilities'][c] for c in run['labels']] for i in kept]
  )
  np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
  assert [run['labels'][i] for i in probabilities.argmax(axis=1)] == predicted
  reported = run['metrics']
  assert reported['n_examples'] == len(kept)
  assert reported['accuracy'] == pytest.approx(
    sklearn_metrics.accuracy_score(expected, predicted)
  )
  assert reported['macro_f1'] == pytest.approx(
    sklearn_metrics.f1_score(
      expected, predicted, average='macro', zero_division=0
    )
  )
  assert reported['cross_entropy'] == pytest.approx(
    sklearn_metrics.log_loss(expected, probabilities), rel=1e-5
  )
  np.testing.assert_array_equal(
    reported['confusion'],
    sklearn_metrics.confusion_matrix(expected, predicted, labels=run['labels']),
  )
  confidences = probabilities.max(axis=1)
  right = np.array(expected) == predicted
  accuracies, means = calibration_curve(right, confidences, n_bins=15)
  counts, _ = np.histogram(confidences, 15, (0, 1))
  assert reported['expected_calibration_error'] == pytest.approx(
    np.average(abs(accuracies - means), weights=counts[counts > 0]), rel=1e-4
  )
  by_length = (path / 'report/accuracy_by_length.csv').read_text()
  rows = csv.DictReader(by_length.splitlines())
  lengths = np.array([predictions[i]['n_tokens'] for i in kept])
  for row in rows:
    inside = (int(row['shortest']) <= lengths) & (
      lengths <= int(row['longest'])
    )
    assert int(row['n_examples']) == inside.sum() > 0
    assert float(row['accuracy']) == pytest.approx(right[inside].mean())
  page = (path / 'report/mistakes.html').read_text()
  wrong = np.flatnonzero(~right)
  worst = wrong[np.argsort(-confidences[wrong])][:50]
  shown = [float(value) for value in re.findall(r'<meter value="(.*?)"', page)]
  np.testing.assert_allclose(shown, confidences[worst], atol=6e-4)
  for i in worst:
    title = articles[kept[i]].text.split('\n')[0]
    assert html.escape(title) in page


def test_a_text_a_line(predict, tmp_path):
  (tmp_path / 'articles.txt').write_bytes(
    b'The striker scored two goals in the final.\n'
    b'\n'
    b'Shares of the bank fell, \xe2\x82\xac 3 bn were lost.\r\n'
    b'caf\xe9\n' + b'goal ' * 2000 + b'\n   \n'
    b'[1, 2] is no JSON here\n'
    b'The last line has no end'
  )
  done = predict(tmp_path / 'articles.txt')
  assert done.returncode == 2
  assert done.stderr.endswith(
    ": 4 of 8 lines could not be classified; their answers have an 'error'.\n"
  )
  first, empty, second, latin, long, blank, brackets, last = answers(done)
  assert empty == blank == {'error': 'empty line'}
  assert latin == {'error': 'not UTF-8: byte 3'}
  assert long['error'] == f'{long["n_tokens"]} tokens, at most 1200 are taken'
  for answer in (first, second, brackets, last):
    assert list(answer) == ['label', 'probabilities', 'n_tokens']
    probabilities = answer['probabilities']
    assert answer['label'] == max(probabilities, key=probabilities.get)


def test_json_lines_from_stdin(predict):
  lines = [
    '{"text": "The match ended 2 : 1.", "id": "a", "source": "x"}',
    '{"id": {"n": [1, null]}, "text": "Two\\nlines"}',
    '{"text": "no id"}',
    '{"id": 3, "text": 4}',
    '{"id": 4}',
    '["text"]',
    '{"text": "cut',
    '{"id": 6, "text": " "}',
    '',
  ]
  done = predict('-', input='\n'.join(lines) + '\n')
  assert done.returncode == 2
  assert done.stderr == (
    '--input=-: 6 of 9 lines could not be classified; their answers have an '
    "'error'.\nIts first line begins as a JSON object does, so each line is "
    'read as one. For a text that does, write {"text": "…"}.\n'
  )
  found = answers(done)
  assert [answer.get('id') for answer in found] == [
    'a',
    {'n': [1, None]},
    None,
    3,
    4,
    None,
    None,
    6,
    None,
  ]
  assert ['error' in answer for answer in found] == [False] * 3 + [True] * 6
  assert [answer.get('error') for answer in found[3:6]] == [
    "no 'text' that is a string",
    "no 'text' that is a string",
    'not a JSON object',
  ]
  assert found[6]['error'].startswith('not JSON: Unterminated string')
  assert [answer['error'] for answer in found[7:]] == [
    'empty text',
    'empty line',
  ]


def test_a_json_array_is_no_text(predict, tmp_path):
  lines = '[\n  {"text": "goal"},\n  {"text": "bank"}\n]\n'
  done = predict('-', input=lines)
  assert done.returncode == 2
  assert done.stderr == (
    '--input=-: 4 of 4 lines could not be classified; their answers have an '
    "'error'.\nIt begins as a JSON array. Give an object a line, as "
    "jq -c '.[]' does.\n"
  )
  error = "a JSON array; give an object a line, as jq -c '.[]' does"
  assert answers(done) == [{'error': error}] * 4


def test_a_byte_order_mark_is_no_part_of_a_text(predict, tmp_path):
  for content in (b'goal match', b'{"text": "goal match"}'):
    paths = [tmp_path / 'without', tmp_path / 'with']
    for path, mark in zip(paths, (b'', codecs.BOM_UTF8), strict=True):
      path.write_bytes(mark + content + b'\n')
    without, with_ = (answers(predict(path)) for path in paths)
    assert with_ == without
    assert 'label' in with_[0]


@pytest.fixture
def ask(trained):
  """Answers lines as the launcher does, in this process."""
  directory = run_dir.RunDir(trained[0])
  experiment = run_config.load_experiment(directory)
  vocabulary = vocabularies.run_vocabulary(experiment, directory)
  classifier, step = saved_model.load_classifier(
    experiment, directory, vocabulary=vocabulary
  )
  loaded = saved_model.LoadedRun(
    experiment, classifier, step, vocabulary, directory.read_labels()
  )

  def answers_of(lines, format_=None):
    format_ = format_ or questions.find_format('-', lines)
    asked = [
      questions.read_question(line, format_, ('text',)) for line in lines
    ]
    answered = predict_command.answer(asked, loaded)
    return list(map(predict_command.render_answer, asked, answered))

  return answers_of


def refuse(name):
  raise AssertionError(f'{name} is no JSON')


def test_every_line_is_answered_by_valid_json(ask):
  @hypothesis.given(
    st.lists(test_questions.LINES.map(lambda line: line.replace(b'\n', b''))),
    st.none() | st.sampled_from(questions.Format),
  )
  def check(lines, format_):
    answered = ask(lines, format_)
    assert len(answered) == len(lines)
    for text in answered:
      assert text.encode('utf-8').count(b'\n') == 1
      assert plain_text.escape(text) == text
      value = json.loads(text, parse_constant=refuse)
      assert ('label' in value) != ('error' in value)

  check()


def test_a_half_character_ends_nothing(predict):
  lines = r"""{"id": "\ud800", "text": "goal"}
{"id": 1, "text": "a \udfff goal"}
{"id": "\ud83d\ude00", "text": "\udc00"}
{"id": 2, "text": "goal"}
"""
  done = predict('-', input=lines)
  assert (done.returncode, done.stderr) == (0, '')
  assert [answer['id'] for answer in answers(done)] == [
    '\ud800',
    1,
    '\U0001f600',
    2,
  ]
  assert all('label' in answer for answer in answers(done))


def test_an_answer_comes_before_the_next_line(launcher, trained):
  process = subprocess.Popen(
    launcher.command(
      '--mode=predict', f'--output_dir={trained[0]}', '--input=-'
    ),
    cwd=launcher.cwd,
    env=launcher.env,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
    bufsize=1,
  )
  with process:
    assert process.stdin
    assert process.stdout
    for i in range(25):
      process.stdin.write(json.dumps({'id': i, 'text': 'goal'}) + '\n')
      assert json.loads(process.stdout.readline())['id'] == i
    process.stdin.close()
  assert process.returncode == 0


def test_closed_streams_are_told(launcher, trained, tmp_path):
  (tmp_path / 'texts').write_text('goal\n')
  command = shlex.join(
    launcher.command('--mode=predict', f'--output_dir={trained[0]}')
  )
  for redirected, message in [
    (
      '--input=- <&-',
      '--input=-: stdin is closed. Give a file, or texts to stdin.\n',
    ),
    (
      f'--input=- 0>{tmp_path}/written',
      '--input=-: Bad file descriptor. Give a file with one text a line, or - '
      'for stdin.\n',
    ),
    ('--input=absent 2>/dev/full', ''),
    (
      f'--input={tmp_path}/texts >&-',
      'stdout is closed, and --mode=predict only prints. Give it a file or a '
      'pipe.\n',
    ),
  ]:
    done = subprocess.run(
      f'{command} {redirected}',
      shell=True,
      cwd=launcher.cwd,
      env=launcher.env,
      capture_output=True,
      text=True,
      check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, '', message)


def test_nothing_that_can_be_classified(predict):
  done = predict('-', input='goal ' * 2000 + '\n\n')
  assert done.returncode == 2
  assert done.stderr.startswith('--input=-: 2 of 2 lines could not be ')
  assert ['error' in answer for answer in answers(done)] == [True, True]
  done = predict('-', input='')
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_more_lines_than_are_read_at_once_stay_in_order(predict, tmp_path):
  """Short and long texts, which fall into different buckets."""
  lines = [
    json.dumps({'id': i, 'text': 'goal ' * (1 + 400 * (i % 3 == 0))})
    for i in range(5000)
  ]
  done = predict('-', input='\n'.join(lines))
  assert done.returncode == 0, done.stderr
  assert done.stderr == ''
  found = answers(done)
  assert [answer['id'] for answer in found] == list(range(5000))
  n_short = found[1]['n_tokens']
  assert all(
    (answer['n_tokens'] > n_short) == (answer['id'] % 3 == 0)
    for answer in found
  )


def test_the_reader_of_stdout_may_leave(launcher, trained, tmp_path):
  path, _, _ = trained
  (tmp_path / 'texts').write_text('goal\n' * 20_000)
  command = launcher.command(
    '--mode=predict', f'--output_dir={path}', f'--input={tmp_path}/texts'
  )
  done = subprocess.run(
    ['bash', '-c', '"$@" | head -n 1; exit "${PIPESTATUS[0]}"', '-', *command],
    cwd=launcher.cwd,
    env=launcher.env,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 128 + 13
  assert done.stderr == ''
  assert len(answers(done)) == 1


def test_what_cannot_be_read_is_refused(predict, launcher, trained, tmp_path):
  path, _, _ = trained
  done = predict(tmp_path / 'missing')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    f'--input={tmp_path}/missing: No such file or directory. Give a file with '
    'one text a line, or - for stdin.\n'
  )
  copy = tmp_path / 'copy'
  shutil.copytree(path, copy)
  shutil.rmtree(copy / 'checkpoints')
  done = launcher('--mode=predict', f'--output_dir={copy}', '--input=-')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    f'{copy}/checkpoints holds no checkpoint. Train first: python launcher.py '
    f'--gin_file={copy}/config.gin --output_dir={copy}\n'
  )
