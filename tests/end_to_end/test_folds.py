"""Cross-validation through the launcher, on BBC News in miniature."""

import json
import shutil

import numpy as np
import pytest

from experiments.comparison import compare
from experiments.rundir import predictions_file, run_dir

FLAGS = ('--gin_file=tiny.gin', '--gin_bindings=N_STEPS=10', '--folds=3')
NAMES = [f'FOLD={fold},N_FOLDS=3,N_STEPS=10' for fold in range(3)]


def names_in(directory):
  return sorted(path.name for path in directory.iterdir() if path.is_dir())


@pytest.fixture(scope='module')
def cut(launcher, trained, tmp_path_factory):
  """Three folds that no test may change: directory, process, new caches."""
  del trained  # Makes the token cache.
  # Of its own, since other tests may fill that of all at the same time.
  cache = tmp_path_factory.mktemp('cache')
  for name in ('tokens', 'vocabularies'):
    shutil.copytree(
      launcher.cwd / 'cache' / name,
      cache / name,
      ignore=shutil.ignore_patterns('.*'),
    )
  before = [names_in(cache / name) for name in ('tokens', 'vocabularies')]
  directory = tmp_path_factory.mktemp('folds') / 'cut'
  done = launcher(
    *FLAGS,
    f'--output_dir={directory}',
    env={'TRAX_EXPERIMENTS_CACHE': str(cache)},
  )
  assert done.returncode == 0, done.stderr
  after = [names_in(cache / name) for name in ('tokens', 'vocabularies')]
  assert after == before
  return directory, done


@pytest.fixture(scope='module')
def said(cut):
  """What each fold's model said."""
  return [
    predictions_file.read(
      run_dir.RunDir(cut[0] / name).predictions_of(f'train[fold_{fold}_of_3]')
    )
    for fold, name in enumerate(NAMES)
  ]


def test_each_row_of_train_is_held_out_once(cut, said):
  rows = np.concatenate([each.rows for each in said])
  assert len(set(rows.tolist())) == len(rows)
  sizes = []
  for name, each in zip(NAMES, said, strict=True):
    run = json.loads((cut[0] / name / 'run.json').read_text())
    assert run['splits'] == {'train': 'train', 'test': each.split}
    assert run['metrics']['n_examples'] == len(each.rows)
    sizes.append(run['n_examples'])
  n_rows = sum(size['test'] for size in sizes)
  assert all(size['train'] + size['test'] == n_rows for size in sizes)
  n_dropped = n_rows - len(rows)
  assert 0 <= n_dropped < n_rows / 3
  assert max(rows) < n_rows


def test_they_are_pooled(cut, said):
  directory, done = cut
  log_probs = np.concatenate([each.log_probs for each in said])
  expected = np.concatenate([each.expected for each in said])
  accuracy = np.mean(log_probs.argmax(axis=1) == expected)
  n = len(expected)
  assert done.stdout.startswith(
    f'bbc_news:1.0.0, train[3_folds]: {n:,} examples; 3 runs of 1 config\n'
  )
  assert f'{accuracy:.4f} [' in done.stdout
  assert 'Ranked by:       accuracy of train[3_folds]\n' in done.stdout
  (section,) = compare.compare(directory).sections
  (group,) = section.groups
  assert (section.n_examples, group.folds, group.n_seeds) == (n, '3', 1)
  np.testing.assert_allclose(group.means['accuracy'], accuracy)


@pytest.mark.slow
def test_what_is_missing_is_trained_alone(launcher, cut, tmp_path):
  directory = shutil.copytree(cut[0], tmp_path / 'cut')
  shutil.rmtree(directory / NAMES[1])
  (section,) = compare.compare(directory).sections
  assert section.groups[0].folds == '2 of 3'
  kept = (directory / NAMES[0] / 'run.json').read_bytes()
  done = launcher(*FLAGS, f'--output_dir={directory}')
  assert done.returncode == 0, done.stderr
  assert '2 of 3 done before' in done.stderr
  assert (directory / NAMES[0] / 'run.json').read_bytes() == kept
  weights = 'model.weights.npy.gz'
  assert (directory / NAMES[1] / weights).read_bytes() == (
    cut[0] / NAMES[1] / weights
  ).read_bytes()


@pytest.mark.slow
def test_test_is_looked_at_when_asked(launcher, cut, tmp_path):
  run = shutil.copytree(cut[0] / NAMES[0], tmp_path / 'run')
  before = (run / 'run.json').read_text()
  done = launcher('--mode=eval', '--split=test', f'--output_dir={run}')
  assert done.returncode == 0, done.stderr
  assert done.stdout.startswith('bbc_news:1.0.0, test\n')
  assert (run / 'evaluations' / 'test' / 'evaluation.json').is_file() or (
    names_in(run / 'evaluations')
  )
  assert (run / 'run.json').read_text() == before
  done = launcher(
    '--mode=eval', '--split=train[fold_0_of_3]', f'--output_dir={run}'
  )
  assert done.returncode == 0, done.stderr
  old, new = json.loads(before), json.loads((run / 'run.json').read_text())
  assert new['metrics']['accuracy'] == old['metrics']['accuracy']


@pytest.mark.slow
def test_an_audit_asks_each_fold_about_what_it_has_not_learned(
  launcher, cut, said, tmp_path
):
  flags = ('--mode=audit', '--gin_file=tiny.gin', '--format=json')
  done = launcher(*flags, f'--output_dir={cut[0]}')
  assert done.returncode == 0, done.stderr
  doubtful = next(
    each
    for each in json.loads(done.stdout)['findings']
    if each['finding'] == 'doubtful'
  )
  assert doubtful['asked'] == sum(len(each.rows) for each in said)
  items = [row for item in doubtful['items'] for row in item['rows']]
  assert items
  assert {row['split'] for row in items} == {'train'}
  for name in ('one', 'two'):
    shutil.copytree(cut[0] / NAMES[0], tmp_path / name)
  done = launcher(*flags, f'--output_dir={tmp_path}')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.endswith(
    f'--output_dir={tmp_path} holds several runs that were asked about the '
    'same rows. Give the directory of one, or of the folds of one.\n'
  )
