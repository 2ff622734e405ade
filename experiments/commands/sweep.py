"""What --mode=train does with --sweep or --folds."""

import sys

from absl import flags

from experiments.commands import compare_runs, sweep_dry_run
from experiments.comparison import compare_tables
from experiments.foundation import terminal
from experiments.sweeps import sweep, sweep_objective


def run(values: flags.FlagValues) -> None:
  """Runs what is left of a sweep, or shows it, and prints its trials.

  Args:
    values: the flags.

  Raises:
    UserError: the sweep or one of its trials is refused; nothing has started.
    sweep_runner.Stopped: Ctrl-C or SIGTERM; what ran has a checkpoint.
    SystemExit: trials have failed, or were interrupted one by one.
  """
  wanted = sweep.read_sweep(
    values.sweep,
    gin_files=values.gin_file,
    gin_bindings=values.gin_bindings,
    gin_search_paths=values.gin_search_paths,
    output_dir=values.output_dir,
    search=values.search,
    n_trials=values.trials,
    n_folds=values.folds,
  )
  if values.dry_run:
    trials = sweep.check_trials(wanted)
    jobs = values.jobs or 1
    if wanted.search == 'grid':
      sweep_dry_run.show(trials, directory=wanted.directory, jobs=jobs)
    else:
      sweep_dry_run.show_search(
        wanted.definition,
        directory=wanted.directory,
        n_trials=wanted.n_trials or 0,
        jobs=jobs,
      )
    print(sweep_objective.describe(trials, wanted.settings))
    return
  results = sweep.run_sweep(
    wanted,
    jobs=values.jobs,
    retries=values.retries,
    seconds=values.seconds,
    executor=values.executor,
    ray_address=values.ray_address,
  )
  _show(results, wanted)
  if results.n_failed or results.n_interrupted:
    sys.exit(1)


def _show(results: sweep.SweepResults, wanted: sweep.Sweep) -> None:
  n_rows = compare_tables.N_ROWS
  table = compare_tables.render(
    results.comparison,
    width=terminal.width(),
    n_rows=n_rows,
    evidence=compare_runs.weigh(results.comparison, n_rows),
  )
  print(f'{table}\n')
  if results.trials:
    print(sweep_objective.describe(results.trials, wanted.settings))
  print(f'Sweep directory: {wanted.directory}')
  print(f'TensorBoard:     tensorboard --logdir={wanted.directory}')
