"""What to expect of the best of many, where nothing was chosen by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.comparison import resampling, samples, sum_metrics
from experiments.comparison.compare import Group
from experiments.comparison.resampling import Draws
from experiments.comparison.samples import NoSampleError, Sample
from experiments.comparison.sum_metrics import Metric

# Enough for a mean.
_N_DRAWS = 500
# Examples times what each adds to the sums of all runs, as float32.
_MAX_CELLS = 2**28


class Choice(NamedTuple):
  """The best of several configs.

  Attributes:
    n_configs: of how many.
    measured: the objective on the examples that it was chosen on.
    expected: on other examples, what is to be expected of whatever is best.
  """

  n_configs: int
  measured: float
  expected: float


def find_choice(
  metric: Metric, configs: Mapping[int, Sequence[Sample]]
) -> Choice | None:
  """Returns what to expect of the best config.

  Args:
    metric: that it is the best by.
    configs: what the runs of each said, by their index, best first.

  Returns:
    None where there is nothing to choose from, where the configs have too few
    examples in common to have the same best, or where there are too many.
  """
  best = min(configs, default=0)
  matched = dict(match_all(configs))
  if len(matched) < 2 or best not in matched:
    return None
  trials: list[range] = []
  runs: list[tuple[np.ndarray, np.ndarray]] = []
  for of_config in matched.values():
    trials.append(range(len(runs), len(runs) + len(of_config)))
    runs += [(each.log_probs, each.expected) for each in of_config]
  n_terms = metric.terms(*(part[:1] for part in runs[0])).shape[1]
  if n_terms * len(runs) * len(runs[0][1]) > _MAX_CELLS:
    return None
  winner = resampling.measure_winner(metric, runs, trials, n_draws=_N_DRAWS)
  if list(matched)[winner.trial] != best:
    return None
  return Choice(len(matched), winner.measured, winner.expected)


def match_all(
  configs: Mapping[int, Sequence[Sample]],
) -> Mapping[int, list[Sample]]:
  """Returns configs on the rows that all have; {} where that cannot be."""
  everything = [each for runs in configs.values() for each in runs]
  if not everything:
    return {}
  try:
    matched = iter(samples.match(everything))
  except NoSampleError:
    return {}
  return {
    i: [next(matched) for _ in range(len(runs))] for i, runs in configs.items()
  }


def draw_test(
  group: Group, name: str
) -> tuple[Metric, list[Sample], Draws] | None:
  """Measures a config on draws of its test split.

  Args:
    group: whose runs have a validation split, too.
    name: of the metric.

  Returns:
    The metric, what each run said, and the draws; None where that is not kept.
  """
  try:
    kept = samples.match(
      [samples.read_sample(run.test) for run in group.runs if run.test]
    )
  except NoSampleError:
    return None
  metric = sum_metrics.find_metric(name, kept[0].labels)
  if metric is None:
    return None
  outcomes = [(each.log_probs, each.expected) for each in kept]
  draws = resampling.resample({name: metric}, outcomes)[name]
  return metric, kept, draws
