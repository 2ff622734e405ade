"""Run directories side by side: one table of what differs and what came of it.

Reads only what runs have recorded, so that it needs neither JAX nor trax, and
is quick for a thousand runs.
"""

import dataclasses
import fcntl
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.foundation.errors import UserError
from experiments.rundir import run_dir, sweep_file

DEFAULT_OBJECTIVE = 'accuracy'
# Metrics of which less is better; of all others more is.
_MINIMIZED = ('cross_entropy', 'loss', 'error')
_SEED = 'SEED'


@dataclasses.dataclass(frozen=True)
class Run:
  """What a run directory says.

  Attributes:
    name: its path below the directory that is compared.
    path: its directory.
    bindings: gin text by name, e.g. 'LEARNING_RATE' to '0.003'; all that the
      run consumed.
    overrides: names of those that the command line bound.
    status: as in run.json; 'interrupted' for a run whose process has gone.
    steps: training steps done.
    seconds: time taken; None if it is not known.
    metrics: exact metrics that are single numbers, by name.
    error: what went wrong, or None.
  """

  name: str
  path: pathlib.Path
  bindings: Mapping[str, str]
  overrides: tuple[str, ...]
  status: str
  steps: int
  seconds: float | None
  metrics: Mapping[str, float]
  error: str | None


