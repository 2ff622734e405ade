"""Systems that are not Linux, or lack what it has."""

import os
import signal
import subprocess
import sys
import time

from tests.fixtures.live_launcher import ROOT
from tests.fixtures.live_sweep import assert_gone, wait_for, workers_of

# As Python is on macOS: imported by every process before all else.
WITHOUT = """
import ctypes, os
for name in ('sched_getaffinity', 'sched_setaffinity'):
  delattr(os, name)
os.process_cpu_count = os.cpu_count

class CDLL(ctypes.CDLL):
  def __getattr__(self, name):
    if name == 'prctl':
      raise AttributeError(name)
    return super().__getattr__(name)

ctypes.CDLL = CDLL
"""


def test_workers_live_and_die_where_linux_does_not_help(launcher, tmp_path):
  (tmp_path / 'sitecustomize.py').write_text(WITHOUT)
  process = subprocess.Popen(
    launcher.command(
      *('--gin_file=tiny.gin', '--gin_bindings=N_STEPS=1000000', '--jobs=2'),
      *('--sweep=SEED=[0, 1]', f'--output_dir={tmp_path}/sweep'),
    ),
    cwd=launcher.cwd,
    env={**launcher.env, 'PYTHONPATH': str(tmp_path)},
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    wait_for(
      lambda: (
        list(tmp_path.glob('sweep/*/checkpoints/step_*'))
        or process.poll() is not None
      ),
      timeout_seconds=200,
    )
    assert process.poll() is None, process.communicate()
    pids = workers_of(process.pid)
    assert len(pids) == 2
  finally:
    process.kill()
    process.communicate()
  assert_gone(pids)


def test_a_process_ends_with_its_parent_without_prctl():
  code = (
    f'{WITHOUT}\nimport sys, time\nsys.path.insert(0, {str(ROOT)!r})\n'
    'from experiments.foundation import processes\n'
    'assert processes.die_with(os.getppid())\n'
    'print(os.getpid(), flush=True)\ntime.sleep(600)\n'
  )
  parent = subprocess.Popen(
    [
      sys.executable,
      '-c',
      'import subprocess, sys, time\n'
      'subprocess.Popen([sys.executable, "-c", sys.argv[1]])\n'
      'time.sleep(600)\n',
      code,
    ],
    stdout=subprocess.PIPE,
    text=True,
  )
  assert parent.stdout is not None
  child = int(parent.stdout.readline())
  time.sleep(0.1)
  os.kill(child, 0)
  parent.send_signal(signal.SIGKILL)
  parent.communicate()
  assert_gone([child])


def test_windows_is_refused_in_a_line(tmp_path):
  # shutil would look for what only a Python on Windows has.
  (tmp_path / 'sitecustomize.py').write_text(
    "import shutil, sys\nsys.platform = 'win32'\nsys.modules['fcntl'] = None\n"
  )
  done = subprocess.run(
    [sys.executable, str(ROOT / 'launcher.py'), '--gin_file=x.gin'],
    env={**os.environ, 'PYTHONPATH': str(tmp_path)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2
  assert done.stderr == (
    'This needs Linux or macOS: Windows has neither their locks nor their '
    'signals. Use the Windows Subsystem for Linux (WSL 2).\n'
  )
