"""A program on a pseudo-terminal, as in a window of a person's screen."""

import os
import select
import subprocess
import sys
import termios
import time

CTRL_C = b'\x03'

# By the program itself: what is run between fork and exec may not be Python
# where JAX has started threads.
_TAKE_TERMINAL = """
import fcntl, os, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
  """Runs a program whose stdin and stderr are a terminal; a context manager.

  Attributes:
    written: what it wrote to the terminal so far.
    process: its subprocess.Popen; its stdout is a pipe.
  """

  def __init__(self, command, *, columns=80, **options):
    """Starts the program.

    Args:
      command: list of str.
      columns: width of the terminal; 0 for one that knows no size.
      **options: those of `subprocess.Popen`.
    """
    self.written = ''
    self._ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))

    self.process = subprocess.Popen(
      [sys.executable, '-c', _TAKE_TERMINAL, *command],
      stdin=theirs,
      stdout=subprocess.PIPE,
      stderr=theirs,
      start_new_session=True,
      text=True,
      **options,
    )
    os.close(theirs)

  def __enter__(self):
    return self

  def __exit__(self, *unused):
    self.process.kill()
    self.process.communicate()
    os.close(self._ours)

  def type(self, keys):
    """Sends bytes as if typed, e.g. CTRL_C."""
    os.write(self._ours, keys)

  def read_until(self, text, *, timeout_seconds=120):
    """Reads until the program has written a text, or has ended for None.

    Args:
      text: what to wait for; None for the end.
      timeout_seconds: how long to wait.

    Returns:
      All that it wrote.

    Raises:
      TimeoutError: it did neither; with what it wrote.
      EOFError: it ended without writing the text.
    """
    end = time.monotonic() + timeout_seconds
    while text is None or text not in self.written:
      if time.monotonic() > end:
        raise TimeoutError(self.written)
      if not select.select([self._ours], [], [], 0.1)[0]:
        continue
      try:
        self.written += os.read(self._ours, 2**16).decode(errors='replace')
      except OSError:  # The program has closed the terminal.
        if text is None:
          break
        raise EOFError(self.written) from None
    return self.written
