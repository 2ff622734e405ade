"""Texts that are nearly the same: found by MinHash, confirmed by counting.

Two texts are alike by the share of their runs of three words that both have
(their Jaccard index). Signatures of MinHash (Broder 1997), cut into bands, find
pairs that may be alike without comparing all; the runs of each such pair are
then counted, so that no pair is reported that is not alike.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

# From which Jaccard index on two texts are nearly the same: of 20 words, one
# in the middle may differ; of 40, three may.
SIMILAR = 0.7
_RUN = 3
# Of two texts with an index of 0.7, 99 % share a band; of 0.3, 6 %.
_N_BANDS, _BAND = 25, 5
# What a signature must promise for the runs to be counted: 0.7 less 4 of its
# standard deviations.
_PROMISING = 0.54
_SEED = 42
_BITS = 30
_TEXTS_AT_ONCE = 4096
# Of texts with an equal band, each is compared with so many that follow it.
_COMPARED = 16
_PAIRS_AT_ONCE = 20_000
# Words; and the characters of scripts that set no space between words.
_WORD = re.compile(
  '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff'
  '\U00020000-\U0003ffff]'
  '|[^\\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff'
  '\U00020000-\U0003ffff]+'
)


def find_near_duplicates(
  texts: Sequence[str], sides: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Finds the pairs of texts that are nearly the same.

  Where more than a few are, each is compared with some of the others and with
  the first of each side: all are found, and not all pairs of them.

  Args:
    texts: [n] all different, in small letters.
    sides: int [n], such as the split of each.

  Returns:
    int64 [pairs, 2], places of the two, the lower one first; and float64
    [pairs], how alike they are, from `SIMILAR` to 1 (for texts that differ in
    punctuation alone).
  """
  runs, offsets, signatures = _sign(texts)
  has_words = np.flatnonzero(np.diff(offsets))
  pairs = _candidates(signatures[has_words], np.asarray(sides)[has_words])
  pairs = has_words[pairs]
  if not len(pairs):
    return np.zeros((0, 2), np.int64), np.zeros(0)
  similarity = np.concatenate(
    [
      _similarity(runs, offsets, pairs[i : i + _PAIRS_AT_ONCE])
      for i in range(0, len(pairs), _PAIRS_AT_ONCE)
    ]
  )
  is_near = similarity >= SIMILAR
  return pairs[is_near], similarity[is_near]


