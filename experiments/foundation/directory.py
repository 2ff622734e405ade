"""Directories that are opened once, and files that are reached through them.

A directory may have come from a stranger. The path to it is the user's own and
may lead through symbolic links; below it nothing is followed through one, for
reading, writing or removing, whatever its name. So what is below is opened by
name and descriptor, and must be a regular file or a directory: to open a FIFO
can take for ever, and a device can do anything.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pathlib
import re
import stat
import weakref
from collections.abc import Callable, Iterator
from typing import BinaryIO

from experiments.foundation.place_errors import explain, refuse_kind
from experiments.foundation.regular_files import (
  MAX_BYTES,
  SAFELY,
  WrongKindError,
  check_size,
  read_bounded,
  require_regular,
)

_BELOW = SAFELY | os.O_NOFOLLOW
_ASIDE = re.compile(r'\.(.+)\.[a-z0-9_]{8}\.tmp')


class Directory:
  """A directory, which need not exist before something is done in it.

  Attributes:
    parent: the directory through which it is reached; None for the user's own
      path.
  """

  kind = 'directory'

  def __init__(
    self, path: os.PathLike[str] | str, parent: Directory | None = None
  ):
    """Opens nothing yet.

    Args:
      path: the user's own path to it; or its name in `parent`, and then it may
        be no symbolic link.
      parent: the directory through which it is reached.
    """
    self._path = os.fspath(path)
    self.parent = parent
    self._descriptor: int | None = None

  def __str__(self) -> str:
    return str(self.path)

  @property
  def path(self) -> pathlib.Path:
    """Where it is, for messages; it may have been moved since."""
    above = self.parent.path if self.parent else pathlib.Path()
    return above / self._path

  @property
  def descriptor(self) -> int:
    """The directory itself, opened at first use.

    Raises:
      WrongKindError: it is not a directory, and what it is in is not the
        user's own.
      OSError: it is not a directory, does not exist, or may not be read.
    """
    if self._descriptor is None:
      self._descriptor = self._open()
      self._close = weakref.finalize(self, os.close, self._descriptor)
    return self._descriptor

  def _open(self) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if self.parent is None:
      return os.open(self._path, flags)
    with explain(self):
      return os.open(
        self._path,
        flags | os.O_NOFOLLOW,
        dir_fd=self.parent.descriptor,
      )

  @classmethod
  def at(cls, place: Directory | os.PathLike[str] | str) -> Directory:
    """Returns the directory at a path that is the user's own."""
    return place if isinstance(place, Directory) else cls(place)

  def directory(self, name: str) -> Directory:
    """Returns a directory in this one."""
    return Directory(name, self)

  def file(self, name: str) -> File:
    """Returns a file in this directory."""
    return File(self, name)

  def exists(self) -> bool:
    """Tells whether it is there.

    Raises:
      WrongKindError: something else is there, in a directory that is not the
        user's own.
    """
    try:
      return self.descriptor >= 0
    except (FileNotFoundError, NotADirectoryError):
      return False

  def make(self) -> None:
    """Makes it and its parents, unless it is there.

    Raises:
      WrongKindError: something else is there.
      OSError: it cannot be made.
    """
    if self._descriptor is not None and os.fstat(self._descriptor).st_nlink:
      return
    self._descriptor = None
    if self.parent is None:
      self.path.mkdir(parents=True, exist_ok=True)
    else:
      self.parent.make()
      with contextlib.suppress(FileExistsError), explain(self, True):
        os.mkdir(self._path, dir_fd=self.parent.descriptor)
    _ = self.descriptor

  def where(self) -> pathlib.Path:
    """Returns where it is now, if it was moved after it was opened."""
    if self._descriptor is None:
      return self.path
    try:
      is_there = os.path.samestat(
        os.stat(self.path), os.fstat(self._descriptor)
      )
    except OSError:
      is_there = False
    if is_there:
      return self.path
    try:
      return pathlib.Path(os.readlink(f'/proc/self/fd/{self._descriptor}'))
    except OSError:
      return self.path  # Only Linux tells.

  def names(self) -> list[str]:
    """Returns the names in it, in order; [] where there is no directory."""
    if not self.exists():
      return []
    with explain(self):
      return sorted(os.listdir(self.descriptor))

  def remove_unfinished(self, is_ours: Callable[[str], object]) -> None:
    """Removes what `File.write` of a killed process left.

    Args:
      is_ours: tells, by the name, whether a file is one that may have been
        written here.
    """
    for name in self.names():
      aside = _ASIDE.fullmatch(name)
      if aside and is_ours(aside[1]):
        with contextlib.suppress(WrongKindError):
          if self.file(name).is_file():
            self.file(name).unlink()


