"""Metrics that many draws of the examples can be measured by.

Most are functions of sums over the examples, such as the number that are right
or the confusion matrix; `resampling` draws the examples.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from experiments.comparison import ranked_draws
from experiments.comparison.ranked_draws import OfDraws
from experiments.evaluation import calibration, metric_names


class Metric(NamedTuple):
  """A metric that is a function of sums over examples, or of their order.

  Attributes:
    terms: from log-probabilities float [n, classes] and targets int [n] to
      float32 [n, terms], what each example adds to each sum.
    value: from the sums, float64 [..., terms], and the number of examples,
      float64 [...], to the metric, float64 [...].
    bounds: the least and the largest value there can be; the largest may be
      infinite.
    is_minimized: whether less is better.
    is_of_classes: whether only the likeliest class counts, not how likely any
      is.
    rank: of a metric that is no such function, what makes of log-probabilities
      and targets what measures draws; see `ranked_draws`. It takes longer.
  """

  terms: Callable[[np.ndarray, np.ndarray], np.ndarray]
  value: Callable[[np.ndarray, np.ndarray], np.ndarray]
  bounds: tuple[float, float] = (0.0, 1.0)
  is_minimized: bool = False
  is_of_classes: bool = False
  rank: Callable[[np.ndarray, np.ndarray], OfDraws] | None = None

  @property
  def is_bounded(self) -> bool:
    """Whether there is a largest value."""
    return math.isfinite(self.bounds[1])

  def of(self, log_probs: np.ndarray, targets: np.ndarray) -> float:
    """Returns the metric of a split.

    Args:
      log_probs: float [n, classes], natural logarithm.
      targets: int [n], the expected classes.
    """
    if self.rank:
      everything = np.ones((1, len(targets)), np.float32)
      return float(self.rank(log_probs, targets)(everything)[0])
    sums = self.terms(log_probs, targets).sum(axis=0, dtype=np.float64)
    return float(self.value(sums, np.asarray(len(targets), np.float64)))


def _no_terms(log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  del log_probs
  return np.zeros((len(targets), 0), np.float32)


def _is_right(log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  right = log_probs.argmax(axis=-1) == targets
  return right[:, np.newaxis].astype(np.float32)


def _surprise(log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  picked = log_probs[np.arange(len(targets)), targets]
  return -picked[:, np.newaxis].astype(np.float32)


def _squares(log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  probabilities = np.exp(log_probs.astype(np.float64))
  probabilities[np.arange(len(targets)), targets] -= 1
  squares = np.square(probabilities).sum(axis=1, keepdims=True)
  return squares.astype(np.float32)


def _mean(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
  return sums[..., 0] / n


def _margins(log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Returns float32 [n, 3 classes]: right, predicted and expected as each."""
  classes = np.arange(log_probs.shape[1])
  predicted = log_probs.argmax(axis=-1)[:, np.newaxis] == classes
  expected = targets[:, np.newaxis] == classes
  parts = [predicted & expected, predicted, expected]
  return np.concatenate(parts, axis=1).astype(np.float32)


def _split_margins(sums: np.ndarray) -> tuple[np.ndarray, ...]:
  return tuple(np.split(sums, 3, axis=-1))


