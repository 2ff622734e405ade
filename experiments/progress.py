"""What a run shows on stderr: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time


class Progress:
  """Steps, loss, examples per second and time left of one run."""

  def __init__(self, *, n_steps: int, step: int, every_seconds: float = 10.0):
    """Starts to show the progress of a run.

    Args:
      n_steps: the total number of steps.
      step: the number of steps done already.
      every_seconds: the time between two plain lines.
    """
    self._n_steps = n_steps
    self._step = step
    self._every_seconds = every_seconds
    self._n_examples = 0
    self._start = self._last_line = time.monotonic()
    self._bar = None
    if sys.stderr.isatty():
      import tqdm

      self._bar = tqdm.tqdm(
        total=n_steps, initial=step, unit='step', leave=False, smoothing=0.1
      )

  def update(self, step: int, *, n_examples: int, loss: float | None) -> None:
    """Shows that training has reached a step.

    Args:
      step: the number of steps done.
      n_examples: how many examples were trained on since the last call.
      loss: the newest loss that is known, or None.
    """
    self._n_examples += n_examples
    now = time.monotonic()
    rate = self._n_examples / max(now - self._start, 1e-9)
    shown = '' if loss is None else f'loss {loss:.4f}, '
    shown += f'{rate:,.0f} examples/s'
    if self._bar is not None:
      self._bar.set_postfix_str(shown, refresh=False)
      self._bar.update(step - self._step)
    elif now - self._last_line >= self._every_seconds:
      self._last_line = now
      logging.info('step %d of %d, %s', step, self._n_steps, shown)
    self._step = step

  def close(self) -> None:
    """Removes the bar."""
    if self._bar is not None:
      self._bar.close()
