"""Ctrl-C and SIGTERM, taken in order."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from experiments.foundation.errors import EndOfRun


class Terminated(EndOfRun):
  """SIGTERM; what KeyboardInterrupt is for Ctrl-C."""

  run_status = 'interrupted'


class Interrupted(EndOfRun, Exception):
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


@contextlib.contextmanager
def held() -> Iterator[None]:
  """Lets a signal wait until the end of what must not be cut short.

  For the import of native libraries: an exception that a handler raises while
  one of them sets itself up aborts the process.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  with StopSignal() as stop_signal:
    yield
  number = stop_signal()
  if number is not None:
    signal.raise_signal(number)


def raise_for(number: int, frame: FrameType | None = None) -> None:
  """Raises KeyboardInterrupt for SIGINT and `Terminated` for SIGTERM."""
  del frame
  raise KeyboardInterrupt if number == signal.SIGINT else Terminated
