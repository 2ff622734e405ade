"""A sweep of four trials as a process, and what it leaves behind."""

import json
import pathlib
import subprocess
import time

import filelock

RATES = '--sweep=LEARNING_RATE=[0.01, 0.02]'
SEEDS = '--sweep=SEED=[0, 1]'
NAMES = [
  f'LEARNING_RATE={rate},SEED={seed}'
  for rate in ('0.01', '0.02')
  for seed in (0, 1)
]


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


def run_sweep(launcher):
  """Runs the sweep of `NAMES` in launcher.cwd/swept, unless it has run.

  Returns:
    Its directory, what it wrote to stdout and what to stderr.
  """
  directory = launcher.cwd / 'swept'
  streams = [launcher.cwd / 'swept.stdout', launcher.cwd / 'swept.stderr']
  with filelock.FileLock(launcher.cwd / 'swept.lock'):
    if not directory.exists():
      done = launcher(
        *('--gin_file=tiny.gin', RATES, SEEDS, '--jobs=2'),
        f'--output_dir={directory}',
      )
      assert done.returncode == 0, done.stderr
      for stream, content in zip(
        streams, (done.stdout, done.stderr), strict=True
      ):
        stream.write_text(content)
  return directory, *(stream.read_text() for stream in streams)
