"""Word vectors: opened, and kept in the cache where reading them takes long."""

import dataclasses
import functools
import hashlib
import logging
import os
import pathlib
import time
import typing
from collections.abc import Sequence

import numpy as np

from experiments.foundation import cache
from experiments.foundation.errors import UserError
from experiments.text import vector_files

_FORMAT_VERSION = 1
_ROWS, _WORDS = 'rows.f4', 'words.txt'


@dataclasses.dataclass(frozen=True)
class WordVectors:
  """A vector for each of many words, or for each piece of a tokenizer.

  Attributes:
    path: where they are from.
    rows: float32 [n, d].
    words: of the rows; None: they are those of the tokenizer's ids.
    tokenizer: a tokenizer.json; None: they are of words.
  """

  path: pathlib.Path
  rows: np.ndarray
  words: Sequence[str] | None = None
  tokenizer: pathlib.Path | None = None

  @property
  def size(self) -> int:
    """How many numbers a vector has."""
    return self.rows.shape[1]

  @functools.cached_property
  def fingerprint(self) -> str:
    """SHA-256 of the words, or of nothing, in hex: what a vocabulary is by."""
    text = '\n'.join(self.words or ())
    return hashlib.sha256(text.encode()).hexdigest()

  @functools.cached_property
  def _row_of(self) -> dict[str, int]:
    # Of a word that stands twice, the first counts, as in gensim.
    words = self.words or ()
    return dict(
      zip(reversed(words), range(len(words) - 1, -1, -1), strict=True)
    )

  def find(self, word: str) -> int | None:
    """Returns the row of a word, or else of it in lower case, or None.

    Args:
      word: any word.
    """
    row = self._row_of.get(word)
    return self._row_of.get(word.lower()) if row is None else row


def open_vectors(path: pathlib.Path, cache_dir: pathlib.Path) -> WordVectors:
  """Opens word vectors.

  Args:
    path: text of word2vec or GloVe (.txt, .vec, .gz); an array of NumPy (.npy)
      with its words beside it (.words); or a .safetensors file, or a directory
      with model.safetensors, with a tokenizer.json beside it.
    cache_dir: where what was read of text is kept.

  Raises:
    UserError: there is no such file, or it is not one of these or is damaged.
  """
  if path.is_dir():
    path /= 'model.safetensors'
  if path.suffix == '.safetensors':
    rows, tokenizer = vector_files.read_safetensors(path)
    return WordVectors(path, rows, tokenizer=tokenizer)
  if path.suffix == '.npy':
    block = vector_files.read_array(path)
    return WordVectors(path, block.rows, block.words)
  if path.suffix in vector_files.TEXT_SUFFIXES:
    return _open_text(path, cache_dir)
  raise UserError(
    f'{path}: word vectors are read from a .txt, .vec, .gz, .npy or '
    '.safetensors file, or from a directory with model.safetensors.'
  )


def _open_text(path: pathlib.Path, cache_dir: pathlib.Path) -> WordVectors:
  try:
    stat = os.stat(path)
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}.') from error
  # By its stamp, since the contents alone take seconds to read.
  identity = (_FORMAT_VERSION, str(path), stat.st_size, stat.st_mtime_ns)
  entry = cache_dir / 'vectors' / cache.entry_name(path.name, identity)

  def build(aside: pathlib.Path) -> dict[str, typing.Any]:
    start, n, size = time.monotonic(), 0, 0
    with (
      (aside / _ROWS).open('wb') as rows,
      (aside / _WORDS).open('wb') as words,
    ):
      for block in vector_files.read_text_file(path):
        rows.write(block.rows.tobytes())
        words.writelines(f'{word}\n'.encode() for word in block.words)
        n, size = n + len(block.words), block.rows.shape[1]
    logging.info(
      'Read %d word vectors of %d numbers from %s in %.1f s.',
      *(n, size, path, time.monotonic() - start),
    )
    return {'shape': [n, size]}

  shape = cache.open_or_build(
    entry, build=build, what=f'the word vectors of {path.name}'
  )['shape']
  rows = np.memmap(entry / _ROWS, np.float32, 'r', shape=tuple(shape))
  words = (entry / _WORDS).read_bytes().decode('utf-8').split('\n')[:-1]
  return WordVectors(path, rows, words)
