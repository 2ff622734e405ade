"""Rows cut into folds: stratified by class, groups of them whole.

The same rows come to the same folds in whatever order they are, on every
machine. It is the greedy way of scikit-learn's StratifiedGroupKFold, whose
groups go one by one to the fold that has least of their classes; but rows that
are alone, which most are, are dealt out by their numbers, all of a class at
once, so that a million take no longer than a second.
"""

from __future__ import annotations

import numpy as np

FOLD = np.dtype(np.int16)


class TooManyFoldsError(Exception):
  """Some class cannot be in every fold.

  Attributes:
    label: the class.
    n_rows: how many rows it has.
    n_groups: in how many groups these are.
  """

  def __init__(self, label: int, n_rows: int, n_groups: int):
    super().__init__(label, n_rows, n_groups)
    self.label = label
    self.n_rows = n_rows
    self.n_groups = n_groups


def assign_folds(
  labels: np.ndarray, groups: np.ndarray, n_folds: int
) -> np.ndarray:
  """Returns the fold of each row.

  Args:
    labels: int [n], their classes.
    groups: integer [n]; rows that are equal in it come to one fold. Their order
      decides between folds that are equally good.
    n_folds: at least 2.

  Returns:
    int16 [n], from 0 to `n_folds` - 1; each fold has at least one row.

  Raises:
    TooManyFoldsError: a class has rows in fewer groups than there are folds.
  """
  classes, codes = np.unique(labels, return_inverse=True)
  _, groups, sizes = np.unique(groups, return_inverse=True, return_counts=True)
  totals = np.bincount(codes, minlength=len(classes))
  parts = _Parts(groups, codes, len(classes))
  n_groups = np.bincount(parts.codes, minlength=len(classes))
  if (n_groups < n_folds).any():
    scarce = int(n_groups.argmin())
    raise TooManyFoldsError(
      int(classes[scarce]), int(totals[scarce]), int(n_groups[scarce])
    )
  dealt = np.zeros((n_folds, len(classes)), np.int64)
  folds = np.zeros(len(sizes), FOLD)
  shares = parts.counts / totals[parts.codes]
  # Not by `sum`, whose order, and so its rounding, is that of the machine.
  weights = np.bincount(parts.groups, shares**2, minlength=len(sizes))
  large = np.flatnonzero(sizes > 1)
  starts = np.searchsorted(parts.groups, np.arange(len(sizes) + 1))
  for group in large[np.argsort(-weights[large], kind='stable')].tolist():
    part = slice(starts[group], starts[group + 1])
    own = parts.codes[part]
    costs = dealt[:, own] / totals[own] * shares[part]
    cost = np.cumsum(costs, axis=1)[:, -1]
    equal = np.flatnonzero(cost == cost.min())
    fold = equal[dealt[equal].sum(axis=1).argmin()]
    dealt[fold, own] += parts.counts[part]
    folds[group] = fold
  is_single = sizes[parts.groups] == 1
  for code in range(len(classes)):
    alone = parts.groups[is_single & (parts.codes == code)]
    added = _deal(dealt[:, code], dealt.sum(axis=1), len(alone))
    folds[alone] = np.repeat(np.arange(n_folds), added)
    dealt[:, code] += added
  return folds[groups]


class _Parts:
  """How many rows of which class each group has, sorted by group.

  Attributes:
    groups, codes, counts: int64 [parts].
  """

  def __init__(self, groups: np.ndarray, codes: np.ndarray, n_classes: int):
    pairs, self.counts = np.unique(
      groups.astype(np.int64) * n_classes + codes, return_counts=True
    )
    self.groups, self.codes = np.divmod(pairs, n_classes)


def _deal(counts: np.ndarray, totals: np.ndarray, n: int) -> np.ndarray:
  """Returns how many of n rows each fold gets, so that all have as many.

  Args:
    counts: int64 [folds], rows of their class that it has already.
    totals: int64 [folds], rows of all classes.
    n: how many rows there are.
  """
  low, high = int(counts.min()), int(counts.min()) + n + 1
  while high - low > 1:
    middle = (low + high) // 2
    if np.maximum(middle - counts, 0).sum() <= n:
      low = middle
    else:
      high = middle
  added = np.maximum(low - counts, 0)
  level = np.flatnonzero(counts <= low)
  # What does not go round is for the smallest folds.
  smallest = level[np.argsort((totals + added)[level], kind='stable')]
  added[smallest[: n - int(added.sum())]] += 1
  return added