def _macro_f1(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
  del n
  right, predicted, expected = _split_margins(sums)
  # Over the classes that are expected or predicted, as in the evaluation.
  denominators = predicted + expected
  f1 = 2 * right / np.maximum(denominators, 1)
  return f1.sum(axis=-1) / np.count_nonzero(denominators, axis=-1)


def _balanced_accuracy(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
  """Returns the mean recall of the classes that have an example."""
  del n
  right, _, expected = _split_margins(sums)
  n_classes = np.count_nonzero(expected, axis=-1)
  recalls = right / np.maximum(expected, 1)
  return recalls.sum(axis=-1) / np.maximum(n_classes, 1)


def _correlation(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
  """Returns Matthews' coefficient for any number of classes.

  Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006; 0 where a
  denominator is.
  """
  right, predicted, expected = _split_margins(sums)
  covariance = n * right.sum(-1) - (predicted * expected).sum(-1)
  spread = (n**2 - np.square(predicted).sum(-1)) * (
    n**2 - np.square(expected).sum(-1)
  )
  return np.divide(
    covariance,
    np.sqrt(spread),
    out=np.zeros_like(covariance),
    where=spread > 0,
  )


def _gaps(log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Returns float32 [n, bins], right less confidence, in its bin."""
  confidences = calibration.confidences_of(log_probs)
  bins = calibration.bin_numbers(confidences)
  gaps = np.zeros((len(targets), calibration.N_BINS), np.float32)
  right = log_probs.argmax(axis=-1) == targets
  gaps[np.arange(len(targets)), bins] = right - confidences
  return gaps


def _calibration_error(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
  return np.abs(sums).sum(axis=-1) / n


def _in_first(k: int, log_probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Returns whether a class is among the k likeliest, as the evaluation does.

  Of classes that are as likely, those before it count as likelier.
  """
  own = log_probs[np.arange(len(targets)), targets][:, np.newaxis]
  before = np.arange(log_probs.shape[1]) < targets[:, np.newaxis]
  ranks = (log_probs > own) | ((log_probs == own) & before)
  return (ranks.sum(axis=1) < k)[:, np.newaxis].astype(np.float32)


def _of_one_class(
  class_id: int, shares: tuple[bool, bool], sums: np.ndarray, n: np.ndarray
) -> np.ndarray:
  """Returns a class's right predictions as a share of some of its examples.

  Args:
    class_id: of which class.
    shares: whether those predicted as it count, and those that are it; 0 where
      there is none.
    sums: of `_margins`.
    n: not needed.
  """
  del n
  right, *parts = (part[..., class_id] for part in _split_margins(sums))
  counted = [part for part, is_in in zip(parts, shares, strict=True) if is_in]
  return len(counted) * right / np.maximum(sum(counted), 1)


# By the names that run.json has, where it has them.
METRICS: dict[str, Metric] = {
  'accuracy': Metric(_is_right, _mean, is_of_classes=True),
  'balanced_accuracy': Metric(_margins, _balanced_accuracy, is_of_classes=True),
  'brier_score': Metric(_squares, _mean, (0.0, np.inf), is_minimized=True),
  'cross_entropy': Metric(_surprise, _mean, (0.0, np.inf), is_minimized=True),
  'expected_calibration_error': Metric(
    _gaps, _calibration_error, is_minimized=True
  ),
  'macro_f1': Metric(_margins, _macro_f1, is_of_classes=True),
  'matthews_correlation': Metric(
    _margins, _correlation, (-1.0, 1.0), is_of_classes=True
  ),
}
_RANKED = {
  'auroc': ranked_draws.auroc,
  'average_precision': ranked_draws.average_precision,
}
_OF_A_CLASS = {
  'precision': (True, False),
  'recall': (False, True),
  'f1': (True, True),
}


def find_metric(name: str, labels: Sequence[str]) -> Metric | None:
  """Returns a metric by the name that `metric_names` has for it.

  Args:
    name: such as 'accuracy', 'f1:spam' or 'top_3_accuracy'.
    labels: the classes by name.

  Returns:
    The metric; None where it is not known, or of a class that is not there.
  """
  if name in METRICS:
    return METRICS[name]
  k = metric_names.n_first(name)
  if k:
    return Metric(functools.partial(_in_first, k), _mean)
  kind, _, of_class = name.partition(':')
  if kind in _RANKED and (not of_class or of_class in labels):
    ids = [list(labels).index(of_class)] if of_class else None
    return Metric(_no_terms, _mean, rank=functools.partial(_RANKED[kind], ids))
  if kind not in _OF_A_CLASS or of_class not in labels:
    return None
  value = functools.partial(
    _of_one_class, list(labels).index(of_class), _OF_A_CLASS[kind]
  )
  return Metric(_margins, value, is_of_classes=True)
