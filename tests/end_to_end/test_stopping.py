"""Ctrl-C and SIGTERM, whatever a run is at: soon answered, nothing lost."""

import json
import signal
import subprocess
import time

import pytest

from tests.fixtures import live_terminal, same_run

# What takes long, by the environment: tracing or compiling the update, each
# step, or each batch of the sampled or of the exact evaluation; 'deaf' is a
# sampled one that calls Python, so that JAX does not return before its end.
# Each time that it has begun, a file grows by a byte.
SLOW_PARTS = """
import os
import pathlib
import time
import traceback

import gin
import jax
from jax import numpy as jnp
from experiments.backend import compilation
from experiments.models import classifiers
from trax import layers as tl

SLOW, SECONDS = os.environ.get('SLOW'), float(os.environ.get('SECONDS', 0))


def begin():
  with open(os.environ['BEGUN'], 'ab') as file:
    file.write(b'.')


def called_by():
  return {frame.name for frame in traceback.extract_stack()}


def start_and_say_so(program, *args):
  result = start(program, *args)
  names = called_by()
  kind = 'exact'
  if 'run_evals' in names:
    kind = 'sampled'
  elif 'advance' in names:
    kind = 'train'
  if SLOW == kind:
    begin()
  return result


start = compilation.Program.start
compilation.Program.start = start_and_say_so


def work(n):
  # A multiple of 0 that XLA must compute.
  start = jnp.ones((64, 64)) / 64
  return jax.lax.fori_loop(0, n, lambda i, x: x @ start, start).sum() * 0


def repeats():
  # How often the work is to be done to take SECONDS.
  timed = jax.jit(work)
  timed(1).block_until_ready()
  start = time.perf_counter()
  timed(2000).block_until_ready()
  n = int(2000 * SECONDS / (time.perf_counter() - start))
  return min(n, 2**31 - 1)


@gin.configurable
def slow_model(*, vocab_size, n_classes, mode):
  n = repeats() if SECONDS else 0

  def forward(x):
    names = called_by()
    kind = mode
    if mode == 'eval':
      kind = 'sampled' if 'run_evals' in names else 'exact'
    if SLOW == 'tracing' and 'update_many' in names:
      begin()
      while True:
        time.sleep(0.01)
    if SLOW == 'deaf' and kind == 'sampled':
      jax.debug.callback(begin)
      x = x + work(n).astype(x.dtype)
    if SLOW == kind:
      x = x + work(n).astype(x.dtype)
    return x

  def many(x):
    # XLA takes many seconds for so many operations.
    if SLOW == 'compiling' and mode == 'train':
      begin()
      for i in range(4000):
        x = jnp.sin(x) * (1 + i / 4000) + jnp.cumsum(x, axis=-1) * 1e-6
    return x

  return tl.Serial(
    tl.Fn('Slow', forward),
    classifiers.mean_embedding(
      vocab_size=vocab_size, n_classes=n_classes, d_feature=8, mode=mode
    ),
    tl.Fn('Many', many),
  )
"""
SLOW_GIN = """
import slow_parts
include '{tiny}'
MODEL = @slow_model
SPLITS = ('train[:60]', 'test[:80]')
BUCKET_BATCH_SIZES = [4, 2, 1]
N_EVAL_BATCHES = 60
"""


