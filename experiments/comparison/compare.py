"""Runs side by side: what differs between them, and what came of it.

What was measured on different data sets or splits is kept apart. Runs of one
config that differ in the seed alone are one group, whose mean counts.
"""

import collections
import dataclasses
import logging
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.comparison import run_reader
from experiments.comparison.run_reader import Run
from experiments.evaluation import metric_names
from experiments.foundation import plain_text
from experiments.foundation.errors import UserError
from experiments.rundir import sweep_file

DEFAULT_OBJECTIVE = 'accuracy'


@dataclasses.dataclass(frozen=True)
class Group:
  """Runs that differ in their seed alone.

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
  def name(self) -> str:
    """The name of the best run."""
    return self.runs[0].name


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
  """

  sections: tuple[Section, ...]
  metrics: tuple[str, ...]
  objective: str
  is_minimized: bool

  @property
  def runs(self) -> list[Run]:
    """All runs, section by section."""
    return [run for section in self.sections for run in section.runs]

  @property
  def columns(self) -> list[str]:
    """The names of the bindings that differ anywhere, the seed's at the end."""
    names = [name for section in self.sections for name in section.columns]
    if any(len(g.runs) > 1 for x in self.sections for g in x.groups):
      names.append(run_reader.SEED)
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
  directory: str | os.PathLike[str], objective: str | None = None
) -> Comparison:
  """Reads and compares all runs in and below a directory.

  Args:
    directory: e.g. runs/agnews.
    objective: the metric to sort by; None takes that of the sweep, if there is
      one, else the accuracy.

  Raises:
    UserError: there is no run, or no run has the objective though some have
      metrics.
  """
  paths = run_reader.find_runs(directory) if os.path.isdir(directory) else []
  if not paths:
    raise UserError(
      f'--output_dir={directory}: there is no run in it. Give a directory of '
      'runs, e.g. runs/agnews.'
    )
  directory = pathlib.Path(directory)
  runs = [
    run_reader.read_any_run(path, str(path.relative_to(directory)))
    for path in paths
  ]
  found, is_minimized = read_objective(directory)
  known = sorted({metric for run in runs for metric in run.metrics})
  if (
    objective and known and all(run.measured(objective) is None for run in runs)
  ):
    raise UserError(
      f'--objective={objective}: no run has this metric. There are '
      f'{", ".join(map(plain_text.escape_line, known))}.'
    )
  if objective and objective != found:
    is_minimized = None
  return compare_runs(runs, objective or found, is_minimized)


def compare_runs(
  runs: Iterable[Run], objective: str, is_minimized: bool | None = None
) -> Comparison:
  """Compares runs.

  Args:
    runs: in any order, at least one.
    objective: the metric to sort by.
    is_minimized: whether less is better; None goes by the metric's name.
  """
  if is_minimized is None:
    is_minimized = metric_names.is_minimized(objective)
  sign = 1 if is_minimized else -1

  def order(values: Mapping[str, float]) -> float:
    value = values.get(objective, math.nan)
    return math.inf if math.isnan(value) else sign * value

  runs = [run.with_metric(objective) for run in runs]
  measured = [run for run in runs if run.metrics]
  if measured and not any(objective in run.metrics for run in measured):
    logging.warning('No run has %s, so they are not sorted by it', objective)
  runs.sort(key=lambda run: (order(run.metrics), run.name))
  sections = []
  for (dataset, split), members in _by_data(runs).items():
    columns, groups = _columns(members), _groups(members)
    sections.append(
      Section(
        dataset=dataset,
        split=split,
        n_examples=max((run.n_examples or 0 for run in members), default=0)
        or None,
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
        key=lambda metric: (metric != objective, metric),
      )
    ),
    objective=objective,
    is_minimized=is_minimized,
  )


def _by_data(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
  """Returns runs by the data set and the split that they are measured on.

  A run that ended before its data were open knows the name of its data set
  alone, not the version, and one that never began not even that: they stand
  with the others.
  """
  known = collections.Counter(
    (run.dataset, run.split) for run in runs if run.n_examples
  )
  names = {
    (data.partition(':')[0], split): (data, split) for data, split in known
  }
  most = max(known, key=known.__getitem__, default=('', ''))
  found: dict[tuple[str, str], list[Run]] = {}
  for run in runs:
    data = run.dataset, run.split
    if not run.dataset:
      data = most
    elif data not in known:
      data = names.get((run.dataset.partition(':')[0], run.split), data)
    found.setdefault(data, []).append(run)
  return found


def _columns(runs: Sequence[Run]) -> list[str]:
  """Returns the names of bindings that tell runs apart.

  Where all runs bind a parameter to the same macro the macro is named, else the
  parameter. A name that some runs lack, such as a parameter of another model's,
  counts if its values differ, or if the command line bound it.
  """
  values: dict[str, set[str]] = {}
  macros: dict[str, set[str | None]] = {}
  for run in runs:
    for name, value in run.settings.items():
      values.setdefault(name, set()).add(value)
      macros.setdefault(name, set()).add(run.macros.get(name))
  named = [name for run in runs for name in run.bindings]
  overridden = {name for run in runs for name in run.overrides}
  found = set()
  for name, different in values.items():
    shown = name
    if len(macros[name]) == 1:
      shown = next(iter(macros[name])) or name
    is_missing = any(name not in run.bindings for run in runs)
    if len(different) > 1 or (is_missing and overridden & {name, shown}):
      found.add(shown)
  # In the order of config.gin.
  return [name for name in dict.fromkeys(named) if name in found]


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
  """Returns runs that differ in their seed alone, a list for each config."""
  by_settings: dict[Any, dict[Any, Run]] = {}
  for run in runs:
    # Of a run without a config, nothing is known but its name.
    key = tuple(sorted(run.settings.items())) if run.bindings else run.name
    # A seed that was run twice is one sample.
    by_settings.setdefault(key, {}).setdefault(run.seed, run)
  return [list(by_seed.values()) for by_seed in by_settings.values()]


def _group(runs: Sequence[Run], columns: Sequence[str]) -> Group:
  means, errors = {}, {}
  for metric in dict.fromkeys(m for run in runs for m in run.metrics):
    values = [run.metrics[metric] for run in runs if metric in run.metrics]
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


def to_json(comparison: Comparison) -> dict[str, Any]:
  """Returns a comparison as JSON can hold it; a number that is NaN is null."""

  def plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {
      name: value if math.isfinite(value) else None
      for name, value in values.items()
    }

  return {
    'objective': comparison.objective,
    'direction': 'minimize' if comparison.is_minimized else 'maximize',
    'columns': comparison.columns,
    'runs': [
      {
        'name': run.name,
        'dataset': section.dataset,
        'split': section.split,
        'bindings': {
          name: run.shown_binding(name) for name in comparison.columns
        },
        'status': run.status,
        'steps': run.steps,
        'seconds': run.seconds,
        'metrics': plain(run.metrics),
        'error': run.error,
      }
      for section in comparison.sections
      for run in section.runs
    ],
    'groups': [
      {
        'dataset': section.dataset,
        'split': section.split,
        'runs': [run.name for run in group.runs],
        'means': plain(group.means),
        'standard_errors': plain(group.standard_errors),
      }
      for section in comparison.sections
      for group in section.groups
    ],
  }
