"""The rows of a data set's files as they are stored, in bulk and in order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.datasets import slices
from experiments.foundation.errors import UserError


def read_columns(
  pieces: Sequence[slices.Piece],
  columns: Mapping[str, Any],
  *,
  file_format: Any,
  batch_size: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the rows of pieces of files, one piece after the other.

  TFDS decodes one example at a time; parsing batches of them is 10 times as
  fast, and the same for scalars.

  Args:
    pieces: the files, and the rows to read of each.
    columns: type of each key that is read, a scalar.
    file_format: TFDS's, of the files.
    batch_size: number of rows of each batch but the last.

  Yields:
    For each key an array [batch], of bytes or numbers.

  Raises:
    UserError: the format needs a package that is not installed.
  """
  import tensorflow as tf
  from tensorflow_datasets.core import file_adapters

  spec = {
    key: tf.io.FixedLenFeature((), dtype) for key, dtype in columns.items()
  }
  if file_format == file_adapters.FileFormat.ARRAY_RECORD:
    for batch in _array_record_batches(pieces, batch_size):
      parsed = tf.io.parse_example(batch, spec)
      yield {key: column.numpy() for key, column in parsed.items()}
    return
  adapter = file_adapters.ADAPTER_FOR_FORMAT[file_format]
  # A dataset of files, rather than one for each: joining a thousand of them
  # pair by pair costs tens of seconds.
  files = tf.data.Dataset.from_tensor_slices(
    (
      [piece.filename for piece in pieces],
      np.array([piece.start for piece in pieces], np.int64),
      np.array([piece.stop - piece.start for piece in pieces], np.int64),
    )
  )
  rows = files.flat_map(
    lambda filename, start, n: (
      adapter.make_tf_data(filename).skip(start).take(n)
    )
  )
  batches = rows.batch(batch_size).map(
    lambda batch: tf.io.parse_example(batch, spec)
  )
  yield from batches.prefetch(2).as_numpy_iterator()


def _array_record_batches(
  pieces: Sequence[slices.Piece], batch_size: int
) -> Iterator[list[bytes]]:
  """Yields serialized rows; TFDS has no tf.data for this format."""
  try:
    from array_record.python import array_record_module
  except ImportError as error:
    raise UserError(
      f'{pieces[0].filename!r} is an ArrayRecord file, which takes the package '
      'array_record.\nInstall it: pip install array_record'
    ) from error
  rows: list[bytes] = []
  for piece in pieces:
    reader = array_record_module.ArrayRecordReader(piece.filename)
    position = piece.start
    while position < piece.stop:
      end = min(piece.stop, position + batch_size - len(rows))
      try:
        rows += reader.read(position, end)
      except (IndexError, RuntimeError, ValueError) as error:
        name = os.path.basename(piece.filename)
        raise OSError(f'{name}: {error}') from error
      position = end
      if len(rows) == batch_size:
        yield rows
        rows = []
    reader.close()
  if rows:
    yield rows
