"""Files that are either whole or not there."""

import contextlib
import glob
import os
import pathlib
import tempfile

from experiments.foundation import system_errors


def write_atomic(
  path: os.PathLike | str, content: bytes | memoryview | str
) -> None:
  """Writes a file so that a reader sees the old content or all of the new.

  Written aside in the same directory, flushed to disk, then renamed.

  Args:
    path: the file; its directory must exist.
    content: bytes, or text to be written as UTF-8.

  Raises:
    OSError: the disk is full, the directory is not writable, …; the file is
      then as it was and nothing is left beside it.
  """
  path = pathlib.Path(path)
  if isinstance(content, str):
    content = content.encode('utf-8')
  descriptor, aside = tempfile.mkstemp(
    dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp'
  )
  try:
    with system_errors.naming(path), os.fdopen(descriptor, 'wb') as file:
      file.write(content)
      file.flush()
      os.fsync(file.fileno())
    os.chmod(aside, 0o666 & ~_umask())
    os.replace(aside, path)
  except BaseException:
    with contextlib.suppress(OSError):
      os.unlink(aside)
    raise
  sync(path.parent)


def remove_unfinished(directory: os.PathLike | str, prefix: str = '') -> None:
  """Removes what `write_atomic` of a killed process left in a directory.

  Args:
    directory: it need not exist.
    prefix: of the names of the files that were to be written.
  """
  for aside in pathlib.Path(directory).glob(f'.{glob.escape(prefix)}*.tmp'):
    aside.unlink(missing_ok=True)


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
  for directory, _, names in os.walk(os.fspath(path)):
    for name in names:
      sync(os.path.join(directory, name))
    sync(directory)
  sync(pathlib.Path(path).parent)


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask
