"""The trials of a sweep: resolved, checked, named and found on disk.

Where and in what order they run is decided elsewhere.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from experiments.comparison import run_reader
from experiments.config import gin_config, variants
from experiments.config.config_differences import find_differences
from experiments.config.gin_values import render
from experiments.foundation.errors import UserError
from experiments.pipeline import runs
from experiments.rundir import run_dir, run_names
from experiments.rundir.metric_log import Record
from experiments.sweeps import sweep_definition
from experiments.training.structure import structure

NEW = 'new'
# What is not tried again: the same config would come to the same.
FINAL = (run_dir.FINISHED, run_dir.DIVERGED, run_dir.PRUNED)
# From the structures of trials that wait to the place of the one to take.
Choose = Callable[[Sequence[str]], int]


@dataclasses.dataclass(frozen=True)
class Base:
  """What all trials of a sweep have in common.

  Attributes:
    gin_files: as --gin_file.
    gin_bindings: as --gin_bindings; a trial's own come after.
    gin_search_paths: as --gin_search_paths.
    directory: holds a directory for each trial.
  """

  gin_files: Sequence[str]
  gin_bindings: Sequence[str]
  gin_search_paths: Sequence[str]
  directory: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Trial:
  """One run of a sweep.

  Attributes:
    key: hash of its resolved config, by which it is known.
    values: gin text by name of what the sweep binds.
    make_config: returns the whole, checked. It is made when it is asked for:
      the texts of 10,000 would fill the memory.
    path: its run directory.
  """

  key: str
  values: Mapping[str, str]
  make_config: Callable[[], gin_config.Config]
  path: pathlib.Path

  @property
  def config(self) -> gin_config.Config:
    """What it trains."""
    return self.make_config()

  @property
  def name(self) -> str:
    """Name of its directory."""
    return self.path.name

  @property
  def label(self) -> str:
    """What the sweep binds, for messages."""
    return write_values(self.values)

  @functools.cached_property
  def structure(self) -> str:
    """What its compiled programs depend on; see `structure.structure`."""
    # Most trials share theirs.
    return sys.intern(structure(self.config.text))


class TrialSupply(Protocol):
  """Where trials come from, one after the other."""

  @property
  def n_trials(self) -> int:
    """How many there are in total, as far as that is known."""

  def trials(self) -> list[Trial]:
    """Returns those that have come so far."""

  def next(self, choose: Choose) -> Trial | None:
    """Returns the next one, done before or not; None after the last.

    Args:
      choose: asked where the order does not matter.
    """

  def take_records(self, trial: Trial, records: list[Record]) -> bool:
    """Takes new records of a trial; tells whether it should go on."""

  def take_status(self, trial: Trial, status: str) -> None:
    """Takes the status of a trial that will not be tried again."""


class GridSupply:
  """The trials of a grid, each of which stands by itself; see `TrialSupply`."""

  def __init__(self, trials: Iterable[Trial]):
    """Takes the trials, in the order to run them."""
    self._trials = list(trials)
    self._waiting = list(self._trials)
    self.n_trials = len(self._trials)

  def trials(self) -> list[Trial]:
    """See `TrialSupply`."""
    return self._trials

  def next(self, choose: Choose) -> Trial | None:
    """See `TrialSupply`."""
    if not self._waiting:
      return None
    i = choose([trial.structure for trial in self._waiting])
    return self._waiting.pop(i)

  def take_records(self, trial: Trial, records: list[Record]) -> bool:
    """See `TrialSupply`."""
    del trial, records
    return True

  def take_status(self, trial: Trial, status: str) -> None:
    """See `TrialSupply`."""


def plan_grid(
  planner: 'Planner',
  definition: sweep_definition.Definition,
  on_trial: Callable[[], None] = lambda: None,
) -> list[Trial]:
  """Makes the trials of a grid.

  Args:
    planner: makes each.
    definition: what differs; it has no distributions.
    on_trial: called after each; what it raises ends the work.

  Returns:
    The trials, in the order of the grid.

  Raises:
    UserError: a trial would be refused as a run of its own, two have the same
      resolved config, or a directory holds something else.
  """
  trials: dict[str, Trial] = {}
  by_path: dict[pathlib.Path, Trial] = {}
  for point in _points(definition.grids):
    trial = planner.trial(point)
    on_trial()
    same = trials.setdefault(trial.key, trial)
    if same is not trial:
      also = f' and {trial.label}' if trial.label != same.label else ''
      raise UserError(
        f'Two trials have the same config: {same.label}{also}. Keep one of the '
        'values.'
      )
    same = by_path.setdefault(trial.path, trial)
    if same is not trial:
      raise UserError(
        f'Two trials would write to {trial.path}: {same.label} and '
        f'{trial.label}. Keep one of the values, or give each a sweep with an '
        '--output_dir of its own.'
      )
  return list(trials.values())


class Planner:
  """Makes trials, each as a run of its own would be made."""

  def __init__(self, base: Base, places: Mapping[str, str]):
    """Looks at what the directory holds.

    Args:
      base: what the trials have in common.
      places: where the user said what is swept, by name, for messages.

    Raises:
      UserError: the directory is a run directory.
    """
    self._base = base
    self._places = places
    if run_dir.RunDir(base.directory).config.is_file():
      raise UserError(
        f'--output_dir={base.directory} holds a run, and a sweep needs a '
        'directory of its own. Choose another.'
      )
    run_dir.check_writable(base.directory)
    self._variants = variants.Variants(
      base.gin_files, base.gin_bindings, base.gin_search_paths
    )
    self._names = _names_in(base.directory)
    self._known = _find_configs(base.directory, self._names)

  def describe(self) -> str:
    """Returns what all trials have in common, as one text."""
    files = [pathlib.Path(file).name for file in self._base.gin_files]
    return '\n'.join([*files, *self._base.gin_bindings])

  def trial(self, point: Mapping[str, Any]) -> Trial:
    """Makes and checks one trial.

    Args:
      point: gin value by name.

    Raises:
      UserError: it would be refused as a run of its own.
    """
    bindings = [sweep_definition.binding(*item) for item in point.items()]
    make_config = functools.partial(self._variants.check, bindings)
    try:
      config = make_config()
      key = _key(config.text)
      path = self._path(config, key)
    except UserError as error:
      raise UserError(
        sweep_definition.in_words_of_the_user(str(error), point, self._places)
      ) from error
    return Trial(
      key=key,
      values={name: render(value) for name, value in point.items()},
      make_config=make_config,
      path=path,
    )

  def _path(self, config: gin_config.Config, key: str) -> pathlib.Path:
    """Returns the directory of a trial.

    Raises:
      UserError: it holds something else, or cannot be written.
    """
    name = run_names.run_name(config.overrides)
    path = self._base.directory / name
    # A run of the same config is the same trial, whatever it is called.
    if not (name in self._names and run_dir.RunDir(path).config.is_file()):
      path = self._known.get(key, path)
    if path.name in self._names:
      runs.is_finished(run_dir.RunDir(path), config)
      run_dir.check_writable(path)
    return path


def owns_directory(trial: Trial) -> bool:
  """Tells whether the directory of a trial holds a run of its config."""
  config = run_dir.RunDir(trial.path).config
  try:
    text = config.read_text(encoding='utf-8-sig', errors='replace')
    return not find_differences(text, trial.config.text)
  except (OSError, UserError):
    return False


def read_run(trial: Trial) -> run_reader.Run:
  """Returns what the directory of a trial says of it.

  Returns:
    The run; with the status `NEW`, and nothing measured, where the directory
    holds no run of the trial's config.
  """
  if owns_directory(trial):
    return run_reader.read_any_run(trial.path, trial.name)
  return run_reader.Run(
    name=trial.name,
    path=trial.path,
    bindings={},
    overrides=(),
    status=NEW,
    steps=0,
    seconds=None,
    metrics={},
    error=None,
  )


def status(trial: Trial) -> str:
  """Returns the status of a trial as its directory says it; `NEW` for none."""
  return read_run(trial).status


def _points(
  grids: Iterable[sweep_definition.Grid],
) -> Iterator[dict[str, Any]]:
  for grid in grids:
    yield from grid.points()


def write_values(values: Mapping[str, str]) -> str:
  """Returns bindings as one line."""
  return ', '.join(f'{name}={value}' for name, value in values.items())


def _key(config_text: str) -> str:
  return hashlib.sha256(config_text.encode()).hexdigest()[:16]


def _names_in(directory: pathlib.Path) -> frozenset[str]:
  try:
    return frozenset(os.listdir(directory))
  except (FileNotFoundError, NotADirectoryError):
    return frozenset()


def _find_configs(
  directory: pathlib.Path, names: Iterable[str]
) -> dict[str, pathlib.Path]:
  """Returns the directory of each config that has a run, by `Trial.key`."""
  found: dict[str, pathlib.Path] = {}
  for name in sorted(names):
    config = run_dir.RunDir(directory / name).config
    with contextlib.suppress(OSError, UserError):
      text = config.read_text(encoding='utf-8-sig', errors='replace')
      found.setdefault(_key(text), config.parent.path)
  return found
