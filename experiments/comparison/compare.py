"""Runs side by side: what differs between them, and what came of it.

What was measured on different data sets or splits is kept apart. Runs of one
config that differ in the seed alone are one group, whose mean counts. Where
runs have a validation split they are compared on that: whoever takes the best
of a table chooses, and test is for what was chosen.
"""

import collections
import dataclasses
import logging
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.comparison import compared_runs, grouping, run_reader
from experiments.comparison.run_reader import Run
from experiments.evaluation import metric_names
from experiments.foundation import plain_text
from experiments.foundation.errors import UserError
from experiments.rundir import sweep_file

DEFAULT_OBJECTIVE = 'accuracy'


class TestMean(NamedTuple):
  """What a config is on its test split.

  Attributes:
    split: such as 'test'.
    n_examples: of it.
    value: the mean over seeds of a metric.
  """

  split: str
  n_examples: int
  value: float


@dataclasses.dataclass(frozen=True)
class Group:
  """Runs that differ in their seed, or in the fold held out, alone.

  Attributes:
    runs: at least one, best first.
    bindings: by column of the section, what they have in common.
    means: of each metric over the runs that have it.
    standard_errors: of each mean; NaN where one run has the metric.
  """

  runs: tuple[Run, ...]
  bindings: Mapping[str, str]
  means: Mapping[str, float]
  standard_errors: Mapping[str, float]

  @property
  def n_seeds(self) -> int:
    """How many seeds there are."""
    return len({run.seed for run in self.runs})

  @property
  def folds(self) -> str:
    """How many folds of a seed are there, e.g. '5' or '3 of 5'; '' for none."""
    n_folds = self.runs[0].n_folds
    if n_folds == 1:
      return ''
    found = collections.Counter(run.seed for run in self.runs if run.metrics)
    least = min(found[run.seed] for run in self.runs)
    return str(n_folds) if least == n_folds else f'{least} of {n_folds}'

  @property
  def name(self) -> str:
    """The name of the best run."""
    return self.runs[0].name

  def test_mean(self, metric: str) -> TestMean | None:
    """Returns what it is on test, if it is compared on a validation split."""
    tests = [run.test for run in self.runs if run.test]
    values = [
      value for x in tests if (value := x.find_metric(metric)) is not None
    ]
    if len(values) < len(self.runs) or metric not in self.means:
      return None
    return TestMean(
      tests[0].split, tests[0].n_examples or 0, math.fsum(values) / len(values)
    )


@dataclasses.dataclass(frozen=True)
class Section:
  """Runs that are measured on the same examples.

  Attributes:
    dataset: such as 'bbc_news:1.0.0'; '' if unknown.
    split: such as 'test' or 'train[80%:]'; '' if unknown.
    n_examples: the most that a run is measured on; None for nothing measured.
    runs: sorted by the objective; those without it last.
    groups: the same, best mean first.
    columns: names of the bindings that differ, the seed's not among them.
  """

  dataset: str
  split: str
  n_examples: int | None
  runs: tuple[Run, ...]
  groups: tuple[Group, ...]
  columns: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Runs, best first.

  Attributes:
    sections: at least one, that of the most runs first.
    metrics: names of the metrics, the objective first.
    objective: the metric that is sorted by.
    is_minimized: whether less of it is better.
    baseline: directories of the runs that the others are compared with, all of
      one config; empty for the best of each section.
    second_objective: another metric that counts, too; None for none.
  """

  sections: tuple[Section, ...]
  metrics: tuple[str, ...]
  objective: str
  is_minimized: bool
  baseline: tuple[pathlib.Path, ...] = ()
  second_objective: str | None = None

  @property
  def runs(self) -> list[Run]:
    """All runs, section by section."""
    return [run for section in self.sections for run in section.runs]

  def choose_metrics(self, groups: Iterable[Group]) -> list[str]:
    """Returns the metrics of some configs that are shown unasked, or asked for.

    Args:
      groups: of a section.
    """
    asked = (self.objective, self.second_objective)
    known = {name for group in groups for name in group.means}
    return [
      name
      for name in self.metrics
      if name in known and (name in asked or not metric_names.is_rare(name))
    ]

  @property
  def columns(self) -> list[str]:
    """The names of the bindings that differ anywhere, the seed's at the end."""
    names = [name for section in self.sections for name in section.columns]
    groups = [group for section in self.sections for group in section.groups]
    if any(group.n_seeds > 1 for group in groups):
      names.append(run_reader.SEED)
    if any(group.folds for group in groups):
      names.append(run_reader.FOLD)
    return list(dict.fromkeys(names))


def read_objective(
  directory: str | os.PathLike[str],
) -> tuple[str, bool | None]:
  """Returns the objective of the sweep in a directory, and if it is minimized.

  Returns:
    The default, and None for 'as usual', where no sweep says otherwise.
  """
  try:
    sweep = sweep_file.read_sweep(directory)
  except (UserError, OSError) as error:
    logging.warning('%s', error)
    return DEFAULT_OBJECTIVE, None
  if 'objective' not in sweep:
    return DEFAULT_OBJECTIVE, None
  return sweep['objective'], sweep.get('direction') == 'minimize'


def compare(
  directory: str | os.PathLike[str],
  objective: str | None = None,
  baseline: str | os.PathLike[str] | None = None,
  split: str | None = None,
) -> Comparison:
  """Reads and compares all runs in and below a directory.

  Args:
    directory: e.g. runs/agnews.
    objective: the metric to sort by, and after a comma another one that counts,
      too; None takes that of the sweep, if there is one, else the accuracy.
    baseline: a run that the others are compared with, or a directory that holds
      some of one config; it need not be in `directory`. None is the best.
    split: on which runs are compared, those alone that are measured on it;
      None for the validation split of those that have one, else test.

  Raises:
    UserError: there is no run, the objective is named twice, no run has it
      though some have metrics, none is measured on the split, or the baseline
      is no one config.
  """
  runs, chosen = compared_runs.read_runs(directory, baseline)
  if split is not None:
    runs = compared_runs.take_split(runs, split)
  found, is_minimized = read_objective(directory)
  known = sorted({metric for run in runs for metric in run.metrics})
  first, second = split_objectives(objective or found)
  if first == second:
    raise UserError(f'--objective={objective} names {first} twice.')
  for name in (first, second) if objective else ():
    if name and known and all(run.find_metric(name) is None for run in runs):
      raise UserError(
        f'--objective={objective}: no run has the metric {name}. There are '
        f'{", ".join(map(plain_text.escape_line, known))}.'
      )
  if objective and first != split_objectives(found)[0]:
    is_minimized = None
  comparison = compare_runs(runs, first, is_minimized, second)
  return _with_baseline(comparison, chosen, baseline)


def _with_baseline(
  comparison: Comparison,
  chosen: Sequence[Run],
  baseline: str | os.PathLike[str] | None,
) -> Comparison:
  """Returns a comparison with its baseline.

  Raises:
    UserError: the runs of the baseline are of several configs.
  """
  paths = {run.path for run in chosen}
  groups = [
    group
    for section in comparison.sections
    for group in section.groups
    if paths & {run.path for run in group.runs}
  ]
  if len(groups) > 1:
    raise UserError(
      f'--baseline={baseline}: it holds runs of {len(groups)} configs. Name '
      f'one of them, e.g. {groups[0].runs[0].path}.'
    )
  return dataclasses.replace(comparison, baseline=tuple(sorted(paths)))


def split_objectives(text: str) -> tuple[str, str | None]:
  """Returns the objective, and the one after the comma if there is one."""
  first, _, second = (part.strip() for part in text.rpartition(','))
  # The class of a metric may have a comma in its name.
  is_second = first and metric_names.is_objective(second)
  return (first, second) if is_second else (text, None)


def compare_runs(
  runs: Iterable[Run],
  objective: str,
  is_minimized: bool | None = None,
  second_objective: str | None = None,
) -> Comparison:
  """Compares runs.

  Args:
    runs: in any order, at least one.
    objective: the metric to sort by.
    is_minimized: whether less is better; None goes by the metric's name.
    second_objective: another metric that counts, too.
  """
  if is_minimized is None:
    is_minimized = metric_names.is_minimized(objective)
  sign = 1 if is_minimized else -1

  def order(values: Mapping[str, float]) -> float:
    value = values.get(objective, math.nan)
    return math.inf if math.isnan(value) else sign * value

  runs = [run.with_metric(objective) for run in runs]
  if second_objective:
    runs = [run.with_metric(second_objective) for run in runs]
  measured = [run for run in runs if run.metrics]
  if measured and not any(objective in run.metrics for run in measured):
    logging.warning('No run has %s, so they are not sorted by it', objective)
  runs.sort(key=lambda run: (order(run.metrics), run.name))
  sections = []
  for (dataset, split), members in grouping.group_by_data(runs).items():
    columns = grouping.find_columns(members)
    groups = grouping.group_by_config(members)
    sections.append(
      Section(
        dataset=dataset,
        split=split,
        n_examples=_n_examples(groups) or None,
        runs=tuple(members),
        groups=tuple(
          sorted(
            (_group(each, columns) for each in groups),
            key=lambda group: order(group.means),
          )
        ),
        columns=tuple(columns),
      )
    )
  sections.sort(key=lambda x: (-len(x.runs), x.dataset, x.split))
  return Comparison(
    sections=tuple(sections),
    metrics=tuple(
      sorted(
        {metric for run in runs for metric in run.metrics},
        key=lambda metric: (
          metric != objective,
          metric != second_objective,
          metric,
        ),
      )
    ),
    objective=objective,
    is_minimized=is_minimized,
    second_objective=second_objective,
  )


def _n_examples(groups: Sequence[Sequence[Run]]) -> int:
  """Returns the most that runs of one seed are measured on."""
  found: collections.Counter[Any] = collections.Counter()
  for i, runs in enumerate(groups):
    for run in runs:
      found[i, run.seed] += run.n_examples or 0
  return max(found.values(), default=0)


def _values(runs: Sequence[Run], metric: str) -> list[float]:
  """Returns a metric of each seed; of folds their mean, by their examples."""
  by_seed: dict[str | None, list[Run]] = {}
  for run in runs:
    if metric in run.metrics:
      by_seed.setdefault(run.seed, []).append(run)
  values = []
  for of_seed in by_seed.values():
    sizes = [run.n_examples or 1 for run in of_seed]
    parts = [run.metrics[metric] for run in of_seed]
    if len(parts) > 1:
      products = (a * n for a, n in zip(parts, sizes, strict=True))
      parts = [math.fsum(products) / sum(sizes)]
    values += parts
  return values


def _group(runs: Sequence[Run], columns: Sequence[str]) -> Group:
  means, errors = {}, {}
  for metric in dict.fromkeys(m for run in runs for m in run.metrics):
    values = _values(runs, metric)
    n = len(values)
    mean = means[metric] = math.fsum(values) / n
    errors[metric] = math.nan
    if n > 1:
      variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
      errors[metric] = math.sqrt(variance / n)
  bindings = runs[0].bindings
  return Group(
    tuple(runs),
    {name: bindings[name] for name in columns if name in bindings},
    means,
    errors,
  )
