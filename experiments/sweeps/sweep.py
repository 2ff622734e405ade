"""Sweeps: every trial run once, to its end, whatever happens meanwhile."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from experiments.comparison import compare
from experiments.config import gin_statements
from experiments.foundation import cache, choices, signals
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir, run_names, sweep_file
from experiments.sweeps import search as searches
from experiments.sweeps import (
  sweep_definition,
  sweep_display,
  sweep_objective,
  sweep_plan,
  sweep_runner,
  sweep_settings,
)
from experiments.sweeps.executors import Executor, local
from experiments.sweeps.sweep_plan import Base, Planner, Trial, TrialSupply

# What --folds binds, by all its names.
_FOLDS = ('N_FOLDS', 'FOLD', 'experiment.n_folds', 'experiment.fold')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
  """What is to be run, refused where that can be seen at once.

  Attributes:
    definition: what differs.
    settings: of the sweep.
    planner: makes and checks the trials.
    directory: holds the directories of the trials.
    gin_files: as --gin_file.
    gin_bindings: as --gin_bindings.
    search: 'grid', 'random' or 'tpe'.
    n_trials: of a search in total; None of a grid.
  """

  definition: sweep_definition.Definition
  settings: sweep_settings.Settings
  planner: Planner
  directory: pathlib.Path
  gin_files: Sequence[str]
  gin_bindings: Sequence[str]
  search: str
  n_trials: int | None


class SweepResults(NamedTuple):
  """What came of a sweep.

  Attributes:
    trials: all of them, in the order of the sweep.
    comparison: their runs side by side.
    n_failed: how many have failed or diverged.
    n_interrupted: how many a signal of their own has ended.
  """

  trials: list[Trial]
  comparison: compare.Comparison
  n_failed: int
  n_interrupted: int


def read_sweep(
  sweeps: Sequence[str],
  *,
  gin_files: Sequence[str],
  gin_bindings: Sequence[str] = (),
  gin_search_paths: Sequence[str] = (),
  output_dir: str | None = None,
  search: str = 'grid',
  n_trials: int | None = None,
  n_folds: int | None = None,
) -> Sweep:
  """Reads what a sweep is.

  Args:
    sweeps: as --sweep.
    gin_files: as --gin_file.
    gin_bindings: as --gin_bindings.
    gin_search_paths: as --gin_search_paths.
    output_dir: holds the directories of the trials; None is where each would be
      as a run of its own.
    search: 'grid', 'random' or 'tpe'.
    n_trials: of a search in total.
    n_folds: as --folds: each of so many is tried; None for no folds.

  Raises:
    UserError: it cannot be run.
  """
  choices.check('search', search, choices.SEARCHES)
  if n_trials is not None:
    choices.check_count('n_trials', n_trials, 1)
  definition = sweep_definition.Definition((sweep_definition.Grid(),), {})
  if sweeps or n_folds is None:
    definition = sweep_definition.read_definition(sweeps, gin_search_paths)
  if n_folds is not None:
    _check_folds(n_folds, gin_bindings, search)
    definition = sweep_definition.with_folds(definition, n_folds)
  bindings, settings = sweep_settings.split_bindings(
    gin_bindings, definition.settings
  )
  directory = pathlib.Path(
    output_dir or run_names.default_output_dir(gin_files, {}).parent
  )
  _check_search(definition, settings, search, n_trials)
  planner = Planner(
    Base(gin_files, bindings, gin_search_paths, directory), definition.places()
  )
  return Sweep(
    definition=definition,
    settings=settings,
    planner=planner,
    directory=directory,
    gin_files=gin_files,
    gin_bindings=gin_bindings,
    search=search,
    n_trials=n_trials,
  )


def run_sweep(
  sweep: Sweep,
  *,
  jobs: int | None = None,
  retries: int = 1,
  seconds: float | None = None,
  executor: str = 'local',
  ray_address: str = 'auto',
) -> SweepResults:
  """Runs what is left of a sweep.

  Args:
    sweep: from `read_sweep`.
    jobs: number of trials at once; None is 1, on a cluster all that fit.
    retries: how often a trial that fails is tried again.
    seconds: after how many no trial is started any more; None: never.
    executor: 'local' or 'ray'.
    ray_address: of the cluster.

  Raises:
    UserError: one of its trials is refused; nothing has started.
    sweep_runner.Stopped: Ctrl-C or SIGTERM; what ran has a checkpoint.
  """
  choices.check('executor', executor, choices.EXECUTORS)
  choices.check_count('retries', retries, 0)
  if jobs is not None:
    choices.check_count('jobs', jobs, 1)
  settings = sweep.settings
  with signals.StopSignal() as stop_signal, contextlib.ExitStack() as stack:
    run_dir.check_writable(sweep.directory)
    # Local workers import while the trials are checked.
    where = _open_executor(executor, jobs, ray_address, settings)
    stack.callback(where.close)
    trials = check_trials(sweep, stop_signal)
    with stop_signal.raising():
      sweep_objective.check_class(trials, settings, cache_dir=cache.cache_dir())
    stack.enter_context(sweep_file.locked(sweep.directory))
    supply: TrialSupply = sweep_plan.GridSupply(trials)
    described = None
    if sweep.search != 'grid':
      described = {
        'sampler': sweep.search,
        'trials': sweep.n_trials,
        'seed': settings.seed,
        'pruner': settings.pruner,
      }
      supply = searches.Search(
        sweep.planner,
        sweep.definition,
        directory=sweep.directory,
        search=sweep.search,
        n_trials=sweep.n_trials or 0,
        settings=settings,
        is_parallel=executor != 'local' or (jobs or 1) > 1,
      )
    state = sweep_file.SweepState(
      sweep.directory,
      definition=sweep.definition.to_json(),
      gin_files=list(sweep.gin_files),
      gin_bindings=list(sweep.gin_bindings),
      objective=settings.objectives,
      direction='minimize' if settings.is_minimized else 'maximize',
      search=described,
      status=sweep_file.RUNNING,
      start=run_dir.now(),
      end=None,
    )
    runner = sweep_runner.Runner(
      where,
      state,
      settings,
      stop_signal,
      retries=retries,
      supply=supply,
      seconds=seconds,
    )
    runner.run()
  trials = supply.trials()
  comparison = compare.compare_runs(
    [sweep_plan.read_run(trial) for trial in trials],
    settings.objective,
    settings.is_minimized,
    settings.second_objective,
  )
  return SweepResults(trials, comparison, runner.n_failed, runner.n_interrupted)


def _check_folds(
  n_folds: int, gin_bindings: Sequence[str], search: str
) -> None:
  """Refuses folds beside what says otherwise which there are."""
  choices.check_count('n_folds', n_folds, 2)
  if search != 'grid':
    raise UserError(
      f'--folds={n_folds} does not go with --search={search}, which would try '
      'a config on one fold and not on the others. Search with three SPLITS, '
      'and try the best on all folds.'
    )
  for binding in gin_statements.read([], gin_bindings).bindings:
    if binding.name in _FOLDS:
      raise UserError(
        f'{binding.place}: --folds={n_folds} binds {binding.name} itself, for '
        'each trial. Leave one of them out.'
      )


def _check_search(
  definition: sweep_definition.Definition,
  settings: sweep_settings.Settings,
  search: str,
  n_trials: int | None,
) -> None:
  """Refuses a search that lacks something, and a grid that is not one."""
  sweep_settings.check_effects(settings, search)
  if search != 'grid':
    if not n_trials:
      raise UserError(f'--search={search} needs --trials, e.g. --trials=20.')
    searches.dimensions(definition)
    searches.require_optuna()
    return
  if definition.distributions:
    first = definition.distributions[0]
    raise UserError(
      f'{first.place}: {first.name} has a distribution, which a grid cannot '
      'hold. Add --search=random or --search=tpe.'
    )
  if n_trials:
    raise UserError('--trials is for --search=random and --search=tpe.')


def check_trials(
  sweep: Sweep, stop_signal: Callable[[], int | None] = lambda: None
) -> list[Trial]:
  """Returns the trials of a grid; of a search, those at the space's corners.

  Args:
    sweep: whose.
    stop_signal: returns the number of the signal that came, or None.

  Raises:
    UserError: one is refused.
    KeyboardInterrupt, signals.Terminated: a signal came.
  """
  if sweep.search != 'grid':
    points = searches.corners(sweep.definition)
    return [sweep.planner.trial(point) for point in points]
  n_trials = sum(grid.n_points for grid in sweep.definition.grids)
  with sweep_display.Checking(n_trials) as checking:

    def on_trial() -> None:
      number = stop_signal()
      if number is not None:
        signals.raise_for(number)
      checking.update()

    return sweep_plan.plan_grid(sweep.planner, sweep.definition, on_trial)


def _open_executor(
  name: str,
  jobs: int | None,
  ray_address: str,
  settings: sweep_settings.Settings,
) -> Executor:
  if name == 'local':
    return local.LocalExecutor(jobs or 1)
  from experiments.sweeps.executors import ray

  return ray.RayExecutor(
    ray_address,
    jobs=jobs,
    num_cpus=settings.num_cpus,
    num_gpus=settings.num_gpus,
    memory_mib=settings.memory_mib,
    resources=settings.resources,
  )
