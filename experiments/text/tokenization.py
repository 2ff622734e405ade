"""Texts as token ids, computed once and kept on disk.

A split is written as flat arrays by one process and mapped into memory by every
later run and every trial. Reading and writing stream: neither needs memory for
more than a chunk of texts.
"""

import dataclasses
import functools
import logging
import pathlib
import time
import typing

import numpy as np

from experiments.foundation import cache, terminal
from experiments.text.vocabulary import Vocabulary
from experiments.text.vocabulary_building import (
  build_vocabulary,
  find_vocabulary,
)
from experiments.text.vocabulary_files import load_vocabulary

__all__ = [
  'Tokens',
  'Vocabulary',
  'build_vocabulary',
  'find_tokens',
  'find_vocabulary',
  'load_vocabulary',
  'tokenize_split',
  'tokens_of',
]

_FORMAT_VERSION = 2
_CHUNK_TEXTS = 1024


@dataclasses.dataclass(frozen=True)
class Tokens:
  """The token ids and labels of a split, in the order of its examples.

  Attributes:
    ids: uint16 or int32 [tokens], of all examples, one after the other.
    offsets: int64 [n + 1]; example i is ids[offsets[i]:offsets[i + 1]]. Of some
      examples of a split, where each begins: int64 [n].
    labels: int32 [n].
    max_length: only so many ids of each example count, the first; None for all.
    sizes: int64 [n], how many ids each has, where `offsets` do not say it.
  """

  ids: np.ndarray
  offsets: np.ndarray
  labels: np.ndarray
  max_length: int | None = None
  sizes: np.ndarray | None = None

  def __len__(self) -> int:
    return len(self.labels)

  @functools.cached_property
  def lengths(self) -> np.ndarray:
    """Length of each example in tokens, at most `max_length`; int32 [n]."""
    lengths = self._whole_lengths
    if self.max_length is not None:
      lengths = np.minimum(lengths, self.max_length)
    return lengths.astype(np.int32)

  @property
  def n_cut(self) -> int:
    """Number of examples that have more than `max_length` tokens."""
    if self.max_length is None:
      return 0
    return int(np.count_nonzero(self._whole_lengths > self.max_length))

  @property
  def _whole_lengths(self) -> np.ndarray:
    return np.diff(self.offsets) if self.sizes is None else self.sizes

  def take(self, rows: np.ndarray) -> 'Tokens':
    """Returns some of these; their ids are not copied.

    Args:
      rows: int64 [m], which.
    """
    return dataclasses.replace(
      self,
      offsets=self.offsets[rows],
      labels=self.labels[rows],
      sizes=self._whole_lengths[rows],
    )

  def cut(self, max_length: int) -> 'Tokens':
    """Returns these, but of each example at most so many ids, the first."""
    return dataclasses.replace(self, max_length=max_length)

  @classmethod
  def from_lists(
    cls,
    ids: typing.Sequence[typing.Sequence[int]],
    labels: typing.Sequence[int],
  ) -> 'Tokens':
    """Returns the tokens of examples that are in memory.

    Args:
      ids: token ids of each example.
      labels: label of each example.
    """
    sizes = [len(i) for i in ids]
    flat = np.fromiter((i for some in ids for i in some), np.int32, sum(sizes))
    return cls.from_sizes(flat, sizes, labels)

  @classmethod
  def from_sizes(
    cls,
    ids: np.ndarray,
    sizes: typing.Sequence[int] | np.ndarray,
    labels: typing.Sequence[int] | np.ndarray,
  ) -> 'Tokens':
    """Returns the tokens of examples whose ids follow each other.

    Args:
      ids: integer [tokens].
      sizes: how many of them each example has.
      labels: label of each example.
    """
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return cls(ids, offsets, np.asarray(labels, np.int32))


def tokens_of(texts: typing.Sequence[str], vocabulary: Vocabulary) -> Tokens:
  """Returns the token ids of texts in memory, with 0 for every label."""
  ids, sizes = vocabulary.encode_batch(texts)
  return Tokens.from_sizes(ids, sizes, np.zeros(len(texts), np.int32))


