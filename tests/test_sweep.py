"""Sweeps through the launcher: every trial once, and as if it ran alone."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
import same_run

RATES = '--sweep=LEARNING_RATE=[0.01, 0.02]'
SEEDS = '--sweep=SEED=[0, 1]'
NAMES = [
  f'LEARNING_RATE={rate},SEED={seed}'
  for rate in ('0.01', '0.02')
  for seed in (0, 1)
]
DISTURB = pathlib.Path(__file__).resolve().parent / 'disturb'


def read_json(path):
  return json.loads(path.read_text())


def workers_of(pid):
  """Process ids of the children of a process."""
  found = []
  for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
    try:
      fields = stat.read_text().rpartition(')')[2].split()
    except OSError:
      continue
    if int(fields[1]) == pid:
      found.append(int(stat.parent.name))
  return found


def is_alive(pid):
  try:
    state = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return False
  return state.rpartition(')')[2].split()[0] not in 'ZX'


def assert_gone(pids):
  end = time.monotonic() + 10
  while any(map(is_alive, pids)) and time.monotonic() < end:
    time.sleep(0.05)
  assert [pid for pid in pids if is_alive(pid)] == []


@pytest.fixture(scope='module')
def swept(launcher):
  """A finished sweep of two rates and two seeds; a later test adds to it."""
  directory = launcher.cwd / 'swept'
  if directory.exists():
    shutil.rmtree(directory)
  done = launcher(
    '--gin_file=tiny.gin', RATES, SEEDS, '--jobs=2', f'--output_dir={directory}'
  )
  assert done.returncode == 0, done.stderr
  return directory, done


@pytest.fixture(scope='module')
def alone(launcher, tmp_path_factory):
  """The last trial of `swept`, as a run of its own."""
  cwd = tmp_path_factory.mktemp('alone')
  done = launcher(
    f'--gin_file={launcher.cwd}/tiny.gin',
    '--gin_bindings=LEARNING_RATE=0.02',
    '--gin_bindings=SEED=1',
    cwd=cwd,
  )
  assert done.returncode == 0, done.stderr
  return cwd / 'runs' / 'tiny' / NAMES[3], done


def test_each_trial_has_its_own_ordinary_run_directory(swept, trained):
  directory, _ = swept
  names = {path.name for path in directory.iterdir() if path.is_dir()}
  assert names == set(NAMES)
  ordinary = {path.name for path in trained[0].iterdir()}
  for name in NAMES:
    inside = {path.name for path in (directory / name).iterdir()}
    event = re.compile('.*tfevents.*')
    assert {n for n in inside if not event.match(n)} == {
      n for n in ordinary | {'log.txt'} if not event.match(n)
    }
    assert read_json(directory / name / 'run.json')['status'] == 'finished'


def test_a_trial_is_bit_for_bit_the_run_that_the_same_bindings_make_alone(
  swept, alone
):
  # The last of the trials: its worker has trained others before.
  assert same_run.differences(swept[0] / NAMES[3], alone[0]) == []


def test_a_trial_writes_to_its_log_what_a_run_shows(swept, alone):
  log = (swept[0] / NAMES[3] / 'log.txt').read_text()
  assert alone[1].stdout.replace('runs/tiny', str(swept[0])) in log
  assert 'step 30 of 30' in log


def test_sweep_json_says_what_was_tried_and_how_it_ended(swept):
  directory, _ = swept
  sweep = read_json(directory / 'sweep.json')
  assert sweep['definition'] == [
    {'LEARNING_RATE': ['0.01', '0.02'], 'SEED': ['0', '1']}
  ]
  assert sweep['status'] == 'finished'
  assert sweep['objective'] == 'accuracy'
  assert [t['directory'] for t in sweep['trials'].values()] == NAMES
  for entry in sweep['trials'].values():
    run = read_json(directory / entry['directory'] / 'run.json')
    assert entry['status'] == run['status'] == 'finished'
    assert entry['metrics']['accuracy'] == run['metrics']['accuracy']
    assert entry['attempts'] == 1
    assert entry['error'] is None


def test_the_log_has_a_line_a_trial_and_stdout_the_table(swept):
  directory, done = swept
  assert len(done.stderr.splitlines()) == 4, done.stderr
  assert re.fullmatch(
    r'\[4/4\] LEARNING_RATE=0\.0\d, SEED=\d: finished, accuracy 0\.\d{4}, '
    r'\d+\.\d s \(best so far 0\.\d{4}, LEARNING_RATE=0\.0\d, SEED=\d\)',
    done.stderr.splitlines()[3],
  )
  head, *rows = done.stdout.splitlines()
  assert head.split() == [
    *('LEARNING_RATE', 'SEED', 'accuracy', 'cross_entropy', 'macro_f1'),
    *('steps', 'status', 'seconds'),
  ]
  accuracies = [
    read_json(directory / name / 'run.json')['metrics']['accuracy']
    for name in NAMES
  ]
  assert [float(row.split()[2]) for row in rows[:4]] == [
    round(value, 4) for value in sorted(accuracies, reverse=True)
  ]
  assert f'tensorboard --logdir={directory}' in done.stdout


def test_the_table_is_that_of_compare(swept, launcher):
  directory, done = swept
  compared = launcher('--mode=compare', f'--output_dir={directory}')
  assert compared.returncode == 0
  assert done.stdout.startswith(compared.stdout.rstrip())


def test_the_same_command_does_nothing_and_a_new_value_only_itself(
  swept, launcher
):
  directory = shutil.copytree(swept[0], swept[0].with_name('copied'))
  before = {p: p.stat().st_mtime_ns for p in directory.glob('*/run.json')}
  again = launcher(
    *('--gin_file=tiny.gin', '--sweep=LEARNING_RATE=[0.03, 0.02, 0.01]'),
    *(SEEDS, f'--output_dir={directory}'),
  )
  assert again.returncode == 0, again.stderr
  assert again.stderr.splitlines()[0] == '4 of 6 done before'
  assert len(again.stderr.splitlines()) == 3
  assert before == {p: p.stat().st_mtime_ns for p in before}
  sweep = read_json(directory / 'sweep.json')
  attempts = {t['directory']: t['attempts'] for t in sweep['trials'].values()}
  assert attempts == dict.fromkeys(
    [*NAMES, 'LEARNING_RATE=0.03,SEED=0', 'LEARNING_RATE=0.03,SEED=1'], 1
  )
  third = launcher(
    '--gin_file=tiny.gin', RATES, SEEDS, f'--output_dir={directory}'
  )
  assert third.returncode == 0
  assert third.stderr == '4 of 4 done before\n'
  # What this command does not name is still known.
  assert len(read_json(directory / 'sweep.json')['trials']) == 6


def test_a_dry_run_shows_the_trials_and_leaves_nothing(swept, launcher):
  directory, _ = swept
  before = sorted(directory.rglob('*'))
  done = launcher(
    *('--gin_file=tiny.gin', '--sweep=LEARNING_RATE=[0.01, 0.05]'),
    *('--sweep=EMBEDDING_SIZE=[8, 16]', '--dry_run', '--jobs=2'),
    f'--output_dir={directory}',
  )
  assert done.returncode == 0, done.stderr
  table, _, summary = done.stdout.partition('\n\n')
  rows = [line.split() for line in table.splitlines()]
  assert rows[0] == ['LEARNING_RATE', 'EMBEDDING_SIZE', 'status', 'directory']
  # The config of the first is that of a trial with SEED=0, which is done.
  assert rows[1] == ['0.01', '8', 'finished', str(directory / NAMES[0])]
  assert rows[4] == [
    *('0.05', '16', 'new'),
    str(directory / 'EMBEDDING_SIZE=16,LEARNING_RATE=0.05'),
  ]
  assert re.fullmatch(
    r'4 trials, 1 of them done\. Those left need 2 sets of compiled '
    r'programs\.\nAbout \d+ s with --jobs=2: a trial of this sweep took '
    r'\d+\.\d s\.\n',
    summary,
  )
  assert sorted(directory.rglob('*')) == before


def test_the_directories_are_those_of_a_shell_loop(launcher, alone):
  # Seen from where `alone` ran without an --output_dir.
  sweep = launcher(
    *(f'--gin_file={launcher.cwd}/tiny.gin', RATES, SEEDS, '--dry_run'),
    cwd=alone[0].parents[2],
  )
  assert sweep.returncode == 0, sweep.stderr
  rows = [line.split() for line in sweep.stdout.splitlines()[1:5]]
  paths = [f'runs/tiny/{name}' for name in NAMES]
  assert [row[3] for row in rows] == paths
  assert [row[2] for row in rows] == ['new', 'new', 'new', 'finished']


REFUSED = {
  'typo': (
    ['--sweep=LEARNIG_RATE=[0.1]'],
    "--sweep='LEARNIG_RATE=[0.1]': LEARNIG_RATE = 0.1: macro LEARNIG_RATE is "
    'bound but nothing uses it. Did you mean LEARNING_RATE?\n',
  ),
  'type': (
    ["--sweep=SEED=[1, 'a']"],
    "--sweep=\"SEED=[1, 'a']\": SEED = 'a': macro SEED must be a whole number "
    "from 0 to 4294967295, not 'a'.\n",
  ),
  'twice': (
    ['--sweep=SEED=[1, 1]'],
    'Two trials have the same config: SEED=1. Keep one of the values.\n',
  ),
  'equal': (
    ['--sweep=LEARNING_RATE=[0.01, 1e-2]', SEEDS],
    'Two trials have the same config: LEARNING_RATE=0.01, SEED=0. Keep one of '
    'the values.\n',
  ),
  'setting': (
    [RATES, "--gin_bindings=sweep.objectiv='x'"],
    '--gin_bindings="sweep.objectiv=\'x\'": sweep.objectiv is no setting of a '
    'sweep. There are objective, direction, pruner, pruning_metric, seed, '
    'num_cpus, num_gpus. Did you mean objective?\n',
  ),
  'jobs alone': (['--jobs=2'], '--jobs is for a sweep: give --sweep, too.\n'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_a_sweep_that_would_go_wrong_does_not_start(case, launcher, tmp_path):
  arguments, message = REFUSED[case]
  done = launcher(
    '--gin_file=tiny.gin', *arguments, f'--output_dir={tmp_path / "s"}'
  )
  assert done.stderr == message
  assert done.returncode == 2
  assert done.stdout == ''
  assert not (tmp_path / 's').exists()


def test_another_config_in_a_directory_is_refused(swept, launcher):
  directory, _ = swept
  (launcher.cwd / 'other.gin').write_text(
    "include 'tiny.gin'\nEMBEDDING_SIZE = 9\n"
  )
  done = launcher(
    '--gin_file=other.gin', RATES, SEEDS, f'--output_dir={directory}'
  )
  assert done.returncode == 2
  assert done.stderr == (
    f'--output_dir={directory / NAMES[0]} holds a run with another config:\n'
    '  EMBEDDING_SIZE: 8 in the run directory, 9 now\n'
    'Choose another --output_dir, or remove this one.\n'
  )


def test_a_run_directory_is_no_directory_of_a_sweep(trained, launcher):
  done = launcher('--gin_file=tiny.gin', RATES, f'--output_dir={trained[0]}')
  assert done.returncode == 2
  assert done.stderr == (
    f'--output_dir={trained[0]} holds a run, and a sweep needs a directory of '
    'its own. Choose another.\n'
  )


def test_trials_that_go_wrong_stop_no_other(launcher, tmp_path):
  (tmp_path / 'marks').mkdir()
  (tmp_path / 'fragile.gin').write_text(
    f"import sweep_models\ninclude '{launcher.cwd}/tiny.gin'\n"
    'MODEL = @fragile\n'
    f"fragile.marks = '{tmp_path}/marks'\nfragile.trouble = 'none'\n"
    'N_STEPS = 4\n'
  )
  (tmp_path / 'trials.yaml').write_text(
    'sweep_a:\n  fragile.trouble: [error, kill, once, none]\n'
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
    'none': ('finished', 1),
    '1e+30': ('diverged', 1),
  }
  assert sweep['status'] == 'incomplete'
  for trial in sweep['trials'].values():
    run = read_json(tmp_path / 'sweep' / trial['directory'] / 'run.json')
    assert run['status'] == trial['status']
  killed = (
    'The process of the trial has been killed (signal 9), as the kernel does '
    'when memory runs out.'
  )
  lines = done.stdout.splitlines()
  assert 'fragile.trouble=error: RuntimeError: This model is broken.' in lines
  assert f'fragile.trouble=kill: {killed}' in lines
  log = (tmp_path / 'sweep/fragile.trouble=error/log.txt').read_text()
  assert log.count('RuntimeError: This model is broken.\n') == 2
  assert 'Traceback' not in done.stderr


def start(launcher, *arguments):
  return subprocess.Popen(
    launcher.command('--gin_file=tiny.gin', *arguments),
    cwd=launcher.cwd,
    env=launcher.env,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )


def wait_for(condition, timeout_seconds=120):
  end = time.monotonic() + timeout_seconds
  while not condition():
    assert time.monotonic() < end, 'it never happened'
    time.sleep(0.02)


@pytest.mark.parametrize(
  ('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_a_sweep_in_order_and_the_same_command_goes_on(
  number, status, launcher, tmp_path, swept
):
  long = ('--gin_bindings=N_STEPS=100000', RATES, '--jobs=2')
  directory = tmp_path / 'sweep'
  process = start(launcher, *long, f'--output_dir={directory}')
  pids: list[int] = []

  def is_training():
    pids[:] = workers_of(process.pid)
    return len(list(directory.glob('*/checkpoints/step_*'))) >= 2

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


def test_two_sweeps_in_one_directory_are_refused(launcher, tmp_path, swept):
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
  """Starts the sweep of `swept` and kills its parent, unless it ends before.

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


def test_a_sweep_whose_parent_is_killed_goes_on(launcher, tmp_path, swept):
  directory = tmp_path / 'sweep'
  assert kill_once(launcher, directory, 30)
  assert not kill_once(launcher, directory, 10**6)
  assert_as_undisturbed(directory, swept[0])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_sweep_survives_twenty_kills(launcher, tmp_path, swept):
  rng = random.Random(0)
  n_kills = n_lives = 0
  # All trials of an undisturbed sweep together.
  n_all = n_records(swept[0])
  while n_kills < 20:
    directory = tmp_path / f'sweep{n_lives}'
    n_lives += 1
    # A third of the kills come while it starts or plans.
    for when in sorted(rng.randrange(-n_all // 2, n_all) for _ in range(4)):
      n_kills += kill_once(launcher, directory, when, rng.uniform(0.1, 2))
    assert not kill_once(launcher, directory, 10**6)
    assert_as_undisturbed(directory, swept[0])
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
