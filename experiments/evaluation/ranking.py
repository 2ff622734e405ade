"""What the order of probabilities says, whatever their size: AUROC and others.

In NumPy: scikit-learn, with which the tests compare it, takes 0.7 s to import,
a fifth of a whole short run.
"""

from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
  """How well examples are ordered.

  Attributes:
    auroc: per class, float64 [classes]: the chance that an example of it has a
      higher probability for it than one of another class, ties counting half;
      NaN where there are no examples of the class, or no others.
    average_precision: per class, float64 [classes]: the mean over its examples
      of the precision among all that are at least as probable; NaN where there
      are none.
    rank_counts: int64 [classes], in how many examples the expected class is the
      most probable, the second, and so on. Of equals the lower id is first.
  """

  auroc: np.ndarray
  average_precision: np.ndarray
  rank_counts: np.ndarray


def rank(*, log_probs: np.ndarray, targets: np.ndarray) -> Ranking:
  """Ranks examples within classes, and classes within examples.

  Args:
    log_probs: float [examples, classes], at least one example.
    targets: int [examples], the expected classes.
  """
  n_classes = log_probs.shape[1]
  curves = [
    _areas(log_probs[:, i], targets == i) if np.any(targets == i) else _NONE
    for i in range(n_classes)
  ]
  expected = log_probs[np.arange(len(targets)), targets][:, None]
  is_before = np.arange(n_classes) < targets[:, None]
  ranks = (log_probs > expected).sum(axis=1)
  ranks += ((log_probs == expected) & is_before).sum(axis=1)
  auroc, average_precision = np.array(curves).T
  return Ranking(
    auroc, average_precision, np.bincount(ranks, minlength=n_classes)
  )


_NONE = (np.nan, np.nan)


def _areas(scores: np.ndarray, is_positive: np.ndarray) -> tuple[float, float]:
  """Returns AUROC and average precision of one class.

  Args:
    scores: float [examples], higher for what is more likely positive.
    is_positive: bool [examples], at least one True.
  """
  order = np.argsort(-scores, kind='stable')
  # A threshold lies after the last of equal scores.
  ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
  n_right = np.cumsum(is_positive[order])[ends]
  n_taken = ends + 1
  n_wrong = n_taken - n_right
  n_positive, n_negative = int(n_right[-1]), int(n_wrong[-1])
  gained = np.diff(n_right, prepend=0)
  precision = float(np.sum(gained * (n_right / n_taken)) / n_positive)
  if not n_negative:
    return np.nan, precision
  area = np.sum(np.diff(n_wrong, prepend=0) * (2 * n_right - gained) / 2)
  return float(area / (n_positive * n_negative)), precision
