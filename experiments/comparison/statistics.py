"""Which differences between runs are more than luck.

Two things come by chance: which examples the test split has, and which seed a
model was trained with. A run is a sample of both, and so an interval must be of
both, however few seeds there are. Drawing 3 seeds of 3 with replacement, as a
plain bootstrap would, gives intervals that hold in 85 % of the cases in place
of 95 (`benchmarks/bench_intervals.py`). Here the examples are drawn, the seeds
are a variance component of a two-way layout beside them, and the degrees of
freedom are Satterthwaite's, so that three seeds that differ much count for
what they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

CONFIDENCE = 0.95
# The chance with which a difference of `smallest_difference` is found.
POWER = 0.8
# Of simulations with 0.5 to 20 wrong examples: less, and intervals of ten seeds
# that agree hold in 88 %; more, and those of seeds that do not hold in 99 %.
_RARE_EXAMPLES = 0.25


class Interval(NamedTuple):
  """An estimate, and between what the true value lies in 95 % of cases.

  Attributes:
    value: the estimate.
    low: lower end.
    high: upper end.
  """

  value: float
  low: float
  high: float


class Difference(NamedTuple):
  """One set of runs less another, on the same examples.

  Attributes:
    value: the difference of their means over seeds.
    low: lower end of its interval.
    high: upper end.
    p_value: chance of a difference at least as large between equals.
    smallest: the smallest true difference that would be found in 80 % of cases.
  """

  value: float
  low: float
  high: float
  p_value: float
  smallest: float


def wilson_interval(
  n_right: float, n: float, confidence: float = CONFIDENCE
) -> Interval:
  """Returns the interval of a share (Wilson 1927, doi:10.2307/2276774).

  Args:
    n_right: how many of them.
    n: how many in all, above 0.
    confidence: of the interval.
  """
  quantile = float(special.ndtri((1 + confidence) / 2))
  return _score_interval(n_right / n, n, quantile)


def mcnemar_p_value(n_only_first: int, n_only_second: int) -> float:
  """Returns the exact two-sided p-value of McNemar's test.

  Of examples that one of two classifiers has right and the other wrong, each
  is as often the one if the classifiers are equal (McNemar 1947,
  doi:10.1007/BF02295996).

  Args:
    n_only_first: examples that only the first has right.
    n_only_second: those that only the second has.
  """
  n = n_only_first + n_only_second
  if not n:
    return 1.0
  tail = float(special.bdtr(min(n_only_first, n_only_second), n, 0.5))
  return min(1.0, 2 * tail)


def correct_p_values(
  p_values: Sequence[float], n_tests: int | None = None
) -> np.ndarray:
  """Returns p-values corrected for how many there are.

  Of all that are then below 5 %, none is by chance in 95 % of cases (Holm
  1979, Scandinavian Journal of Statistics 6, 65-70).

  Args:
    p_values: any number.
    n_tests: how many tests they were taken from; None for as many as they are.
      The others may have any p-values.
  """
  values = np.asarray(p_values, np.float64)
  order = np.argsort(values, kind='stable')
  factors = (n_tests or len(values)) - np.arange(len(values))
  corrected = np.minimum(np.maximum.accumulate(factors * values[order]), 1)
  result = np.empty_like(corrected)
  result[order] = corrected
  return result


def estimate(
  observed: np.ndarray,
  drawn: np.ndarray,
  *,
  n_examples: int,
  bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
  """Returns the mean of a metric over seeds, with its interval.

  Where the metric is bounded the interval is Wilson's for as many examples as
  would have the same variance, which keeps it within the bounds and right
  beside them. Where it has no upper bound it is Student's of the logarithm.

  Args:
    observed: float [seeds], the metric of each.
    drawn: float [draws, seeds], it on the same draws of the examples.
    n_examples: number of examples.
    bounds: between what the metric lies; the upper one may be infinite.
  """
  value = float(np.mean(observed))
  spread = find_spread([(observed, drawn)], n_examples)
  quantile = _quantile(spread.freedom)
  low, high = bounds
  if math.isinf(high):
    if value <= low:
      return Interval(value, low, high)
    above = value - low
    ratio = math.exp(quantile * math.sqrt(spread.variance) / above)
    return Interval(value, low + above / ratio, low + above * ratio)
  width = high - low
  share = min(max((value - low) / width, 0.0), 1.0)
  binomial = share * (1 - share)
  examples, seeds = spread.examples / width**2, spread.seeds / width**2
  if len(observed) > 1:
    # How far the seeds agree is not known from a few wrong examples.
    n_rare = n_examples * min(share, 1 - share)
    weight = _RARE_EXAMPLES / (n_rare + _RARE_EXAMPLES)
    alone = binomial / n_examples
    examples = max(examples, (1 - weight) * examples + weight * alone)
  variance = examples + seeds
  # Where all are right there is no variance to tell how many examples count.
  n_effective = float(n_examples)
  if variance > 0 and binomial > 0:
    n_effective = binomial / variance
  found = _score_interval(share, n_effective, quantile)
  return Interval(value, low + width * found.low, low + width * found.high)


def difference(
  first: tuple[np.ndarray, np.ndarray],
  second: tuple[np.ndarray, np.ndarray],
  *,
  n_examples: int,
  is_bounded: bool = True,
  n_tests: int = 1,
) -> Difference:
  """Compares two sets of runs that were measured on the same draws.

  The examples are the same, and so the difference is of pairs. The seeds are
  taken as drawn for each: where a seed does the same to both, the p-value is
  too large, never too small.

  Args:
    first: of the metric, float [seeds], and float [draws, seeds] on the draws.
    second: likewise, to be subtracted.
    n_examples: number of examples.
    is_bounded: whether an example can change the metric by about 1 / n only.
    n_tests: of how many tests this is one, for the smallest difference.
  """
  (observed, drawn), (other, other_drawn) = first, second
  parts = [(observed, drawn), (-other, -other_drawn)]
  value = float(np.mean(observed) - np.mean(other))
  spread = find_spread(parts, n_examples)
  # As if each were better on one example more (Bonett and Price 2012,
  # doi:10.3102/1076998611411915), or runs that hardly differ would have
  # intervals of hardly any width.
  variance = spread.variance + is_bounded * 2 / n_examples**2
  error = math.sqrt(variance)
  half = _quantile(spread.freedom) * error
  p_value = 1.0
  if error > 0:
    p_value = 2 * float(special.stdtr(spread.freedom, -abs(value) / error))
  return Difference(
    value,
    value - half,
    value + half,
    p_value,
    smallest_difference(error, spread.freedom, n_tests=n_tests),
  )


def smallest_difference(
  standard_error: float,
  freedom: float = math.inf,
  power: float = POWER,
  n_tests: int = 1,
) -> float:
  """Returns the smallest true difference that is likely to be found.

  Args:
    standard_error: of differences.
    freedom: its degrees of freedom.
    power: the chance with which it is found, at 5 %.
    n_tests: how many tests share these 5 %.
  """
  level = 1 - (1 - CONFIDENCE) / n_tests
  return standard_error * (
    _quantile(freedom, level) + _quantile(freedom, 2 * power - 1)
  )


class Spread(NamedTuple):
  """The variance of a sum of means over seeds.

  Attributes:
    examples: what is due to the examples.
    seeds: what the seeds add.
    freedom: degrees of freedom (Satterthwaite 1946, doi:10.2307/3002019).
  """

  examples: float
  seeds: float
  freedom: float

  @property
  def variance(self) -> float:
    """Of the sum, over both."""
    return self.examples + self.seeds


def find_spread(
  parts: Sequence[tuple[np.ndarray, np.ndarray]], n_examples: int
) -> Spread:
  """Finds the variance of a sum of means over seeds.

  The layout is seeds x examples, both random. What an example does to all seeds
  and what it does to one of them are seen together in the draws of examples;
  how seeds differ beyond the latter is what they add. Of a single seed nothing
  can be said: the variance is then that of this very model.

  Args:
    parts: of each mean, the metric by seed, float [seeds], and it on the draws,
      float [draws, seeds]; negative where it is subtracted.
    n_examples: number of examples.
  """
  # What a bootstrap lacks, as a variance divided by n.
  scale = n_examples / max(1, n_examples - 1)
  freedom = max(1, n_examples - 1)
  total = np.sum([drawn.mean(axis=1) for _, drawn in parts], axis=0)
  examples, seeds = float(np.var(total, ddof=1)) * scale, 0.0
  squares = examples**2 / freedom
  for observed, drawn in parts:
    n_seeds = len(observed)
    if n_seeds < 2:
      continue
    between = float(np.var(observed, ddof=1)) / n_seeds
    noise = float(np.mean(np.var(drawn - observed, axis=1, ddof=1)))
    noise *= scale / n_seeds
    if between > noise:
      seeds += between - noise
      squares += between**2 / (n_seeds - 1)
      squares += noise**2 / ((n_seeds - 1) * freedom)
  variance = examples + seeds
  return Spread(
    examples, seeds, variance**2 / squares if squares else float(freedom)
  )


def _score_interval(share: float, n: float, quantile: float) -> Interval:
  square = quantile**2 / n
  middle = (share + square / 2) / (1 + square)
  half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
  # Exactly, where all or none are right.
  low = 0.0 if share <= 0 else middle - half
  high = 1.0 if share >= 1 else middle + half
  return Interval(share, low, high)


def _quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
  return float(special.stdtrit(degrees, (1 + confidence) / 2))
