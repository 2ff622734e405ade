"""Shows what a sweep would do, and does none of it."""

import math
import pathlib
from collections.abc import Sequence

from experiments.comparison import run_reader, text_table
from experiments.config.gin_values import render
from experiments.rundir import run_dir, sweep_file
from experiments.sweeps import search, sweep_plan
from experiments.sweeps.sweep_definition import Axis, Definition
from experiments.sweeps.sweep_plan import Trial


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
  print(text_table.columns(rows, widest=200))
  left = [
    trial
    for trial, status in zip(trials, statuses, strict=True)
    if status not in sweep_plan.FINAL
  ]
  n_programs = len({trial.structure for trial in left})
  print(
    f'\n{len(trials)} trials, {len(trials) - len(left)} of them done. Those '
    f'left need {n_programs} set{"s" * (n_programs != 1)} of compiled programs.'
  )
  _print_estimate(directory, n_left=len(left), jobs=jobs)


def show_search(
  definition: Definition, *, directory: pathlib.Path, n_trials: int, jobs: int
) -> None:
  """Prints the space that a search draws from, and what it has drawn.

  Args:
    definition: the space.
    directory: that of the sweep.
    n_trials: number of trials in total.
    jobs: number of trials at once.
  """
  names: list[str] = []
  rows = [['name', 'drawn from', 'values']]
  for dimension in search.dimensions(definition):
    if isinstance(dimension, Axis):
      columns = zip(*dimension.values, strict=True)
      names += dimension.names
      for name, column in zip(dimension.names, columns, strict=True):
        rows.append([name, 'choice', ', '.join(map(render, column))])
    else:
      names.append(dimension.name)
      shown = ', '.join(map(render, dimension.values))
      rows.append([dimension.name, dimension.kind, shown])
  print(text_table.columns(rows, widest=200))
  drawn = [
    trial
    for trial in _read_entries(directory)
    if trial['bindings'].keys() == set(names)
  ]
  statuses = [_status(directory, trial) for trial in drawn]
  if drawn:
    rows = [[*names, 'status', 'directory']]
    for trial, status in zip(drawn, statuses, strict=True):
      values = [trial['bindings'][name] for name in names]
      rows.append([*values, status, str(directory / trial['directory'])])
    print(f'\n{text_table.columns(rows, widest=200)}')
  n_done = sum(status in sweep_plan.FINAL for status in statuses)
  print(f'\n{n_trials} trials, {n_done} of them done.')
  _print_estimate(directory, n_left=max(0, n_trials - n_done), jobs=jobs)
  print(f'Sweep directory: {directory}')


def _print_estimate(directory: pathlib.Path, *, n_left: int, jobs: int) -> None:
  """Says how long the rest takes, if a trial has finished."""
  seconds = _seconds_per_trial(directory)
  if n_left and seconds is not None:
    total = seconds * math.ceil(n_left / jobs)
    print(
      f'About {total:,.0f} s with --jobs={jobs}: a trial of this sweep took '
      f'{seconds:.1f} s.'
    )


def _read_entries(directory: pathlib.Path) -> list[sweep_file.Trial]:
  """Returns the entries of all trials in sweep.json."""
  return list(sweep_file.read_sweep(directory)['trials'].values())


def _status(directory: pathlib.Path, trial: sweep_file.Trial) -> str:
  """Returns a trial's status, as its directory says if there is one."""
  path = directory / trial['directory']
  if not run_dir.RunDir(path).config.is_file():
    return trial['status']
  return run_reader.read_run(path, path.name).status


def _seconds_per_trial(directory: pathlib.Path) -> float | None:
  """Returns the mean over finished trials of the sweep; None without any."""
  seconds = [
    taken
    for entry in _read_entries(directory)
    if entry['status'] == run_dir.FINISHED and (taken := entry.get('seconds'))
  ]
  return sum(seconds) / len(seconds) if seconds else None
