"""The rows of a data set's files as they are stored, in bulk and in order.

Read without TensorFlow, whose import takes longer than to read a hundred
thousand rows.
"""

import os
import struct
from collections.abc import Iterator, Sequence

from experiments.datasets.slices import Piece
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import open_regular

# Of a TFRecord: how many bytes, and their checksum; then these, and theirs.
# https://www.tensorflow.org/tutorials/load_data/tfrecord
_HEAD = struct.Struct('<QI')
_TAIL = struct.Struct('<I')
_MASK_DELTA = 0xA282EAD8
_MAX_BYTES = 2**31


def read_records(
  pieces: Sequence[Piece], batch_size: int
) -> Iterator[list[bytes]]:
  """Yields serialized rows of TFRecord or ArrayRecord files.

  Args:
    pieces: the files, and the rows to read of each, one piece after the other.
    batch_size: number of rows of each batch but the last.

  Raises:
    UserError: the format needs a package that is not installed, or is another.
    OSError: a file is damaged.
  """
  rows: list[bytes] = []
  for piece in pieces:
    name = os.path.basename(piece.filename)
    if '.riegeli-' in name:
      raise UserError(
        f'{piece.filename!r} is a Riegeli file, which is not read. Prepare the '
        "data set with TFDS's file_format='array_record'."
      )
    is_array = '.array_record-' in name
    read = _read_array_records if is_array else _read_tf_records
    for more in read(piece, name, batch_size):
      rows += more
      while len(rows) >= batch_size:
        yield rows[:batch_size]
        rows = rows[batch_size:]
  if rows:
    yield rows


def _read_array_records(
  piece: Piece, name: str, batch_size: int
) -> Iterator[list[bytes]]:
  try:
    from array_record.python import array_record_module
  except ImportError as error:
    raise UserError(
      f'{piece.filename!r} is an ArrayRecord file, which takes the package '
      'array_record.\nInstall it: pip install array_record'
    ) from error
  reader = array_record_module.ArrayRecordReader(piece.filename)
  for position in range(piece.start, piece.stop, batch_size):
    end = min(piece.stop, position + batch_size)
    try:
      yield reader.read(position, end)
    except (IndexError, RuntimeError, ValueError) as error:
      raise OSError(f'{name}: {error}') from error
  reader.close()


def _read_tf_records(
  piece: Piece, name: str, batch_size: int
) -> Iterator[list[bytes]]:
  del batch_size
  with open_regular(piece.filename) as file:
    for row in range(piece.stop):
      head = file.read(_HEAD.size)
      if not head:
        return  # Whoever reads counts the rows.
      if len(head) < _HEAD.size:
        raise OSError(f'{name}: row {row:,} is cut short')
      n_bytes, checksum = _HEAD.unpack(head)
      if n_bytes > _MAX_BYTES or _checksum(head[:8]) != checksum:
        raise OSError(f'{name}: row {row:,} has a damaged head')
      if row < piece.start:
        file.seek(n_bytes + _TAIL.size, os.SEEK_CUR)
        continue
      content = file.read(n_bytes)
      tail = file.read(_TAIL.size)
      if len(tail) < _TAIL.size:
        raise OSError(f'{name}: row {row:,} is cut short')
      if _TAIL.unpack(tail)[0] != _checksum(content):
        raise OSError(f'{name}: row {row:,} is damaged')
      yield [content]


def _checksum(content: bytes) -> int:
  """Returns the CRC-32C as TFRecords have it, turned and shifted."""
  import google_crc32c

  crc = google_crc32c.value(content)
  return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
