"""AUROC and average precision of many draws of the examples at once.

They are no sums over examples. But the order of the examples is the same in
all draws, so that what is counted up to each threshold is a running sum of how
often a draw has each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# From float32 [draws, examples], how often a draw has each, to the metric of
# each draw, float64 [draws]; NaN where it is not defined.
OfDraws = Callable[[np.ndarray], np.ndarray]


def auroc(
  class_ids: Sequence[int] | None, log_probs: np.ndarray, targets: np.ndarray
) -> OfDraws:
  """Returns what measures the mean AUROC over classes, see `ranking.Ranking`.

  Args:
    class_ids: which classes; None: all.
    log_probs: float [n, classes].
    targets: int [n], the expected classes.
  """

  def area(right: np.ndarray, taken: np.ndarray) -> np.ndarray:
    wrong = taken - right
    gained = np.diff(right, prepend=0)
    areas = np.diff(wrong, prepend=0) * (2 * right - gained) / 2
    return _divide(areas.sum(axis=1), right[:, -1] * wrong[:, -1])

  return _mean_of_classes(class_ids, log_probs, targets, area)


def average_precision(
  class_ids: Sequence[int] | None, log_probs: np.ndarray, targets: np.ndarray
) -> OfDraws:
  """Does for the average precision what `auroc` does."""

  def area(right: np.ndarray, taken: np.ndarray) -> np.ndarray:
    gained = np.diff(right, prepend=0)
    precisions = right / np.maximum(taken, 1)
    return _divide((gained * precisions).sum(axis=1), right[:, -1])

  return _mean_of_classes(class_ids, log_probs, targets, area)


def _mean_of_classes(
  class_ids: Sequence[int] | None,
  log_probs: np.ndarray,
  targets: np.ndarray,
  area: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> OfDraws:
  """Returns what takes the mean of an area over the classes that have it.

  Args:
    class_ids: as of `auroc`.
    log_probs: as of `auroc`.
    targets: as of `auroc`.
    area: from how many are right and how many are taken up to each threshold,
      float64 [draws, thresholds], to float64 [draws].
  """
  if class_ids is None:
    class_ids = np.unique(targets).tolist()
  sorted_classes = []
  for i in class_ids:
    scores = log_probs[:, i]
    order = np.argsort(-scores, kind='stable')
    # A threshold lies after the last of equal scores.
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    sorted_classes.append((order, ends, (targets == i)[order]))

  def measure(counts: np.ndarray) -> np.ndarray:
    areas = []
    for order, ends, is_positive in sorted_classes:
      weights = counts[:, order].astype(np.float64)
      taken = weights.cumsum(axis=1)[:, ends]
      right = (weights * is_positive).cumsum(axis=1)[:, ends]
      areas.append(area(right, taken))
    found = np.stack(areas)
    is_defined = ~np.isnan(found)
    sums = np.where(is_defined, found, 0).sum(axis=0)
    return _divide(sums, is_defined.sum(axis=0))

  return measure


def _divide(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
  """Returns float64, NaN where a denominator is 0."""
  return np.divide(
    numerators,
    denominators,
    out=np.full(len(numerators), np.nan),
    where=denominators > 0,
  )
