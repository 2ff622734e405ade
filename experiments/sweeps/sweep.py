"""Sweeps: every trial run once, to its end, whatever happens meanwhile."""

import contextlib
import pathlib
from collections.abc import Callable, Sequence

from experiments.comparison import compare, compare_tables
from experiments.foundation import signals, terminal
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir, run_names, sweep_file
from experiments.sweeps import search as searches
from experiments.sweeps import (
  sweep_definition,
  sweep_display,
  sweep_dry_run,
  sweep_objective,
  sweep_plan,
  sweep_runner,
  sweep_settings,
)
from experiments.sweeps.executors import Executor, local
from experiments.sweeps.sweep_plan import Base, Planner, Source, Trial


def sweep(
  sweeps: list[str],
  *,
  gin_files: list[str],
  gin_bindings: list[str],
  gin_search_paths: list[str],
  output_dir: str | None,
  jobs: int | None,
  retries: int,
  dry_run: bool,
  search: str = 'grid',
  n_trials: int | None = None,
  executor: str = 'local',
  ray_address: str = 'auto',
) -> bool:
  """Runs what is left of a sweep, and prints the table of its trials.

  Args:
    sweeps: as --sweep.
    gin_files: as --gin_file.
    gin_bindings: as --gin_bindings.
    gin_search_paths: as --gin_search_paths.
    output_dir: holds the directories of the trials; None is where each would be
      as a run of its own.
    jobs: number of trials at once; None is 1, on a cluster all that fit.
    retries: how often a trial that fails is tried again.
    dry_run: whether to show the trials only.
    search: 'grid', 'random' or 'tpe'.
    n_trials: of a search in total.
    executor: 'local' or 'ray'.
    ray_address: of the cluster.

  Returns:
    Whether all trials have come to an end that is no failure.

  Raises:
    UserError: the sweep or one of its trials is refused; nothing has started.
    sweep_runner.Stopped: Ctrl-C or SIGTERM; what ran has a checkpoint.
  """
  definition = sweep_definition.read_definition(sweeps, gin_search_paths)
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
  if dry_run:
    trials = _check_trials(planner, definition, search, settings)
    if search == 'grid':
      sweep_dry_run.show(trials, directory=directory, jobs=jobs or 1)
    else:
      sweep_dry_run.show_search(
        definition,
        directory=directory,
        n_trials=n_trials or 0,
        jobs=jobs or 1,
      )
    print(sweep_objective.describe(trials, settings))
    return True
  with signals.StopSignal() as stop_signal, contextlib.ExitStack() as stack:
    run_dir.check_writable(directory)
    # Local workers import while the trials are checked.
    where = _open_executor(executor, jobs, ray_address, settings)
    stack.callback(where.close)
    trials = _check_trials(planner, definition, search, settings, stop_signal)
    stack.enter_context(sweep_file.locked(directory))
    source: Source = sweep_plan.GridSource(trials)
    described = None
    if search != 'grid':
      described = {
        'sampler': search,
        'trials': n_trials,
        'seed': settings.seed,
        'pruner': settings.pruner,
      }
      source = searches.Search(
        planner,
        definition,
        directory=directory,
        search=search,
        n_trials=n_trials or 0,
        settings=settings,
        is_parallel=executor != 'local' or (jobs or 1) > 1,
      )
    state = sweep_file.SweepState(
      directory,
      definition=definition.to_json(),
      gin_files=list(gin_files),
      gin_bindings=list(gin_bindings),
      objective=settings.objective,
      direction='minimize' if settings.is_minimized else 'maximize',
      search=described,
      status=sweep_file.RUNNING,
      start=run_dir.now(),
      end=None,
    )
    runner = sweep_runner.Runner(
      where, state, settings, stop_signal, retries=retries, source=source
    )
    runner.run()
  _show_results(source.trials(), settings, directory)
  return runner.n_failed == 0


def _check_search(
  definition: sweep_definition.Definition,
  settings: sweep_settings.Settings,
  search: str,
  n_trials: int | None,
) -> None:
  """Refuses a search that lacks something, and a grid that is none."""
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
  if settings.pruner != 'none':
    raise UserError('sweep.pruner is for --search=random and --search=tpe.')


def _check_trials(
  planner: Planner,
  definition: sweep_definition.Definition,
  search: str,
  settings: sweep_settings.Settings,
  stop_signal: Callable[[], int | None] = lambda: None,
) -> list[Trial]:
  """Returns the trials of a grid; of a search, those at the space's corners.

  Args:
    planner: makes and checks them.
    definition: what differs.
    search: as --search.
    settings: of the sweep.
    stop_signal: returns the number of the signal that came, or None.

  Raises:
    UserError: one is refused.
    KeyboardInterrupt, signals.Terminated: a signal came.
  """
  if search != 'grid':
    corners = [planner.trial(p) for p in searches.corners(definition)]
    sweep_objective.check(corners[0].config, settings)
    return corners
  n_trials = sum(grid.n_points for grid in definition.grids)
  with sweep_display.Checking(n_trials) as checking:

    def on_trial() -> None:
      number = stop_signal()
      if number is not None:
        signals.raise_for(number)
      checking.update()

    return sweep_plan.plan_grid(planner, definition, on_trial)


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


def _show_results(
  trials: Sequence[Trial],
  settings: sweep_settings.Settings,
  directory: pathlib.Path,
) -> None:
  runs = [sweep_plan.read_run(trial) for trial in trials]
  comparison = compare.compare_runs(
    runs, settings.objective, settings.is_minimized
  )
  print(
    compare_tables.render(
      comparison, width=terminal.width(), n_rows=compare_tables.N_ROWS
    )
  )
  print()
  if trials:
    print(sweep_objective.describe(trials, settings))
  print(f'Sweep directory: {directory}')
  print(f'TensorBoard:     tensorboard --logdir={directory}')
