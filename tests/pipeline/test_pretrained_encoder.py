"""A pretrained encoder is fine-tuned, resumed, asked and refused."""

import json
import pathlib
import re
import shutil

import numpy as np
import pytest

from experiments.models import encoder_directory
from experiments.rundir.checkpoints import Checkpoints

ENCODERS = pathlib.Path(__file__).parents[1] / 'fixtures' / 'encoders'
BINDINGS = (
  'MODEL = @pretrained_encoder',
  'MAX_LENGTH = 20',
  'TRUNCATE = True',
  'BUCKET_BOUNDARIES = [20]',
  'BUCKET_BATCH_SIZES = [8, 1]',
  'N_STEPS = 4',
  'N_STEPS_PER_CHECKPOINT = 2',
)


@pytest.fixture
def encoder(tmp_path):
  return pathlib.Path(shutil.copytree(ENCODERS / 'bert', tmp_path / 'encoder'))


@pytest.fixture
def train(launcher, tmp_path, encoder):
  """A function that trains with some bindings."""

  def train(*bindings, name='run'):
    return launcher(
      '--gin_file=tiny.gin',
      *(
        f'--gin_bindings={each}'
        for each in (*BINDINGS, f"ENCODER = '{encoder}'", *bindings)
      ),
      f'--output_dir={tmp_path / name}',
    ), tmp_path / name

  return train


def _weights(path):
  newest = Checkpoints(path / 'checkpoints').load_newest()
  assert newest is not None
  return newest.leaves


def _moved(path, encoder):
  """Tells of each array of the encoder whether training has changed it."""
  config = encoder_directory.read_config(encoder)
  arrays = encoder_directory.read_weights(encoder, config)
  return [
    bool((x != y).any()) for x, y in zip(_weights(path), arrays, strict=False)
  ]


# Arrays of the embedding, and of each of two blocks.
N_EMBEDDING, N_BLOCK = 5, 12


def test_it_is_tuned_asked_and_needs_its_directory_no_more(
  train, encoder, launcher
):
  done, path = train('DROPOUT = 0.1')
  assert done.returncode == 0, done.stderr
  moved = _moved(path, encoder)
  assert len(moved) == N_EMBEDDING + 2 * N_BLOCK
  assert all(moved)
  shutil.rmtree(encoder)
  (path.parent / 'texts.txt').write_text('the cat sat\n')
  ask = (
    '--mode=predict',
    f'--output_dir={path}',
    f'--input={path.parent / "texts.txt"}',
  )
  asked = launcher(*ask)
  assert asked.returncode == 0, asked.stderr
  assert launcher('--mode=eval', f'--output_dir={path}').returncode == 0

  kept = path / 'encoder.json'
  content = json.loads(kept.read_text())
  for changed, message in (
    ({**content, 'epsilon': 0.5}, 'was not made with the encoder that'),
    ({**content, 'format': 2}, r'encoder\.json is damaged'),
    ({**content, 'n_heads': '3'}, r'encoder\.json is damaged'),
    ({'format': 1}, r'encoder\.json is damaged'),
  ):
    kept.write_text(json.dumps(changed))
    asked = launcher(*ask)
    assert asked.returncode == 2
    assert re.search(message, asked.stderr), asked.stderr
    assert 'Traceback' not in asked.stderr


def test_a_run_that_goes_on_is_one_that_was_not_stopped(train):
  _, whole = train('DROPOUT = 0.1', 'N_STEPS = 6')
  train('DROPOUT = 0.1', name='parts')
  done, parts = train('DROPOUT = 0.1', 'N_STEPS = 6', name='parts')
  assert done.returncode == 0, done.stderr
  for one, other in zip(_weights(whole), _weights(parts), strict=True):
    np.testing.assert_array_equal(one, other)


FROZEN = {
  'all of it': (('ENCODER_RATE = 0',), (False, False, False)),
  'the embedding': (('EMBEDDING_RATE = 0',), (False, True, True)),
  'the first layer': (('N_FROZEN_LAYERS = 1',), (False, False, True)),
  'for a while': (('N_FROZEN_STEPS = 4',), (False, False, False)),
  'nothing': (('LAYER_DECAY = 0.5',), (True, True, True)),
}


@pytest.mark.parametrize('frozen', FROZEN)
def test_what_is_frozen_stays(train, encoder, frozen):
  bindings, expected = FROZEN[frozen]
  done, path = train(*bindings)
  assert done.returncode == 0, done.stderr
  moved = _moved(path, encoder)
  ends = (0, N_EMBEDDING, N_EMBEDDING + N_BLOCK, N_EMBEDDING + 2 * N_BLOCK)
  for start, stop, is_moved in zip(ends, ends[1:], expected, strict=False):
    assert set(moved[start:stop]) == {is_moved}


BAD = {
  'longer than it reads': (
    ('MAX_LENGTH = 23',),
    r"MAX_LENGTH is 23, and ENCODER = '.*' reads 22 tokens of a text\. Bind "
    'MAX_LENGTH = 22; with TRUNCATE',
  ),
  'another model': (
    ('MODEL = @max_embedding',),
    r'macro ENCODER is of no use to MODEL = @max_embedding\. Bind MODEL = ',
  ),
  'none': (
    ('ENCODER = None',),
    r'@pretrained_encoder is made of a pretrained encoder\. Bind ENCODER',
  ),
  'not there': (
    ("ENCODER = '/nowhere'",),
    r'cannot read /nowhere/config\.json: No such file or directory',
  ),
  'more layers than there are': (
    ('N_FROZEN_LAYERS = 3',),
    'N_FROZEN_LAYERS is 3, and the encoder has 2 layers',
  ),
  'another pooling': (
    ("pretrained_encoder.pooling = 'last'",),
    "pooling must be 'first', 'mean' or 'max'",
  ),
  'a vocabulary besides': (
    ("VOCAB_FILE = 'a.words'",),
    r"ENCODER gives the vocabulary, and so does macro VOCAB_FILE = 'a\.words'",
  ),
  'vectors besides': (
    ("EMBEDDING_FILE = 'a.txt'",),
    'EMBEDDING_FILE gives the vocabulary, and so does macro ENCODER',
  ),
}


@pytest.mark.parametrize('bad', BAD)
def test_what_does_not_go_together_is_one_line(train, bad):
  bindings, message = BAD[bad]
  done, path = train(*bindings)
  assert done.returncode == 2
  assert 'Traceback' not in done.stderr
  assert re.search(message, done.stderr.strip().split('\n')[-1]), done.stderr
  assert not path.exists()


def test_rates_of_an_encoder_are_refused_without_one(launcher, tmp_path):
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=LAYER_DECAY = 0.9',
    f'--output_dir={tmp_path / "run"}',
  )
  assert done.returncode == 2
  assert 'are of a pretrained encoder, and there is none' in done.stderr
  assert not (tmp_path / 'run').exists()
