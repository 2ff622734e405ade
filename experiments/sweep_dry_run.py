"""Shows what a sweep would do, and does none of it."""

import math
import pathlib
from collections.abc import Sequence

from experiments import (
  compare_tables,
  programs,
  run_dir,
  search,
  sweep_plan,
  sweep_state,
)
from experiments.gin_values import render
from experiments.sweep_definition import Axis, Definition
from experiments.sweep_plan import Trial


def show(
  trials: Sequence[Trial], *, directory: pathlib.Path, jobs: int
) -> None:
  """Prints the trials, their directories and what is left to do.

  Args:
    trials: all of the sweep.
    directory: that of the sweep.
    jobs: number of trials at once.
  """
  statuses = [sweep_plan.status(trial) for trial in trials]
  names = list(dict.fromkeys(name for t in trials for name in t.values))
  rows = [[*names, 'status', 'directory']]
  for trial, status in zip(trials, statuses, strict=True):
    values = [trial.values.get(name, '') for name in names]
    rows.append([*values, status, str(trial.path)])
  print(compare_tables.columns(rows, widest=200))
  left = [
    trial
    for trial, status in zip(trials, statuses, strict=True)
    if status not in sweep_plan.FINAL
  ]
  n_programs = len({programs.structure(trial.config.text) for trial in left})
  print(
    f'\n{len(trials)} trials, {len(trials) - len(left)} of them done. Those '
    f'left need {n_programs} set{"s" * (n_programs != 1)} of compiled programs.'
  )
  seconds = _seconds_per_trial(directory)
  if left and seconds is not None:
    total = seconds * math.ceil(len(left) / jobs)
    print(
      f'About {total:,.0f} s with --jobs={jobs}: a trial of this sweep took '
      f'{seconds:.1f} s.'
    )


def show_search(definition: Definition, *, directory: pathlib.Path) -> None:
  """Prints the space that a search draws from.

  Args:
    definition: the space.
    directory: that of the sweep.
  """
  rows = [['name', 'drawn from', 'values']]
  for dimension in search.dimensions(definition):
    if isinstance(dimension, Axis):
      columns = zip(*dimension.values, strict=True)
      for name, column in zip(dimension.names, columns, strict=True):
        rows.append([name, 'choice', ', '.join(map(render, column))])
    else:
      shown = ', '.join(map(render, dimension.values))
      rows.append([dimension.name, dimension.kind, shown])
  print(compare_tables.columns(rows, widest=200))
  print(f'\nSweep directory: {directory}')


def _seconds_per_trial(directory: pathlib.Path) -> float | None:
  """Returns the mean over finished trials of the sweep; None without any."""
  entries = sweep_state.read_sweep(directory).get('trials', {}).values()
  seconds = [
    entry['seconds']
    for entry in entries
    if entry.get('status') == run_dir.FINISHED and entry.get('seconds')
  ]
  return sum(seconds) / len(seconds) if seconds else None
