"""Checkpoints with a right checksum and wrong content: refused in a line.

Nothing that a file says of its size is believed before the file is known to
hold it, so no memory is taken for it; the checkpoint before it is used.
"""

import contextlib
import copy
import hashlib
import io
import json
import os
import pickle
import random
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

from experiments.foundation.errors import UserError
from experiments.rundir import checkpoint_file
from experiments.rundir.checkpoints import (
  Checkpoint,
  Checkpoints,
  DamagedError,
  ForeignError,
)
from experiments.training import loop_state
from tests.rundir.test_run_record import ODD, places

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)
LEAVES = [WEIGHTS, np.zeros(2, np.uint32), np.zeros(0, np.float32)]
RECORD = {
  'n_weights': 1,
  'n_slots': 0,
  'n_average': 0,
  'eval_position': 3,
  'records': [[3, 'eval', 'metrics/Accuracy', 0.5, 100.5]],
  'histograms': [[3, 'weights/0', 0.0, 1.0, [1, 2]]],
}
DESCRIPTION = {
  'format': 1,
  'step': 3,
  'record': RECORD,
  'metrics': {'metrics/Accuracy': 0.5},
  'best': {'step': 3, 'value': 0.5},
  'identity': {'config': 'SEED = 1'},
  'dtypes': ['float32', 'uint32', 'float32'],
  'shapes': [[2, 3], [2], [0]],
}


def sealed(buffer):
  """Returns an archive with the checksum of what is in it."""
  with zipfile.ZipFile(buffer, 'a') as archive:
    archive.comment = bytes(32)
  content = buffer.getvalue()[:-32]
  return content + hashlib.sha256(content).digest()


def array(value):
  buffer = io.BytesIO()
  np.save(buffer, value, allow_pickle=True)
  return buffer.getvalue()


def npz(description=DESCRIPTION, leaves=LEAVES, *, compression=0, **entries):
  """Returns a file as it is written, but for what is given."""
  if not isinstance(description, bytes):
    description = json.dumps(description).encode()
  contents = {'description': array(np.frombuffer(description, np.uint8))}
  for i, leaf in enumerate(leaves):
    contents[f'leaf_{i:05d}'] = array(leaf.reshape(-1).view(np.uint8))
  contents |= entries
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w', compression) as archive:
    for name, content in contents.items():
      if content is None:
        continue
      with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
        file.write(content)
  return sealed(buffer)


def said(**fields):
  return npz({**DESCRIPTION, **fields})


def recorded(**fields):
  return said(record={**RECORD, **fields})


class Trap:
  """Unpickled, it makes a directory."""

  def __reduce__(self):
    return os.mkdir, ('/tmp/sprung',)


def header(text):
  """Returns an array whose header is some text."""
  text = text.encode()
  return b'\x93NUMPY\1\0' + len(text).to_bytes(2, 'little') + text + b'1234'


