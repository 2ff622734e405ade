"""One checkpoint as a file, which may be damaged or a stranger's.

It is a NumPy `.npz` archive of arrays, stored without compression, with a JSON
description in front. It holds no pickle, so that reading one executes nothing.
Its last bytes, a zip comment, are the SHA-256 of all before, so that no flipped
bit goes unnoticed, not even one that zip itself would not mind.

The checksum finds damage, not malice. So nothing is taken for granted: the
entries must be those that are written here, in this order, each as long as its
shape and dtype say, and an array gets memory once the file is known to hold it.
"""

import hashlib
import io
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from experiments.foundation import json_types
from experiments.foundation.errors import UserError

MAX_BYTES = 2**36
MAX_DESCRIPTION_BYTES = 2**27
MAX_LEAVES = 100_000
MAX_STEP = 10**10 - 1

_FORMAT = 1
_DIGEST_BYTES = hashlib.sha256().digest_size
_DESCRIPTION = 'description'
_LEAF = 'leaf_{:05d}'
_DTYPES = frozenset(
  ['bool', 'bfloat16', 'complex64', 'complex128']
  + [f'float{bits}' for bits in (16, 32, 64)]
  + [f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)]
)
_MAX_DIMENSIONS = 32
# The header of an entry of a zip file, and what of it follows in ZIP64.
_ENTRY = struct.Struct('<4s5H3L2H')
_SIZES = struct.Struct('<2H2Q')
_SIGNATURE, _STORED, _IN_ZIP64 = b'PK\3\4', 0, 2**32 - 1
# A uint8 array of one dimension as NumPy writes it.
_ARRAY_START = b'\x93NUMPY\1\0'
_ARRAY = re.compile(
  rb"\{'descr': '\|u1', 'fortran_order': False, "
  rb"'shape': \((\d{1,15}),\), \} *\n"
)


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    step: the number of training steps done.
    leaves: NumPy arrays, the leaves of the saved tree in order.
    record: anything that JSON can hold.
    metrics: what was evaluated at this very step, by name; {} for nothing.
    identity: digests of what the run is of, by name; {} in old ones.
  """

  step: int
  leaves: list[np.ndarray]
  record: dict[str, Any]
  metrics: Mapping[str, float] = {}
  identity: Mapping[str, str] = {}


class Best(NamedTuple):
  """The best value so far of the metric that decides.

  Attributes:
    step: the step of its checkpoint.
    value: the value.
  """

  step: int
  value: float


class _Best(TypedDict):
  step: int
  value: float


class _Description(TypedDict):
  step: int
  record: dict[str, Any]
  metrics: dict[str, float]
  best: _Best | None
  dtypes: list[str]
  shapes: list[list[int]]
  identity: NotRequired[dict[str, str]]


def encode(
  checkpoint: Checkpoint, best: Best | None
) -> Sequence[bytes | memoryview]:
  """Returns the content of a file, in parts.

  Args:
    checkpoint: what it holds.
    best: the best checkpoint up to it.

  Raises:
    UserError: it would be more than is read.
  """
  leaves = [np.asarray(leaf) for leaf in checkpoint.leaves]
  description = {
    'format': _FORMAT,
    'step': checkpoint.step,
    'record': checkpoint.record,
    'metrics': dict(checkpoint.metrics),
    'best': best and best._asdict(),
    'identity': dict(checkpoint.identity),
    # Kept apart from the arrays since NumPy's format knows no bfloat16.
    'dtypes': [leaf.dtype.name for leaf in leaves],
    'shapes': [leaf.shape for leaf in leaves],
  }
  text = json.dumps(description).encode()
  if len(text) > MAX_DESCRIPTION_BYTES or len(leaves) > MAX_LEAVES:
    raise UserError(
      f'The checkpoint of step {checkpoint.step} would hold {len(leaves):,} '
      f'arrays and {len(text):,} bytes of what was measured, of at most '
      f'{MAX_LEAVES:,} and {MAX_DESCRIPTION_BYTES:,}. Bind a larger '
      'N_STEPS_PER_CHECKPOINT, or experiment.histograms = False.'
    )
  arrays: dict[str, Any] = {_DESCRIPTION: np.frombuffer(text, np.uint8)}
  arrays |= {
    _LEAF.format(i): leaf.reshape(-1).view(np.uint8)
    for i, leaf in enumerate(leaves)
  }
  buffer = io.BytesIO()
  np.savez(buffer, **arrays)
  with zipfile.ZipFile(buffer, 'a') as archive:
    archive.comment = bytes(_DIGEST_BYTES)
  # Not a view of the buffer, which could not be closed while that is there.
  content = memoryview(buffer.getvalue())[:-_DIGEST_BYTES]
  return content, hashlib.sha256(content).digest()


def decode(file: io.BufferedIOBase) -> tuple[Checkpoint, Best | None]:
  """Reads the content of a file.

  Args:
    file: opened to be read, and with a size.

  Raises:
    ValueError: it is not what `encode` returns.
  """
  import ml_dtypes  # noqa: F401 (teaches NumPy the name bfloat16)

  size = _check_digest(file)
  length = _start_entry(file, _DESCRIPTION, size)
  if length > MAX_DESCRIPTION_BYTES:
    raise ValueError(f'{length:,} bytes of description')
  text = _read(file, length)
  start = json_types.loads(text, _Format)
  if start['format'] != _FORMAT:
    raise ValueError(f'format {start["format"]}, expected {_FORMAT}')
  description = json_types.loads(text, _Description)
  _check_description(description)
  leaves = [
    _read_leaf(file, _LEAF.format(i), dtype, shape, size)
    for i, (dtype, shape) in enumerate(
      zip(description['dtypes'], description['shapes'], strict=True)
    )
  ]
  best = description['best']
  return (
    Checkpoint(
      description['step'],
      leaves,
      description['record'],
      description['metrics'],
      description.get('identity', {}),
    ),
    Best(best['step'], best['value']) if best else None,
  )


class _Format(TypedDict):
  format: int


def _check_digest(file: io.BufferedIOBase) -> int:
  """Compares the checksum, keeping nothing in memory; returns the size."""
  size = file.seek(0, os.SEEK_END)
  if not size:
    raise ValueError('it is empty')
  most = min(
    MAX_BYTES, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  )
  if size > most:
    raise ValueError(f'{size:,} bytes, of at most {most:,} on this machine')
  file.seek(0)
  digest, block = hashlib.sha256(), bytearray(2**20)
  left = size - _DIGEST_BYTES
  while left > 0:
    n = file.readinto(memoryview(block)[: min(left, len(block))])
    if not n:
      break
    digest.update(memoryview(block)[:n])
    left -= n
  if left or file.read(_DIGEST_BYTES) != digest.digest():
    raise ValueError(f'its checksum is wrong ({size} bytes)')
  file.seek(0)
  return size


def _check_description(description: _Description) -> None:
  steps = [description['step']]
  numbers = list(description['metrics'].values())
  if description['best']:
    steps.append(description['best']['step'])
    numbers.append(description['best']['value'])
  for step in steps:
    if not 0 <= step <= MAX_STEP:
      raise ValueError(f'step {step}, expected 0 to {MAX_STEP}')
  if not all(map(math.isfinite, numbers)):
    raise ValueError('a metric is not finite')
  dtypes, shapes = description['dtypes'], description['shapes']
  if not len(dtypes) == len(shapes) <= MAX_LEAVES:
    raise ValueError(f'{len(dtypes)} dtypes and {len(shapes)} shapes')
  unknown = sorted(set(dtypes) - _DTYPES)
  if unknown:
    raise ValueError(f'dtype {unknown[0][:40]!r}')
  for shape in shapes:
    if len(shape) > _MAX_DIMENSIONS or any(size < 0 for size in shape):
      raise ValueError(f'shape {str(shape)[:80]}')


def _read_leaf(
  file: io.BufferedIOBase,
  name: str,
  dtype: str,
  shape: Sequence[int],
  size: int,
) -> np.ndarray:
  length = _start_entry(file, name, size)
  wanted = math.prod(shape) * np.dtype(dtype).itemsize
  if wanted != length:
    raise ValueError(
      f'{name} has {length:,} bytes, not those of {dtype}{str(shape)[:80]}'
    )
  content = np.empty(length, np.uint8)
  if file.readinto(content.data) != length:
    raise ValueError(f'{name} is cut off')
  if dtype == 'bool' and length and content.max() > 1:
    raise ValueError(f'{name} holds what is no bool')
  return content.view(np.dtype(dtype)).reshape(shape)


def _start_entry(file: io.BufferedIOBase, name: str, file_size: int) -> int:
  """Reads up to the content of an entry; returns how many bytes it has."""
  signature, _, flags, method, _, _, _, _, size, n_name, n_extra = (
    _ENTRY.unpack(_read(file, _ENTRY.size))
  )
  found = _read(file, n_name)
  if (signature, method, flags) != (_SIGNATURE, _STORED, 0):
    raise ValueError(f'{name} is no entry, or compressed')
  if found != f'{name}.npy'.encode():
    raise ValueError(f'{found[:40]!r} stands where {name} must')
  extra = _read(file, n_extra)
  if size == _IN_ZIP64 and len(extra) == _SIZES.size:
    size = _SIZES.unpack(extra)[2]
  header = _read(file, len(_ARRAY_START) + 2)
  n_header = int.from_bytes(header[-2:], 'little')
  array = _ARRAY.fullmatch(_read(file, n_header))
  if array is None or not header.startswith(_ARRAY_START):
    raise ValueError(f'{name} is no array of bytes')
  length = int(array[1])
  n_left = file_size - file.tell()
  if length != size - len(header) - n_header or length > n_left:
    raise ValueError(f'{name} has {length:,} bytes, and its entry others')
  return length


def _read(file: io.BufferedIOBase, length: int) -> bytes:
  content = file.read(length)
  if len(content) != length:
    raise ValueError('it is cut off')
  return content
