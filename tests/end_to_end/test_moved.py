"""A run directory that is moved or removed while the run writes in it."""

import json
import shutil
import subprocess
import time

import pytest


@pytest.fixture
def running(launcher, tmp_path):
  """A run that has a checkpoint and goes on for a while; its directory."""
  path = tmp_path / 'run'
  process = subprocess.Popen(
    launcher.command(
      '--gin_file=tiny.gin',
      '--gin_bindings=N_STEPS=2000',
      '--gin_bindings=N_STEPS_PER_CHECKPOINT=100',
      f'--output_dir={path}',
    ),
    cwd=launcher.cwd,
    env=launcher.env,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  end = time.monotonic() + 120
  while not list(path.glob('checkpoints/step*')):
    assert process.poll() is None
    assert time.monotonic() < end
    time.sleep(0.02)
  yield process, path
  process.kill()
  process.communicate()


def test_one_that_is_moved_is_finished_where_it_is(running):
  process, path = running
  other = path.with_name('other')
  path.rename(other)
  path.mkdir()
  stdout, stderr = process.communicate(timeout=120)
  assert process.returncode == 0, stderr
  assert f'\nRun directory: {other}\n' in stdout
  run = json.loads((other / 'run.json').read_text())
  assert (run['status'], run['steps']) == ('finished', 2000)
  assert list(path.iterdir()) == []


def test_one_that_is_removed_ends_the_run_in_a_line(running):
  process, path = running
  shutil.rmtree(path)
  stdout, stderr = process.communicate(timeout=120)
  assert process.returncode == 2, stderr
  assert stdout == ''
  assert 'Traceback' not in stderr
  assert stderr.splitlines()[-1] == (
    f'{path}/run.json cannot be made: its directory was removed while this '
    'process was working in it.'
  )
  assert not path.exists()