HUGE = "{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }\n"
HOSTILE = {
  'a zip that unpacks': npz(
    compression=zipfile.ZIP_DEFLATED, leaf_00000=array(np.zeros(2**24, 'u1'))
  ),
  'a zip that unpacks its description': npz(
    b'{"a": "' + b' ' * 2**24, compression=zipfile.ZIP_DEFLATED
  ),
  'an array that says 2 ** 60': npz(leaf_00000=header(HUGE % 2**60)),
  'one that says 2 ** 40': npz(leaf_00000=header(HUGE % 2**40)),
  'one that says 5, and has 4': npz(leaf_00000=header(HUGE % 5)),
  'a description that says 2 ** 40': npz(description=header(HUGE % 2**40)),
  'a shape of 2 ** 60': said(shapes=[[2**60], [2], [0]]),
  'a shape of 2 ** 62 by 4': said(shapes=[[2**62, 4], [2], [0]]),
  'a shape of 0 by 2 ** 62': said(shapes=[[0, 2**62], [2], [0]]),
  'a negative shape': said(shapes=[[-2, -3], [2], [0]]),
  'a shape of a float': said(shapes=[[2.0, 3], [2], [0]]),
  'a shape of no list': said(shapes=[6, [2], [0]]),
  'a shape of 33 dimensions': said(shapes=[[1] * 33, [2], [0]]),
  'a shape too few': said(shapes=[[2, 3], [2]]),
  'no shapes': said(shapes=None),
  'an object': npz(leaf_00000=array(np.array([Trap()], object))),
  'a description that is a pickle': npz(
    description=array(np.array([Trap()], object))
  ),
  'a pickle alone': pickle.dumps(Trap()),
  **{
    f'dtype {name}': said(dtypes=[name, 'uint32', 'float32'])
    for name in (
      *('object', 'O', 'f4,f4', 'V4', 'S4', 'U1', 'M8[s]', '>f4', '', 'float'),
      *('float64', 'float128', 'float32\0', 'datetime64', '{}', 'x' * 10**5),
    )
  },
  'a dtype of no string': said(dtypes=[4, 'uint32', 'float32']),
  'Fortran order': npz(
    leaf_00000=array(np.asfortranarray(np.zeros((3, 8), 'u1')))
  ),
  'an array of floats': npz(leaf_00000=array(np.zeros(6, np.float32))),
  'a header that nests': npz(leaf_00000=header('(' * 9000)),
  'a header that counts': npz(leaf_00000=header('-' * 9000 + '1')),
  'another version of NumPy': npz(leaf_00000=b'\x93NUMPY\3\0' + bytes(40)),
  'no array': npz(leaf_00000=b''),
  'a leaf is missing': npz(leaf_00001=None),
  'a leaf has another name': npz(leaf_00001=None, leaf_00009=array(LEAVES[1])),
  'no description': npz(description=None),
  'an empty description': npz(b''),
  'a description that nests': npz(b'[' * 10**6),
  'a description of no object': npz(b'[]'),
  'a description that is not UTF-8': npz(b'{"format": 1, "\xff": 1}'),
  'an integer of 10 ** 5 digits': npz(b'{"format": ' + b'1' * 10**5 + b'}'),
  'an archive of nothing': sealed(io.BytesIO(b'PK\3\4' * 99)),
  'another format': said(format=2),
  'a format of no number': said(format='1'),
  'a step that is a string': said(step='3'),
  'a step that is true': said(step=True),
  'a step of another file': said(step=4),
  'a negative step': said(step=-3),
  'a step of 10 ** 30': said(step=10**30),
  'a fraction of a step': said(step=3.0),
  'a best of a list': said(best=[3, 0.5]),
  'a best without a value': said(best={'step': 3}),
  'a best of NaN': said(best={'step': 3, 'value': float('nan')}),
  'a best before the first': said(best={'step': -1, 'value': 0.5}),
  'a metric that is NaN': said(metrics={'x': float('nan')}),
  'a metric that is a string': said(metrics={'x': '0.5'}),
  'a metric of 10 ** 400': npz(
    json.dumps({**DESCRIPTION, 'metrics': {'x': 10**400}}).encode()
  ),
  'an identity of a list': said(identity=['f' * 64]),
  'an identity of numbers': said(identity={'config': 1}),
  'an empty record': said(record={}),
  'no record': said(record=None),
  'a record of a list': said(record=[RECORD]),
  'a negative number of weights': recorded(n_weights=-1, n_slots=2),
  'more weights than leaves': recorded(n_weights=9),
  'a number of weights that is a string': recorded(n_weights='1'),
  'an average of other sizes': recorded(n_weights=0, n_average=1),
  'a position before the first': recorded(eval_position=-1),
  'a position of 2 ** 70': recorded(eval_position=2**70),
  'records of no list': recorded(records={'a': 1}),
  'a record of too few values': recorded(records=[[3, 'eval']]),
  'a record of other types': recorded(records=[['3', 'eval', 'x', 0.5, 1.0]]),
  'histograms of other types': recorded(histograms=[[3, 'x', 0.0, 1.0, 5]]),
  'a histogram of too few values': recorded(histograms=[[3]]),
  'a segment of other types': recorded(segment={'norms': [], 'n_steps': 1}),
  'a segment with a field more': recorded(segment={'x': 1}),
  'weights that are NaN': npz(
    leaves=[np.full((2, 3), np.nan, np.float32), *LEAVES[1:]]
  ),
  'a weight that is infinite': npz(
    leaves=[np.full((2, 3), -np.inf, np.float32), *LEAVES[1:]]
  ),
  'losses of another dtype': npz(
    {**DESCRIPTION, 'dtypes': ['float32', 'uint32', 'uint32']}
  ),
  'bools that are 2': npz(
    {**DESCRIPTION, 'dtypes': ['float32', 'bool', 'float32'],
     'shapes': [[2, 3], [8], [0]]},
    leaves=[WEIGHTS, np.full(8, 2, np.uint8), LEAVES[2]],
  ),
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
  found = Checkpoints(tmp_path, check=loop_state.check)
  found.save(Checkpoint(2, LEAVES, RECORD))
  return found


@contextlib.contextmanager
def memory_below(n_bytes):
  tracemalloc.start()
  try:
    yield
    assert tracemalloc.get_traced_memory()[1] < n_bytes
  finally:
    tracemalloc.stop()


def test_what_the_others_are_damages_of(saved):
  saved.path(3).write_bytes(npz())
  loaded = saved.load(3)
  assert loaded.record == RECORD
  assert loaded.identity == DESCRIPTION['identity']
  for leaf, expected in zip(loaded.leaves, LEAVES, strict=True):
    assert leaf.dtype == expected.dtype
    assert np.array_equal(leaf, expected)


@pytest.mark.parametrize('name', HOSTILE)
def test_a_hostile_one_is_refused_and_the_one_before_it_used(
  saved, caplog, name
):
  saved.path(3).write_bytes(HOSTILE[name])
  # Reading the description of a whole file takes 50 KB.
  with memory_below(40 * 2**20), pytest.raises(DamagedError) as error:
    saved.load(3)
  message = str(error.value)
  assert message.startswith(f'{saved.path(3)} is damaged: ')
  assert len(message) < 400
  assert '\n' not in message
  newest = saved.load_newest()
  assert newest is not None
  assert newest.step == 2
  assert message in caplog.text
  assert not os.path.exists('/tmp/sprung')


def test_a_file_of_holes_takes_no_memory(saved):
  """As tar makes one of 213 bytes."""
  saved.path(3).touch()
  os.truncate(saved.path(3), 2**43)
  with memory_below(2**22), pytest.raises(DamagedError, match='of at most'):
    saved.load(3)
  os.truncate(saved.path(3), 2**28)
  with memory_below(2**22), pytest.raises(DamagedError, match='checksum'):
    saved.load(3)


def test_damages_at_random_are_refused_or_read(saved):
  for seed in range(500):
    chance = random.Random(seed)
    value = copy.deepcopy(DESCRIPTION)
    path = chance.choice([path for path in places(value) if path])
    inner: Any = value
    for key in path[:-1]:
      inner = inner[key]
    inner[path[-1]] = chance.choice(ODD)
    saved.path(3).write_bytes(npz(value))
    try:
      loaded = saved.load(3)
    except DamagedError:
      continue
    assert loaded.step == 3
    loop_state.find_leaves(loaded)


def test_more_than_is_read_is_not_written(saved):
  records = [[3, 'eval', 'x' * 1000, 0.5, 1.0]] * 140_000
  with pytest.raises(UserError, match='Bind a larger N_STEPS_PER_CHECKPOINT'):
    saved.save(Checkpoint(3, LEAVES, {**RECORD, 'records': records}))
  assert saved.steps() == [2]


def test_what_is_saved_says_what_it_is_of(tmp_path):
  identity = {'config': 'SEED = 1', 'vocabulary': 'b'}
  Checkpoints(tmp_path, identity=identity).save(Checkpoint(2, LEAVES, {}))
  assert Checkpoints(tmp_path).load(2).identity == identity


def test_one_of_another_run_is_not_damaged(saved, caplog):
  """Else an older one would be taken, of yet another run."""

  def check(checkpoint):
    raise ForeignError('Of another run.')

  foreign = Checkpoints(saved.path(2).parent, check=check)
  with pytest.raises(ForeignError, match='Of another run'):
    foreign.load_newest()
  assert not caplog.messages


def test_nothing_is_left_open_that_could_not_be_closed():
  """A view of a buffer cannot be: an error then ends in another one."""
  parts = checkpoint_file.encode(Checkpoint(2, LEAVES, RECORD), None)
  assert all(isinstance(getattr(part, 'obj', part), bytes) for part in parts)
