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
