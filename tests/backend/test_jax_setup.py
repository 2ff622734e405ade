"""JAX as every mode gets it: compiled programs kept, one device."""

import os
import subprocess
import sys

from tests.fixtures.live_launcher import ROOT

PROGRAM = """
import collections, logging, pathlib, sys
logging.basicConfig(format='%(message)s')
from experiments.backend import jax_setup
trax = jax_setup.start_jax(cache_dir=pathlib.Path(sys.argv[1]))
import jax
events = collections.Counter()
jax.monitoring.register_event_listener(lambda name, **_: events.update([name]))
print(jax.jit(lambda x: x * 3 + 1)(jax.numpy.arange(3)))
print(events['/jax/compilation_cache/cache_hits'] > 0)
"""


def start(cache_dir, **env):
  return subprocess.run(
    [sys.executable, '-c', PROGRAM, str(cache_dir)],
    cwd=ROOT,
    env={**os.environ, **env},
    capture_output=True,
    text=True,
    check=False,
  )


def test_a_second_start_finds_the_compiled_programs(tmp_path):
  first = start(tmp_path)
  assert (first.returncode, first.stderr) == (0, '')
  assert first.stdout == '[1 4 7]\nFalse\n'
  kept = sorted(os.listdir(tmp_path / 'xla' / '2_threads'))
  assert kept
  assert start(tmp_path).stdout == '[1 4 7]\nTrue\n'
  assert sorted(os.listdir(tmp_path / 'xla' / '2_threads')) == kept


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
  (tmp_path / 'file').touch()
  done = start(tmp_path / 'file')
  assert done.returncode == 0
  assert done.stdout == '[1 4 7]\nFalse\n'
  assert done.stderr.startswith('Compiled programs are not kept: [Errno 20]')
  assert len(done.stderr.splitlines()) == 1


def test_several_devices_are_refused(launcher, tmp_path):
  done = launcher(
    '--gin_file=tiny.gin',
    f'--output_dir={tmp_path}/run',
    env={'XLA_FLAGS': '--xla_force_host_platform_device_count=2'},
  )
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    'JAX sees 2 devices, and a run trains on one. Show it one, e.g. with '
    'CUDA_VISIBLE_DEVICES=0.\n'
  )
  assert not (tmp_path / 'run').exists()