def tokenize_split(
  *,
  source: typing.Any,
  split: str,
  vocabulary: Vocabulary,
  cache_dir: pathlib.Path | None = None,
) -> Tokens:
  """Opens the token ids of a split, after computing them if need be.

  Args:
    source: the data set, a `datasets.source.Source`.
    split: a key of its splits, e.g. 'train'.
    vocabulary: cuts texts into pieces.
    cache_dir: where the ids are kept; None for the user's cache.

  Returns:
    The ids, mapped into memory.

  Raises:
    UserError: the cache cannot be written.
  """
  path = _entry(source, split, vocabulary, cache_dir)
  what = f'the token ids of {source.full_name} {split!r}'
  build = functools.partial(_write, source, split, vocabulary)
  record = cache.open_or_build(path, build=build, what=what)
  return _open(path, record)


def find_tokens(
  *,
  source: typing.Any,
  split: str,
  vocabulary: Vocabulary,
  cache_dir: pathlib.Path | None = None,
) -> Tokens | None:
  """Does what tokenize_split does, but writes nothing.

  Args:
    source: see `tokenize_split`.
    split: see `tokenize_split`.
    vocabulary: see `tokenize_split`.
    cache_dir: see `tokenize_split`.

  Returns:
    The ids if they were computed before, else None.
  """
  path = _entry(source, split, vocabulary, cache_dir)
  record = cache.open_entry(path)
  return None if record is None else _open(path, record)


def _entry(
  source: typing.Any,
  split: str,
  vocabulary: Vocabulary,
  cache_dir: pathlib.Path | None,
) -> pathlib.Path:
  """Returns the directory of a split's ids, named by what they depend on."""
  identity = (
    _FORMAT_VERSION,
    source.fingerprint,
    source.splits[split],
    tuple(source.keys),
    vocabulary.identity,
  )
  name = cache.entry_name(f'{source.full_name}-{split}', identity)
  return (cache_dir or cache.cache_dir()) / 'tokens' / name


def _write(
  source: typing.Any, split: str, vocabulary: Vocabulary, aside: pathlib.Path
) -> dict[str, typing.Any]:
  """Writes the arrays of a split; returns their types and sizes."""
  expected = source.n_examples[split]
  name = f'{source.full_name} {source.splits[split]!r}'
  logging.info('Tokenizing the %d texts of %s.', expected, name)
  start = time.monotonic()
  n_texts = n_tokens = n_bytes = 0
  # On a terminal only, as `disable=None` asks for.
  with (
    open(aside / 'ids.bin', 'wb') as ids_file,
    open(aside / 'offsets.bin', 'wb') as offsets_file,
    open(aside / 'labels.bin', 'wb') as labels_file,
    terminal.progress_bar(
      total=expected,
      desc=f'Tokenizing {name}',
      unit=' texts',
      disable=None,
      leave=False,
    ) as progress,
  ):
    offsets_file.write(np.zeros(1, np.int64).tobytes())
    for texts, labels in source.read(split, batch_size=_CHUNK_TEXTS):
      ids, sizes = vocabulary.encode_batch(texts)
      ends = n_tokens + np.cumsum(sizes)
      arrays = (
        (ids_file, ids.tobytes()),
        (offsets_file, ends.tobytes()),
        (labels_file, np.asarray(labels, np.int32).tobytes()),
      )
      n_texts += len(texts)
      n_bytes += sum(len(content) for _, content in arrays)
      try:
        for file, content in arrays:
          file.write(content)
          file.flush()
      except OSError as error:
        if not cache.is_full_disk(error):
          raise
        needed = n_bytes * max(expected, n_texts) // n_texts
        raise cache.FullDiskError(needed) from error
      n_tokens = int(ends[-1])
      progress.update(len(texts))
  seconds = time.monotonic() - start
  logging.info(
    'Tokenized %d texts of %s into %d tokens in %.1f s.',
    n_texts,
    name,
    n_tokens,
    seconds,
  )
  return {
    'examples': n_texts,
    'ids_dtype': vocabulary.dtype.str,
    'tokens': n_tokens,
  }


def _open(path: pathlib.Path, record: dict[str, typing.Any]) -> Tokens:
  """Maps the arrays of an entry into memory."""
  n = record['examples']

  def map_array(name: str, dtype: typing.Any, size: int) -> np.ndarray:
    if not size:
      return np.zeros(0, dtype)  # An empty file cannot be mapped.
    # A plain view: np.memmap's own indexing is slow.
    return np.asarray(np.memmap(path / name, dtype, 'r', shape=(size,)))

  return Tokens(
    ids=map_array('ids.bin', record['ids_dtype'], record['tokens']),
    offsets=map_array('offsets.bin', np.int64, n + 1),
    labels=map_array('labels.bin', np.int32, n),
  )
