"""Rows as TFDS has them in Parquet files: a tf.train.Example in each.

Written and read without TensorFlow, whose import takes longer than to read a
hundred thousand rows. The message is defined here as in TensorFlow's
example.proto and feature.proto.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.datasets.slices import Piece
from experiments.foundation.parquet_batches import read_batches
from experiments.foundation.parquet_damage import (
  DamagedParquetError,
  finding_damage,
)
from experiments.foundation.regular_files import open_regular

# TFDS's name for the one column.
_COLUMN = 'data'
_ROWS_AT_ONCE = 2048


@functools.cache
def _example_class() -> Any:
  """Returns the class of tf.train.Example, under a name of its own."""
  from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

  file = descriptor_pb2.FileDescriptorProto(
    name='experiments/example.proto', package='experiments', syntax='proto3'
  )
  kinds = descriptor_pb2.FieldDescriptorProto

  def message(name: str, *fields: tuple[str, int, int, int, str]) -> Any:
    added = file.message_type.add(name=name)
    for field, number, kind, label, type_name in fields:
      added.field.add(
        name=field,
        number=number,
        type=kind,
        label=label,
        type_name=type_name or None,
      )
    return added

  one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
  message('BytesList', ('value', 1, kinds.TYPE_BYTES, many, ''))
  message('FloatList', ('value', 1, kinds.TYPE_FLOAT, many, ''))
  message('Int64List', ('value', 1, kinds.TYPE_INT64, many, ''))
  feature = message(
    'Feature',
    ('bytes_list', 1, kinds.TYPE_MESSAGE, one, '.experiments.BytesList'),
    ('float_list', 2, kinds.TYPE_MESSAGE, one, '.experiments.FloatList'),
    ('int64_list', 3, kinds.TYPE_MESSAGE, one, '.experiments.Int64List'),
  )
  feature.oneof_decl.add(name='kind')
  for field in feature.field:
    field.oneof_index = 0
  features = message(
    'Features',
    (
      *('feature', 1, kinds.TYPE_MESSAGE, many),
      '.experiments.Features.FeatureEntry',
    ),
  )
  entry = features.nested_type.add(name='FeatureEntry')
  entry.options.map_entry = True
  entry.field.add(name='key', number=1, type=kinds.TYPE_STRING, label=one)
  entry.field.add(
    name='value',
    number=2,
    type=kinds.TYPE_MESSAGE,
    label=one,
    type_name='.experiments.Feature',
  )
  message(
    'Example',
    ('features', 1, kinds.TYPE_MESSAGE, one, '.experiments.Features'),
  )
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  return message_factory.GetMessageClass(
    pool.FindMessageTypeByName('experiments.Example')
  )


class Writer:
  """Writes rows to a Parquet file.

  Attributes:
    path: the file.
    n_rows, n_bytes: of the examples written so far.
  """

  def __init__(self, path: pathlib.Path, keys: Sequence[str]):
    """Makes the file.

    Args:
      path: the file.
      keys: of the texts, and last that of the label.
    """
    import pyarrow
    from pyarrow import parquet

    self.path = path
    self.n_rows = self.n_bytes = 0
    self._keys = tuple(keys)
    self._schema = pyarrow.schema([(_COLUMN, pyarrow.binary())])
    # Texts differ: a dictionary of them is as large as they are.
    self._file = parquet.ParquetWriter(
      path, self._schema, compression='zstd', use_dictionary=False
    )
    self._waiting: list[bytes] = []

  def write(self, texts: Sequence[bytes], label: int) -> None:
    """Writes a row.

    Args:
      texts: UTF-8, in the order of the keys.
      label: the id of its class.
    """
    example = _example_class()()
    feature = example.features.feature
    for key, text in zip(self._keys[:-1], texts, strict=True):
      feature[key].bytes_list.value.append(text)
    feature[self._keys[-1]].int64_list.value.append(label)
    content = example.SerializeToString(deterministic=True)
    self._waiting.append(content)
    self.n_rows += 1
    self.n_bytes += len(content)
    if len(self._waiting) == _ROWS_AT_ONCE:
      self._flush()

  def _flush(self) -> None:
    import pyarrow

    if self._waiting:
      column = pyarrow.array(self._waiting, pyarrow.binary())
      self._file.write_table(
        pyarrow.Table.from_arrays([column], schema=self._schema)
      )
      self._waiting = []

  def close(self) -> None:
    """Writes what is left, and the end of the file."""
    self._flush()
    self._file.close()


def read_columns(
  pieces: Sequence[Piece],
  text_keys: Sequence[str],
  label_key: str,
  batch_size: int,
) -> Iterator[tuple[list[list[bytes]], np.ndarray]]:
  """Yields the rows of files that `Writer`, or TFDS, wrote.

  Args:
    pieces: rows of files.
    text_keys: which texts are wanted, maybe none.
    label_key: that of the label.
    batch_size: the number of rows of each batch but the last of a piece or of a
      row group.

  Yields:
    A list of bytes for each text key, and int64 [batch] labels.

  Raises:
    OSError: a file is damaged.
  """
  from pyarrow import parquet

  try:
    for piece in pieces:
      position = 0
      with (
        open_regular(piece.filename) as raw,
        finding_damage(),
        parquet.ParquetFile(raw) as file,
      ):
        for batch in read_batches(file, batch_size, [_COLUMN]):
          rows = batch.column(0)
          first = max(piece.start - position, 0)
          rows = rows[first : max(piece.stop - position, 0)]
          position += len(batch)
          if len(rows):
            yield parse(rows.to_pylist(), text_keys, label_key)
          if position >= piece.stop:
            break
  except DamagedParquetError as error:
    raise OSError(str(error)) from error


def parse(
  rows: Sequence[bytes], text_keys: Sequence[str], label_key: str
) -> tuple[list[list[bytes]], np.ndarray]:
  """Returns what serialized examples hold.

  Args:
    rows: the examples.
    text_keys: as of `read_columns`.
    label_key: as of `read_columns`.

  Returns:
    A list of bytes for each text key, and int64 [n] labels.

  Raises:
    OSError: one is damaged, or lacks a key.
  """
  from google.protobuf import message

  example_class = _example_class()
  texts: list[list[bytes]] = [[] for _ in text_keys]
  labels = np.empty(len(rows), np.int64)
  try:
    for i, row in enumerate(rows):
      feature = example_class.FromString(row).features.feature
      for column, key in zip(texts, text_keys, strict=True):
        column.append(feature[key].bytes_list.value[0])
      labels[i] = feature[label_key].int64_list.value[0]
  except message.DecodeError as error:
    raise OSError(str(error) or type(error).__name__) from error
  except IndexError as error:
    keys = ', '.join([*text_keys, label_key])
    raise OSError(f'an example lacks one of {keys}') from error
  return texts, labels