def clusters(n: int, pairs: np.ndarray) -> np.ndarray:
  """Returns a number for each text that is the same for those linked by pairs.

  Args:
    n: the number of texts.
    pairs: of `find_near_duplicates`.

  Returns:
    int32 [n].
  """
  from scipy import sparse
  from scipy.sparse import csgraph

  links = sparse.coo_matrix(
    (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (n, n)
  )
  return csgraph.connected_components(links, directed=False)[1]


def _sign(
  texts: Sequence[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the runs of all texts, where each begins, and the signatures."""
  hash_of = _Hashes()
  all_runs, sizes, signatures = [], [], []
  for i in range(0, len(texts), _TEXTS_AT_ONCE):
    words: list[str] = []
    n_words = []
    for text in texts[i : i + _TEXTS_AT_ONCE]:
      found = _WORD.findall(text)
      if found and len(found) < _RUN:
        found += [''] * (_RUN - len(found))
      words += found
      n_words.append(len(found))
    hashes = np.fromiter(map(hash_of.__getitem__, words), np.uint64, len(words))
    runs, n_runs = _hash_runs(hashes, np.asarray(n_words, np.int64))
    signatures.append(_signatures(runs, n_runs))
    # Of a pair of texts, so many bits tell runs apart.
    all_runs.append((runs >> np.uint64(64 - _BITS)).astype(np.int32))
    sizes.append(n_runs)
  offsets = np.zeros(len(texts) + 1, np.int64)
  if not texts:
    return np.zeros(0, np.int32), offsets, np.zeros((0, 0), np.uint32)
  np.cumsum(np.concatenate(sizes), out=offsets[1:])
  return np.concatenate(all_runs), offsets, np.concatenate(signatures)


class _Hashes(dict[str, int]):
  """64 bits for each word, the same in every process."""

  def __missing__(self, word: str) -> int:
    content = word.encode('utf-8', 'surrogatepass')
    digest = hashlib.blake2b(content, digest_size=8).digest()
    self[word] = value = int.from_bytes(digest, 'little')
    return value


def _hash_runs(
  words: np.ndarray, n_words: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Hashes all runs of words that are within a text.

  Args:
    words: uint64, hashes of the words of all texts.
    n_words: int64 [texts], 0 or at least `_RUN`.

  Returns:
    uint64, hashes of the runs, and int64 [texts], how many each text has.
  """
  begins = np.ones(len(words), bool)
  ends = np.cumsum(n_words)[n_words > 0]
  for i in range(1, _RUN):
    begins[ends - i] = False
  at = np.flatnonzero(begins)
  runs = np.zeros(len(at), np.uint64)
  for i in range(_RUN):
    runs = runs * np.uint64(0x9E3779B97F4A7C15) + words[at + i]
    runs ^= runs >> np.uint64(29)
  return runs, np.maximum(n_words - _RUN + 1, 0)


def _signatures(runs: np.ndarray, n_runs: np.ndarray) -> np.ndarray:
  """Returns uint32 [texts, bands * width]."""
  import rensa

  offsets = np.zeros(len(n_runs) + 1, np.uint64)
  np.cumsum(n_runs, out=offsets[1:])
  matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
    runs, offsets, num_perm=_N_BANDS * _BAND, seed=_SEED
  )
  return np.asarray(matrix.to_rows(), np.uint32)


def _candidates(signatures: np.ndarray, sides: np.ndarray) -> np.ndarray:
  """Returns int64 [pairs, 2], texts whose signatures promise to be alike."""
  n = len(signatures)
  found = none = np.zeros(0, np.int64)
  for band in range(_N_BANDS if n > 1 else 0):
    part = signatures[:, band * _BAND : (band + 1) * _BAND]
    key = functools.reduce(
      lambda total, column: total * np.uint64(0x100000001B3) + column,
      part.T.astype(np.uint64),
      np.zeros(n, np.uint64),
    )
    order = np.argsort(key, kind='stable')
    key = key[order]
    pairs = np.unique(np.concatenate([none, *_pairs_of(key, order, sides)]))
    pairs = np.setdiff1d(pairs, found, assume_unique=True)
    found = np.union1d(found, pairs)
  pairs = np.stack([found // max(n, 1), found % max(n, 1)], axis=1)
  promising = [
    (signatures[some[:, 0]] == signatures[some[:, 1]]).mean(axis=1)
    >= _PROMISING
    for some in _parts(pairs)
  ]
  return pairs[np.concatenate(promising)] if promising else pairs


def _parts(pairs: np.ndarray) -> Iterable[np.ndarray]:
  for i in range(0, len(pairs), _PAIRS_AT_ONCE):
    yield pairs[i : i + _PAIRS_AT_ONCE]


def _pairs_of(
  key: np.ndarray, order: np.ndarray, sides: np.ndarray
) -> Iterable[np.ndarray]:
  """Yields pairs a < b with equal keys, each as a * n + b.

  Args:
    key: [n], sorted.
    order: int64 [n], of which text each is; of those with equal keys the lower
      first.
    sides: int [n], by text.
  """
  n = len(key)
  for distance in range(1, min(_COMPARED, n - 1) + 1):
    at = np.flatnonzero(key[distance:] == key[:-distance])
    if not len(at):
      return
    yield order[at] * n + order[at + distance]
  # Of those with many, also the first of each side with all others.
  starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
  sizes = np.diff(np.append(starts, n))
  for start, size in zip(
    starts[sizes > _COMPARED], sizes[sizes > _COMPARED], strict=True
  ):
    members = order[start : start + size]
    for place in np.unique(sides[members], return_index=True)[1]:
      first = members[place]
      others = members[members != first]
      yield np.minimum(first, others) * n + np.maximum(first, others)


def _similarity(
  runs: np.ndarray, offsets: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
  """Returns the Jaccard index of the runs of each pair; float64 [pairs]."""
  from scipy import sparse

  members, places = np.unique(pairs, return_inverse=True)
  places = places.reshape(pairs.shape)
  sizes = offsets[members + 1] - offsets[members]
  starts = np.zeros(len(members) + 1, np.int64)
  np.cumsum(sizes, out=starts[1:])
  at = np.arange(starts[-1]) + np.repeat(offsets[members] - starts[:-1], sizes)
  matrix = sparse.csr_matrix(
    (np.ones(len(at), np.int32), runs[at], starts), (len(members), 2**_BITS)
  )
  matrix.sum_duplicates()
  matrix.data[:] = 1
  counts = np.diff(matrix.indptr)
  one, other = places[:, 0], places[:, 1]
  shared = np.asarray(matrix[one].multiply(matrix[other]).sum(axis=1)).ravel()
  return shared / (counts[one] + counts[other] - shared)
