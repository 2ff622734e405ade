"""The file that --html names."""

import logging
import pathlib

from experiments.foundation import files
from experiments.foundation.errors import UserError


def check(name: str) -> pathlib.Path:
  """Returns the path of a page that can be written, as far as can be told.

  Args:
    name: as --html.

  Raises:
    UserError: it is a directory, or lies in one that is not there.
  """
  path = pathlib.Path(name)
  if path.is_dir() or not path.parent.is_dir():
    what = (
      'it is a directory' if path.is_dir() else f'no {path.parent}/ is here'
    )
    raise UserError(
      f'--html={name}: {what}. Name a file in a directory that is there, such '
      'as --html=page.html.'
    )
  return path


def write(path: pathlib.Path, content: str) -> None:
  """Writes a page, whole or not at all, in place of what is there.

  Raises:
    UserError: it cannot be written.
  """
  try:
    files.write_atomic(path, content)
  except OSError as error:
    raise UserError(
      f'--html={path}: cannot be written: {error.strerror}.'
    ) from error
  logging.info('Written: %s', path)
