"""Files that the user named, which must be regular ones, read within bounds.

The path may lead through symbolic links, unlike what is below a directory, see
`directory`. To open a FIFO can take for ever, and a device can do anything.
"""

import io
import os
import re
import stat
from typing import BinaryIO

from experiments.foundation.errors import UserError

# Not blocking, so that a FIFO that nobody writes to is opened, and refused.
SAFELY = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
# Of what is read as a whole and has no bound of its own.
MAX_BYTES = 2**28
_KINDS = {
  stat.S_IFLNK: 'a symbolic link',
  stat.S_IFDIR: 'a directory',
  stat.S_IFREG: 'a file',
  stat.S_IFIFO: 'a FIFO',
  stat.S_IFSOCK: 'a socket',
  stat.S_IFCHR: 'a device',
  stat.S_IFBLK: 'a device',
}


class WrongKindError(UserError):
  """Something else stands where a regular file or a directory must be."""


def open_regular(path: os.PathLike[str] | str) -> io.BufferedReader:
  """Opens a file that the user named to be read.

  The path may lead through symbolic links, to a regular file. A pipe may be
  named as well if this process was started with it, as in
  `--input=<(zcat articles.gz)`.

  Args:
    path: the file.

  Raises:
    WrongKindError: it is something else.
    OSError: it does not exist, or may not be read.
  """
  path = os.fspath(path)
  if re.fullmatch(r'/dev/stdin|(/dev|/proc/self)/fd/\d+', path):
    return open(path, 'rb')
  mode = os.stat(path).st_mode
  if not stat.S_ISREG(mode):
    raise _wrong_kind(path, mode)
  descriptor = os.open(path, SAFELY | os.O_RDONLY)
  return open(require_regular(descriptor, path), 'rb')


def read_regular(path: os.PathLike[str] | str, most: int = MAX_BYTES) -> bytes:
  """Returns all that is in a file that the user named; see `open_regular`.

  Args:
    path: the file.
    most: how many bytes that may be.

  Raises:
    UserError: there are more, or it is not a regular file.
    OSError: as of `open_regular`.
  """
  with open_regular(path) as file:
    return read_bounded(file, most, os.fspath(path))


def read_bounded(file: BinaryIO, most: int, name: str) -> bytes:
  """Reads an open file to its end.

  Args:
    file: opened to be read.
    most: how many bytes there may be.
    name: of the file, for a message.

  Raises:
    UserError: there are more; of a file, nothing has been read.
  """
  size = check_size(file, most, name)
  # A file of /proc and a pipe have no size of their own.
  content = file.read(-1 if size else most + 1)
  if len(content) > most:
    raise _too_large(name, most)
  return content


def check_size(file: BinaryIO, most: int, name: str) -> int:
  """Returns the size of an open file in bytes; see `bounded`."""
  size = os.fstat(file.fileno()).st_size
  if size > most:
    raise _too_large(name, most)
  return size


def _too_large(name: str, most: int) -> UserError:
  return UserError(
    f'{name} has more than {most:,} bytes, the most that are read of such a '
    'file.'
  )


def kind_of(mode: int) -> str:
  """Returns what kind of thing has a mode, for a message."""
  return _KINDS.get(stat.S_IFMT(mode), 'of no known kind')


def _wrong_kind(name: str, mode: int) -> WrongKindError:
  return WrongKindError(
    f'{name} is {kind_of(mode)}, and a regular file is needed.'
  )


def require_regular(descriptor: int, name: str) -> int:
  """Returns a descriptor of a regular file; closes any other."""
  try:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
      raise _wrong_kind(name, mode)
  except BaseException:
    os.close(descriptor)
    raise
  return descriptor
