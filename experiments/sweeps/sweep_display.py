"""What a sweep shows on stderr: bars on a terminal, plain lines elsewhere."""

import collections
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from experiments.comparison import run_reader
from experiments.foundation import terminal
from experiments.rundir import run_dir
from experiments.rundir.metric_log import Record
from experiments.sweeps import sweep_estimate, sweep_settings
from experiments.sweeps.executors import Outcome
from experiments.sweeps.sweep_plan import Trial

_PLAIN_SECONDS = 30.0
_CHECKING_SECONDS = 5.0

_DELAY_SECONDS = 1.0
_COLUMNS_OF_A_TERMINAL_WITHOUT_SIZE = 80
# A bar is never shorter.
_BAR_COLUMNS = 10


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
      self._bar = terminal.progress_bar(
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
  """A line for each trial that runs, and one for all with the best so far."""

  def __init__(
    self,
    settings: sweep_settings.Settings,
    *,
    every_seconds: float = _PLAIN_SECONDS,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Shows nothing yet.

    Args:
      settings: of the sweep.
      every_seconds: the time between two plain lines of a trial.
      clock: returns seconds.
    """
    self._settings = settings
    self._every_seconds = every_seconds
    self._clock = clock
    self._has_terminal = sys.stderr.isatty()
    self._start = clock()
    self._total: Any = None
    self._bars: dict[str, _Bar] = {}
    self._last_line: dict[str, float] = {}
    self._evaluated: dict[str, str] = {}
    self._best: tuple[float, str] | None = None
    self._time_left = sweep_estimate.TimeLeft()
    self._waiting: collections.Counter[str | None] = collections.Counter()
    self._last_drawn = 0.0

  def expect(self, structures: Iterable[str], n_trials: int) -> None:
    """Takes what is still to be run, for the estimate of the time left.

    Args:
      structures: of the trials that are known.
      n_trials: number of all, with those that are not drawn yet.
    """
    self._waiting = collections.Counter(structures)
    unknown = n_trials - self._waiting.total()
    if unknown > 0:
      self._waiting[None] = unknown

  def count(self, n_ended: int, n_trials: int) -> None:
    """Shows how many trials have come to an end."""
    if not self._has_terminal:
      return
    if self._total is None:
      self._total = terminal.progress_bar(
        desc='Trials',
        leave=False,
        position=0,
        bar_format='{desc}',
        ncols=_columns(),
      )
    self._total.n, self._total.total = n_ended, n_trials
    self._draw_total()

  def tick(self) -> None:
    """Lets the clocks go on; called twice a second or so."""
    if self._total is None or self._clock() - self._last_drawn < 1:
      return
    self._last_drawn = self._clock()
    self._draw_total()
    for bar in self._bars.values():
      bar.draw()

  def show_start(self, trial: Trial) -> None:
    """Shows that a trial has been handed out."""
    self._last_line[trial.key] = self._clock()
    for structure in (trial.structure, None):
      if self._waiting[structure] > 0:
        self._waiting[structure] -= 1
        break
    if self._has_terminal:
      taken = {bar.position for bar in self._bars.values()}
      position = next(i for i in range(1, 10**6) if i not in taken)
      self._bars[trial.key] = _Bar(trial, position, self._clock)

  def show_progress(
    self, trial: Trial, step: int, n_steps: int, loss: float | None
  ) -> None:
    """Shows how far a trial has come."""
    shown = [] if loss is None else [f'loss {loss:.4f}']
    if trial.key in self._evaluated:
      shown.append(self._evaluated[trial.key])
    if trial.key in self._bars:
      self._bars[trial.key].update(step, n_steps, shown)
    elif self._clock() - self._last_line[trial.key] >= self._every_seconds:
      self._last_line[trial.key] = self._clock()
      logging.info(
        '%s: step %d of %d%s',
        trial.label,
        step,
        n_steps,
        ''.join(f', {part}' for part in shown),
      )

  def show_records(self, trial: Trial, records: list[Record]) -> None:
    """Takes the last sampled evaluation of a trial."""
    for record in records:
      if (record.split, record.metric) == ('eval', 'metrics/Accuracy'):
        self._evaluated[trial.key] = f'eval {record.value:.4f}'

  def take_best(self, trial: Trial, run: run_reader.Run) -> None:
    """Compares a trial that is done with the best so far."""
    if run.seconds is not None:
      self._time_left.took(trial.structure, run.seconds)
    if run.fold is not None:
      # It is no better than the other folds of its config, but luckier.
      return
    value = run.find_metric(self._settings.objective)
    sign = 1 if self._settings.is_minimized else -1
    if value is not None and (
      self._best is None or sign * value < sign * self._best[0]
    ):
      self._best = value, trial.label

  def show_end(
    self,
    trial: Trial,
    run: run_reader.Run,
    outcome: Outcome,
    *,
    n_ended: int,
    n_trials: int,
  ) -> None:
    """Shows how a trial has come out."""
    self.remove(trial)
    if outcome.status == run_dir.INTERRUPTED:
      return
    objective = self._settings.objective
    parts = [outcome.status]
    value = run.find_metric(objective)
    if value is not None:
      parts.append(f'{objective} {value:.4f}')
    if run.seconds is not None:
      parts.append(f'{run.seconds:.1f} s')
    if outcome.error:
      parts.append(outcome.error)
    logging.info(
      '[%d/%d] %s: %s%s',
      n_ended,
      n_trials,
      trial.label,
      ', '.join(parts),
      f' (best so far {self._best[0]:.4f}, {self._best[1]})'
      if self._best
      else '',
    )
    self.count(n_ended, n_trials)

  def remove(self, trial: Trial) -> None:
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

  def _draw_total(self) -> None:
    figures = [_clock_text(self._clock() - self._start)]
    left = [bar.estimate_rest(self._time_left) for bar in self._bars.values()]
    known = [seconds for seconds in left if seconds is not None]
    rest = None
    if len(known) == len(left):
      rest = self._time_left.of_rest(
        self._waiting, known, n_at_once=max(1, len(left))
      )
    if rest is not None:
      figures.append(f'{_clock_text(rest)} left')
    if self._best is not None:
      figures.append(f'best {self._best[0]:.4f}, {self._best[1]}')
    _draw(self._total, 'Trials', ', '.join(figures))


class _Bar:
  """The line of one trial on a terminal."""

  def __init__(
    self, trial: Trial, position: int, clock: Callable[[], float]
  ) -> None:
    self.position = position
    self._trial = trial
    self._clock = clock
    self._start = clock()
    # Step and time of the first news: until then it compiles.
    self._first: tuple[int, float] | None = None
    self._shown: list[str] = []
    self._bar = terminal.progress_bar(
      desc=trial.label,
      leave=False,
      position=position,
      bar_format='{desc}',
      ncols=_columns(),
    )
    self.draw()

  def update(self, step: int, n_steps: int, shown: list[str]) -> None:
    """Shows a step, and the newest loss and evaluation."""
    if self._first is None:
      self._first = step, self._clock()
    self._bar.n, self._bar.total = step, n_steps
    self._shown = shown
    self.draw()

  def estimate_rest(self, known: sweep_estimate.TimeLeft) -> float | None:
    """Returns the seconds to its end; None if nothing tells."""
    if self._first is not None:
      step, start = self._first
      if self._bar.n > step:
        rate = (self._clock() - start) / (self._bar.n - step)
        return rate * (self._bar.total - self._bar.n)
    seconds = known.of_trial(self._trial.structure)
    if seconds is None:
      return None
    return max(0.0, seconds - (self._clock() - self._start))

  def draw(self) -> None:
    """Draws it, with the time as it is now."""
    if self._first is None:
      elapsed = _clock_text(self._clock() - self._start)
      columns = _columns()
      label = _cut(self._trial.label, columns - len(elapsed) - 12)
      self._bar.ncols = columns
      self._bar.set_description_str(f'{label}: starting {elapsed}')
      return
    left = self.estimate_rest(sweep_estimate.TimeLeft())
    figures = [] if left is None else [f'{_clock_text(left)} left']
    _draw(self._bar, self._trial.label, ', '.join([*figures, *self._shown]))

  def close(self) -> None:
    """Removes it."""
    self._bar.close()


def _draw(bar: Any, label: str, figures: str) -> None:
  """Draws a line: a third for the label, a bar, and figures as they fit."""
  columns = _columns()
  label = _cut(label, columns // 3)
  counts = f'{bar.n}/{bar.total}'
  figures = _cut(figures, columns - len(label) - len(counts) - _BAR_COLUMNS - 6)
  text = f'| {counts} {figures}'.replace('{', '{{').replace('}', '}}')
  bar.ncols = columns
  bar.bar_format = '{desc} |{bar}' + text
  bar.set_description_str(f'{label}:')


def _cut(text: str, width: int) -> str:
  return text if len(text) <= width else f'{text[: max(0, width - 1)]}…'


def _columns() -> int:
  """Returns the width of the terminal; one more would wrap the line."""
  try:
    columns = os.get_terminal_size(sys.stderr.fileno()).columns
  except OSError:
    columns = 0
  return (columns or _COLUMNS_OF_A_TERMINAL_WITHOUT_SIZE) - 1


def _clock_text(seconds: float) -> str:
  """Returns seconds as 1:02:03 or 02:03."""
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  start = f'{hours}:' if hours else ''
  return f'{start}{minutes:02}:{rest:02}'
