"""What a comparison can be believed: intervals of metrics, and of differences.

Every config of a section is compared with one of them, the baseline, on the
rows that both have. Where nobody named a baseline it is the best, and then it
was chosen on the rows that are tested: so as many tests are corrected for as
there are pairs of configs, not as many as are made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.comparison import (
  choice,
  resampling,
  samples,
  statistics,
  sum_metrics,
)
from experiments.comparison.choice import Choice
from experiments.comparison.compare import Comparison, Group, Section
from experiments.comparison.resampling import Draws
from experiments.comparison.samples import NoSampleError, Sample
from experiments.comparison.statistics import Difference, Interval
from experiments.comparison.sum_metrics import Metric
from experiments.foundation import plain_text
from experiments.foundation.errors import UserError

# Numbers of classes, examples and runs that are looked at at once.
_MAX_CELLS = 2**26
# Log-probabilities float [n, classes] and expected classes int [n] of a run.
Outcome = tuple[np.ndarray, np.ndarray]
# At what corrected p-value a difference is said to be one.
LEVEL = 1 - statistics.CONFIDENCE


class Contrast(NamedTuple):
  """A config less the baseline, on the rows that both have.

  Attributes:
    difference: by itself.
    corrected_p_value: by Holm, for how many there are.
  """

  difference: Difference
  corrected_p_value: float

  @property
  def is_certain(self) -> bool:
    """Whether the two are told apart."""
    return self.corrected_p_value < LEVEL


@dataclasses.dataclass(frozen=True)
class GroupEvidence:
  """What is known of a config.

  Attributes:
    intervals: of the mean over its seeds, by metric.
    contrasts: with the baseline, by metric; of the baseline, none.
    n_shared: on how many rows it was compared with the baseline.
    reason: why it was not, such as 'no row in common'; '' where it was.
  """

  intervals: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
  contrasts: Mapping[str, Contrast] = dataclasses.field(default_factory=dict)
  n_shared: int = 0
  reason: str = ''


@dataclasses.dataclass(frozen=True)
class SectionEvidence:
  """What is known of the configs of a section.

  Attributes:
    groups: in the order of the section.
    baseline: index of what the others are compared with; None for nothing.
    n_tests: how many p-values are corrected for.
    choice: what to expect of the best, where it is the best of several.
    on_test: the objective of the best on its test split, where the section is
      of a validation split; None where that has kept nothing.
  """

  groups: tuple[GroupEvidence, ...]
  baseline: int | None
  n_tests: int
  choice: Choice | None = None
  on_test: Interval | None = None


def weigh(
  comparison: Comparison, *, n_full: int | None = None
) -> list[SectionEvidence]:
  """Finds the evidence in what runs have kept.

  Args:
    comparison: of any runs.
    n_full: of how many configs of a section all metrics are looked at, the best
      first; of the rest only the objective. None for all.

  Returns:
    Of each section, in their order.

  Raises:
    UserError: the baseline that was asked for has kept nothing.
  """
  return [
    _Weighing(comparison, section, n_full).result()
    for section in comparison.sections
  ]


class _Weighing:
  """One section that is being looked at; its configs go by their index."""

  def __init__(
    self, comparison: Comparison, section: Section, n_full: int | None
  ):
    self._groups = section.groups
    self._objective = comparison.objective
    self._is_baseline_given = bool(comparison.baseline)
    self._reasons: dict[int, str] = {}
    self._samples: dict[int, list[Sample]] = {}
    for i, group in enumerate(section.groups):
      try:
        self._samples[i] = samples.match(samples.read_samples(group.runs))
      except NoSampleError as error:
        self._reasons[i] = error.reason
    self._baseline = self._find_baseline(comparison)
    self._metrics: dict[int, dict[str, Metric]] = {}
    for i, sample in self._samples.items():
      is_full = n_full is None or i < n_full or i == self._baseline
      names = comparison.metrics if is_full else (comparison.objective,)
      found = dict(_metrics_of(section.groups[i], sample[0], names))
      # What takes long is drawn for who asked for it.
      asked = (comparison.objective, comparison.second_objective)
      self._metrics[i] = {
        name: metric
        for name, metric in found.items()
        if name in asked or not metric.rank
      }

  def _find_baseline(self, comparison: Comparison) -> int | None:
    if not comparison.baseline:
      return min(self._samples, default=None)
    for i, group in enumerate(self._groups):
      if any(run.path in comparison.baseline for run in group.runs):
        if i in self._reasons:
          name = plain_text.escape_line(group.name)
          raise UserError(f'--baseline: {name}: {self._reasons[i]}.')
        return i
    return None

  def result(self) -> SectionEvidence:
    """Looks at all that there is."""
    drawn = self._draw(self._samples)
    intervals = {
      i: {
        name: interval_of(
          name, self._metrics[i][name], _outcomes(self._samples[i]), draws
        )
        for name, draws in found.items()
      }
      for i, found in drawn.items()
    }
    base = self._baseline
    pairs: dict[int, tuple[list[Sample], list[Sample]]] = {}
    for i, own in self._samples.items():
      if base is None or i == base:
        continue
      try:
        matched = samples.match([*own, *self._samples[base]])
      except NoSampleError as error:
        self._reasons[i] = error.reason
        continue
      pairs[i] = matched[: len(own)], matched[len(own) :]
    n_tests = count_tests(len(pairs), self._is_baseline_given)
    contrasts = {
      i: dict(self._differences(i, pair, drawn, n_tests))
      for i, pair in pairs.items()
    }
    corrected = _correct(contrasts, n_tests)
    return SectionEvidence(
      groups=tuple(
        GroupEvidence(
          intervals=intervals.get(i, {}),
          contrasts=corrected.get(i, {}),
          n_shared=len(pairs[i][0][0].rows) if i in pairs else 0,
          reason=self._reasons.get(i, ''),
        )
        for i in range(len(self._groups))
      ),
      baseline=base,
      n_tests=n_tests,
      choice=self._find_choice(),
      on_test=self._measure_test(),
    )

  def _find_choice(self) -> Choice | None:
    """Finds what to expect of the best of those that can be drawn."""
    of_objective = {
      i: self._samples[i]
      for i, metrics in self._metrics.items()
      if self._objective in metrics
    }
    # The best that is shown may have kept nothing.
    if 0 not in of_objective:
      return None
    return choice.find_choice(self._metrics[0][self._objective], of_objective)

  def _measure_test(self) -> Interval | None:
    best = self._groups[0]
    if best.test_mean(self._objective) is None:
      return None
    found = choice.draw_test(best, self._objective)
    if found is None:
      return None
    metric, kept, draws = found
    return interval_of(self._objective, metric, _outcomes(kept), draws)

  def _differences(
    self,
    i: int,
    pair: tuple[list[Sample], list[Sample]],
    drawn: Mapping[int, Mapping[str, Draws]],
    n_tests: int,
  ) -> Iterator[tuple[str, Difference]]:
    """Yields what a config has more than the baseline, by metric."""
    base = self._baseline
    assert base is not None
    first, second = drawn[i], drawn[base]
    if len(pair[0][0].rows) < max(
      len(self._samples[each][0].rows) for each in (i, base)
    ):
      # Only some of the rows are shared: draws of these.
      again = self._draw({i: pair[0], base: pair[1]})
      first, second = again[i], again[base]
    for name, draws in first.items():
      if name in second:
        yield (
          name,
          difference_of(
            name,
            self._metrics[i][name],
            (_outcomes(pair[0]), _outcomes(pair[1])),
            (draws, second[name]),
            n_tests=n_tests,
          ),
        )

  def _draw(
    self, sets: Mapping[int, Sequence[Sample]]
  ) -> dict[int, dict[str, Draws]]:
    """Measures configs on draws of their rows; those of equal rows on equal."""
    blocks: dict[tuple, list[list[int]]] = {}
    for i, runs in sets.items():
      rows = runs[0].rows
      most = max(1, _MAX_CELLS // max(1, runs[0].log_probs.size * 4))
      key = rows.tobytes(), tuple(self._metrics[i])
      known = blocks.setdefault(key, [[]])
      if sum(len(sets[j]) for j in known[-1]) + len(runs) > most:
        known.append([])
      known[-1].append(i)
    found: dict[int, dict[str, Draws]] = {}
    for block in (each for known in blocks.values() for each in known if each):
      metrics = self._metrics[block[0]]
      if not metrics:
        found.update({i: {} for i in block})
        continue
      drawn = resampling.resample(
        metrics,
        [outcome for i in block for outcome in _outcomes(sets[i])],
      )
      start = 0
      for i in block:
        part = slice(start, start + len(sets[i]))
        start = part.stop
        found[i] = {
          name: Draws(draws.observed[part], draws.drawn[:, part])
          for name, draws in drawn.items()
        }
    return found


def _outcomes(runs: Sequence[Sample]) -> list[Outcome]:
  return [(run.log_probs, run.expected) for run in runs]


def count_tests(n_pairs: int, is_baseline_given: bool) -> int:
  """Returns how many tests there are where configs are compared with one.

  Args:
    n_pairs: how many are.
    is_baseline_given: whether that one was not chosen as the best of them: the
      best is compared as if all pairs had been looked at.
  """
  return n_pairs if is_baseline_given else n_pairs * (n_pairs + 1) // 2


def _metrics_of(
  group: Group, sample: Sample, names: Sequence[str]
) -> Iterator[tuple[str, Metric]]:
  """Yields what can be drawn of a config's metrics, by name."""
  for name in names:
    metric = sum_metrics.find_metric(name, sample.labels)
    if (
      metric
      # As many as have made the mean that is shown.
      and all(name in run.metrics for run in group.runs)
      and (sample.has_probabilities or metric.is_of_classes)
    ):
      yield name, metric