class Slow:
  """Runs that take long at one point, in a directory that is gone on in."""

  def __init__(self, launcher, directory):
    self._launcher, self._directory = launcher, directory
    (directory / 'slow_parts.py').write_text(SLOW_PARTS)
    tiny = launcher.cwd / 'tiny.gin'
    (directory / 'slow.gin').write_text(SLOW_GIN.format(tiny=tiny))
    self._begun = directory / 'begun'

  def path(self, name):
    return self._directory / name

  def start(self, name, slow='', seconds=0.0, bindings=()):
    """Starts the launcher."""
    self._begun.unlink(missing_ok=True)
    return subprocess.Popen(
      self._launcher.command(
        f'--gin_file={self._directory}/slow.gin',
        *(f'--gin_bindings={binding}' for binding in bindings),
        f'--output_dir={self.path(name)}',
      ),
      cwd=self._launcher.cwd,
      env={
        **self._launcher.env,
        'PYTHONPATH': str(self._directory),
        'SLOW': slow,
        'SECONDS': str(seconds),
        'BEGUN': str(self._begun),
      },
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def stop(self, name, slow, number, *, seconds=0.0, again=(), bindings=()):
    """Sends a signal in the midst of what takes long.

    Args:
      name: of the run directory.
      slow: what takes long.
      number: of the signal.
      seconds: how long each takes.
      again: seconds after which the signal comes again.
      bindings: of gin.

    Returns:
      The exit status, stderr, and how often what takes long has begun after
      the first signal.
    """
    process = self.start(name, slow, seconds, bindings)
    try:
      while not self._begun.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
      time.sleep(0.4)
      n_begun = self._begun.stat().st_size
      process.send_signal(number)
      for pause in again:
        time.sleep(pause)
        process.send_signal(number)
      stdout, stderr = process.communicate(timeout=60)
    finally:
      process.kill()
      process.communicate()
    assert stdout == ''
    return process.returncode, stderr, self._begun.stat().st_size - n_begun

  def finish(self, name):
    """Goes on to the end."""
    process = self.start(name)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return stdout, stderr


@pytest.fixture(scope='module')
def slow(launcher, tmp_path_factory):
  return Slow(launcher, tmp_path_factory.mktemp('slow'))


@pytest.fixture(scope='module')
def undisturbed(slow):
  slow.finish('undisturbed')
  return slow.path('undisturbed')


def read_run(path):
  return json.loads((path / 'run.json').read_text())


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_a_signal_is_soon_answered_whatever_is_being_done(slow, undisturbed):
  """Each time the run goes on from where the time before has left it."""
  path = slow.path('disturbed')
  steps = []
  for what, number, seconds in (
    ('tracing', signal.SIGTERM, 0),
    ('compiling', signal.SIGINT, 0),
    ('sampled', signal.SIGTERM, 0.5),
    ('train', signal.SIGINT, 0.3),
    ('sampled', signal.SIGINT, 0.5),
    ('exact', signal.SIGTERM, 0.7),
  ):
    status, stderr, n = slow.stop('disturbed', what, number, seconds=seconds)
    assert status == 128 + number, (what, stderr)
    # A step or a batch more may begin while the signal arrives.
    assert n <= 1, (what, n)
    run = read_run(path)
    assert (run['status'], run['error']) == ('interrupted', None)
    assert stderr.splitlines()[-1] == (
      f'Stopped at step {run["steps"]}, with a checkpoint. The same command '
      'goes on.'
    )
    assert 'Traceback' not in stderr
    assert (path / f'checkpoints/step_{run["steps"]:010d}.npz').exists()
    steps.append(run['steps'])
  first, second, third, fourth, fifth, last = steps
  # The first evaluation is that of step 1; put off, it is not forgotten.
  assert (first, second, third, last) == (0, 0, 1, 30)
  assert 1 < fourth <= fifth < 30
  slow.finish('disturbed')
  assert same_run.differences(path, undisturbed, stopped=True) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
  ('slow_part', 'seconds'),
  [
    # It gives up a step that takes ten minutes.
    ('train', 600),
    # Both come while no signal is heard.
    pytest.param('deaf', 4, marks=pytest.mark.slow),
  ],
)
def test_a_second_signal_is_no_failure(slow, slow_part, seconds):
  name = f'twice_{slow_part}'
  status, stderr, n = slow.stop(
    name, slow_part, signal.SIGINT, seconds=seconds, again=(1.5,)
  )
  assert (status, n) == (130, 0), stderr
  is_heard = 'Stopping when the steps that are being computed are' in stderr
  assert is_heard == (slow_part == 'train')
  assert 'Traceback' not in stderr
  assert read_run(slow.path(name))['status'] == 'interrupted'


@pytest.mark.timeout(300)
def test_a_long_gap_between_events_is_not_deaf(slow):
  status, stderr, _ = slow.stop(
    'gap',
    'train',
    signal.SIGTERM,
    seconds=0.001,
    bindings=('N_STEPS=1000000000', 'N_STEPS_PER_CHECKPOINT=1000000000'),
  )
  assert status == 143, stderr
  assert read_run(slow.path('gap'))['status'] == 'interrupted'


def test_ctrl_c_on_a_terminal(launcher, tmp_path):
  command = launcher.command(
    '--gin_file=tiny.gin',
    '--gin_bindings=N_STEPS=1000000000',
    f'--output_dir={tmp_path}/run',
  )
  with live_terminal.Terminal(
    command, cwd=launcher.cwd, env=launcher.env
  ) as terminal:
    terminal.read_until('step/s, loss ')
    terminal.type(live_terminal.CTRL_C)
    written = terminal.read_until(None)
    assert terminal.process.wait(timeout=60) == 130
    assert terminal.process.stdout.read() == ''
  run = read_run(tmp_path / 'run')
  assert run['status'] == 'interrupted'
  last = written.replace('\r', '\n').rstrip().splitlines()[-1]
  assert last == (
    f'Stopped at step {run["steps"]}, with a checkpoint. The same command goes '
    'on.'
  )


def test_the_import_of_native_libraries_is_not_cut_short(launcher, tmp_path):
  # jaxlib aborts where an exception meets it while it sets itself up.
  (tmp_path / 'sitecustomize.py').write_text(
    'import enum, os, signal, sys\n'
    'call = enum.EnumType.__call__\n'
    'def at_once(cls, *args, **kwargs):\n'
    "  if 'jaxlib.mlir._mlir_libs._mlir' in sys.modules:\n"
    '    enum.EnumType.__call__ = call\n'
    '    os.kill(os.getpid(), signal.SIGTERM)\n'
    '  return call(cls, *args, **kwargs)\n'
    'enum.EnumType.__call__ = at_once\n'
  )
  stopped = launcher(
    '--gin_file=tiny.gin',
    f'--output_dir={tmp_path}/run',
    env={'PYTHONPATH': str(tmp_path)},
  )
  assert stopped.returncode == 143, stopped.stderr
  assert stopped.stderr == 'Stopped.\n'
  assert not (tmp_path / 'run').exists()
