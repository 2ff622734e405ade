"""Where prepared data sets are, and how they come to be there safely.

A data set is prepared by one process at a time, in a directory with a temporary
name, and gets its name when it is complete.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from experiments.foundation import paths
from experiments.foundation.errors import UserError


def resolve_data_dir(data_dir: str | os.PathLike[str] | None) -> pathlib.Path:
  """Returns the directory of the prepared data sets.

  Args:
    data_dir: what `DATA_DIR` binds. None: the environment's TFDS_DATA_DIR, else
      TFDS's own default, ~/tensorflow_datasets.

  Raises:
    UserError: it can be no path.
  """
  if data_dir:
    return paths.absolute_or_refuse(os.fspath(data_dir), 'DATA_DIR')
  chosen = os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  return paths.absolute_or_refuse(chosen, 'TFDS_DATA_DIR')


@contextlib.contextmanager
def sole_writer(data_dir: pathlib.Path, name: str) -> Iterator[None]:
  """Makes `data_dir` and holds the right to prepare the data set `name` in it.

  A second process waits here until the first is done.

  Args:
    data_dir: the directory of the prepared data sets.
    name: the data set's name, without config and version.

  Raises:
    UserError: the directory cannot be made or written.
  """
  import filelock

  lock = filelock.FileLock(data_dir / f'.{name}.lock')
  try:
    data_dir.mkdir(parents=True, exist_ok=True)
    lock.acquire()
  except OSError as error:
    raise UserError(
      f'DATA_DIR {str(data_dir)!r} cannot be written ({error.strerror}), and '
      f'{name!r} must be prepared there.\n'
      'Bind DATA_DIR, or set TFDS_DATA_DIR, to a directory that can be written.'
    ) from error
  try:
    # A killed process left these: nobody else writes here now.
    for left in data_dir.glob(f'.{name}.unfinished.*'):
      shutil.rmtree(left, ignore_errors=True)
    yield
  finally:
    lock.release()


@contextlib.contextmanager
def aside(data_dir: pathlib.Path, name: str) -> Iterator[pathlib.Path]:
  """Yields an empty directory beside a data set, and removes it.

  The next `sole_writer` of the data set removes that of a killed process.

  Args:
    data_dir: the directory of the prepared data sets.
    name: the data set's name; the caller is its sole writer.
  """
  data_dir.mkdir(parents=True, exist_ok=True)
  prefix = f'.{name}.unfinished.'
  with tempfile.TemporaryDirectory(dir=data_dir, prefix=prefix) as directory:
    yield pathlib.Path(directory)


@contextlib.contextmanager
def quiet_tfds() -> Iterator[None]:
  """Drops TFDS's progress bars, prints and routine log lines while it is open.

  With a verbosity above 0 (absl's) everything is shown. Warnings and errors
  always are, but for the one that says that a data set is not prepared yet.
  """
  from absl import logging as absl_logging

  if absl_logging.get_verbosity() > 0:
    yield
    return
  import tensorflow_datasets as tfds

  absl_logger = absl_logging.get_absl_logger()
  tfds.display_progress_bar(False)
  absl_logger.addFilter(_is_worth_showing)
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      yield
  finally:
    absl_logger.removeFilter(_is_worth_showing)
    tfds.display_progress_bar(True)


def _is_worth_showing(record: logging.LogRecord) -> bool:
  if f'{os.sep}tensorflow_datasets{os.sep}' not in record.pathname:
    return True
  is_routine = str(record.msg).startswith('Variant folder %s has no')
  return record.levelno > logging.INFO and not is_routine
