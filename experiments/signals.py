"""Ctrl-C and SIGTERM, taken in order."""

import signal
import time
from types import FrameType


class Terminated(BaseException):
  """SIGTERM; what KeyboardInterrupt is for Ctrl-C."""

  run_status = 'interrupted'


class Interrupted(Exception):
  """A signal ended a run in order, with a checkpoint."""

  run_status = 'interrupted'

  def __init__(self, signal_number: int, step: int):
    super().__init__(
      f'Stopped at step {step}, with a checkpoint. The same command goes on.'
    )
    self.signal_number = signal_number
    self.step = step


# GNU timeout, for one, sends the same signal twice at once.
_SECONDS_TO_A_SECOND = 1.0


class StopSignal:
  """Notes a first Ctrl-C or SIGTERM, and lets a later one end the work.

  A context manager. Called, it returns the signal's number, or None.
  """

  def __init__(self):
    self._number: int | None = None
    self._since = 0.0
    self._previous: dict[int, object] = {}

  def __enter__(self) -> 'StopSignal':
    for number in (signal.SIGINT, signal.SIGTERM):
      self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)  # type: ignore[arg-type]

  def __call__(self) -> int | None:
    """Returns the number of the signal that came, or None."""
    return self._number

  def _note(self, number: int, frame: FrameType | None) -> None:
    if self._number is None:
      self._number, self._since = number, time.monotonic()
    elif time.monotonic() - self._since > _SECONDS_TO_A_SECOND:
      raise_for(number, frame)


def raise_for(number: int, frame: FrameType | None = None) -> None:
  """Raises KeyboardInterrupt for SIGINT and `Terminated` for SIGTERM."""
  del frame
  raise KeyboardInterrupt if number == signal.SIGINT else Terminated
