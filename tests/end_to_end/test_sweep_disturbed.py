"""Sweeps that are disturbed: trials that fail, signals, kills."""

import os
import random
import signal
import subprocess
import time

import pytest

from tests.fixtures import same_run
from tests.fixtures.live_launcher import ROOT
from tests.fixtures.live_sweep import (
  NAMES,
  RATES,
  SEEDS,
  assert_gone,
  read_json,
  run_sweep,
  start,
  wait_for,
  workers_of,
)

# Sweeps that are killed start anew, with all their processes.
pytestmark = pytest.mark.slow

DISTURB = ROOT / 'tests' / 'fixtures' / 'disturb'


@pytest.fixture(scope='module')
def undisturbed(launcher):
  """The directory of a finished sweep that no test may change."""
  return run_sweep(launcher)[0]


def test_trials_that_go_wrong_stop_no_other(launcher, tmp_path):
  (tmp_path / 'marks').mkdir()
  (tmp_path / 'fragile.gin').write_text(
    f"import sweep_models\ninclude '{launcher.cwd}/tiny.gin'\n"
    'MODEL = @fragile\n'
    f"fragile.marks = '{tmp_path}/marks'\nfragile.trouble = 'none'\n"
    'N_STEPS = 4\n'
  )
  (tmp_path / 'trials.yaml').write_text(
    'sweep_a:\n  fragile.trouble: [error, kill, once, stop, none]\n'
    'sweep_b:\n  LEARNING_RATE: [1.0e+30]\n'
  )
  done = launcher(
    f'--gin_file={tmp_path}/fragile.gin',
    f'--sweep={tmp_path}/trials.yaml',
    f'--output_dir={tmp_path}/sweep',
    env={'PYTHONPATH': str(DISTURB)},
  )
  assert done.returncode == 1, done.stderr
  sweep = read_json(tmp_path / 'sweep' / 'sweep.json')
  found = {
    next(iter(t['bindings'].values())).strip("'"): (t['status'], t['attempts'])
    for t in sweep['trials'].values()
  }
  assert found == {
    'error': ('failed', 2),
    'kill': ('failed', 2),
    'once': ('finished', 2),
    'stop': ('interrupted', 1),
    'none': ('finished', 1),
    '1e+30': ('diverged', 1),
  }
  assert sweep['status'] == 'incomplete'
  for trial in sweep['trials'].values():
    path = tmp_path / 'sweep' / trial['directory']
    if trial['status'] == 'interrupted':
      # It was stopped before there was a run.
      assert not (path / 'run.json').exists()
      continue
    run = read_json(path / 'run.json')
    assert run['status'] == trial['status']
    # Those that fail before they have a run directory are known all the same.
    assert set(run['overrides']) == set(trial['bindings'])
    assert any(path.glob('events.out.tfevents.*'))
  killed = (
    'The process of the trial has been killed (signal 9), as the kernel does '
    'when memory runs out.'
  )
  lines = done.stdout.splitlines()
  assert 'fragile.trouble=error: RuntimeError: This model is broken.' in lines
  assert f'fragile.trouble=kill: {killed}' in lines
  log = (tmp_path / 'sweep/fragile.trouble=error/log.txt').read_text()
  assert log.count('RuntimeError: This model is broken.\n') == 2
  assert (
    "fragile.trouble='stop': a signal stopped it. The same command goes on "
    'with it.\n'
  ) in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
  ('number', 'status'),
  [
    (signal.SIGINT, 130),
    pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
  ],
)
def test_a_signal_ends_a_sweep_in_order_and_the_same_command_goes_on(
  number,
  status,
  launcher,
  tmp_path,
):
  long = ('--gin_bindings=N_STEPS=100000', RATES, '--jobs=2')
  directory = tmp_path / 'sweep'
  process = start(launcher, *long, f'--output_dir={directory}')
  pids: list[int] = []

  def is_training():
    pids[:] = workers_of(process.pid)
    # Two checkpoints of one trial would not do.
    found = directory.glob('*/checkpoints/step_*')
    return len({path.parent for path in found}) == 2

  wait_for(is_training)
  process.send_signal(number)
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == status
  assert stderr.splitlines()[-1] == (
    'Stopped with 0 of 2 trials done. The same command goes on.'
  )
  assert 'Traceback' not in stderr
  assert_gone(pids)
  sweep = read_json(directory / 'sweep.json')
  assert sweep['status'] == 'interrupted'
  for trial in sweep['trials'].values():
    run = read_json(directory / trial['directory'] / 'run.json')
    assert run['status'] == trial['status'] == 'interrupted'
    assert run['steps'] > 0


def test_two_sweeps_in_one_directory_are_refused(launcher, tmp_path):
  arguments = ('--gin_bindings=N_STEPS=100000', f'--output_dir={tmp_path}')
  process = start(launcher, RATES, *arguments)
  try:
    wait_for((tmp_path / 'sweep.json').exists)
    second = launcher('--gin_file=tiny.gin', SEEDS, *arguments)
  finally:
    process.kill()
    process.communicate()
  assert second.returncode == 2
  assert second.stderr == (
    f'--output_dir={tmp_path}: another sweep is running in it. Wait for it to '
    'end, or choose another directory.\n'
  )