def _correct(
  found: Mapping[int, Mapping[str, Difference]], n_tests: int
) -> dict[int, dict[str, Contrast]]:
  """Corrects the p-values of each metric."""
  corrected: dict[int, dict[str, Contrast]] = {i: {} for i in found}
  for name in dict.fromkeys(name for each in found.values() for name in each):
    of_metric = {i: each[name] for i, each in found.items() if name in each}
    p_values = statistics.correct_p_values(
      [each.p_value for each in of_metric.values()], n_tests
    )
    for (i, each), p_value in zip(of_metric.items(), p_values, strict=True):
      corrected[i][name] = Contrast(each, float(p_value))
  return corrected


def interval_of(
  name: str, metric: Metric, runs: Sequence[Outcome], draws: Draws
) -> Interval:
  """Returns the mean of a metric over seeds, and its interval.

  Args:
    name: of the metric.
    metric: itself.
    runs: one a seed, of the same rows.
    draws: of the metric and these runs.
  """
  n = len(runs[0][1])
  if name == 'accuracy' and len(runs) == 1:
    return statistics.wilson_interval(float(draws.observed[0]) * n, n)
  return statistics.estimate(*draws, n_examples=n, bounds=metric.bounds)


def difference_of(
  name: str,
  metric: Metric,
  pair: tuple[Sequence[Outcome], Sequence[Outcome]],
  draws: tuple[Draws, Draws],
  *,
  n_tests: int = 1,
) -> Difference:
  """Returns what one config has more of a metric than another.

  Args:
    name: of the metric.
    metric: itself.
    pair: the runs of both, one a seed, all of the same rows.
    draws: of the metric and these runs, the same draws of the rows.
    n_tests: of how many tests this is one.
  """
  first, second = pair
  found = statistics.difference(
    *draws,
    n_examples=len(first[0][1]),
    is_bounded=metric.is_bounded,
    n_tests=n_tests,
  )
  if name == 'accuracy' and len(first) == len(second) == 1:
    is_right, other = (
      log_probs.argmax(axis=1) == expected for ((log_probs, expected),) in pair
    )
    p_value = statistics.mcnemar_p_value(
      int((is_right & ~other).sum()), int((other & ~is_right).sum())
    )
    found = found._replace(p_value=p_value)
  return found
