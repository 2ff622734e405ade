"""Every character of a run's name, asked for as TensorBoard's pages ask."""

import string

import numpy as np
import pytest

from experiments.reporting import projector, tensorboard
from experiments.rundir import run_dir, run_names
from experiments.training import histograms
from tests.fixtures import live_tensorboard

# TensorBoard takes long to start.
pytestmark = pytest.mark.slow

ALLOWED = [
  character
  for character in string.printable
  if run_names.safe_name(f'a{character}b') == f'a{character}b'
]
# Letters and digits are one kind each.
NAMES = [
  *(f'a{character}b' for character in ALLOWED if not character.isalnum()),
  run_names.run_name({'LEARNING_RATE': '1e+30', 'KEYS': "('a', 'b')"}),
  run_names.run_name({'VOCAB_FILE': "'a@b+c.words'"}),
]


@pytest.fixture(scope='module')
def logdir(tmp_path_factory):
  """Runs as a run writes them, and one with a name that none may have."""
  logdir = tmp_path_factory.mktemp('logdir')
  for name in [*NAMES, 'a+b']:
    directory = run_dir.RunDir(logdir / name)
    with tensorboard.EventWriter(directory.path) as writer:
      writer.session_start({'SEED': 1}, start_time=1.0)
      writer.text('config.gin', f'of {name}', 0)
      writer.session_end('finished', end_time=2.0)
    with tensorboard.EventWriter(directory.events('train')) as writer:
      writer.scalars({'loss': 1.0}, 1)
      writer.histogram(histograms.count(np.arange(31.0), step=1, tag='w'))
    projector.write_projector(
      directory.projector,
      embeddings={'table': np.ones((3, 2), np.float32)},
      tokens=projector.TokenTable(str, np.ones(3, int)),
    )
  return logdir


def test_the_characters_are_those_that_are_meant():
  assert set(ALLOWED) == {*string.ascii_letters, *string.digits, *'_.,=()[]-'}


@pytest.mark.parametrize('load_fast', [True, False])
def test_every_page_finds_a_run_by_its_name(logdir, load_fast):
  with live_tensorboard.LiveTensorBoard(logdir, load_fast=load_fast) as board:
    board.wait_until(lambda: {*NAMES} <= {*board.get('plugin/projector/runs')})
    sessions = {
      session['name']
      for group in board.session_groups()
      for session in group['sessions']
    }
    assert {*NAMES} <= sessions
    for name in NAMES:
      assert board.scalars(f'{name}/train', 'loss') == [(1, 1.0)]
      text = board.get('plugin/text/text', run=name, tag='config.gin')
      assert len(text) == 1
      found = board.get(
        'plugin/histograms/histograms', run=f'{name}/train', tag='w'
      )
      assert len(found) == 1
      # Its page does not escape what it asks for.
      place = f'run={name}&name=table'
      board.get_bytes(f'plugin/projector/info?run={name}')
      rows = board.get_bytes(f'plugin/projector/tensor?{place}')
      assert np.frombuffer(rows, '<f4').tolist() == [1.0] * 6
      assert b'token' in board.get_bytes(f'plugin/projector/metadata?{place}')
    # Why there is no '+': the projector takes it for a space.
    with pytest.raises(OSError, match='400'):
      board.get_bytes('plugin/projector/info?run=a+b')
