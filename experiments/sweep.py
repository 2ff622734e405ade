"""Sweeps: every trial run once, to its end, whatever happens meanwhile."""

import collections
import contextlib
import logging
import pathlib
import time
from collections.abc import Iterable

from experiments import (
  compare,
  compare_tables,
  run_dir,
  signals,
  sweep_definition,
  sweep_dry_run,
  sweep_plan,
  sweep_settings,
  sweep_state,
  tensorboard,
)
from experiments.errors import UserError
from experiments.executors import Ended, Executor, Measured, Outcome, Task
from experiments.executors.local import LocalExecutor
from experiments.sweep_plan import Base, Trial

_POLL_SECONDS = 0.5


class Stopped(signals.Interrupted):
  """A signal ended a sweep in order."""

  def __init__(self, signal_number: int, n_done: int, n_trials: int):
    Exception.__init__(
      self,
      f'Stopped with {n_done} of {n_trials} trials done. The same command goes '
      'on.',
    )
    self.signal_number = signal_number


def sweep(
  sweeps: list[str],
  *,
  gin_files: list[str],
  gin_bindings: list[str],
  gin_search_paths: list[str],
  output_dir: str | None,
  jobs: int,
  retries: int,
  dry_run: bool,
) -> bool:
  """Runs what is left of a sweep, and prints the table of its trials.

  Args:
    sweeps: as --sweep.
    gin_files: as --gin_file.
    gin_bindings: as --gin_bindings.
    gin_search_paths: as --gin_search_paths.
    output_dir: holds the directories of the trials; None is where each would be
      as a run of its own.
    jobs: number of trials at once.
    retries: how often a trial that fails is tried again.
    dry_run: whether to show the trials only.

  Returns:
    Whether all trials have come to an end that is no failure.

  Raises:
    UserError: the sweep or one of its trials is refused; nothing has started.
    Stopped: Ctrl-C or SIGTERM; the trials that ran have a checkpoint.
  """
  definition = sweep_definition.read_definition(sweeps)
  bindings, settings = sweep_settings.split_bindings(
    gin_bindings, definition.settings
  )
  directory = pathlib.Path(
    output_dir or run_dir.default_output_dir(gin_files, {}).parent
  )
  base = Base(gin_files, bindings, gin_search_paths, directory)
  if dry_run:
    trials = sweep_plan.plan_grid(base, definition)
    sweep_dry_run.show(trials, directory=directory, jobs=jobs)
    return True
  with signals.StopSignal() as stop_signal, contextlib.ExitStack() as stack:
    run_dir.check_writable(directory)
    # The workers import while the trials are checked.
    executor = LocalExecutor(jobs)
    stack.callback(executor.close)
    trials = sweep_plan.plan_grid(base, definition)
    stack.enter_context(sweep_state.locked(directory))
    state = sweep_state.SweepState(
      directory,
      definition=definition.to_json(),
      gin_files=list(gin_files),
      gin_bindings=list(gin_bindings),
      objective=settings.objective,
      direction='minimize' if settings.is_minimized else 'maximize',
      search=None,
      status=sweep_state.RUNNING,
      start=run_dir.now(),
      end=None,
    )
    runner = _Runner(
      executor, state, settings, stop_signal, retries=retries, trials=trials
    )
    runner.run()
  _show_results(trials, settings, directory)
  return runner.n_failed == 0