@dataclasses.dataclass(frozen=True)
class Group:
  """Runs that differ in SEED alone.

  Attributes:
    runs: at least one.
    means: of each metric over the runs that have it.
    standard_errors: of each mean; NaN where one run has the metric.
  """

  runs: tuple[Run, ...]
  means: Mapping[str, float]
  standard_errors: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Runs, best first.

  Attributes:
    runs: sorted by the objective; those without it last.
    columns: names of the bindings that differ.
    metrics: names of the metrics, the objective first.
    objective: the metric that is sorted by.
    is_minimized: whether less of it is better.
    groups: the same runs grouped over seeds, best mean first; empty if no two
      runs differ in SEED alone.
  """

  runs: tuple[Run, ...]
  columns: tuple[str, ...]
  metrics: tuple[str, ...]
  objective: str
  is_minimized: bool
  groups: tuple[Group, ...]


def find_runs(directory: str | os.PathLike[str]) -> list[pathlib.Path]:
  """Returns the run directories in and below a directory, sorted by path."""
  found, waiting = [], [os.fspath(directory)]
  while waiting:
    path = waiting.pop()
    try:
      with os.scandir(path) as entries:
        inside = list(entries)
    except NotADirectoryError:
      continue
    if any(entry.name in ('config.gin', 'run.json') for entry in inside):
      found.append(pathlib.Path(path))
      continue
    waiting += [
      entry.path
      for entry in inside
      if entry.is_dir(follow_symlinks=False) and entry.name[0] != '.'
    ]
  return sorted(found)


def read_run(path: pathlib.Path, name: str) -> Run:
  """Reads one run directory.

  Args:
    path: the directory.
    name: what to call it.

  Raises:
    UserError: its run.json is damaged.
  """
  directory = run_dir.RunDir(path)
  run = directory.read_run()
  status = run.get('status', run_dir.INTERRUPTED)
  if status == run_dir.RUNNING and not is_locked(directory):
    status = run_dir.INTERRUPTED
  return Run(
    name=name,
    path=path,
    bindings=_read_bindings(directory.config),
    overrides=tuple(run.get('overrides', {})),
    status=status,
    steps=run.get('steps') or 0,
    seconds=run.get('seconds'),
    metrics={
      key: float(value)
      for key, value in (run.get('metrics') or {}).items()
      if isinstance(value, float)
    },
    error=run.get('error'),
  )


def is_locked(directory: run_dir.RunDir) -> bool:
  """Tells whether a process is writing in a run directory."""
  try:
    descriptor = os.open(directory.lock, os.O_RDONLY)
  except OSError:
    return False
  try:
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  finally:
    os.close(descriptor)
  return False


def read_objective(
  directory: str | os.PathLike[str],
) -> tuple[str, bool | None]:
  """Returns the objective of the sweep in a directory, and if it is minimized.

  Returns:
    The default, and None for 'as usual', where no sweep says otherwise.
  """
  sweep = sweep_file.read_sweep(directory)
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
  paths = find_runs(directory) if os.path.isdir(directory) else []
  if not paths:
    raise UserError(
      f'--output_dir={directory}: there is no run in it. Give a directory of '
      'runs, e.g. runs/agnews.'
    )
  directory = pathlib.Path(directory)
  runs = [read_run(path, str(path.relative_to(directory))) for path in paths]
  found, is_minimized = read_objective(directory)
  known = sorted({metric for run in runs for metric in run.metrics})
  if objective and known and objective not in known:
    raise UserError(
      f'--objective={objective}: no run has this metric. There are '
      f'{", ".join(known)}.'
    )
  if objective and objective != found:
    is_minimized = None
  return compare_runs(runs, objective or found, is_minimized)


def compare_runs(
  runs: Iterable[Run], objective: str, is_minimized: bool | None = None
) -> Comparison:
  """Compares runs.

  Args:
    runs: in any order.
    objective: the metric to sort by.
    is_minimized: whether less is better; None goes by the metric's name.
  """
  runs = list(runs)
  if is_minimized is None:
    is_minimized = minimized_by_name(objective)
  sign = 1 if is_minimized else -1

  def order(values: Mapping[str, float]) -> float:
    value = values.get(objective, math.nan)
    return math.inf if math.isnan(value) else sign * value

  runs.sort(key=lambda run: (order(run.metrics), run.name))
  metrics = sorted(
    {metric for run in runs for metric in run.metrics},
    key=lambda metric: (metric != objective, metric),
  )
  groups = _groups(runs)
  groups.sort(key=lambda group: order(group.means))
  return Comparison(
    runs=tuple(runs),
    columns=tuple(_differing(runs)),
    metrics=tuple(metrics),
    objective=objective,
    is_minimized=is_minimized,
    groups=tuple(groups) if any(len(g.runs) > 1 for g in groups) else (),
  )


def minimized_by_name(metric: str) -> bool:
  """Tells whether less of a metric is better, by its name."""
  return any(word in metric.lower() for word in _MINIMIZED)


def _read_bindings(path: pathlib.Path) -> dict[str, str]:
  """Reads config.gin, in which every binding is one line."""
  try:
    lines = path.read_text(encoding='utf-8-sig').splitlines()
  except FileNotFoundError:
    return {}
  pairs = (line.partition(' = ') for line in lines)
  return {name: value for name, equals, value in pairs if equals}


def _differing(runs: Sequence[Run]) -> list[str]:
  """Returns the names of bindings that tell runs apart.

  A name that some runs lack, such as a parameter of another model's, counts if
  its values differ, or if the command line bound it.
  """
  values: dict[str, set[str]] = {}
  for run in runs:
    for name, value in run.bindings.items():
      values.setdefault(name, set()).add(value)
  overridden = {name for run in runs for name in run.overrides}
  return [
    name
    for name, found in values.items()
    if len(found) > 1
    or (name in overridden and any(name not in run.bindings for run in runs))
  ]


def _groups(runs: Iterable[Run]) -> list[Group]:
  by_bindings: dict[tuple, list[Run]] = {}
  for run in runs:
    key = tuple(sorted((k, v) for k, v in run.bindings.items() if k != _SEED))
    by_bindings.setdefault(key, []).append(run)
  # A seed that was run twice is one sample.
  return [
    _group(
      list({run.bindings.get(_SEED): run for run in members[::-1]}.values())
    )
    for members in by_bindings.values()
  ]


def _group(runs: Sequence[Run]) -> Group:
  means, errors = {}, {}
  for metric in dict.fromkeys(m for run in runs for m in run.metrics):
    values = [run.metrics[metric] for run in runs if metric in run.metrics]
    n = len(values)
    mean = means[metric] = math.fsum(values) / n
    errors[metric] = math.nan
    if n > 1:
      variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
      errors[metric] = math.sqrt(variance / n)
  return Group(tuple(runs), means, errors)


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
    'columns': list(comparison.columns),
    'runs': [
      {
        'name': run.name,
        'bindings': {
          name: run.bindings.get(name) for name in comparison.columns
        },
        'status': run.status,
        'steps': run.steps,
        'seconds': run.seconds,
        'metrics': plain(run.metrics),
        'error': run.error,
      }
      for run in comparison.runs
    ],
    'groups': [
      {
        'runs': [run.name for run in group.runs],
        'means': plain(group.means),
        'standard_errors': plain(group.standard_errors),
      }
      for group in comparison.groups
    ],
  }
