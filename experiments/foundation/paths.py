"""Paths as users write them: `~` is expanded, what can be no path is refused.

Every path that comes from a flag, a binding or the environment goes through
here.
"""

import os
import pathlib

from experiments.foundation.errors import UserError

# Limits of Linux's file systems: bytes of a name, and of a whole path.
_LONGEST_NAME = 255
_LONGEST_PATH = 4095


class BadPathError(ValueError):
  """A path that cannot be; the message is a phrase for after 'must be'."""


def expand(path: str) -> str:
  """Returns a path with `~` and `~user` replaced by home directories.

  Args:
    path: as it was written; what holds '://' is a URL and stays as it is.

  Raises:
    BadPathError: no file can have that path.
  """
  if '\0' in path:
    raise BadPathError('a path without a zero byte')
  if '://' in path:
    return path
  expanded = os.path.expanduser(path)
  if path.startswith('~'):
    expanded = _check_home(path, expanded)
  try:
    encoded = os.fsencode(expanded)
  except UnicodeEncodeError:
    raise BadPathError(
      'a path whose characters the file system can write'
    ) from None
  if len(encoded) > _LONGEST_PATH or any(
    len(name) > _LONGEST_NAME for name in encoded.split(b'/')
  ):
    raise BadPathError(
      f'a path of at most {_LONGEST_PATH} bytes, and {_LONGEST_NAME} for each '
      'name in it'
    )
  return expanded


def absolute(path: str) -> str:
  """Returns a path from the root, which means the same in every directory.

  Args:
    path: as of `expand`; relative to the working directory.

  Raises:
    BadPathError: no file can have that path.
  """
  expanded = expand(path)
  if '://' in expanded:
    return expanded
  try:
    return expand(os.path.abspath(expanded))
  except FileNotFoundError:
    raise BadPathError(
      'a path from the root, since the working directory was removed'
    ) from None


def absolute_or_refuse(path: str, name: str) -> pathlib.Path:
  """Returns a path from the root, or explains to the user why there is none.

  Args:
    path: as of `expand`.
    name: of the environment variable that gives it, or would.

  Raises:
    UserError: no file can have that path.
  """
  try:
    return pathlib.Path(absolute(path))
  except BadPathError as error:
    raise UserError(f'{name}={path} must be {error}.') from None


def _check_home(path: str, expanded: str) -> str:
  user = path.partition('/')[0][1:]
  if user and expanded == path:
    raise BadPathError(
      f'the path of a user that exists, which {user} does not (./~ begins a '
      'name with ~)'
    )
  if not user and (expanded == path or not os.environ.get('HOME', '/')):
    raise BadPathError(
      'a path without ~, since HOME is not set and says nothing of a home '
      'directory'
    )
  return expanded
