"""--dry_run shows what a run would do, and leaves no trace of itself."""

import shutil

import numpy as np
import pytest

from experiments.datasets import bbc_news_corpus
from experiments.text import tokenization


def tree(path):
  """Every path below a directory, with size and time of its last change."""
  return {
    p.relative_to(path).as_posix(): (p.stat().st_size, p.stat().st_mtime_ns)
    for p in path.rglob('*')
  }


@pytest.fixture
def dry_run(launcher, trained, tmp_path):
  """Runs it with copies of the data and of the caches; checks them all."""
  for name in ('data', 'cache'):
    shutil.copytree(launcher.cwd / name, tmp_path / name)
  (tmp_path / 'tmp').mkdir()
  shutil.copytree(trained[0], tmp_path / 'runs' / 'tiny' / 'default')

  def run(*args, env=()):
    before = tree(tmp_path)
    del before['tmp']  # Its own time changes; what is in it counts.
    done = launcher(
      f'--gin_file={launcher.cwd}/tiny.gin',
      '--dry_run',
      *args,
      cwd=tmp_path,
      env={
        'TRAX_EXPERIMENTS_CACHE': str(tmp_path / 'cache'),
        'TFDS_DATA_DIR': str(tmp_path / 'data'),
        'TMPDIR': str(tmp_path / 'tmp'),
        **dict(env),
      },
    )
    after = tree(tmp_path)
    del after['tmp']
    assert after == before
    return done

  return run


def test_shows_all_that_a_run_would_use(dry_run, trained):
  path, _, _ = trained
  done = dry_run('--gin_bindings=SEED=5')
  assert (done.returncode, done.stderr) == (0, '')
  config = (path / 'config.gin').read_text().replace('SEED = 0', 'SEED = 5')
  assert done.stdout.startswith(config)
  shown = done.stdout[len(config) :].strip().splitlines()
  assert shown[:5] == [
    'Data set: bbc_news:1.0.0',
    '  train: 1,701 (train)',
    '  test: 426 (test)',
    '  labels: business, entertainment, politics, sports, tech',
    '',
  ]
  assert shown[5] == 'Vocabulary: 1,000 pieces, train.subword'
  pieces = tokenization.load_vocabulary(
    vocab_file=str(path / 'vocabulary.subword')
  )
  start = 7
  for split, articles in bbc_news_corpus.read_splits().items():
    lengths = np.array([len(pieces.encode(a.text)) for a in articles])
    short, long = lengths[lengths <= 600], lengths[lengths > 600]
    long, dropped = long[long <= 1200], long[long > 1200]
    n_batches = len(short) / 16 + len(long) / 8
    assert shown[start] == (
      f'Buckets of {split}: {n_batches:.1f} batches an epoch, {len(dropped)} '
      'examples left out for their length'
    )
    assert shown[start + 1] == '  length  batch size  examples  padding'
    for line, boundary, size, some in (
      (shown[start + 2], 600, 16, short),
      (shown[start + 3], 1200, 8, long),
    ):
      padding = 1 - some.mean() / boundary
      assert line.split() == [
        str(boundary),
        str(size),
        f'{len(some):,}',
        f'{padding:.1%}',
      ]
    assert shown[start + 4].split() == ['>1200', '1', '0', '0.0%']
    start += 6
  # The embedding, and a matrix and a bias for five classes.
  assert shown[start:] == [
    f'Model: {1000 * 8 + 8 * 5 + 5:,} weights',
    'Learning rate: 0.01',
    'Output directory: runs/tiny/SEED=5 (new)',
  ]


@pytest.mark.slow
def test_what_is_not_in_the_cache_is_computed_aside(dry_run):
  done = dry_run('--gin_bindings=VOCAB_SIZE=600', '--output_dir=x')
  assert done.returncode == 0, done.stderr
  assert '\nVocabulary: 600 pieces, train.subword\n' in done.stdout
  assert f'\nModel: {600 * 8 + 8 * 5 + 5:,} weights\n' in done.stdout
  assert done.stdout.endswith('\nOutput directory: x (new)\n')


def test_data_that_are_not_prepared(dry_run, tmp_path):
  done = dry_run(env={'TFDS_DATA_DIR': str(tmp_path / 'none')})
  assert (done.returncode, done.stderr) == (0, '')
  assert done.stdout.splitlines()[-2:] == [
    'bbc_news is not prepared: a run makes or downloads it. Its size, labels '
    'and buckets are known then.',
    'Output directory: runs/tiny/default (finished before, so there is nothing '
    'to do)',
  ]


def test_refuses_what_a_run_would_refuse(dry_run):
  done = dry_run('--gin_bindings=SEED=2', '--output_dir=runs/tiny/default')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    '--output_dir=runs/tiny/default holds a run with another config:\n'
    '  SEED: 0 in the run directory, 2 now\n'
    'Choose another --output_dir, or remove this one.\n'
  )


def test_draws_the_learning_rate(launcher):
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=LR_SCHEDULE=@warmup_and_linear_decay',
    '--gin_bindings=warmup_and_linear_decay.n_warmup_steps=10',
    '--dry_run',
  )
  assert done.returncode == 0, done.stderr
  assert (
    'Learning rate, steps 1 to 30:\n'
    '0.01 |        ▂█▅▂\n'
    '     |       ▃████▆▃\n'
    '     |      ▅████████▅▂\n' in done.stdout
  )
