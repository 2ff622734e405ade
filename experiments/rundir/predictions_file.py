"""What a model said of every example of a split, as a Parquet file.

pandas and polars read it as it is. It has four columns, of the examples that
count, in the order of the split:

  row           int64: number in the split, from 0; those that were left out for
                their length are missing
  expected      int32: id of the expected class
  text_digest   string: `datasets.text_digests.digest` of the text
  log_probs     float32, one a class: natural logarithm of its probability

The metadata of the schema say what it is of, under the key 'trax_experiments',
in JSON; and hold a SHA-256 of that and of all columns, so that no flipped bit
goes unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from experiments.foundation import json_types
from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.foundation.parquet_damage import (
  DamagedParquetError,
  finding_damage,
)

if TYPE_CHECKING:
  import pyarrow
  from pyarrow import parquet

# The most bytes of a file, and of its unpacked content.
MAX_BYTES = 2**33
MAX_CLASSES = 1_000_000
_KEY = b'trax_experiments'
_FORMAT = 1
# How the digest of a text is stored, see `datasets.text_digests`.
DIGEST = np.dtype('S16')
_MAX_DESCRIPTION_BYTES = 2**26


class Predictions(NamedTuple):
  """What a model said of a split.

  Attributes:
    dataset: such as 'bbc_news:1.0.0'.
    split: in TFDS's syntax, such as 'test' or 'train[80%:]'.
    labels: the classes by name; a class's id is its index.
    step: training steps that the model has seen.
    rows: int64 [n], numbers in the split, increasing.
    expected: int32 [n], ids of the expected classes.
    text_digests: S16 [n], of `datasets.text_digests`.
    log_probs: float32 [n, classes], natural logarithm.
  """

  dataset: str
  split: str
  labels: tuple[str, ...]
  step: int
  rows: np.ndarray
  expected: np.ndarray
  text_digests: np.ndarray
  log_probs: np.ndarray


class _Format(TypedDict):
  format: int


class _Description(TypedDict):
  format: int
  dataset: str
  split: str
  labels: list[str]
  step: int
  sha256: str


def write(file: File, predictions: Predictions) -> None:
  """Writes a file, in place of any that is there.

  Args:
    file: in a directory that is made if need be.
    predictions: what it shall hold.

  Raises:
    OSError: it cannot be written.
  """
  file.parent.make()
  file.write(encode(predictions))


def read(file: File) -> Predictions:
  """Reads a file.

  Args:
    file: one that `write` wrote.

  Raises:
    UserError: it is damaged, or no regular file.
    OSError: it is not there, or may not be read.
  """
  content = file.read_bytes(MAX_BYTES)
  try:
    return decode(content)
  except ValueError as error:
    raise UserError(
      f'{file} is damaged ({error}). --mode=eval writes it anew.'
    ) from error


def encode(predictions: Predictions) -> bytes:
  """Returns the content of a file.

  Args:
    predictions: what it shall hold.
  """
  import pyarrow
  from pyarrow import parquet

  log_probs = np.ascontiguousarray(predictions.log_probs, np.float32)
  n_rows, n_classes = log_probs.shape
  description = {
    'format': _FORMAT,
    'dataset': predictions.dataset,
    'split': predictions.split,
    'labels': list(predictions.labels),
    'step': predictions.step,
  }
  description['sha256'] = _checksum(description, predictions)
  schema = _schema(n_classes).with_metadata({_KEY: json.dumps(description)})

  # pyarrow.array would import pandas, where there is one, which takes 0.2 s.
  def column(type_: pyarrow.DataType, *content: np.ndarray) -> pyarrow.Array:
    buffers = map(pyarrow.py_buffer, content)
    return pyarrow.Array.from_buffers(type_, n_rows, [None, *buffers])

  table = pyarrow.Table.from_arrays(
    [
      column(pyarrow.int64(), predictions.rows.astype(np.int64)),
      column(pyarrow.int32(), predictions.expected.astype(np.int32)),
      column(
        pyarrow.string(),
        np.arange(n_rows + 1, dtype=np.int32) * DIGEST.itemsize,
        predictions.text_digests.astype(DIGEST),
      ),
      pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.Array.from_buffers(
          pyarrow.float32(),
          n_rows * n_classes,
          [None, pyarrow.py_buffer(log_probs)],
        ),
        type=schema.field('log_probs').type,
      ),
    ],
    schema=schema,
  )
  sink = pyarrow.BufferOutputStream()
  # No two digests are the same, and hardly two numbers.
  parquet.write_table(
    table, sink, compression='zstd', use_dictionary=['expected']
  )
  return sink.getvalue().to_pybytes()


def decode(content: bytes) -> Predictions:
  """Reads the content of a file.

  Args:
    content: all of it.

  Raises:
    ValueError: it is not what `encode` returns.
  """
  import pyarrow
  from pyarrow import parquet

  try:
    with (
      finding_damage(),
      parquet.ParquetFile(pyarrow.BufferReader(content)) as file,
    ):
      description = _check(file)
      n_classes = len(description['labels'])
      table = file.read(use_threads=False)
      columns = [table[name].combine_chunks() for name in table.column_names]
      rows, expected, digests, log_probs = columns
      predictions = Predictions(
        dataset=description['dataset'],
        split=description['split'],
        labels=tuple(description['labels']),
        step=description['step'],
        rows=np.from_dlpack(rows),
        expected=np.from_dlpack(expected),
        text_digests=np.asarray(digests.to_pylist(), DIGEST),
        log_probs=np.from_dlpack(log_probs.flatten()).reshape(-1, n_classes),
      )
  except DamagedParquetError as error:
    raise ValueError(str(error)) from error
  if description.pop('sha256') != _checksum(dict(description), predictions):  # type: ignore[misc]
    raise ValueError(f'its checksum is wrong ({len(content):,} bytes)')
  if len(predictions.rows) and (
    predictions.rows[0] < 0
    or (np.diff(predictions.rows) <= 0).any()
    or predictions.expected.min() < 0
    or predictions.expected.max() >= n_classes
    or np.isnan(predictions.log_probs).any()
  ):
    raise ValueError('rows, classes or probabilities that there cannot be')
  return predictions


def _check(file: parquet.ParquetFile) -> _Description:
  """Returns the description in a file that holds no more than it may."""
  schema, metadata = file.schema_arrow, file.metadata
  text = (schema.metadata or {}).get(_KEY)
  if text is None:
    raise ValueError('it holds no predictions of a run')
  if len(text) > _MAX_DESCRIPTION_BYTES:
    raise ValueError(f'{len(text):,} bytes of description')
  start = json_types.loads(text, _Format)
  if start['format'] != _FORMAT:
    raise ValueError(f'format {start["format"]}, expected {_FORMAT}')
  description = json_types.loads(text, _Description)
  n_classes = len(description['labels'])
  if not 0 < n_classes <= MAX_CLASSES:
    raise ValueError(f'{n_classes} classes')
  if not schema.equals(_schema(n_classes)):
    raise ValueError('its columns are others')
  claimed = metadata.num_rows * (n_classes * 4 + 40)
  packed = sum(
    metadata.row_group(i).total_byte_size
    for i in range(metadata.num_row_groups)
  )
  if not 0 <= max(claimed, packed) <= MAX_BYTES or metadata.num_rows < 0:
    raise ValueError(f'{metadata.num_rows:,} rows of {n_classes:,} classes')
  return description


def _schema(n_classes: int) -> pyarrow.Schema:
  import pyarrow

  number = pyarrow.field('element', pyarrow.float32(), nullable=False)
  return pyarrow.schema(
    [
      pyarrow.field('row', pyarrow.int64(), nullable=False),
      pyarrow.field('expected', pyarrow.int32(), nullable=False),
      pyarrow.field('text_digest', pyarrow.string(), nullable=False),
      pyarrow.field(
        'log_probs', pyarrow.list_(number, n_classes), nullable=False
      ),
    ]
  )


def _checksum(description: dict, predictions: Predictions) -> str:
  digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
  for column, dtype in (
    (predictions.rows, np.int64),
    (predictions.expected, np.int32),
    (predictions.text_digests, DIGEST),
    (predictions.log_probs, np.float32),
  ):
    digest.update(np.asarray(column, dtype).tobytes())
  return digest.hexdigest()
