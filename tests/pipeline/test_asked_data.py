"""A finished run is asked about another split, and about other data."""

import csv
import json
import re
import shutil

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.commands import evaluate, launcher_flags, predict
from experiments.config.experiment import DataConfig
from experiments.datasets import text_digests
from experiments.foundation import cache
from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.pipeline import data
from experiments.rundir import predictions_file

FLAGS = flags.FLAGS


@pytest.fixture(scope='module')
def place(launcher, trained):
  del trained
  if not FLAGS.is_parsed():
    FLAGS(['launcher.py'])
  with launcher.in_process() as cwd:
    yield cwd


@pytest.fixture(scope='module')
def run(place, trained, tmp_path_factory):
  """A copy of the finished run, to write in."""
  return shutil.copytree(trained[0], tmp_path_factory.mktemp('asked') / 'run')


@pytest.fixture(scope='module')
def rows(place):
  """Text and class of each row of the run's test split."""
  config = DataConfig(
    name='bbc_news',
    keys=('text', 'label'),
    splits=('test',),
    data_dir=None,
    text_separator=' ',
    split_by=None,
    skip_bad_rows=False,
  )
  source = data.open_source(config, cache_dir=cache.cache_dir())
  return [
    (text, source.label_names[label])
    for texts, labels in source.read('test')
    for text, label in zip(texts, labels, strict=True)
  ]


@pytest.fixture
def ask(run, capsys):
  """Does what the launcher does, in this process; returns what it prints."""

  def ask(mode, **values):
    modules = {'eval': evaluate, 'predict': predict}
    with flagsaver.flagsaver(mode=mode, output_dir=str(run), **values):
      launcher_flags.check_flags()
      try:
        modules[mode].run(FLAGS)
      finally:
        printed = capsys.readouterr().out
    return printed

  return ask


def write_rows(path, rows, head=('text', 'label')):
  with open(path, 'w', encoding='utf-8', newline='') as file:
    csv.writer(file).writerows([head, *rows])
  return [f'DATASET = {str(path)!r}']


def metrics(path):
  return json.loads(path.read_text())['metrics']


def snapshot(run):
  """Returns the content of the files of a run, but for what was asked."""
  return {
    path: path.read_bytes()
    for path in run.rglob('*')
    if path.is_file()
    and 'evaluations' not in path.parts
    and path.name != '.lock'
  }


def test_the_same_rows_in_a_file_give_the_same(run, rows, ask, tmp_path):
  before = snapshot(run)
  printed = ask('eval', gin_bindings=write_rows(tmp_path / 'new.csv', rows))
  assert printed.startswith('new.csv, all rows\naccuracy 0.')
  there = run / 'evaluations' / 'new.csv'
  assert printed.endswith(f'Evaluated at step 30: {there}\n')
  assert metrics(there / 'evaluation.json') == metrics(run / 'run.json')
  assert (there / 'mistakes.html').is_file()
  assert snapshot(run) == before


def test_a_split_is_what_its_rows_are(run, rows, ask, tmp_path):
  ask('eval', split='test[:50]')
  ask('eval', gin_bindings=write_rows(tmp_path / 'few.csv', rows[:50]))
  of_split, of_file = (
    metrics(run / 'evaluations' / name / 'evaluation.json')
    for name in ('test[..50]', 'few.csv')
  )
  assert of_split == of_file
  assert of_split['n_examples'] + of_split['n_dropped'] == 50
  kept = [
    predictions_file.read(
      File.at(run / 'evaluations' / name / 'predictions.parquet')
    )
    for name in ('test[..50]', 'few.csv')
  ]
  for column in ('rows', 'expected', 'text_digests', 'log_probs'):
    first, second = (getattr(each, column) for each in kept)
    assert first.tolist() == second.tolist(), column
  assert kept[0].text_digests[0].decode() == text_digests.digest(rows[0][0])


def test_the_split_that_is_reported_on_is_the_reported_one(run, ask):
  before = metrics(run / 'run.json')
  assert str(run / 'report') in ask('eval', split='test')
  assert metrics(run / 'run.json') == before
  assert not (run / 'evaluations' / 'test').exists()


def test_classes_may_be_missing_and_come_in_any_order(run, rows, ask, tmp_path):
  one = next(row for row in rows if row[1] == 'tech')
  bindings = write_rows(tmp_path / 'one.csv', [one])
  ask('eval', gin_bindings=bindings)
  found = metrics(run / 'evaluations' / 'one.csv' / 'evaluation.json')
  assert found['support'] == [0, 0, 0, 0, 1]


def test_bad_rows_are_named_or_left_out(run, rows, ask, tmp_path, caplog):
  path = tmp_path / 'bad.csv'
  bad = [*rows[:3], ('', 'tech'), ('A text.', 'spam'), ('A text.', '')]
  bindings = write_rows(path, bad)
  with pytest.raises(UserError) as error:
    ask('eval', gin_bindings=bindings)
  lines = re.split(r'(?m)^ +\S*csv:\d+: ', str(error.value))
  assert lines[0].startswith(
    f'DATASET {str(path)!r}: 3 rows (no text (1), a label that the model does '
    'not know (1), no label (1)) will not do:'
  )
  assert [line.splitlines()[0] for line in lines[1:]] == [
    'no text in text',
    "the label 'spam' is none of its classes",
    'no label in label',
  ]
  ask('eval', gin_bindings=[*bindings, 'SKIP_BAD_ROWS = True'])
  assert 'bad.csv: 3 rows' in caplog.text
  found = metrics(run / 'evaluations' / 'bad.csv' / 'evaluation.json')
  assert found['n_examples'] == 3


def test_predicts_the_rows_of_a_split_and_of_a_file(rows, ask, tmp_path):
  printed = ask('predict', split='test[:3]')
  answers = [json.loads(line) for line in printed.splitlines()]
  assert [each['expected'] for each in answers] == [row[1] for row in rows[:3]]
  texts = [(row[0],) for row in rows[:3]]
  # Without the column of the class.
  bindings = write_rows(tmp_path / 'texts.csv', texts, ['text'])
  printed = ask('predict', gin_bindings=bindings)
  assert [json.loads(line) for line in printed.splitlines()] == [
    {name: each[name] for name in ('label', 'probabilities', 'n_tokens')}
    for each in answers
  ]


def test_a_row_that_cannot_be_classified_is_answered_in_its_place(
  run, rows, tmp_path, capsys
):
  bindings = write_rows(tmp_path / 'odd.csv', [rows[0], ('', 'tech'), rows[1]])
  values = {'output_dir': str(run), 'gin_bindings': bindings}
  with (
    flagsaver.flagsaver(mode='predict', **values),
    pytest.raises(UserError) as error,
  ):
    predict.run(FLAGS)
  assert str(error.value) == (
    'odd.csv, all rows: 1 of 3 rows could not be classified; their answers '
    "have an 'error'."
  )
  lines = capsys.readouterr().out.splitlines()
  assert ['error' in json.loads(line) for line in lines] == [False, True, False]


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    (
      {'gin_bindings': ['LEARNING_RATE = 1.0']},
      "--gin_bindings='LEARNING_RATE = 1.0': of a finished run only DATASET, "
      'KEYS, TEXT_SEPARATOR, SKIP_BAD_ROWS, DATA_DIR can be given another '
      'value, to ask about other data.',
    ),
    (
      {'gin_bindings': ['DATASET = %SEED']},
      "--gin_bindings='DATASET = %SEED': of a finished run only DATASET, KEYS, "
      'TEXT_SEPARATOR, SKIP_BAD_ROWS, DATA_DIR can be given another value, to '
      'ask about other data.',
    ),
    # What a run refuses as without effect is no question either.
    (
      {'gin_bindings': ["TEXT_SEPARATOR = '|'"]},
      '--gin_bindings="TEXT_SEPARATOR = \'|\'": TEXT_SEPARATOR has no effect: '
      "KEYS = ('text', 'label') names one text. It stands between several.",
    ),
    (
      {'gin_bindings': ['SKIP_BAD_ROWS = True']},
      "--gin_bindings='SKIP_BAD_ROWS = True': SKIP_BAD_ROWS has no effect: "
      "DATASET = 'bbc_news' names a data set of TFDS, which is taken as it is. "
      'It is for a path of your own data.',
    ),
    (
      {'gin_bindings': ["DATASET = './x.csv'", "DATA_DIR = '/d'"]},
      '--gin_bindings="DATA_DIR = \'/d\'": DATA_DIR has no effect: DATASET = '
      "'{cwd}/x.csv' is data of your own, which is kept in the cache.",
    ),
    (
      {'split': 'tset'},
      "--split: 'tset': Unknown split 'tset'. Should be one of ['train', "
      "'test'].\n'bbc_news' has 'train' (1,701 rows), 'test' (426 rows).",
    ),
    (
      {'gin_bindings': ["DATASET = './no.csv'"]},
      "DATASET '{cwd}/no.csv': there is no such file.",
    ),
    (
      {'gin_bindings': ["DATASET = './x.csv'"], 'split': 'test'},
      '--split=test: x.csv has no splits, and all its rows are read. Leave '
      '--split out.',
    ),
    (
      {'gin_bindings': ["DATASET = './x.csv'", "KEYS = ('txet', 'label')"]},
      'KEYS: x.csv (csv, delimiter comma, with header, utf-8) has no column '
      "'txet'. Its columns are 'text', 'label'. Did you mean 'text'?\nIf its "
      "first row is no header, number the columns: KEYS = ('1', '2') up to "
      "'2'.",
    ),
  ],
)
def test_what_cannot_be_asked_is_refused(
  place, ask, monkeypatch, tmp_path, values, message
):
  monkeypatch.chdir(tmp_path)
  write_rows(tmp_path / 'x.csv', [('a', 'tech')])
  for mode in ('eval', 'predict'):
    with pytest.raises(UserError) as error:
      ask(mode, **values)
    assert str(error.value) == message.replace('{cwd}', str(tmp_path))


def test_predict_needs_one_input(run):
  for values, message in (
    ({}, '--mode=predict needs --input, e.g. --input=articles.txt'),
    (
      {'input': '-', 'split': 'test'},
      '--input does not go with --split and --gin_bindings, which name a data '
      'set. Give one of them.',
    ),
  ):
    with (
      flagsaver.flagsaver(mode='predict', output_dir=str(run), **values),
      pytest.raises(UserError) as error,
    ):
      launcher_flags.check_flags()
    assert str(error.value) == message
