"""The runs that are compared: those of a directory, and the baseline's."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from experiments.comparison import run_reader
from experiments.comparison.run_reader import Run
from experiments.foundation import plain_text
from experiments.foundation.errors import UserError


def read_runs(
  directory: str | os.PathLike[str],
  baseline: str | os.PathLike[str] | None = None,
) -> tuple[list[Run], list[Run]]:
  """Reads all runs in and below a directory, and those of a baseline.

  Args:
    directory: e.g. runs/agnews. Files of predictions of other systems are runs,
      too; see `systems`.
    baseline: a run, such a file, or a directory of some; it need not be in
      `directory`. None for none.

  Returns:
    All of them; and those of the baseline, at least one if there is one.

  Raises:
    UserError: there is no run, or no baseline.
  """
  directory = pathlib.Path(directory)
  paths, tables = _find(directory)
  names = {path: str(path.relative_to(directory)) for path in paths + tables}
  chosen: set[pathlib.Path] = set()
  if baseline is not None:
    known = {path.resolve() for path in names}
    more = _find(pathlib.Path(baseline))
    chosen = {path.resolve() for some in more for path in some}
    for some, found in zip((paths, tables), more, strict=True):
      new = [path for path in found if path.resolve() not in known]
      some += new
      names.update({path: str(path) for path in new})
  runs = [run_reader.read_any_run(path, names[path]) for path in paths]
  if tables:
    # NumPy and pyarrow, for who has such files.
    from experiments.comparison import systems

    runs += systems.read_systems({path: names[path] for path in tables}, runs)
  if not runs:
    raise UserError(
      f'--output_dir={directory}: there is no run in it. Give a directory of '
      'runs, e.g. runs/agnews.'
    )
  of_baseline = [run for run in runs if run.path.resolve() in chosen]
  if baseline is not None and not of_baseline:
    raise UserError(
      f'--baseline={baseline}: there is no run. Give the directory of one, '
      f'e.g. {runs[0].path}.'
    )
  return runs, of_baseline


def take_split(runs: Sequence[Run], split: str) -> list[Run]:
  """Returns the runs that are measured on a split, with what that measured.

  Args:
    runs: of any splits.
    split: such as 'test' or 'train[80%:]'.

  Raises:
    UserError: there is none.
  """
  found = [run.on_split(split) for run in runs]
  known = [run for run in found if run is not None and run.n_examples]
  if not known:
    both = [each for run in runs for each in (run, run.test) if each]
    names = sorted({each.split for each in both if each.n_examples})
    there = f'There are {", ".join(names)}' if names else 'Nothing is'
    raise UserError(
      f'--split={split}: no run is measured on it. '
      f'{plain_text.escape_line(there)}.'
    )
  return known


def _find(
  place: pathlib.Path,
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Returns run directories, and files that may be of other systems."""
  if place.is_file():
    return [], [place]
  if not place.is_dir():
    return [], []
  return run_reader.find_runs_and_tables(place)
