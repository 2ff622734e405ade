"""Metrics of examples that are drawn with replacement, many draws at once.

A metric here is a function of sums over the examples, such as the number that
are right or the confusion matrix. So a draw is a row of numbers, how often it
has each example, and all draws of all runs are one product of matrices. Every
run sees the same draws: their differences are paired.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.evaluation import calibration, metric_names

N_DRAWS = 2000
# Draws times examples that are held at once, as float32.
_MAX_CELLS = 2**24


class Metric(NamedTuple):
  """A metric that is a function of sums over examples.

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
  """

  terms: Callable[[np.ndarray, np.ndarray], np.ndarray]
  value: Callable[[np.ndarray, np.ndarray], np.ndarray]
  bounds: tuple[float, float] = (0.0, 1.0)
  is_minimized: bool = False
  is_of_classes: bool = False

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
    sums = self.terms(log_probs, targets).sum(axis=0, dtype=np.float64)
    return float(self.value(sums, np.asarray(len(targets), np.float64)))


class Draws(NamedTuple):
  """A metric of runs, over draws of the examples.

  Attributes:
    observed: float64 [runs], of the examples as they are.
    drawn: float64 [draws, runs], of each draw.
  """

  observed: np.ndarray
  drawn: np.ndarray


class Winner(NamedTuple):
  """The best of several trials, chosen on the examples that measured it.

  Attributes:
    trial: index of the best.
    measured: the metric of the best on all examples.
    expected: what to expect of it on examples that it was not chosen on.
  """

  trial: int
  measured: float
  expected: float


def draw_examples(
  n_examples: int,
  n_draws: int = N_DRAWS,
  seed: int = 0,
  *,
  max_cells: int = _MAX_CELLS,
) -> Iterator[np.ndarray]:
  """Yields draws of as many examples as there are, with replacement.

  Args:
    n_examples: at least 1.
    n_draws: how many in all.
    seed: of the generator; equal seeds draw equally.
    max_cells: the most numbers to draw at once.

  Yields:
    float32 [some draws, n_examples], how often a draw has each example.
  """
  generator = np.random.default_rng(seed)
  at_once = max(1, max_cells // n_examples)
  for start in range(0, n_draws, at_once):
    n = min(at_once, n_draws - start)
    numbers = generator.integers(n_examples, size=(n, n_examples))
    # Numbers that are a draw's own, to be counted in one go.
    numbers += np.arange(0, n * n_examples, n_examples)[:, np.newaxis]
    counts = np.bincount(numbers.ravel(), minlength=n * n_examples)
    yield counts.reshape(n, n_examples).astype(np.float32)


def resample(
  metrics: Mapping[str, Metric],
  runs: Sequence[tuple[np.ndarray, np.ndarray]],
  *,
  n_draws: int = N_DRAWS,
  seed: int = 0,
) -> dict[str, Draws]:
  """Measures runs on the same draws of the examples.

  Args:
    metrics: by name.
    runs: of each, log-probabilities float [n, classes] and targets int [n];
      the examples are the same in all, and in the same order.
    n_draws: how often the examples are drawn.
    seed: of the draws.

  Returns:
    By name, the metric of the runs in their order.
  """
  n_examples = len(runs[0][1])
  sums = _Sums(metrics, runs)
  drawn = [
    sums.values(counts, n_examples)
    for counts in draw_examples(n_examples, n_draws, seed)
  ]
  observed = sums.values(np.ones((1, n_examples), np.float32), n_examples)
  return {
    name: Draws(
      observed[name][0], np.concatenate([each[name] for each in drawn])
    )
    for name in metrics
  }


def measure_winner(
  metric: Metric,
  runs: Sequence[tuple[np.ndarray, np.ndarray]],
  trials: Sequence[Sequence[int]],
  *,
  n_draws: int = N_DRAWS,
  seed: int = 0,
) -> Winner:
  """Tells how much of the best trial's lead is luck.

  The best of many is in part the one that the examples happened to suit. So on
  each draw the best is chosen anew, and measured on the examples that are not
  in the draw (Tsamardinos et al. 2018, doi:10.1007/s10994-018-5714-4).

  Args:
    metric: to choose by.
    runs: as in `resample`.
    trials: of each, the indices of its runs, which differ in their seed; what
      counts is their mean.
    n_draws: how often the examples are drawn.
    seed: of the draws.
  """
  sums = _Sums({'': metric}, runs)
  n_examples = len(runs[0][1])
  members = np.zeros((len(runs), len(trials)))
  for trial, indices in enumerate(trials):
    members[list(indices), trial] = 1 / len(indices)
  sign = -1 if metric.is_minimized else 1
  found = []
  for counts in draw_examples(n_examples, n_draws, seed):
    absent = (counts == 0).astype(np.float32)
    # A draw that has all examples leaves none to measure on.
    is_partial = absent.any(axis=1)
    counts, absent = counts[is_partial], absent[is_partial]
    chosen = sums.values(counts, n_examples)[''] @ members
    other = sums.values(absent, absent.sum(axis=1))[''] @ members
    # Of several that are best, any would be taken.
    is_best = chosen == (sign * chosen).max(axis=1, keepdims=True) * sign
    found.append((other * is_best).sum(axis=1) / is_best.sum(axis=1))
  everything = np.ones((1, n_examples), np.float32)
  observed = (sums.values(everything, n_examples)[''] @ members)[0]
  trial = int((sign * observed).argmax())
  measured = float(observed[trial])
  values = np.concatenate(found)
  expected = float(values.mean()) if len(values) else measured
  return Winner(trial, measured, expected)


class _Sums:
  """What the examples of several runs add to the sums of several metrics."""

  def __init__(
    self,
    metrics: Mapping[str, Metric],
    runs: Sequence[tuple[np.ndarray, np.ndarray]],
  ):
    self._metrics = metrics
    self._n_runs = len(runs)
    self._places: dict[tuple[Callable, int], slice] = {}
    blocks = []
    end = 0
    for terms in dict.fromkeys(metric.terms for metric in metrics.values()):
      for i, run in enumerate(runs):
        blocks.append(terms(*run))
        start, end = end, end + blocks[-1].shape[1]
        self._places[terms, i] = slice(start, end)
    self._terms = np.concatenate(blocks, axis=1)

  def values(
    self, counts: np.ndarray, n: np.ndarray | int
  ) -> dict[str, np.ndarray]:
    """Returns each metric, float64 [draws, runs].

    Args:
      counts: float32 [draws, examples], how often a draw has an example.
      n: how many it has in all, [draws].
    """
    sums = (counts @ self._terms).astype(np.float64)
    n = np.broadcast_to(np.asarray(n, np.float64), len(counts))
    return {
      name: np.stack(
        [
          metric.value(sums[:, self._places[metric.terms, i]], n)
          for i in range(self._n_runs)
        ],
        axis=1,
      )
      for name, metric in self._metrics.items()
    }


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
  confidences = np.exp(log_probs.max(axis=-1).astype(np.float64)).clip(max=1)
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
    The metric; None where it is not a function of sums over examples, such as
    the area under a curve, or of a class that is not there.
  """
  if name in METRICS:
    return METRICS[name]
  k = metric_names.n_first(name)
  if k:
    return Metric(functools.partial(_in_first, k), _mean)
  kind, _, of_class = name.partition(':')
  if kind not in _OF_A_CLASS or of_class not in labels:
    return None
  value = functools.partial(
    _of_one_class, list(labels).index(of_class), _OF_A_CLASS[kind]
  )
  return Metric(_margins, value, is_of_classes=True)
