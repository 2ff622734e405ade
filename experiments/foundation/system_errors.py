"""Errors of the operating system that the user can put right."""

import contextlib
import errno
import os
from collections.abc import Iterator

_MAKE_SPACE = 'Make space'
_ALLOW = 'Make it writable, or choose another place'
_MORE_FILES = 'Allow more open files, e.g. with ulimit -n 4096'
_WAYS_OUT = {
  errno.ENOSPC: _MAKE_SPACE,
  errno.EDQUOT: _MAKE_SPACE,
  errno.EFBIG: 'Raise the limit on the size of files (ulimit -f)',
  errno.EROFS: _ALLOW,
  errno.EACCES: _ALLOW,
  errno.EPERM: _ALLOW,
  errno.EMFILE: _MORE_FILES,
  errno.ENFILE: _MORE_FILES,
  errno.ENAMETOOLONG: 'Choose a shorter path',
  errno.ELOOP: 'Remove a link that leads back to itself',
  errno.ENOTDIR: 'Choose a path whose parts but the last are directories',
  errno.EIO: 'Look after the disk, or choose another',
  errno.ESTALE: 'Mount it again',
}


def explanation(error: OSError) -> str | None:
  """Returns what to tell the user instead of a traceback.

  Args:
    error: anything that the operating system refused.

  Returns:
    What failed, where, and the way out; None if it is not for the user to put
    right.
  """
  way_out = _WAYS_OUT.get(error.errno or 0)
  if way_out is None:
    return None
  place = '' if error.filename is None else f'{os.fsdecode(error.filename)}: '
  return (
    f'{place}{os.strerror(error.errno or 0)}.\n{way_out}; the same command '
    'goes on from the last checkpoint, if there is one.'
  )


@contextlib.contextmanager
def naming(path: os.PathLike | str) -> Iterator[None]:
  """Makes an error of writing to an open file say which one it was.

  Args:
    path: the file.
  """
  try:
    yield
  except OSError as error:
    if error.filename is None and error.errno is not None:
      error.filename = os.fspath(path)
    raise
