"""What a sweep shows on stderr: bars on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from experiments.comparison import compare
from experiments.foundation import terminal
from experiments.rundir import run_dir
from experiments.rundir.metric_log import Record
from experiments.sweeps import sweep_settings
from experiments.sweeps.executors import Outcome
from experiments.sweeps.sweep_plan import Trial

_PLAIN_SECONDS = 30.0
_CHECKING_SECONDS = 5.0

_DELAY_SECONDS = 1.0


class Checking:
  """Counts the trials that have been checked, where that takes a while.

  A context manager.
  """

  def __init__(
    self,
    n_trials: int,
    *,
    every_seconds: float = _CHECKING_SECONDS,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Shows nothing yet.

    Args:
      n_trials: number of trials to check.
      every_seconds: the time between two plain lines.
      clock: returns seconds.
    """
    self._n_trials = n_trials
    self._every_seconds = every_seconds
    self._clock = clock
    self._n_checked = 0
    # From the first on: it waits for imports.
    self._last_line: float | None = None
    self._bar: Any = None
    if sys.stderr.isatty():
      import tqdm

      self._bar = tqdm.tqdm(
        desc='Checking trials',
        total=n_trials,
        unit='trial',
        leave=False,
        delay=_DELAY_SECONDS,
      )

  def __enter__(self) -> 'Checking':
    return self

  def __exit__(self, *_) -> None:
    if self._bar is not None:
      self._bar.close()

  def update(self) -> None:
    """Shows that one more has been checked."""
    self._n_checked += 1
    if self._bar is not None:
      self._bar.update()
      return
    now = self._clock()
    if self._last_line is None:
      self._last_line = now
    elif now - self._last_line >= self._every_seconds:
      self._last_line = now
      logging.info(
        '%s of %s trials checked',
        f'{self._n_checked:,}',
        f'{self._n_trials:,}',
      )


class Display:
  """A line for each trial that runs, and the best so far."""

  def __init__(
    self,
    settings: sweep_settings.Settings,
    *,
    every_seconds: float = _PLAIN_SECONDS,
  ):
    """Shows nothing yet.

    Args:
      settings: of the sweep.
      every_seconds: the time between two plain lines of a trial.
    """
    self._settings = settings
    self._every_seconds = every_seconds
    self._tqdm = None
    if sys.stderr.isatty():
      self._tqdm = terminal.progress_bar
    self._total: Any = None
    self._bars: dict[str, _Bar] = {}
    self._last_line: dict[str, float] = {}
    self._evaluated: dict[str, str] = {}
    self._best: tuple[float, str] | None = None

  def count(self, n_ended: int, n_trials: int) -> None:
    """Shows how many trials have come to an end."""
    if self._tqdm is None:
      return
    if self._total is None:
      self._total = self._tqdm(
        total=n_trials, initial=n_ended, unit='trial', leave=False, position=0
      )
    self._total.total = n_trials
    self._total.update(n_ended - self._total.n)
    self._total.set_postfix_str(self._best_so_far())

  def started(self, trial: Trial) -> None:
    """Shows that a trial has been handed out."""
    self._last_line[trial.key] = time.monotonic()
    if self._tqdm is not None:
      taken = {bar.position for bar in self._bars.values()}
      position = next(i for i in range(1, 10**6) if i not in taken)
      self._bars[trial.key] = _Bar(self._tqdm, trial.label, position)

  def progressed(
    self, trial: Trial, step: int, n_steps: int, loss: float | None
  ) -> None:
    """Shows how far a trial has come."""
    shown = [] if loss is None else [f'loss {loss:.4f}']
    if trial.key in self._evaluated:
      shown.append(self._evaluated[trial.key])
    if trial.key in self._bars:
      self._bars[trial.key].update(step, n_steps, ', '.join(shown))
    elif time.monotonic() - self._last_line[trial.key] >= self._every_seconds:
      self._last_line[trial.key] = time.monotonic()
      logging.info(
        '%s: step %d of %d%s',
        trial.label,
        step,
        n_steps,
        ''.join(f', {part}' for part in shown),
      )

  def measured(self, trial: Trial, records: list[Record]) -> None:
    """Takes the last sampled evaluation of a trial."""
    for record in records:
      if (record.split, record.metric) == ('eval', 'metrics/Accuracy'):
        self._evaluated[trial.key] = f'eval {record.value:.4f}'

  def take_best(self, trial: Trial, run: compare.Run) -> None:
    """Compares a trial that is done with the best so far."""
    value = run.metrics.get(self._settings.objective)
    sign = 1 if self._settings.is_minimized else -1
    if value is not None and (
      self._best is None or sign * value < sign * self._best[0]
    ):
      self._best = value, trial.label

  def ended(
    self,
    trial: Trial,
    run: compare.Run,
    outcome: Outcome,
    *,
    n_ended: int,
    n_trials: int,
  ) -> None:
    """Shows how a trial has come out."""
    self.removed(trial)
    if outcome.status == run_dir.INTERRUPTED:
      return
    objective = self._settings.objective
    parts = [outcome.status]
    if objective in run.metrics:
      parts.append(f'{objective} {run.metrics[objective]:.4f}')
    if run.seconds is not None:
      parts.append(f'{run.seconds:.1f} s')
    if outcome.error:
      parts.append(outcome.error)
    best = self._best_so_far()
    logging.info(
      '[%d/%d] %s: %s%s',
      n_ended,
      n_trials,
      trial.label,
      ', '.join(parts),
      f' (best so far {best})' if best else '',
    )
    self.count(n_ended, n_trials)

  def removed(self, trial: Trial) -> None:
    """Takes away the line of a trial that no longer runs."""
    bar = self._bars.pop(trial.key, None)
    if bar is not None:
      bar.close()

  def close(self) -> None:
    """Removes all bars."""
    for bar in self._bars.values():
      bar.close()
    if self._total is not None:
      self._total.close()

  def _best_so_far(self) -> str:
    if self._best is None:
      return ''
    return f'{self._best[0]:.4f}, {self._best[1]}'


class _Bar:
  """The line of one trial on a terminal."""

  def __init__(self, tqdm, label: str, position: int):
    self.position = position
    self._bar = tqdm(
      desc=label, total=1, unit='step', leave=False, position=position
    )

  def update(self, step: int, n_steps: int, shown: str) -> None:
    self._bar.total = n_steps
    self._bar.set_postfix_str(shown, refresh=False)
    self._bar.update(step - self._bar.n)

  def close(self) -> None:
    self._bar.close()
