"""What tells texts apart without their being kept: a digest of each.

A run's predictions name their texts by it, so that those of two runs, or of
another system, are known to be of the same texts whatever each made of them.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
import typing

import numpy as np

from experiments.foundation import cache
from experiments.rundir import predictions_file

# Of 10 million texts, any two are the same by chance in 3 cases of a million.
_N_CHARACTERS = predictions_file.DIGEST.itemsize
_FILE = 'digests.bin'


def digest(text: str) -> str:
  """Returns 16 hexadecimal digits, the first of the SHA-256 of a text's UTF-8.

  Args:
    text: as the data set has it, several keys joined.
  """
  return hashlib.sha256(text.encode()).hexdigest()[:_N_CHARACTERS]


def open_digests(
  source: typing.Any, split: str, cache_dir: pathlib.Path
) -> np.ndarray:
  """Returns the digests of a split, after computing them if need be.

  Args:
    source: the data set, a `datasets.source.Source`.
    split: a key of its splits, e.g. 'test'.
    cache_dir: where they are kept.

  Returns:
    ASCII [n], S16, in the order of the rows.

  Raises:
    UserError: the cache cannot be written, or the data set is damaged.
  """
  identity = (source.fingerprint, source.splits[split])
  name = cache.entry_name(f'{source.full_name}-{split}', identity)
  path = cache_dir / 'digests' / name
  cache.open_or_build(
    path,
    build=functools.partial(_write, source, split),
    what=f'the digests of {source.full_name} {split!r}',
  )
  return np.fromfile(path / _FILE, predictions_file.DIGEST)


def _write(
  source: typing.Any, split: str, aside: pathlib.Path
) -> dict[str, typing.Any]:
  """Writes the digests of a split; returns how many there are."""
  n = 0
  with open(aside / _FILE, 'wb') as file:
    for texts, _ in source.read(split):
      file.write(''.join(map(digest, texts)).encode())
      n += len(texts)
  return {'examples': n}
