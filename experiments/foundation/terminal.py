"""What a person reads on stdout and stderr: all of it goes through here.

Names, texts and messages can come from a stranger's run, data set or config.
The streams of a process of ours escape what would steer a terminal, whoever
prints it: the log, results, errors, tracebacks, warnings, other libraries.
"""

import contextlib
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from experiments.foundation import plain_text, system_errors

# File descriptors.
_STDOUT, _STDERR = 1, 2

_LEAST_WIDTH = 80


class Stream:
  """Stands before stdout or stderr, and escapes what is written.

  Attributes:
    raw: the stream as it was, for what has to move the cursor.
    is_closed: whether nobody can read it: the process was started without it.
  """

  def __init__(self, raw, name: str, *, is_closed: bool = False):
    """Writes nothing yet.

    Args:
      raw: a text stream.
      name: for messages.
      is_closed: whether it leads nowhere.
    """
    self.raw = raw
    self.is_closed = is_closed
    self._name = name

  def write(self, text: str) -> int:
    """Writes text with its control characters escaped.

    Args:
      text: what to write.

    Raises:
      OSError: it cannot be written; the error names the stream.
    """
    with system_errors.naming(self._name):
      self.raw.write(plain_text.escape(text))
    return len(text)

  def writelines(self, texts: Iterable[str]) -> None:
    """Writes texts one after another."""
    for text in texts:
      self.write(text)

  def flush(self) -> None:
    """Writes what is held back, as `write` does."""
    with system_errors.naming(self._name):
      self.raw.flush()

  def write_data(self, text: str) -> None:
    """Writes what programs read; see `print_data`."""
    if self.isatty():
      text = plain_text.escape(text)
    with system_errors.naming(self._name):
      self.raw.write(text)
    self.flush()

  def __getattr__(self, name: str) -> Any:
    return getattr(self.raw, name)


class _DataStream(Stream):
  """Stdout of a process that writes nothing there but by `print_data`."""

  def write(self, text: str) -> int:
    """Writes what else is printed to stderr."""
    return sys.stderr.write(text)


def open_streams() -> None:
  """Makes stdout and stderr of this process escape what is written to them.

  One that the process was started without (`>&-`) leads nowhere, and no file
  that is opened later gets its number: what a library writes there would land
  in the file. A stdin that is not there stays None.
  """
  for number in range(3):
    try:
      os.fstat(number)
    except OSError:
      # The lowest number that is free is the one that is closed.
      os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
  for name in ('stdout', 'stderr'):
    stream = getattr(sys, name)
    if isinstance(stream, Stream):
      continue
    is_closed = stream is None
    if is_closed:
      stream = open(os.devnull, 'w', encoding='utf-8')  # noqa: SIM115
    setattr(sys, name, Stream(stream, name, is_closed=is_closed))


def keep_stdout_for_data() -> None:
  """Leaves stdout of this process to `print_data`, until it ends.

  What else prints there, be it a user's model, a thread of it, C or another
  process, then prints to stderr.
  """
  stdout = sys.stdout
  if not isinstance(stdout, Stream):
    return  # That of a test, or of a notebook.
  stdout.flush()
  kept = os.dup(stdout.fileno())
  os.dup2(_STDERR, _STDOUT)
  raw = open(  # noqa: SIM115 (for good)
    kept, 'w', encoding=stdout.encoding, errors=stdout.errors
  )
  sys.stdout = _DataStream(raw, 'stdout', is_closed=stdout.is_closed)


def print_data(text: str) -> None:
  """Prints what programs read: as it is, unless a terminal shows it; at once.

  Args:
    text: such as CSV, which cannot say otherwise what a control character is.
  """
  if isinstance(sys.stdout, Stream):
    sys.stdout.write_data(text)
  else:
    print(text, end='', flush=True)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
  """Sends what Python, C or another process prints to stderr, not stdout."""

  def flush():
    if sys.__stdout__:  # None, where it is closed.
      sys.__stdout__.flush()

  with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
    flush()
    # Redirects the process's own streams too, if it has both.
    with contextlib.suppress(OSError):
      kept = os.dup(_STDOUT)
      stack.callback(os.close, kept)
      os.dup2(_STDERR, _STDOUT)
      stack.callback(os.dup2, kept, _STDOUT)
      stack.callback(flush)
    yield


def width() -> float:
  """Returns how many characters a line of stdout has; infinity in a pipe.

  A terminal that is narrower than 80 breaks the lines itself.
  """
  if not sys.stdout.isatty():
    return math.inf
  return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def discard(stream) -> None:
  """Lets what is still to be written to stdout or stderr go nowhere.

  After an error of writing to it, Python would try once more as it ends, and
  end with a status of its own.

  Args:
    stream: either.
  """
  os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def progress_bar(**options: Any):
  """Makes a bar on stderr, whose label and figures are escaped.

  Args:
    **options: those of `tqdm.tqdm`.

  Returns:
    A tqdm.
  """
  import tqdm

  class Bar(tqdm.tqdm):
    """Moves the cursor itself, around a text that cannot."""

    def __str__(self) -> str:
      return plain_text.escape_line(super().__str__())

  return Bar(file=getattr(sys.stderr, 'raw', sys.stderr), **options)
