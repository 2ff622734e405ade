"""Sweeps through the launcher: every trial once, and as if it ran alone."""

import re
import shutil
import statistics

import pytest

from tests.fixtures import same_run
from tests.fixtures.live_sweep import NAMES, RATES, SEEDS, read_json, run_sweep


@pytest.fixture(scope='module')
def swept(launcher):
  """A finished sweep that no test may change: its directory, stdout, stderr."""
  return run_sweep(launcher)


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
  directory = swept[0]
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


@pytest.mark.slow
def test_models_follow_each_other_and_leave_no_trace(
  launcher, trained, tmp_path
):
  """The last trial is that of tiny.gin, which `trained` has run alone."""
  models = ('gru_classifier', 'kim_cnn', 'mean_embedding')
  names = ', '.join(f'@{model}' for model in models)
  done = launcher(
    *('--gin_file=tiny.gin', f'--sweep=MODEL=[{names}]'),
    f'--output_dir={tmp_path}',
  )
  assert done.returncode == 0, done.stderr
  weights = [
    (tmp_path / f'MODEL={model}' / 'model.weights.npy.gz').read_bytes()
    for model in models
  ]
  assert len(set(weights)) == 3
  last = tmp_path / f'MODEL={models[-1]}'
  assert same_run.differences(last, trained[0]) == []


def test_a_trial_writes_to_its_log_what_a_run_shows(swept, alone):
  log = (swept[0] / NAMES[3] / 'log.txt').read_text()
  assert alone[1].stdout.replace('runs/tiny', str(swept[0])) in log
  assert 'step 30 of 30' in log


def test_sweep_json_says_what_was_tried_and_how_it_ended(swept):
  directory = swept[0]
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
  directory, stdout, stderr = swept
  # A busy machine may take long enough to say how far it has come.
  ends = [line for line in stderr.splitlines() if ': step ' not in line]
  assert len(ends) == 4, stderr
  assert re.fullmatch(
    r'\[4/4\] LEARNING_RATE=0\.0\d, SEED=\d: finished, accuracy 0\.\d{4}, '
    r'\d+\.\d s \(best so far 0\.\d{4}, LEARNING_RATE=0\.0\d, SEED=\d\)',
    ends[3],
  )
  _, _, head, *rows = stdout.splitlines()
  assert head.split() == [
    *('LEARNING_RATE', 'seeds', 'accuracy', 'difference', 'p'),
    *('cross_entropy', 'expected_calibration_error', 'macro_f1'),
    *('steps', 'status', 'seconds'),
  ]
  means = {
    rate: statistics.mean(
      read_json(path)['metrics']['accuracy']
      for path in directory.glob(f'LEARNING_RATE={rate},*/run.json')
    )
    for rate in ('0.01', '0.02')
  }
  assert [row.split()[:3] for row in rows[:2]] == [
    [rate, '2', f'{means[rate]:.4f}']
    for rate in sorted(means, key=means.__getitem__, reverse=True)
  ]
  assert f'tensorboard --logdir={directory}' in stdout


def test_the_table_is_that_of_compare(swept, launcher):
  directory, stdout, _ = swept
  compared = launcher('--mode=compare', f'--output_dir={directory}')
  assert compared.returncode == 0
  assert stdout.startswith(compared.stdout.rstrip())


def test_the_same_command_does_nothing_and_a_new_value_only_itself(
  swept, launcher, tmp_path
):
  directory = shutil.copytree(swept[0], tmp_path / 'sweep')
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
  directory = swept[0]
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
    r'\d+\.\d s\.\nRanked by:       accuracy of test, the test split: it .*\n',
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


def test_values_that_look_alike_are_trials_of_their_own(launcher):
  done = launcher(
    *('--gin_file=tiny.gin', '--dry_run'),
    "--sweep=VOCAB_FILE=['ab.words', 'a@b.words', None, 'None']",
  )
  assert done.returncode == 0, done.stderr
  rows = [line.split() for line in done.stdout.splitlines()[1:5]]
  assert [row[0] for row in rows] == [
    *("'ab.words'", "'a@b.words'", 'None', "'None'")
  ]
  assert len({row[2] for row in rows}) == 4
  assert rows[0][2] == 'runs/tiny/VOCAB_FILE=ab.words'


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
    'sweep. There are objective, direction, pruner, pruning_metric, '
    'pruner_startup_trials, seed, num_cpus, num_gpus, memory_mib, resources. '
    'Did you mean objective?\n',
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
  directory = swept[0]
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
