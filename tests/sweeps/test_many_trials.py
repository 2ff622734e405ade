"""Ten thousand trials: planned in little memory, and not deaf meanwhile."""

import os
import signal
import subprocess

import pytest


def cost(launcher, *arguments):
  """Runs the launcher to its end.

  Returns:
    MiB of memory at the most, and stdout.
  """
  with open(launcher.cwd / 'many.stdout', 'w+b') as stdout:
    process = subprocess.Popen(
      launcher.command('--gin_file=tiny.gin', *arguments),
      cwd=launcher.cwd,
      env=launcher.env,
      stdout=stdout,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    stdout.seek(0)
    written = stdout.read().decode()
  return usage.ru_maxrss / 1024, written


@pytest.mark.parametrize(
  'axes', [pytest.param('two', marks=pytest.mark.slow), 'one']
)
def test_ten_thousand_trials_are_planned_in_little_memory(launcher, axes):
  sweeps = {
    'two': [
      f'SEED={[*range(100)]}',
      f'LEARNING_RATE={[i / 1000 for i in range(1, 101)]}',
    ],
    'one': [f'SEED={[*range(10_000)]}'],
  }
  few_mib, _ = cost(launcher, '--sweep=SEED=[1, 2]', '--dry_run')
  mib, stdout = cost(
    launcher,
    *(f'--sweep={text}' for text in sweeps[axes]),
    # Where no other test has a run.
    '--output_dir=many',
    '--dry_run',
  )
  assert '\n10000 trials, 0 of them done.' in stdout
  assert mib - few_mib < 200
  paths = {line.split()[-1] for line in stdout.splitlines()[1:10_001]}
  assert len(paths) == 10_000


def test_ctrl_c_is_heard_while_trials_are_checked(launcher, tmp_path):
  path = tmp_path / 'endless.yaml'
  numbers = [*range(1, 3001)]
  path.write_text(f'SEED: {numbers}\nN_STEPS: {numbers}\n')
  process = subprocess.Popen(
    launcher.command(
      '--gin_file=tiny.gin', f'--sweep={path}', f'--output_dir={tmp_path}/s'
    ),
    cwd=launcher.cwd,
    env=launcher.env,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stderr is not None
  first = process.stderr.readline()
  assert 'of 9,000,000 trials checked' in first
  process.send_signal(signal.SIGINT)
  # Checking all of them takes hours.
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == 130
  assert stderr.splitlines()[-1] == 'Stopped.'
  assert not (tmp_path / 's').exists()