def n_records(directory):
  """How much has been measured in all trials."""
  paths = directory.glob('*/metrics.jsonl')
  return sum(len(path.read_bytes().splitlines()) for path in paths)


def kill_once(launcher, directory, when, seconds=0.0):
  """Starts a sweep of four trials and kills its parent, unless it ends before.

  Args:
    launcher: as the fixture.
    directory: of the sweep.
    when: the number of records at which to kill.
    seconds: how long after it.

  Returns:
    Whether it was killed.
  """
  process = start(
    launcher, RATES, SEEDS, '--jobs=2', f'--output_dir={directory}'
  )
  while process.poll() is None and n_records(directory) < when:
    time.sleep(0.01)
  try:
    process.communicate(timeout=seconds if process.poll() is None else None)
    assert process.returncode == 0
    return False
  except subprocess.TimeoutExpired:
    pids = workers_of(process.pid)
    process.kill()
    process.communicate()
    assert_gone(pids)
    return True


def assert_as_undisturbed(directory, undisturbed):
  for name in NAMES:
    found = same_run.differences(directory / name, undisturbed / name)
    assert found == [], name
  assert same_run.left_over(directory) == []
  sweep = read_json(directory / 'sweep.json')
  assert [t['directory'] for t in sweep['trials'].values()] == NAMES
  assert {t['status'] for t in sweep['trials'].values()} == {'finished'}


def test_a_sweep_whose_parent_is_killed_goes_on(
  launcher, tmp_path, undisturbed
):
  directory = tmp_path / 'sweep'
  assert kill_once(launcher, directory, 30)
  assert not kill_once(launcher, directory, 10**6)
  assert_as_undisturbed(directory, undisturbed)


@pytest.mark.timeout(1800)
def test_a_sweep_survives_twenty_kills(launcher, tmp_path, undisturbed):
  rng = random.Random(0)
  n_kills = n_lives = 0
  # All trials of an undisturbed sweep together.
  n_all = n_records(undisturbed)
  while n_kills < 20:
    directory = tmp_path / f'sweep{n_lives}'
    n_lives += 1
    # A third of the kills come while it starts or plans.
    for when in sorted(rng.randrange(-n_all // 2, n_all) for _ in range(4)):
      n_kills += kill_once(launcher, directory, when, rng.uniform(0.1, 2))
    assert not kill_once(launcher, directory, 10**6)
    assert_as_undisturbed(directory, undisturbed)
  print(f'{n_kills} kills of {n_lives} sweeps, each then as if undisturbed')


def test_no_worker_outlives_its_parent_while_it_imports(launcher, tmp_path):
  process = start(launcher, RATES, f'--output_dir={tmp_path}', '--jobs=3')
  pids: list[int] = []

  def have_started():
    pids[:] = workers_of(process.pid)
    return len(pids) == 3

  wait_for(have_started)
  os.kill(process.pid, signal.SIGKILL)
  process.communicate()
  assert_gone(pids)


_DRAWN = (
  "--sweep=LEARNING_RATE={'uniform': [0.001, 0.1]}",
  *('--search=random', '--trials=2'),
)
# What is damaged while a sweep runs, the sweep, its exit status, and how many
# trials are done in spite of it; None: one may be or not.
DAMAGES = {
  'run.json of a trial': ('*/run.json', (SEEDS,), 1, 1),
  'sweep.json': ('sweep.json', (SEEDS,), 0, 2),
  'study.journal': ('study.journal', _DRAWN, 2, None),
}


@pytest.mark.parametrize(
  'damage',
  [
    damage if 'run' in damage else pytest.param(damage, marks=pytest.mark.slow)
    for damage in DAMAGES
  ],
)
def test_what_is_damaged_while_a_sweep_runs_costs_nothing_else(
  damage, launcher, tmp_path
):
  pattern, sweep, status, n_done = DAMAGES[damage]
  directory = tmp_path / 'sweep'
  arguments = (
    *sweep,
    *(
      '--gin_bindings=N_STEPS=6000',
      '--gin_bindings=N_STEPS_PER_CHECKPOINT=500',
    ),
    f'--output_dir={directory}',
  )
  process = start(launcher, *arguments)
  wait_for(lambda: list(directory.glob('*/checkpoints/step_*')))
  [path] = directory.glob(pattern)
  path.write_text('{')
  stderr = process.communicate(timeout=200)[1]
  assert process.returncode == status, stderr
  assert 'Traceback' not in stderr
  assert stderr.count(f'{path}') == (status > 0)
  state = read_json(directory / 'sweep.json')
  statuses = [trial['status'] for trial in state['trials'].values()]
  assert state['status'] == ['finished', 'incomplete', 'interrupted'][status]
  assert n_done in (None, statuses.count('finished'))
  assert set(statuses) <= {'finished', 'failed', 'interrupted'}
  if status == 0:
    return
  for run in directory.glob('*/run.json'):
    if run != path:
      assert read_json(run)['status'] in ('finished', 'interrupted')
  # As the message says.
  path.unlink()
  again = launcher('--gin_file=tiny.gin', *arguments)
  assert again.returncode == 0, again.stderr
  state = read_json(directory / 'sweep.json')
  assert {trial['status'] for trial in state['trials'].values()} == {'finished'}
