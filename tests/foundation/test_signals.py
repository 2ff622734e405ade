"""Ctrl-C and SIGTERM: an orderly end, and the same weights after going on."""

import itertools
import json
import os
import signal

import pytest

from experiments.foundation import signals
from experiments.rundir.checkpoints import Checkpoints
from tests.fixtures import live_terminal, same_run

# The signal comes while step 7 is prepared, or while steps are compiled.
STOPPING = """
import os
import signal
import traceback

import gin
from experiments.models import classifiers


def _stop_at(place):
  if os.environ.get('STOP_AT') == place:
    os.environ['STOP_AT'] = 'nowhere'  # The second signal means something else.
    os.kill(os.getpid(), getattr(signal, os.environ['STOP_BY']))


@gin.configurable
def schedule():
  def learning_rate(step):
    if step == 7:
      _stop_at('step 7')
    return 0.01

  return learning_rate


@gin.configurable
def model(*, vocab_size, n_classes, mode):
  from trax import layers as tl

  def forward(x):
    # JAX calls this to see what is to be compiled.
    if 'update_many' in [frame.name for frame in traceback.extract_stack()]:
      _stop_at('compilation')
    return x

  return tl.Serial(
    tl.Fn('Stop', forward),
    classifiers.mean_embedding(
      vocab_size=vocab_size, n_classes=n_classes, d_feature=8, mode=mode
    ),
  )
"""


@pytest.fixture(scope='module')
def stopping(launcher, tmp_path_factory):
  """Runs the experiment that stops itself, in a directory to be named."""
  directory = tmp_path_factory.mktemp('stopping')
  (directory / 'stopping.py').write_text(STOPPING)
  (directory / 'stopping.gin').write_text(
    f"import stopping\ninclude '{launcher.cwd}/tiny.gin'\n"
    'MODEL = @stopping.model\nLR_SCHEDULE = @stopping.schedule\n'
    'SPLITS = ("train[:60]", "test[:20]")\n'
    'BUCKET_BATCH_SIZES = [4, 2, 1]\n'
  )

  def run(name, **env):
    done = launcher(
      f'--gin_file={directory}/stopping.gin',
      f'--output_dir={directory}/{name}',
      env={'PYTHONPATH': str(directory), **env},
    )
    return directory / name, done

  return run


@pytest.fixture(scope='module')
def undisturbed(stopping):
  path, done = stopping('undisturbed')
  assert done.returncode == 0, done.stderr
  return path


@pytest.mark.parametrize(
  ('place', 'name', 'status'),
  [
    ('step 7', 'SIGTERM', 143),
    ('compilation', 'SIGINT', 130),
  ],
)
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(
  stopping, undisturbed, place, name, status
):
  where = f'{place} {name}'
  path, stopped = stopping(where, STOP_AT=place, STOP_BY=name)
  assert stopped.returncode == status
  assert stopped.stdout == ''
  run = json.loads((path / 'run.json').read_text())
  assert run['status'] == 'interrupted'
  assert run['error'] is None
  assert 0 < run['steps'] < 30
  newest = Checkpoints(path / 'checkpoints').load_newest()
  assert newest is not None
  assert newest.step == run['steps']
  assert stopped.stderr.splitlines()[-1] == (
    f'Stopped at step {run["steps"]}, with a checkpoint. The same command goes '
    'on.'
  )
  assert not (path / 'model.pkl.gz').exists()

  _, done = stopping(where)
  assert done.returncode == 0, done.stderr
  log = done.stderr.splitlines()
  assert f'Going on from the checkpoint of step {run["steps"]}' in log
  again = json.loads((path / 'run.json').read_text())
  assert again['start'] == run['start']
  assert again['seconds'] > run['seconds']
  assert same_run.differences(path, undisturbed) == []


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
  run = json.loads((tmp_path / 'run' / 'run.json').read_text())
  assert run['status'] == 'interrupted'
  last = written.replace('\r', '\n').rstrip().splitlines()[-1]
  assert last == (
    f'Stopped at step {run["steps"]}, with a checkpoint. The same command goes '
    'on.'
  )


def test_a_later_signal_ends_what_the_first_lets_go_on(monkeypatch):
  clock = itertools.count()
  monkeypatch.setattr(signals.time, 'monotonic', lambda: 1.5 * next(clock))
  with signals.StopSignal() as stop_signal:
    assert stop_signal() is None
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop_signal() == signal.SIGTERM
    with pytest.raises(signals.Terminated):
      os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
      os.kill(os.getpid(), signal.SIGINT)
  assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
  ('number', 'error'),
  [
    (signal.SIGTERM, signals.Terminated),
    (signal.SIGINT, KeyboardInterrupt),
  ],
)
def test_a_held_signal_waits_for_the_end(number, error):
  reached = []

  def signalled():
    with signals.held():
      with signals.held():
        os.kill(os.getpid(), number)
        reached.append('the end of the inner')
      reached.append('the end of the outer')

  before = signal.signal(signal.SIGTERM, signals.raise_for)
  try:
    with pytest.raises(error):
      signalled()
  finally:
    signal.signal(signal.SIGTERM, before)
  assert reached == ['the end of the inner', 'the end of the outer']


def test_a_held_signal_that_is_ignored_stays_so():
  before = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    with signals.held():
      os.kill(os.getpid(), signal.SIGINT)
  finally:
    signal.signal(signal.SIGINT, before)


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


def test_a_signal_that_comes_twice_at_once_is_one():
  with signals.StopSignal() as stop_signal:
    for _ in range(3):
      os.kill(os.getpid(), signal.SIGTERM)
    assert stop_signal() == signal.SIGTERM
