"""Checkpoints: whole or not there, and nothing but what was written."""

import io
import json
import logging
import os
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from experiments.foundation.errors import UserError
from experiments.rundir import checkpoint_file
from experiments.rundir.checkpoints import (
  Best,
  Checkpoint,
  Checkpoints,
  DamagedError,
)


def encode(saved, best):
  return b''.join(checkpoint_file.encode(saved, best))


def decode(content):
  return checkpoint_file.decode(io.BytesIO(content))


def checkpoint(step, value=0.0, **metrics):
  leaves: list[np.ndarray] = [
    np.full((2, 3), value + step, np.float32),
    np.array([1, 2], np.uint32),
  ]
  return Checkpoint(step, leaves, {'seen': [step, 'é', None]}, metrics)


def save(directory, *steps, **options):
  saved = Checkpoints(directory, **options)
  for step in steps:
    saved.save(checkpoint(step))
  return saved


def assert_equal(loaded, written):
  assert loaded.step == written.step
  assert loaded.record == written.record
  assert loaded.metrics == written.metrics
  for a, b in zip(loaded.leaves, written.leaves, strict=True):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()


@given(
  st.lists(
    np_st.arrays(
      st.sampled_from(
        [np.float32, np.float64, np.int32, np.uint32, np.bool_, np.float16]
      ),
      np_st.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=4,
  )
)
def test_any_arrays_come_back_bit_for_bit(arrays):
  written = Checkpoint(7, arrays, {'a': [1.5, None, {'b': 'c'}]}, {'m': 0.25})
  content = encode(written, Best(3, 0.5))
  loaded, best = decode(content)
  assert_equal(loaded, written)
  assert best == Best(3, 0.5)


def test_bfloat16_nan_and_minus_zero_come_back(tmp_path):
  leaves = [
    np.array([1.5, -2.0], ml_dtypes.bfloat16),
    np.array([np.nan, -0.0, np.inf], np.float32),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
  ]
  Checkpoints(tmp_path).save(Checkpoint(1, leaves, {}))
  assert_equal(Checkpoints(tmp_path).load(1), Checkpoint(1, leaves, {}))


def test_numpy_alone_reads_one(tmp_path):
  save(tmp_path, 5)
  with np.load(tmp_path / 'step_0000000005.npz') as archive:
    content = archive['leaf_00000']
    description = json.loads(archive['description'].tobytes())
  assert content.view('float32').tolist() == [5.0] * 6
  assert description['shapes'][0] == [2, 3]


def test_keeps_the_newest(tmp_path):
  saved = save(tmp_path / 'made', 1, 2, 3, 4)
  assert saved.steps() == [3, 4]
  assert save(tmp_path / 'one', 1, 2, 3, keep=1).steps() == [3]
  assert save(tmp_path / 'all', 1, 2, 3, keep=9).steps() == [1, 2, 3]
  assert Checkpoints(tmp_path / 'none').steps() == []
  assert Checkpoints(tmp_path / 'none').load_newest() is None


@pytest.mark.parametrize(
  ('direction', 'values', 'best', 'kept'),
  [
    ('maximize', [0.1, 0.9, 0.3, 0.9, 0.2], Best(2, 0.9), [2, 4, 5]),
    ('minimize', [0.1, 0.9, 0.3, 0.9, 0.2], Best(1, 0.1), [1, 4, 5]),
    ('maximize', [0.1, 0.2, 0.3, 0.4, 0.5], Best(5, 0.5), [4, 5]),
    ('maximize', [0.1, None, 0.3, None, None], Best(3, 0.3), [3, 4, 5]),
    ('minimize', [None] * 5, None, [4, 5]),
  ],
)
def test_keeps_the_best_besides(tmp_path, direction, values, best, kept):
  options = {'best_metric': 'x', 'best_direction': direction}
  for step, value in enumerate(values, start=1):
    # Each by a process of its own, as it were.
    saved = Checkpoints(tmp_path, **options)
    saved.resume()
    metrics = {} if value is None else {'x': value, 'y': -step}
    saved.save(checkpoint(step, **metrics))
  assert saved.best == best
  assert saved.steps() == kept
  again = Checkpoints(tmp_path, **options)
  again.load_newest()
  assert again.best == best


def test_the_best_must_be_measured():
  saved = Checkpoints('nowhere', best_metric='metrics/Accurcy')
  with pytest.raises(UserError) as error:
    saved.check_metric(['metrics/CrossEntropyLoss', 'metrics/Accuracy'])
  assert str(error.value) == (
    "experiment.best_metric is 'metrics/Accurcy', which EvalTask does not "
    'measure. Did you mean metrics/Accuracy?'
  )
  with pytest.raises(UserError) as error:
    saved.check_metric(['loss', 'f1'])
  assert str(error.value).endswith('not measure. It measures f1, loss.')
  Checkpoints('nowhere').check_metric(['loss'])


def test_every_flipped_bit_is_noticed(tmp_path):
  """Those of zip's own directory, and of its times of no consequence, too."""
  saved = save(tmp_path, 5)
  path = saved.path(5)
  content = path.read_bytes()
  for i in range(len(content)):
    damaged = bytearray(content)
    damaged[i] ^= 1 << i % 8
    with pytest.raises(ValueError, match='its checksum is wrong'):
      decode(bytes(damaged))
  damaged = content[:100] + bytes([content[100] ^ 1]) + content[101:]
  path.write_bytes(damaged)
  with pytest.raises(DamagedError) as error:
    saved.load(5)
  assert str(error.value) == (
    f'{path} is damaged: its checksum is wrong ({len(content)} bytes)'
  )


def test_every_truncation_is_noticed():
  content = encode(checkpoint(5), None)
  for size in range(len(content)):
    with pytest.raises(ValueError, match=r'it is empty|its checksum is wrong'):
      decode(content[:size])
  with pytest.raises(ValueError, match='its checksum is wrong'):
    decode(content + b'\0')


DAMAGES = {
  'emptied': lambda path: path.write_bytes(b''),
  'truncated': lambda path: os.truncate(path, path.stat().st_size // 2),
  'of another step': lambda path: path.write_bytes(encode(checkpoint(7), None)),
  'a pickle': lambda path: path.write_bytes(pickle.dumps({'step': 3})),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_one_is_passed_over_and_said_so(tmp_path, caplog, damage):
  save(tmp_path, 1, 2, 3)
  saved = Checkpoints(tmp_path)
  DAMAGES[damage](saved.path(3))
  with caplog.at_level(logging.WARNING):
    assert_equal(saved.load_newest(), checkpoint(2))
  assert f'{saved.path(3)} is damaged: ' in caplog.text
  assert 'Falling back to the one before it.' in caplog.text


def test_a_missing_one_is_passed_over(tmp_path):
  saved = save(tmp_path, 1, 2, 3)
  saved.path(3).unlink()
  assert_equal(Checkpoints(tmp_path).load_newest(), checkpoint(2))


def test_after_falling_back_two_whole_ones_are_kept(tmp_path):
  """A damaged file is no fallback, so it must not count as one."""
  save(tmp_path, 10, 20)
  saved = Checkpoints(tmp_path)
  DAMAGES['truncated'](saved.path(20))
  resumed = saved.resume()
  assert resumed is not None
  assert resumed.step == 10
  assert saved.steps() == [10, 20]
  saved.save(checkpoint(15))
  assert saved.steps() == [10, 15]
  saved.save(checkpoint(20))
  assert saved.steps() == [15, 20]
  assert_equal(saved.load(20), checkpoint(20))


def test_if_none_is_whole_nothing_is_started_over(tmp_path):
  saved = save(tmp_path, 1, 2)
  for step in saved.steps():
    DAMAGES['emptied'](saved.path(step))
  with pytest.raises(UserError) as error:
    saved.resume()
  assert str(error.value) == (
    f'{tmp_path}: none of the 2 checkpoints is whole.\n'
    'Put one back from a copy, or remove that directory to train again from '
    'step 0.'
  )
  assert saved.steps() == [1, 2]


def test_one_that_cannot_be_read_is_not_taken_for_damaged(tmp_path):
  """Else it would be replaced, although it may be whole."""
  saved = save(tmp_path, 1, 2)
  saved.path(2).unlink()
  saved.path(2).mkdir()
  with pytest.raises(UserError, match='is a directory, and a file must be'):
    saved.resume()


# What no save of ours can have left.
NOT_OURS = (
  'notes.txt',
  '.notes.txt.abcdefg7.tmp',
  '.step_0000000003.npz.abc.tmp',
  '.step_0000000003.npz.abcdefg7.tmp.bak',
  '.step_3.npz.abcdefg7.tmp',
  '.tmp',
)


def test_what_a_killed_save_left_is_removed(tmp_path):
  saved = save(tmp_path, 1, 2)
  aside = tmp_path / '.step_0000000003.npz.abcdefg7.tmp'
  aside.write_bytes(b'half')
  # Killed after the rename, before the old one went.
  old = tmp_path / 'step_0000000000.npz'
  old.write_bytes(saved.path(1).read_bytes())
  others = [tmp_path / name for name in NOT_OURS]
  for other in others:
    other.write_text('mine')
  saved.load_newest()
  assert aside.exists()
  saved.resume()
  left = [*others, saved.path(1), saved.path(2)]
  assert sorted(tmp_path.iterdir()) == sorted(left)


def test_a_save_that_fails_leaves_the_others(tmp_path, monkeypatch):
  saved = save(tmp_path, 1, 2, best_metric='x')
  before = {path: path.read_bytes() for path in tmp_path.iterdir()}

  def fail(descriptor):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', fail)
  with pytest.raises(OSError, match='No space left') as error:
    saved.save(checkpoint(3, x=1.0))
  assert error.value.filename == str(saved.path(3))
  assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
  assert saved.best is None
