"""Files that are either whole or not there."""

import os
import pathlib

from experiments.foundation import directory


def write_atomic(
  path: os.PathLike | str, content: bytes | memoryview | str
) -> None:
  """Writes a file as `directory.File.write` does.

  Args:
    path: the file; its directory must exist.
    content: bytes, or text to be written as UTF-8.

  Raises:
    OSError: the disk is full, the directory is not writable, …; the file is
      then as it was and nothing is left beside it.
  """
  directory.File.at(path).write(content)


def write_new(path: os.PathLike | str, content: str) -> None:
  """Writes a file that must not be there, whole or not at all.

  Args:
    path: the file; its directory must exist.
    content: to be written as UTF-8.

  Raises:
    FileExistsError: it is there, even if it came while this was writing.
    OSError: it cannot be written; nothing is left beside it.
  """
  path = pathlib.Path(path)
  aside = path.with_name(f'.{os.urandom(8).hex()}.tmp')
  try:
    write_atomic(aside, content)
    # A rename would take the place of what is there; a link does not.
    os.link(aside, path)
  finally:
    aside.unlink(missing_ok=True)
  sync(path.parent)


def sync(path: os.PathLike | str) -> None:
  """Makes renames within a directory durable, or the content of a file.

  Args:
    path: an existing directory, or a file.
  """
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def sync_tree(path: os.PathLike | str) -> None:
  """Makes all files and directories below a directory durable, and itself.

  Args:
    path: an existing directory.
  """
  for parent, _, names in os.walk(os.fspath(path)):
    for name in names:
      sync(os.path.join(parent, name))
    sync(parent)
  sync(pathlib.Path(path).parent)
