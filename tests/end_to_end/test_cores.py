"""The number of cores, and what they are shared with, changes no bit."""

import json
import os

import pytest

from tests.fixtures import same_run
from tests.fixtures.live_launcher import ROOT
from tests.fixtures.live_sweep import read_json

pytestmark = pytest.mark.slow

# Its sums are long enough to be divided among threads.
CONFIG = """include 'tiny.gin'
MODEL = @transformer_classifier
EMBEDDING_SIZE = 64
transformer_classifier.n_heads = 2
MAX_LENGTH = 128
TRUNCATE = True
BUCKET_BOUNDARIES = [64, 128]
BUCKET_BATCH_SIZES = [16, 16, 1]
N_STEPS = 12
N_STEPS_PER_CHECKPOINT = 4
"""


def on(cores):
  """Options of a process that has some cores."""
  return {'preexec_fn': lambda: os.sched_setaffinity(0, cores)}


def train(launcher, path, *bindings, env=(), **options):
  done = launcher(
    '--gin_file=cores.gin',
    *(f'--gin_bindings={binding}' for binding in bindings),
    f'--output_dir={path}',
    env=env,
    **options,
  )
  return done


@pytest.fixture(scope='module')
def one_core(launcher, two_cores, tmp_path_factory):
  """A run on one core that no test may change."""
  (launcher.cwd / 'cores.gin').write_text(CONFIG)
  path = tmp_path_factory.mktemp('one_core') / 'run'
  done = train(launcher, path, **on(two_cores[:1]))
  assert done.returncode == 0, done.stderr
  return path


def test_two_cores_and_a_sweep_that_shares_them_train_the_same(
  launcher, two_cores, one_core, tmp_path
):
  done = train(launcher, tmp_path / 'run', **on(two_cores))
  assert done.returncode == 0, done.stderr
  assert same_run.differences(tmp_path / 'run', one_core) == []
  done = launcher(
    *('--gin_file=cores.gin', '--sweep=SEED=[0, 1]', '--jobs=2'),
    f'--output_dir={tmp_path}/sweep',
    **on(two_cores),
  )
  assert done.returncode == 0, done.stderr
  assert same_run.differences(tmp_path / 'sweep' / 'SEED=0', one_core) == []


def test_predictions_are_the_same_on_two_cores(
  launcher, two_cores, one_core, tmp_path
):
  texts = tmp_path / 'texts.txt'
  texts.write_text(
    '\n'.join(' '.join(['the bank'] * (i % 90 + 1)) for i in range(200))
  )
  answers = [
    launcher(
      *('--mode=predict', f'--output_dir={one_core}', f'--input={texts}'),
      **on(cores),
    ).stdout
    for cores in (two_cores[:1], two_cores)
  ]
  assert len(answers[0].splitlines()) == 200
  assert answers[0] == answers[1]


def test_a_run_goes_on_with_the_threads_that_it_began_with(
  launcher, two_cores, one_core, tmp_path
):
  """As a trial of a sweep, whose workers would have two."""
  one_thread = {'PJRT_NPROC': '1'}
  whole = tmp_path / 'whole'
  done = train(launcher, whole, 'SEED=1', env=one_thread, **on(two_cores))
  assert done.returncode == 0, done.stderr
  assert read_json(whole / 'run.json')['n_threads'] == 1
  trial = tmp_path / 'sweep' / 'SEED=1'
  kill = {
    'do': 'kill',
    'root': str(trial),
    'kind': 'replace',
    'match': 'checkpoints',
    'n': 3,
    'when': 'before',
    'report': str(tmp_path / 'report.txt'),
  }
  done = train(
    launcher,
    trial,
    'SEED=1',
    env={
      **one_thread,
      'DISTURB': json.dumps(kill),
      'PYTHONPATH': str(ROOT / 'tests' / 'fixtures' / 'disturb'),
    },
    **on(two_cores[:1]),
  )
  assert done.returncode == -9
  assert list((trial / 'checkpoints').glob('*.npz'))
  done = launcher(
    *('--gin_file=cores.gin', '--sweep=SEED=[1]', '--jobs=1'),
    f'--output_dir={tmp_path}/sweep',
    **on(two_cores),
  )
  assert done.returncode == 0, done.stderr
  assert same_run.differences(trial, whole) == []
