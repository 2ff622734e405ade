"""Metrics of examples that are drawn with replacement, many draws at once.

A draw is a row of numbers, how often it has each example. Most metrics are
functions of sums over the examples (`sum_metrics`), so that all draws of all
runs are one product of matrices. Every run sees the same draws: their
differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.comparison.sum_metrics import Metric

N_DRAWS = 2000
# Draws times examples that are held at once, as float32.
_MAX_CELLS = 2**24


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
  found = {}
  for name in metrics:
    values = np.concatenate([each[name] for each in drawn])
    # A draw without an example of a class says nothing of it.
    found[name] = Draws(
      observed[name][0],
      np.where(np.isnan(values), observed[name][0], values),
    )
  return found


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
    self._ranked = {
      name: [metric.rank(*run) for run in runs]
      for name, metric in metrics.items()
      if metric.rank
    }
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
          self._ranked[name][i](counts)
          if metric.rank
          else metric.value(sums[:, self._places[metric.terms, i]], n)
          for i in range(self._n_runs)
        ],
        axis=1,
      )
      for name, metric in self._metrics.items()
    }
