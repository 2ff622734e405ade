"""Ctrl-C and SIGTERM, taken in order."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from experiments.foundation.errors import EndOfRun

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Terminated(EndOfRun):
  """SIGTERM; what KeyboardInterrupt is for Ctrl-C."""

  run_status = 'interrupted'


class Interrupted(EndOfRun, Exception):
  """A signal ended a run in order."""

  run_status = 'interrupted'

  def __init__(self, signal_number: int, step: int | None):
    """Says how to go on.

    Args:
      signal_number: of the signal.
      step: that of the newest checkpoint; None: there is none yet.
    """
    if step is None:
      message = 'Stopped before step 1. The same command begins again.'
    else:
      message = (
        f'Stopped at step {step}, with a checkpoint. The same command goes on.'
      )
    super().__init__(message)
    self.signal_number = signal_number
    self.step = step


# GNU timeout, for one, sends the same signal twice at once.
_SECONDS_TO_A_SECOND = 1.0


class StopSignal:
  """Notes a first Ctrl-C or SIGTERM, and lets a later one end the work.

  A context manager. Called, it returns the signal's number, or None. Outside of
  the main thread, to which Python brings all signals, it hears none.

  Attributes:
    has_raised: whether a signal has raised an exception. What is raised after
      that, from wherever it struck, is the signal's doing.
  """

  def __init__(self, clock: Callable[[], float] = time.monotonic):
    """Hears nothing yet.

    Args:
      clock: tells the time in seconds.
    """
    self.has_raised = False
    self._clock = clock
    self._number: int | None = None
    self._since = 0.0
    self._is_raising = False
    self._previous: dict[int, object] = {}

  def __enter__(self) -> 'StopSignal':
    if threading.current_thread() is threading.main_thread():
      for number in _NUMBERS:
        self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)  # type: ignore[arg-type]

  def __call__(self) -> int | None:
    """Returns the number of the signal that came, or None."""
    return self._number

  @contextlib.contextmanager
  def raising(self) -> Iterator[None]:
    """Lets a signal end what is done within at once, and one from before.

    For what may be given up at any point.

    Raises:
      KeyboardInterrupt: Ctrl-C.
      Terminated: SIGTERM.
    """
    if self._number is not None:
      self._raise(self._number)
    self._is_raising = True
    try:
      yield
    finally:
      self._is_raising = False

  def _note(self, number: int, frame: FrameType | None) -> None:
    if self._number is None:
      self._number, self._since = number, self._clock()
      if self._is_raising:
        self._raise(number, frame)
    elif self._clock() - self._since > _SECONDS_TO_A_SECOND:
      self._raise(number, frame)

  def _raise(self, number: int, frame: FrameType | None = None) -> None:
    self.has_raised = True
    raise_for(number, frame)


@contextlib.contextmanager
def held(before_exit: Callable[[], None] = lambda: None) -> Iterator[None]:
  """Keeps a signal from raising an exception in what must not be cut short.

  For the import of native libraries: an exception that a handler raises while
  one of them sets itself up aborts the process. A command whose handler is
  `end_command` ends at once, for it has nothing to lose; elsewhere, the signal
  waits for the end.

  Args:
    before_exit: called before a command ends.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  if signal.getsignal(signal.SIGTERM) is end_command:
    with _leaving(before_exit):
      yield
    return
  with StopSignal() as stop_signal:
    yield
  number = stop_signal()
  if number is not None:
    signal.raise_signal(number)


@contextlib.contextmanager
def _leaving(before_exit: Callable[[], None]) -> Iterator[None]:
  """Lets a signal end the process, with no exception."""

  def leave(number: int, frame: FrameType | None) -> None:
    del frame
    before_exit()
    with contextlib.suppress(OSError):
      os.write(2, b'Stopped.\n')
    os._exit(128 + number)

  handlers = {number: signal.getsignal(number) for number in _NUMBERS}
  for number, handler in handlers.items():
    if callable(handler):  # Neither ignored nor left to the system.
      signal.signal(number, leave)
  try:
    yield
  finally:
    for number, handler in handlers.items():
      signal.signal(number, handler)


def end_command(number: int, frame: FrameType | None = None) -> None:
  """Does what `raise_for` does, as the handler of a command that it ends."""
  raise_for(number, frame)


def raise_for(number: int, frame: FrameType | None = None) -> None:
  """Raises KeyboardInterrupt for SIGINT and `Terminated` for SIGTERM."""
  del frame
  raise KeyboardInterrupt if number == signal.SIGINT else Terminated
