"""Equal and nearly equal texts, within splits and across them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from experiments.audit import near_duplicates
from experiments.audit.rows import Rows
from experiments.datasets.file_survey import normalize


@dataclasses.dataclass(frozen=True)
class Leak:
  """Rows of a split whose texts stand in another, too.

  Attributes:
    source, target: places of the splits; what is asked is how much of `target`
      a model knows that has learned `source` by heart.
    rows: int64 [leaks], rows of `target`.
    twins: int64 [leaks], for each a row of `source` that is like it.
    similarity: float64 [leaks]; 1 for texts that are equal.
    is_equal: bool [leaks], whether the texts are equal but for capitals and
      white space.
    is_right: bool [leaks], whether the commonest class of the texts of `source`
      that are like it is the row's.
    majority_accuracy: of always giving the commonest class of `source`.
    leak_accuracy: of giving that, but to leaked rows the class that is known.
  """

  source: int
  target: int
  rows: np.ndarray
  twins: np.ndarray
  similarity: np.ndarray
  is_equal: np.ndarray
  is_right: np.ndarray
  majority_accuracy: float
  leak_accuracy: float


@dataclasses.dataclass(frozen=True)
class Duplicates:
  """Which texts of a data set are equal, and which nearly.

  Attributes:
    rows: all of them.
    groups: int64 [n], the same for rows with equal texts (but for capitals and
      white space), from 0.
    firsts: int64 [groups], the first row of each.
    pairs: int64 [pairs, 2], groups whose texts are nearly the same.
    similarity: float64 [pairs], of `near_duplicates`.
    clusters: int32 [groups], the same for groups that pairs link.
  """

  rows: Rows
  groups: np.ndarray
  firsts: np.ndarray
  pairs: np.ndarray
  similarity: np.ndarray
  clusters: np.ndarray

  def count_repeated(self, split: int) -> tuple[int, int]:
    """Returns how many rows could go if each text was to stand once.

    Args:
      split: within which.

    Returns:
      How many repeat an equal text, and how many more one that is nearly so.
    """
    of_split = self.groups[self.rows.of(split)]
    groups = np.unique(of_split)
    n_clusters = len(np.unique(self.clusters[groups]))
    return len(of_split) - len(groups), len(groups) - n_clusters

  @functools.cached_property
  def equal(self) -> list[np.ndarray]:
    """The rows of each text that occurs more than once, the commonest first."""
    return sorted(self._several(), key=lambda rows: (-len(rows), rows[0]))

  @functools.cached_property
  def contradictory(self) -> list[np.ndarray]:
    """Those of `equal` whose rows have different labels."""
    labels = self.rows.labels
    return [rows for rows in self.equal if len(set(labels[rows].tolist())) > 1]

  @property
  def n_wrong(self) -> int:
    """How many rows of `contradictory` any classifier must get wrong."""
    labels = self.rows.labels
    return sum(
      len(rows) - int(np.bincount(labels[rows]).max())
      for rows in self.contradictory
    )

  @functools.cached_property
  def near_pairs(self) -> list[tuple[int, int, float]]:
    """Two rows and how alike they are, of each pair, the most alike first."""
    order = np.argsort(-self.similarity, kind='stable')
    firsts = self.firsts[self.pairs[order]].tolist()
    similarity = self.similarity[order].tolist()
    return [(a, b, s) for (a, b), s in zip(firsts, similarity, strict=True)]

  @functools.cached_property
  def n_near_contradictory(self) -> int:
    """How many of `near_pairs` have different labels."""
    labels = self.rows.labels[self.firsts[self.pairs]]
    return int(np.count_nonzero(labels[:, 0] != labels[:, 1]))

  def leak(self, source: int, target: int) -> Leak:
    """Finds the rows of a split that another one gives away.

    Args:
      source: the split that would be learned by heart, such as train's place.
      target: the split that is asked about.
    """
    rows, n_groups = self.rows, len(self.firsts)
    known, asked = rows.of(source), rows.of(target)
    labels = commonest(self.groups[known], rows.labels[known], n_groups)
    is_known = labels >= 0
    # For each text the one of `source` that is most like it: itself, if there.
    twin = np.where(is_known, np.arange(n_groups), -1)
    similarity = is_known.astype(float)
    both = np.concatenate([self.pairs, self.pairs[:, ::-1]])
    alike = np.tile(self.similarity, 2)
    is_useful = ~is_known[both[:, 0]] & is_known[both[:, 1]]
    both, alike = both[is_useful], alike[is_useful]
    order = np.lexsort((-alike, both[:, 0]))
    groups, best = np.unique(both[order, 0], return_index=True)
    twin[groups] = both[order[best], 1]
    similarity[groups] = alike[order[best]]

    of_asked = self.groups[asked]
    is_leaked = twin[of_asked] >= 0
    leaked = of_asked[is_leaked]
    expected = rows.labels[asked]
    majority = int(np.bincount(rows.labels[known]).argmax())
    is_guessed = expected == majority
    is_right = labels[twin[leaked]] == expected[is_leaked]
    first_of = np.full(n_groups, len(rows), np.int64)
    np.minimum.at(
      first_of, self.groups[known], np.arange(known.start, known.stop)
    )
    return Leak(
      source=source,
      target=target,
      rows=np.flatnonzero(is_leaked) + asked.start,
      twins=first_of[twin[leaked]],
      similarity=similarity[leaked],
      is_equal=is_known[leaked],
      is_right=is_right,
      majority_accuracy=float(is_guessed.mean()),
      leak_accuracy=float(
        (is_right.sum() + is_guessed[~is_leaked].sum()) / len(expected)
      ),
    )

  def _several(self) -> Iterator[np.ndarray]:
    order = np.argsort(self.groups, kind='stable')
    starts = np.searchsorted(self.groups[order], np.arange(len(self.firsts)))
    sizes = np.diff(np.append(starts, len(order)))
    for i in np.flatnonzero(sizes > 1):
      yield order[starts[i] : starts[i] + sizes[i]]


def find_duplicates(rows: Rows) -> Duplicates:
  """Compares all texts of a data set.

  Args:
    rows: all of them.
  """
  groups = np.zeros(len(rows), np.int64)
  firsts: list[int] = []
  texts: list[str] = []
  seen: dict[bytes, int] = {}
  for i, text in enumerate(rows.texts):
    text = normalize(text)
    # Of 10 million texts, any two have one digest in 3 cases of a million.
    digest = hashlib.blake2b(
      text.encode('utf-8', 'surrogatepass'), digest_size=8
    ).digest()
    group = seen.setdefault(digest, len(firsts))
    if group == len(firsts):
      firsts.append(i)
      texts.append(text)
    groups[i] = group
  places = np.asarray(firsts, np.int64)
  pairs, similarity = near_duplicates.find_near_duplicates(
    texts, rows.splits[places]
  )
  return Duplicates(
    rows=rows,
    groups=groups,
    firsts=places,
    pairs=pairs,
    similarity=similarity,
    clusters=near_duplicates.clusters(len(firsts), pairs),
  )


def commonest(keys: np.ndarray, values: np.ndarray, n_keys: int) -> np.ndarray:
  """Returns the commonest value of each key, the lowest of several.

  Args:
    keys: int [n], below `n_keys`.
    values: int [n], at least 0.
    n_keys: how many keys there can be.

  Returns:
    int64 [n_keys]; -1 for a key that does not occur.
  """
  found = np.full(n_keys, -1, np.int64)
  if not len(keys):
    return found
  base = int(values.max()) + 1
  both, counts = np.unique(
    keys.astype(np.int64) * base + values, return_counts=True
  )
  of_key, value = np.divmod(both, base)
  order = np.lexsort((value, -counts, of_key))
  each, first = np.unique(of_key[order], return_index=True)
  found[each] = value[order[first]]
  return found
