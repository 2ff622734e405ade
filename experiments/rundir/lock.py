"""Locks that the kernel lets go of, however the process ends that has one."""

import contextlib
import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator

from experiments.foundation.directory import File

# Longer than others take to look whether a lock is held.
_PATIENCE_SECONDS = 0.5


class HeldError(Exception):
  """Another process holds the lock.

  Attributes:
    holder: names it, as far as it can.
  """

  def __init__(self, holder: str):
    super().__init__(holder)
    self.holder = holder


@contextlib.contextmanager
def held(file: File) -> Iterator[None]:
  """Holds a lock.

  Args:
    file: stands for it; made if need be, and tells the next one who holds it.

  Raises:
    HeldError: another process does.
    UserError: it is not a regular file.
    OSError: it cannot be made.
  """
  descriptor = file.open_in_place(os.O_RDWR)
  try:
    _take(descriptor, fcntl.LOCK_EX)
    # It need not.
    with contextlib.suppress(OSError):
      os.ftruncate(descriptor, 0)
      os.pwrite(descriptor, f'{os.getpid()} {platform.node()}'.encode(), 0)
    yield
  finally:
    # Not by closing alone, since a child that was forked has it open, too.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def check(file: File) -> None:
  """Checks, without a trace, that no process holds a lock.

  Args:
    file: stands for it; one that is not there is not held.

  Raises:
    HeldError: a process does.
  """
  _look(file, _PATIENCE_SECONDS)


def is_held(file: File) -> bool:
  """Tells, without a trace and at once, whether a process holds a lock."""
  try:
    _look(file, 0)
  except HeldError:
    return True
  return False


def _look(file: File, patience_seconds: float) -> None:
  try:
    opened = file.open_to_read()
  except OSError:
    return
  with opened:
    _take(opened.fileno(), fcntl.LOCK_SH, patience_seconds)


def _take(
  descriptor: int, kind: int, patience_seconds: float = _PATIENCE_SECONDS
) -> None:
  end = time.monotonic() + patience_seconds
  while True:
    try:
      fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
      return
    except BlockingIOError as error:
      if time.monotonic() < end:
        time.sleep(0.05)
        continue
      noted = re.fullmatch(rb'(\d+) ([\w.-]+)', os.pread(descriptor, 300, 0))
      holder = 'another process'
      if noted:
        holder = f'process {noted[1].decode()} on {noted[2].decode()}'
      raise HeldError(holder) from error
