"""Gives trials to an executor until all are done, and keeps count."""

import collections
import contextlib
import logging
import math
import time
from collections.abc import Callable

from experiments.comparison import run_reader
from experiments.foundation import signals
from experiments.foundation.errors import UserError
from experiments.reporting import tensorboard
from experiments.reporting.hparams import run_hparams
from experiments.rundir import run_dir, sweep_file
from experiments.sweeps import sweep_display, sweep_plan, sweep_settings
from experiments.sweeps.executors import (
  Ended,
  Event,
  Executor,
  Measured,
  Outcome,
  Progressed,
  Task,
)
from experiments.sweeps.sweep_plan import Trial, TrialSupply

_POLL_SECONDS = 0.5
# For what runs to end where the sweep cannot go on.
_PATIENCE_SECONDS = 30.0


class Stopped(signals.Interrupted):
  """A signal ended a sweep in order."""

  def __init__(self, signal_number: int, n_done: int, n_trials: int):
    Exception.__init__(
      self,
      f'Stopped with {n_done} of {n_trials} trials done. The same command goes '
      'on.',
    )
    self.signal_number = signal_number


class Runner:
  """Gives trials to an executor until all are done."""

  def __init__(
    self,
    executor: Executor,
    state: sweep_file.SweepState,
    settings: sweep_settings.Settings,
    stop_signal: signals.StopSignal,
    *,
    retries: int,
    supply: TrialSupply,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Starts nothing yet.

    Args:
      executor: runs the trials.
      state: sweep.json.
      settings: of the sweep.
      stop_signal: ends the sweep.
      retries: how often a trial that fails is tried again.
      supply: gives the trials.
      seconds: after how many no trial is started any more; None: never.
      clock: gives the time in seconds.
    """
    self._executor = executor
    self._state = state
    self._settings = settings
    self._stop_signal = stop_signal
    self._retries = retries
    self._supply = supply
    self._seconds, self._clock = seconds, clock
    self._end = math.inf
    self._to_retry: collections.deque[Trial] = collections.deque()
    self._running: dict[str, Trial] = {}
    self._n_failures: collections.Counter[str] = collections.Counter()
    self._ended: set[str] = set()
    self._n_done = 0
    self._has_changed = False
    self._display = sweep_display.Display(settings)
    self.n_failed = 0
    self.n_interrupted = 0

  def run(self) -> None:
    """Runs all trials that are not done.

    Raises:
      Stopped: a signal came.
      UserError: the search or sweep.json is damaged, or cannot be written; what
        ran has a checkpoint.
    """
    if self._seconds is not None:
      self._end = self._clock() + self._seconds
    try:
      self._run()
    except (UserError, OSError):
      self._end_in_order()
      raise
    finally:
      self._display.close()

  def _end_in_order(self) -> None:
    """Lets what runs save a checkpoint, where the sweep cannot go on."""
    self._executor.stop()
    end = time.monotonic() + _PATIENCE_SECONDS
    while self._running and time.monotonic() < end:
      for event in self._executor.wait(_POLL_SECONDS):
        if isinstance(event, Measured):
          event.answer(True)
        elif isinstance(event, Ended):
          trial = self._running.pop(event.key, None)
          if trial is not None:
            self._note(trial, event.outcome.status, error=event.outcome.error)
    with contextlib.suppress(UserError, OSError):
      self._state.write(status=sweep_file.INTERRUPTED, end=run_dir.now())

  def _run(self) -> None:
    trials = self._supply.trials()
    for trial in trials:
      if self._stop_signal() is not None:
        break
      status = sweep_plan.status(trial)
      is_done = status in sweep_plan.FINAL
      run = self._note(trial, status if is_done else sweep_file.WAITING)
      if is_done:
        self._count(trial, status, run)
    if self._n_done:
      logging.info('%d of %d done before', self._n_done, self._supply.n_trials)
    self._state.write()
    self._display.expect(
      (trial.structure for trial in trials if trial.key not in self._ended),
      self._supply.n_trials - len(self._ended),
    )
    self._display.count(len(self._ended), self._supply.n_trials)
    is_stopping = self._stop_signal() is not None
    while True:
      while self._executor.n_free() and not is_stopping and not self._is_over():
        next_trial = self._next()
        if next_trial is None:
          break
        self._start(next_trial)
      # Once for all that has changed, while what was started works already.
      if self._has_changed:
        self._state.write()
        self._has_changed = False
      is_last = is_stopping or self._is_over() or not self._to_retry
      if not self._running and is_last:
        break
      for event in self._executor.wait(_POLL_SECONDS):
        self._handle(event)
      self._display.tick()
      if self._stop_signal() is not None and not is_stopping:
        is_stopping = True
        self._executor.stop()
    number = self._stop_signal()
    n_trials = self._supply.n_trials
    if number is not None and len(self._ended) < n_trials:
      self._state.write(status=sweep_file.INTERRUPTED, end=run_dir.now())
      raise Stopped(number, self._n_done, n_trials)
    is_cut_short = self._is_over() and len(self._ended) < n_trials
    if is_cut_short:
      logging.info(
        '%g seconds are over: %d of %d trials are done. The same command goes '
        'on with the others.',
        self._seconds,
        self._n_done,
        n_trials,
      )
    is_incomplete = self.n_failed or self.n_interrupted or is_cut_short
    status = sweep_file.INCOMPLETE if is_incomplete else sweep_file.FINISHED
    self._state.write(status=status, end=run_dir.now())

  def _is_over(self) -> bool:
    """Tells whether the time is up in which trials are started."""
    return self._clock() >= self._end

  def _next(self) -> Trial | None:
    """Returns the next trial that is not done; those to retry come last."""
    choose = self._executor.choose
    while (trial := self._supply.next(choose)) is not None:
      status = sweep_plan.status(trial)
      if status not in sweep_plan.FINAL:
        return trial
      self._count(trial, status, self._note(trial, status))
      self._supply.take_status(trial, status)
    for trial in self._to_retry:
      # Its lost process may still be on another machine, and write.
      if not run_dir.RunDir(trial.path).is_locked():
        self._to_retry.remove(trial)
        return trial
    return None

  def _start(self, trial: Trial) -> None:
    self._running[trial.key] = trial
    self._state.trial(trial.key)['attempts'] += 1
    self._note(trial, run_dir.RUNNING)
    self._has_changed = True
    self._display.show_start(trial)
    self._executor.start(
      Task(trial.key, trial.config, trial.path, tuple(trial.values))
    )

  def _handle(self, event: Event) -> None:
    trial = self._running.get(event.key)
    if trial is None:
      # What was on its way when the attempt ended.
      return
    if isinstance(event, Progressed):
      self._display.show_progress(trial, event.step, event.n_steps, event.loss)
    elif isinstance(event, Measured):
      event.answer(self._supply.take_records(trial, event.records))
      self._display.show_records(trial, event.records)
    else:
      del self._running[event.key]
      self._take(trial, event.outcome)

  def _take(self, trial: Trial, outcome: Outcome) -> None:
    """Takes the end of an attempt at a trial."""
    status = outcome.status
    if status in (run_dir.FAILED, run_dir.INTERRUPTED):
      # A process may have been lost after its work was done.
      recorded = sweep_plan.status(trial)
      status = recorded if recorded in sweep_plan.FINAL else status
    if status == run_dir.FAILED:
      self._n_failures[trial.key] += 1
      if outcome.may_retry and self._n_failures[trial.key] <= self._retries:
        logging.warning('%s: %s Trying again.', trial.label, outcome.error)
        self._note(trial, sweep_file.WAITING, error=outcome.error)
        self._to_retry.append(trial)
        self._display.remove(trial)
        return
      _mark_failed(trial, outcome)
    run = self._note(trial, status, error=outcome.error)
    self._count(trial, status, run)
    self._has_changed = True
    if status != run_dir.INTERRUPTED:
      self._supply.take_status(trial, status)
    elif self._stop_signal() is None:
      self.n_interrupted += 1
      logging.warning(
        '%s: a signal stopped it. The same command goes on with it.',
        trial.label,
      )
    self._display.show_end(
      trial,
      run,
      Outcome(status, outcome.error),
      n_ended=len(self._ended),
      n_trials=self._supply.n_trials,
    )

  def _count(self, trial: Trial, status: str, run: run_reader.Run) -> None:
    """Counts a trial that has come to an end, once."""
    if status == run_dir.INTERRUPTED or trial.key in self._ended:
      return
    self._ended.add(trial.key)
    self.n_failed += status in (run_dir.FAILED, run_dir.DIVERGED)
    if status in sweep_plan.FINAL:
      self._n_done += 1
      self._display.take_best(trial, run)

  def _note(
    self, trial: Trial, status: str, error: str | None = None
  ) -> run_reader.Run:
    """Sets the entry of a trial in sweep.json, without writing it."""
    run = sweep_plan.read_run(trial)
    self._state.trial(trial.key).update(
      directory=trial.name,
      bindings=dict(trial.values),
      status=status,
      steps=run.steps,
      seconds=run.seconds,
      metrics=dict(run.metrics),
      error=error or run.error,
    )
    return run


def _mark_failed(trial: Trial, outcome: Outcome) -> None:
  """Says in the run directory that a trial failed, if it could not itself.

  Its process was lost, or it ended before there was a run directory.
  """
  directory = run_dir.RunDir(trial.path)
  # One that is damaged says so itself, to who reads it.
  with contextlib.suppress(UserError, OSError):
    if directory.config.is_file() and not sweep_plan.owns_directory(trial):
      return
    run = directory.read_run()
    if run.get('status', run_dir.RUNNING) == run_dir.RUNNING:
      _write_failure(directory, run, trial, outcome)


def _write_failure(
  directory: run_dir.RunDir,
  run: run_dir.RunRecord,
  trial: Trial,
  outcome: Outcome,
) -> None:
  with directory.locked():
    if not run:
      directory.write_run(
        status=run_dir.RUNNING,
        overrides=dict(trial.config.overrides),
        seed=trial.config.macros.get('SEED'),
        start=run_dir.now(),
        steps=0,
        **run_dir.provenance(),
      )
      directory.config.write(trial.config.text)
    with tensorboard.EventWriter(directory.root) as writer:
      if not run:
        writer.session_start(
          run_hparams(
            trial.config.macros, trial.config.overrides, trial.values
          ),
          start_time=time.time(),
        )
      writer.session_end(run_dir.FAILED, end_time=time.time())
    directory.write_run(
      status=run_dir.FAILED, error=outcome.error, end=run_dir.now()
    )
