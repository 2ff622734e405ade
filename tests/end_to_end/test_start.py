"""What a start loads and compiles: no more than the mode needs."""

import re
import subprocess
import sys

import pytest

from tests.fixtures.live_launcher import ROOT, Launcher

HEAVY = {'jax', 'tensorflow', 'tensorflow_datasets'}


@pytest.fixture(scope='module')
def launcher(tmp_path_factory):
  return Launcher(tmp_path_factory.mktemp('start'))


def loaded(launcher, *args):
  """Returns what a process imports of `HEAVY`, and its exit status."""
  done = subprocess.run(
    [sys.executable, '-X', 'importtime', ROOT / 'launcher.py', *args],
    cwd=launcher.cwd,
    env=launcher.env,
    capture_output=True,
    text=True,
    check=False,
  )
  names = re.findall(r'^import time:.*\| +(\w+)$', done.stderr, re.MULTILINE)
  assert 'logging' in names
  return HEAVY.intersection(names), done.returncode


@pytest.mark.parametrize(
  ('args', 'status'),
  [
    (['--help'], 0),
    (['--gin_fil=tiny.gin'], 2),
    (['--gin_file=missing.gin'], 2),
    (['--gin_file=tiny.gin', '--gin_bindings=LEARNIG_RATE=1'], 2),
    (['--gin_file=tiny.gin', "--gin_bindings=N_STEPS='ten'"], 2),
    (['--mode=predict', '--output_dir=runs/none', '--input=-'], 2),
  ],
)
def test_help_and_mistakes_load_nothing_heavy(launcher, args, status):
  assert loaded(launcher, *args) == (set(), status)


def test_a_mistake_that_takes_the_registry_loads_no_tensorflow(launcher):
  names, status = loaded(
    launcher, '--gin_file=tiny.gin', '--gin_bindings=OPTIMIZER=@Adan'
  )
  assert status == 2
  assert 'jax' in names
  assert not names & {'tensorflow', 'tensorflow_datasets'}


@pytest.mark.parametrize(
  ('binding', 'heavy'),
  [
    ('N_STEPS=12', {'tensorflow', 'tensorflow_datasets'}),
    # Opened by TFDS, and read.
    ("SPLITS=('train[:60%]', 'test')", {'tensorflow'}),
  ],
)
def test_a_run_on_prepared_data_loads_no_tensorflow(launcher, binding, heavy):
  launcher.trained()
  names, status = loaded(
    launcher, '--gin_file=tiny.gin', f'--gin_bindings={binding}'
  )
  assert status == 0
  assert not names & heavy


@pytest.mark.slow
def test_a_run_that_differs_in_numbers_compiles_nothing(tmp_path):
  launcher = Launcher(tmp_path)
  launcher.trained()
  programs = launcher.cwd / 'cache' / 'xla' / '2_threads'
  before = {path.name for path in programs.glob('*-cache')}
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=LEARNING_RATE=0.5',
    '--gin_bindings=Adam.b1=0.8',
    '--gin_bindings=SEED=3',
  )
  assert done.returncode == 0, done.stderr
  assert before
  assert {path.name for path in programs.glob('*-cache')} == before
  changed = launcher('--gin_file=tiny.gin', '--gin_bindings=EMBEDDING_SIZE=9')
  assert changed.returncode == 0, changed.stderr
  assert {path.name for path in programs.glob('*-cache')} > before


def test_what_a_killed_start_left_of_its_record_is_removed(launcher):
  launcher.trained()
  entry = next((launcher.cwd / 'cache' / 'sources').glob('*.json'))
  stale = entry.with_name(f'.{entry.name}.2fzxj9s1.tmp')
  entry.rename(stale)
  done = launcher('--gin_file=tiny.gin', '--gin_bindings=N_STEPS=13')
  assert done.returncode == 0, done.stderr
  assert entry.exists()
  assert not stale.exists()
