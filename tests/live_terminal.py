"""A program on a pseudo-terminal, as in a window of a person's screen."""

import fcntl
import os
import select
import subprocess
import termios
import time

CTRL_C = b'\x03'


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

    def take_terminal():
      fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    self.process = subprocess.Popen(
      command,
      stdin=theirs,
      stdout=subprocess.PIPE,
      stderr=theirs,
      start_new_session=True,
      preexec_fn=take_terminal,
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
