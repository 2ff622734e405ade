"""What a run shows on stderr: a bar on a terminal, plain lines elsewhere."""

import collections
import logging
import os
import sys
import time
from collections.abc import Callable

from experiments.foundation import terminal

# The rate is that of the last seconds: over the whole run the compilation would
# count as slow training.
_RATE_SECONDS = 5.0
_COLUMNS_OF_A_TERMINAL_WITHOUT_SIZE = 80

OnProgress = Callable[[int, int, float | None], None]


def seldom(on_progress: OnProgress, every_seconds: float = 1.0) -> OnProgress:
  """Returns what passes a call on if the last one was long ago.

  Args:
    on_progress: told of step, number of steps and the newest loss, or None.
    every_seconds: least time between two calls.
  """
  last = 0.0

  def pass_on(step: int, n_steps: int, loss: float | None) -> None:
    nonlocal last
    if time.monotonic() - last >= every_seconds:
      last = time.monotonic()
      on_progress(step, n_steps, loss)

  return pass_on


class Progress:
  """Steps, loss, examples per second and time left of one run."""

  def __init__(
    self,
    *,
    n_steps: int,
    step: int,
    on_progress: OnProgress = lambda step, n_steps, loss: None,
    every_seconds: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Starts to show the progress of a run.

    Args:
      n_steps: the total number of steps.
      step: the number of steps done already.
      on_progress: told of each update, too.
      every_seconds: the time between two plain lines.
      clock: gives the time in seconds.
    """
    self._n_steps = n_steps
    self._step = step
    self._on_progress = on_progress
    self._every_seconds = every_seconds
    self._n_examples = 0
    # (time, number of examples by then); the first call compiled.
    self._past: collections.deque[tuple[float, int]] = collections.deque()
    self._clock = clock
    self._last_line = clock()
    self._bar = None
    if sys.stderr.isatty():
      self._bar = terminal.progress_bar(
        total=n_steps,
        initial=step,
        unit='step',
        leave=False,
        smoothing=0.1,
        ncols=os.get_terminal_size(sys.stderr.fileno()).columns
        or _COLUMNS_OF_A_TERMINAL_WITHOUT_SIZE,
      )

  def update(self, step: int, *, n_examples: int, loss: float | None) -> None:
    """Shows that training has reached a step.

    Args:
      step: the number of steps done.
      n_examples: how many examples were trained on since the last call.
      loss: the newest loss that is known, or None.
    """
    now = self._clock()
    self._n_examples += n_examples
    self._past.append((now, self._n_examples))
    shown = [] if loss is None else [f'loss {loss:.4f}']
    start, before = self._past[0]
    if now > start:
      rate = (self._n_examples - before) / (now - start)
      shown.append(f'{rate:,.0f} examples/s')
    while now - self._past[0][0] > _RATE_SECONDS:
      self._past.popleft()
    self._show(step, ', '.join(shown), now)
    self._on_progress(step, self._n_steps, loss)
    self._step = step

  def _show(self, step: int, shown: str, now: float) -> None:
    if self._bar is not None:
      self._bar.set_postfix_str(shown, refresh=False)
      self._bar.update(step - self._step)
    elif now - self._last_line >= self._every_seconds:
      self._last_line = now
      logging.info('step %d of %d, %s', step, self._n_steps, shown)

  def close(self) -> None:
    """Removes the bar."""
    if self._bar is not None:
      self._bar.close()
