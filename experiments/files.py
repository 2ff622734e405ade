"""Files that are either whole or not there."""

import contextlib
import os
import pathlib
import tempfile

from experiments import system_errors


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
  sync_directory(path.parent)


def sync_directory(path: os.PathLike | str) -> None:
  """Makes renames within a directory durable.

  Args:
    path: an existing directory.
  """
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask
