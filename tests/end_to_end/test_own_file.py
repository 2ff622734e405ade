"""A file of one's own, from the command line to predictions."""

import csv
import json

import pytest

OWN = """include 'tiny.gin'
DATASET = 'pairs.csv'
KEYS = ('question', 'answer', 'fits')
SPLITS = ('train', 'validation', 'test')
TEXT_SEPARATOR = ' | '
VOCAB_TYPE = 'word'
N_STEPS = 4
N_STEPS_PER_CHECKPOINT = 2
"""


def write_rows(path, n):
  with open(path, 'w', encoding='utf-8', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(['question', 'answer', 'fits'])
    for i in range(n):
      fits = i % 2
      answer = f'on the mat of house {i}' if fits else f'at {i} o clock'
      writer.writerow([f'where does cat {i} sit', answer, 'ny'[fits]])


@pytest.fixture(scope='module')
def directory(launcher, tmp_path_factory):
  directory = tmp_path_factory.mktemp('own')
  (directory / 'tiny.gin').write_text((launcher.cwd / 'tiny.gin').read_text())
  (directory / 'own.gin').write_text(OWN)
  write_rows(directory / 'pairs.csv', 400)
  return directory


@pytest.mark.slow
def test_it_trains_predicts_and_refuses_to_go_on_with_other_rows(
  launcher, directory
):
  done = launcher('--gin_file=own.gin', cwd=directory)
  assert done.returncode == 0, done.stderr
  assert 'csv, delimiter comma, with header, utf-8' in done.stderr
  run = directory / 'runs' / 'own' / 'default'
  assert json.loads((run / 'run.json').read_text())['labels'] == ['n', 'y']
  # From the root: it means the same in every directory.
  config = (run / 'config.gin').read_text()
  assert f'DATASET = {str(directory / "pairs.csv")!r}\n' in config
  asked = {'question': 'where', 'answer': 'there'}
  answers = [
    json.loads(
      launcher(
        '--mode=predict', f'--output_dir={run}', '--input=-', input=line
      ).stdout
    )
    for line in (json.dumps(asked), 'where | there')
  ]
  assert answers[0] == answers[1]
  # 'where', '|' and 'there'.
  assert answers[0]['n_tokens'] == 3
  recorded = json.loads((run / 'run.json').read_text())
  (run / 'run.json').write_text(
    json.dumps({**recorded, 'status': 'interrupted'})
  )
  write_rows(directory / 'pairs.csv', 402)
  again = launcher('--gin_file=own.gin', cwd=directory)
  assert again.returncode == 2
  assert 'pairs.csv has changed since its last import.' in again.stderr
  assert 'the data changed since the run was started' in again.stderr


def test_a_file_that_is_missing_is_named(launcher, directory):
  done = launcher(
    '--gin_file=own.gin',
    "--gin_bindings=DATASET='pears.csv'",
    cwd=directory,
  )
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    f'DATASET {str(directory / "pears.csv")!r}: cannot be read (No such file '
    'or directory).\n'
  )