class File:
  """A file in a directory, which need not exist.

  Attributes:
    parent: the directory that it is in.
    name: its name there.
  """

  kind = 'file'

  def __init__(self, parent: Directory, name: str):
    """Names a file; nothing is opened."""
    self.parent = parent
    self.name = name

  @classmethod
  def at(cls, place: File | os.PathLike[str] | str) -> File:
    """Returns the file at a path whose directory is the user's own."""
    if isinstance(place, File):
      return place
    path = pathlib.Path(place)
    return cls(Directory(path.parent), path.name)

  def __str__(self) -> str:
    return str(self.path)

  @property
  def path(self) -> pathlib.Path:
    """Where it is, for messages."""
    return self.parent.path / self.name

  def is_file(self) -> bool:
    """Tells whether it is there.

    Raises:
      WrongKindError: something other than a regular file has its name.
    """
    if not self.parent.exists():
      return False
    try:
      with explain(self):
        mode = os.stat(
          self.name, dir_fd=self.parent.descriptor, follow_symlinks=False
        ).st_mode
    except FileNotFoundError:
      return False
    if not stat.S_ISREG(mode):
      raise refuse_kind(self, mode)
    return True

  def open_to_read(self) -> io.BufferedReader:
    """Opens it to be read.

    Raises:
      WrongKindError: it is not a regular file.
      OSError: it does not exist, or may not be read.
    """
    return open(self._open_below(os.O_RDONLY), 'rb')

  def read_bytes(self, most: int = MAX_BYTES) -> bytes:
    """Returns all that is in it.

    Args:
      most: how many bytes that may be.

    Raises:
      UserError: there are more, or it is not a regular file.
      OSError: as of `open_to_read`.
    """
    with self.open_to_read() as file:
      return read_bounded(file, most, str(self))

  def read_text(
    self, *, encoding: str, errors: str = 'strict', most: int = MAX_BYTES
  ) -> str:
    """Returns all that is in it, decoded; see `read_bytes`."""
    return self.read_bytes(most).decode(encoding, errors)

  def read_lines(self, longest: int, most: int = 2**32) -> Iterator[bytes]:
    """Yields its lines, each with its end.

    Args:
      longest: the most bytes of a line; of a longer one, so many are yielded.
      most: how many bytes the file may have.

    Raises:
      UserError: it has more, or is not a regular file.
      OSError: as of `open_to_read`.
    """
    with self.open_to_read() as file:
      check_size(file, most, str(self))
      while line := file.readline(longest):
        yield line
        while len(line) == longest and not line.endswith(b'\n'):
          line = file.readline(longest)

  def write(self, *parts: bytes | memoryview | str) -> None:
    """Writes it so that a reader sees the old content or all of the new.

    Written aside, flushed to disk, then renamed.

    Args:
      *parts: one after the other; text is written as UTF-8.

    Raises:
      WrongKindError: a directory has its name.
      OSError: the disk is full, the directory is not writable, …; the file is
        then as it was and nothing is left beside it.
    """
    directory = self.parent.descriptor
    # Else it could take the place of a link, or fail only at the very end.
    self.is_file()
    aside = f'.{self.name}.{os.urandom(4).hex()}.tmp'
    with explain(self, is_made=True):
      descriptor = os.open(
        aside,
        _BELOW | os.O_WRONLY | os.O_CREAT | os.O_EXCL,
        0o666,
        dir_fd=directory,
      )
      try:
        with open(descriptor, 'wb') as file:
          for part in parts:
            file.write(part.encode() if isinstance(part, str) else part)
          file.flush()
          os.fsync(file.fileno())
        os.replace(aside, self.name, src_dir_fd=directory, dst_dir_fd=directory)
      except BaseException:
        with contextlib.suppress(OSError):
          os.unlink(aside, dir_fd=directory)
        raise
      os.fsync(directory)

  def create(self) -> BinaryIO:
    """Opens a new file to be written.

    Raises:
      FileExistsError: it is there.
      OSError: it cannot be made.
    """
    return open(self._open_below(os.O_WRONLY | os.O_CREAT | os.O_EXCL), 'wb')

  def open_in_place(self, flags: int) -> int:
    """Opens it to be changed where it is, made if need be.

    A file that has another name as well, a hard link, is first replaced by a
    copy, so that what has the other name stays as it is.

    Args:
      flags: os.O_RDWR or os.O_WRONLY, and perhaps os.O_APPEND.

    Returns:
      A descriptor.

    Raises:
      WrongKindError: it is not a regular file.
      OSError: it cannot be opened or made.
    """
    descriptor = self._open_below(flags | os.O_CREAT)
    if os.fstat(descriptor).st_nlink == 1:
      return descriptor
    os.close(descriptor)
    self.write(self.read_bytes())
    return self._open_below(flags)

  def rename(self, name: str) -> None:
    """Gives it another name in its directory, in place of what has it."""
    at = self.parent.descriptor
    with explain(self):
      os.replace(self.name, name, src_dir_fd=at, dst_dir_fd=at)

  def unlink(self, missing_ok: bool = False) -> None:
    """Removes it; a symbolic link itself, and never a directory."""
    try:
      with explain(self):
        os.unlink(self.name, dir_fd=self.parent.descriptor)
    except FileNotFoundError:
      if not missing_ok:
        raise

  def _open_below(self, flags: int) -> int:
    # Before it is opened, too: with some devices that alone does something.
    if not self.is_file() and not flags & os.O_CREAT:
      raise FileNotFoundError(
        errno.ENOENT, os.strerror(errno.ENOENT), str(self)
      )
    with explain(self, is_made=bool(flags & os.O_CREAT)):
      descriptor = os.open(
        self.name, _BELOW | flags, 0o666, dir_fd=self.parent.descriptor
      )
    return require_regular(descriptor, str(self))