class _Runner:
  """Gives trials to an executor until all are done."""

  def __init__(
    self,
    executor: Executor,
    state: sweep_state.SweepState,
    settings: sweep_settings.Settings,
    stop_signal: signals.StopSignal,
    *,
    retries: int,
    trials: Iterable[Trial],
  ):
    self._executor = executor
    self._state = state
    self._settings = settings
    self._stop_signal = stop_signal
    self._retries = retries
    self._trials = {trial.key: trial for trial in trials}
    self._waiting: collections.deque[Trial] = collections.deque()
    self._running: dict[str, Trial] = {}
    self._n_failures: collections.Counter[str] = collections.Counter()
    self._n_done = 0
    self._best: tuple[float, str] | None = None
    self.n_failed = 0

  def run(self) -> None:
    """Runs all trials that are not done.

    Raises:
      Stopped: a signal came.
    """
    for trial in self._trials.values():
      status = sweep_plan.status(trial)
      if status in sweep_plan.FINAL:
        self._note(trial, status)
        self._count(trial, status)
      else:
        self._note(trial, sweep_state.WAITING)
        self._waiting.append(trial)
    if self._n_done:
      logging.info('%d of %d done before', self._n_done, len(self._trials))
    self._state.write()
    is_stopping = False
    while self._running or (self._waiting and not is_stopping):
      while self._waiting and self._executor.n_free() and not is_stopping:
        self._start(self._waiting.popleft())
      for event in self._executor.wait(_POLL_SECONDS):
        self._handle(event)
      if self._stop_signal() is not None and not is_stopping:
        is_stopping = True
        self._executor.stop()
    number = self._stop_signal()
    if number is not None and self._n_done + self.n_failed < len(self._trials):
      self._state.write(status=sweep_state.INTERRUPTED, end=run_dir.now())
      raise Stopped(number, self._n_done, len(self._trials))
    status = sweep_state.INCOMPLETE if self.n_failed else sweep_state.FINISHED
    self._state.write(status=status, end=run_dir.now())

  def _start(self, trial: Trial) -> None:
    self._running[trial.key] = trial
    self._state.trial(trial.key)['attempts'] += 1
    self._note(trial, run_dir.RUNNING)
    self._state.write()
    self._executor.start(Task(trial.key, trial.config, trial.path))

  def _handle(self, event: Measured | Ended) -> None:
    if isinstance(event, Measured):
      event.answer(True)
      return
    trial = self._running.pop(event.key)
    outcome = event.outcome
    status = outcome.status
    if status in (run_dir.FAILED, run_dir.INTERRUPTED):
      # A process may have been lost after its work was done.
      recorded = sweep_plan.status(trial)
      status = recorded if recorded in sweep_plan.FINAL else status
    if status == run_dir.FAILED:
      self._n_failures[trial.key] += 1
      if outcome.may_retry and self._n_failures[trial.key] <= self._retries:
        logging.warning('%s: %s Trying again.', trial.label, outcome.error)
        self._note(trial, sweep_state.WAITING, error=outcome.error)
        self._waiting.append(trial)
        return
      _mark_failed(trial, outcome)
    self._note(trial, status, error=outcome.error)
    self._count(trial, status)
    self._state.write()
    if status != run_dir.INTERRUPTED:
      self._say(trial, status, outcome)

  def _count(self, trial: Trial, status: str) -> None:
    if status == run_dir.FAILED:
      self.n_failed += 1
    elif status in sweep_plan.FINAL:
      self._n_done += 1
      self.n_failed += status == run_dir.DIVERGED
      value = self._objective(trial)
      sign = 1 if self._settings.is_minimized else -1
      if value is not None and (
        self._best is None or sign * value < sign * self._best[0]
      ):
        self._best = value, trial.label

  def _objective(self, trial: Trial) -> float | None:
    run = compare.read_run(trial.path, trial.name)
    return run.metrics.get(self._settings.objective)

  def _note(self, trial: Trial, status: str, error: str | None = None) -> None:
    """Sets the entry of a trial in sweep.json, without writing it."""
    run = compare.read_run(trial.path, trial.name)
    self._state.trial(trial.key).update(
      directory=trial.name,
      bindings=dict(trial.values),
      status=status,
      steps=run.steps,
      seconds=run.seconds,
      metrics=dict(run.metrics),
      error=error or run.error,
    )

  def _say(self, trial: Trial, status: str, outcome: Outcome) -> None:
    run = compare.read_run(trial.path, trial.name)
    parts = [status]
    if self._settings.objective in run.metrics:
      value = run.metrics[self._settings.objective]
      parts.append(f'{self._settings.objective} {value:.4f}')
    if run.seconds is not None:
      parts.append(f'{run.seconds:.1f} s')
    if outcome.error:
      parts.append(outcome.error)
    best = ''
    if self._best is not None:
      best = f' (best so far {self._best[0]:.4f}, {self._best[1]})'
    logging.info(
      '[%d/%d] %s: %s%s',
      self._n_done + self.n_failed,
      len(self._trials),
      trial.label,
      ', '.join(parts),
      best,
    )


def _mark_failed(trial: Trial, outcome: Outcome) -> None:
  """Says in the run directory that a process was lost, if it could not."""
  directory = run_dir.RunDir(trial.path)
  run = directory.read_run()
  if run.get('status') != run_dir.RUNNING:
    return
  with contextlib.suppress(UserError), directory.locked():
    directory.write_run(
      status=run_dir.FAILED, error=outcome.error, end=run_dir.now()
    )
    with tensorboard.EventWriter(trial.path) as writer:
      writer.session_end(run_dir.FAILED, end_time=time.time())


def _show_results(
  trials: Iterable[Trial],
  settings: sweep_settings.Settings,
  directory: pathlib.Path,
) -> None:
  runs = [compare.read_run(trial.path, trial.name) for trial in trials]
  comparison = compare.compare_runs(
    runs, settings.objective, settings.is_minimized
  )
  print(compare_tables.render(comparison))
  print(f'\nSweep directory: {directory}')
  print(f'TensorBoard:     tensorboard --logdir={directory}')
