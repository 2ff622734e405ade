"""What --mode=audit says, from the command line."""

import csv
import json

import pytest

OWN = """include 'tiny.gin'
DATASET = './own'
KEYS = ('text', 'label')
SPLITS = ('train', 'test')
VOCAB_TYPE = 'word'
"""
LONG = 'this line stands where it should not, word for word and to its end'


@pytest.fixture(scope='module')
def directory(launcher, tmp_path_factory):
  """Train and test of a user, which have two texts in common."""
  directory = tmp_path_factory.mktemp('audit')
  (directory / 'tiny.gin').write_text((launcher.cwd / 'tiny.gin').read_text())
  (directory / 'own.gin').write_text(OWN)
  (directory / 'own').mkdir()
  for name, first, shared in (('train', 0, LONG), ('test', 99, LONG.upper())):
    with open(directory / 'own' / f'{name}.csv', 'w', newline='') as file:
      writer = csv.writer(file)
      writer.writerow(['label', 'text'])
      # A line break, after which lines and rows are not the same.
      writer.writerow(['y', f'two\nlines {first}'])
      for i in range(first, first + 20):
        writer.writerow(['ny'[i % 2], f'text number {i} of this file'])
      writer.writerow(['y', shared])
  return directory


def test_a_leak_is_shown_and_with_strict_the_status_is_3(launcher, directory):
  done = launcher(
    *('--mode=audit', '--gin_file=own.gin', '--html=audit.html', '--strict'),
    cwd=directory,
  )
  assert done.returncode == 3, done.stderr
  assert done.stderr.endswith('\n--strict: 1 row of test stands in train.\n')
  assert done.stdout.startswith('own:1.0.0: 44 rows (train 22, test 22)\n')
  assert '1 of 22 rows of test stands in train, too: 1 equal' in done.stdout
  # Each file has a row of two lines before it, and a head.
  shown = ' '.join(done.stdout.split())
  own = directory / 'own'
  assert f'test 21 ({own}/test.csv:24), train 21 ({own}/train.csv:24)' in shown
  page = (directory / 'audit.html').read_text()
  assert f'test 21 ({own}/test.csv:24)' in page
  assert LONG.upper() in page
  assert not (directory / 'runs').exists()


def test_a_run_denies_labels_and_json_names_them(launcher, trained):
  run, _, _ = trained
  done = launcher(
    *('--mode=audit', '--gin_file=tiny.gin', f'--output_dir={run}'),
    '--format=json',
  )
  assert done.returncode == 0, done.stderr
  content = json.loads(done.stdout)
  recorded = json.loads((run / 'run.json').read_text())
  assert [each['name'] for each in content['classes']] == recorded['labels']
  doubtful = next(
    each for each in content['findings'] if each['finding'] == 'doubtful'
  )
  # Of the others the run kept no prediction: they are too long for it.
  assert 0 < doubtful['asked'] < content['splits']['test']
  for item in doubtful['items']:
    (row,) = item['rows']
    assert row['split'] == 'test'
    assert row['label'] != item['suggested']
    assert item['label_probability'] < item['suggested_probability']


REFUSED = {
  '--format=csv': '--format=csv is for --mode=compare; --mode=audit prints ',
  '--html=missing/audit.html': '--html=missing/audit.html: no missing/ is ',
  '--html=.': '--html=.: it is a directory. Name a file ',
}


@pytest.mark.parametrize('flag', REFUSED)
def test_what_will_not_do_is_refused_before_anything_is_read(
  launcher, directory, flag
):
  done = launcher('--mode=audit', '--gin_file=own.gin', flag, cwd=directory)
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.startswith(REFUSED[flag])
  assert len(done.stderr.splitlines()) == 1


def test_a_run_of_other_data_is_refused(launcher, directory, trained):
  run, _, _ = trained
  done = launcher(
    *('--mode=audit', '--gin_file=own.gin', f'--output_dir={run}'),
    cwd=directory,
  )
  assert (done.returncode, done.stdout) == (2, '')
  assert 'its model knows other classes (' in done.stderr
