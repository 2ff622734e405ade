"""Kept predictions: read as they were written, or refused in a line."""

import json

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import WrongKindError
from experiments.rundir import predictions_file

LABELS = ('sport', 'tech, "new"', 'wörld')


def made(n=40, labels=LABELS, **fields):
  """Returns predictions of every second row."""
  generator = np.random.default_rng(n)
  scores = generator.standard_normal((n, len(labels)))
  log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
  return predictions_file.Predictions(
    dataset='pets:1.0.0',
    split='train[80%:]',
    labels=labels,
    step=7,
    rows=2 * np.arange(n),
    expected=generator.integers(len(labels), size=n).astype(np.int32),
    text_digests=np.array([f'{i:016x}' for i in range(n)], 'S16'),
    log_probs=log_probs.astype(np.float32),
  )._replace(**fields)


def same(found, expected):
  return all(map(np.array_equal, found, expected))


@pytest.mark.parametrize('n', [0, 1, 40, 5000])
def test_what_is_written_is_read(tmp_path, n):
  file = File.at(tmp_path / 'predictions' / 'test.parquet')
  predictions_file.write(file, made(n))
  found = predictions_file.read(file)
  assert same(found, made(n))
  assert [column.dtype for column in found[4:]] == [
    np.int64,
    np.int32,
    np.dtype('S16'),
    np.float32,
  ]


def test_pandas_and_polars_read_the_same(tmp_path):
  expected, path = made(), tmp_path / 'test.parquet'
  path.write_bytes(predictions_file.encode(expected))
  for frame in (pandas.read_parquet(path), polars.read_parquet(path)):
    assert list(frame['row']) == expected.rows.tolist()
    assert list(frame['expected']) == expected.expected.tolist()
    assert list(frame['text_digest']) == [
      each.decode() for each in expected.text_digests
    ]
    assert np.stack(list(frame['log_probs'])) == pytest.approx(
      expected.log_probs, abs=0
    )


CONTENT = predictions_file.encode(made())


@settings(max_examples=400)
@given(st.integers(0, len(CONTENT) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit):
  content = bytearray(CONTENT)
  content[bit // 8] ^= 1 << bit % 8
  try:
    found = predictions_file.decode(bytes(content))
  except ValueError:
    return
  # Of what Parquet itself writes beside the data: nothing that is read.
  assert same(found, made())


@settings(max_examples=50)
@given(st.integers(0, len(CONTENT) - 1))
def test_a_cut_file_is_refused(length):
  with pytest.raises(ValueError):
    predictions_file.decode(CONTENT[:length])


def resealed(table, change=None):
  """Returns a file of a table, its description changed and no checksum."""
  description = json.loads(table.schema.metadata[b'trax_experiments'])
  description |= change or {}
  metadata = {'trax_experiments': json.dumps(description)}
  sink = pyarrow.BufferOutputStream()
  parquet.write_table(table.replace_schema_metadata(metadata), sink)
  return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
  ('fields', 'change', 'message'),
  [
    ({}, {'format': 2}, 'format 2, expected 1'),
    ({}, {'format': '1'}, 'format is'),
    ({}, {'labels': []}, '0 classes'),
    ({}, {'labels': list('ab')}, 'its columns are others'),
    ({}, {'labels': [1, 2, 3]}, 'labels'),
    ({}, {'step': 8}, 'its checksum is wrong'),
    ({'expected': np.full(40, 3, np.int32)}, {}, 'that there cannot be'),
    ({'rows': np.zeros(40, np.int64)}, {}, 'that there cannot be'),
    (
      {'log_probs': np.full((40, 3), np.nan, np.float32)},
      {},
      'that there cannot be',
    ),
  ],
)
def test_nothing_is_taken_for_granted(fields, change, message):
  content = predictions_file.encode(made(**fields))
  content = resealed(parquet.read_table(pyarrow.BufferReader(content)), change)
  with pytest.raises(ValueError, match=message):
    predictions_file.decode(content)


def test_a_small_file_that_unpacks_to_much_is_refused_at_once(monkeypatch):
  zeros = predictions_file.encode(
    made(0)._replace(
      rows=np.arange(10**6),
      expected=np.zeros(10**6, np.int32),
      text_digests=np.full(10**6, b'0' * 16, 'S16'),
      log_probs=np.zeros((10**6, 3), np.float32),
    )
  )
  monkeypatch.setattr(predictions_file, 'MAX_BYTES', 2**22)
  assert len(zeros) < 2**22
  with pytest.raises(ValueError, match='1,000,000 rows of 3 classes'):
    predictions_file.decode(zeros)


def test_what_cannot_be_read_is_refused_in_a_line(tmp_path):
  file = File.at(tmp_path / 'test.parquet')
  file.path.write_bytes(b'PAR1' * 3)
  with pytest.raises(UserError) as caught:
    predictions_file.read(file)
  assert str(caught.value).startswith(f'{file} is damaged (')
  assert str(caught.value).endswith('). --mode=eval writes it anew.')
  parquet.write_table(pyarrow.table({'row': [1]}), file.path)
  with pytest.raises(UserError, match='it holds no predictions of a run'):
    predictions_file.read(file)
  file.path.unlink()
  file.path.symlink_to(tmp_path / 'other')
  with pytest.raises(WrongKindError, match='symbolic link'):
    predictions_file.read(file)
