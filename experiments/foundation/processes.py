"""What Linux offers a process, and what takes its place elsewhere."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from experiments.foundation.errors import UserError

# Of Linux's <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0


def check_platform(platform: str = sys.platform) -> None:
  """Checks that this system has the locks and signals that runs rely on.

  Args:
    platform: as `sys.platform`.

  Raises:
    UserError: it is Windows.
  """
  if platform in ('win32', 'cygwin'):
    raise UserError(
      'This needs Linux or macOS: Windows has neither their locks nor their '
      'signals. Use the Windows Subsystem for Linux (WSL 2).'
    )


def check_current_directory() -> None:
  """Checks that the current directory is there, which libraries rely on.

  Raises:
    UserError: it was removed.
  """
  try:
    os.getcwd()
  except FileNotFoundError:
    raise UserError(
      'The current directory was removed. Change to one that is there, e.g. '
      'by cd, and start again.'
    ) from None


def die_with(parent: int) -> bool:
  """Makes this process end, without notice, when its parent does.

  Not by SIGTERM: nobody would be there to kill a process that does not heed it,
  and a run goes on exactly from its last checkpoint.

  Args:
    parent: the id of the process that started this one.

  Returns:
    Whether the parent is still there.
  """
  try:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
  except AttributeError:
    # Only Linux does it for us.
    threading.Thread(target=_look_for, args=(parent,), daemon=True).start()
  return os.getppid() == parent


def _look_for(parent: int) -> None:
  while os.getppid() == parent:
    time.sleep(_LOOK_SECONDS)
  os.kill(os.getpid(), signal.SIGKILL)


def usable_cores() -> list[int]:
  """Returns the numbers of the processor cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return sorted(os.sched_getaffinity(0))
  return list(range(os.cpu_count() or 1))


def keep_to_cores(cores: Sequence[int]) -> None:
  """Keeps this process and its threads to some cores, where that can be."""
  with contextlib.suppress(AttributeError):
    os.sched_setaffinity(0, cores)
