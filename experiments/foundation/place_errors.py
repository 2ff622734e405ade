"""What is wrong with a place in a directory that is worked in."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Any, Protocol

from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import WrongKindError, kind_of

# What opening the wrong kind of thing ends in.
_OF_KINDS = (
  errno.ELOOP,
  errno.ENOTDIR,
  errno.EISDIR,
  errno.ENXIO,
  errno.EOPNOTSUPP,
)


class Place(Protocol):
  """A directory or a file; see `directory`.

  Attributes:
    kind: 'directory' or 'file', which must be there.
    parent: the Directory that it is in; None for one that is reached by path.
  """

  kind: str
  parent: Any

  @property
  def path(self) -> pathlib.Path:
    """Where it is, for messages."""


def refuse_kind(place: Place, mode: int) -> WrongKindError:
  """Returns the error that a place holds something of another kind.

  Args:
    place: where.
    mode: of what is there, as `os.stat` has it.
  """
  found = kind_of(mode)
  reason = f'{place} is {found}, and a {place.kind} must be there'
  if stat.S_ISLNK(mode):
    reason = f'{place} is {found}, and none is followed there'
  return WrongKindError(
    f'{reason}. Put the {place.kind} itself there, or remove it.'
  )


@contextlib.contextmanager
def explain(place: Place, is_made: bool = False) -> Iterator[None]:
  """Makes errors name the whole path, and say what is wrong with a kind.

  Args:
    place: what is worked at.
    is_made: whether it is to be made if it is not there.

  Raises:
    WrongKindError: something of another kind is there.
    UserError: the directory that it is in was removed.
  """
  try:
    yield
  except OSError as error:
    if error.errno is not None:
      error.filename, error.filename2 = str(place), None
    if error.errno in _OF_KINDS:
      mode = _mode(place)
      is_right = stat.S_ISDIR if place.kind == 'directory' else stat.S_ISREG
      if mode is not None and not is_right(mode):
        raise refuse_kind(place, mode) from error
    if is_made and error.errno == errno.ENOENT and _is_removed(place):
      raise UserError(
        f'{place} cannot be made: its directory was removed while this process '
        'was working in it.'
      ) from error
    raise


def _is_removed(place: Place) -> bool:
  """Tells whether the directory that something is in has been removed."""
  parent = place.parent
  return parent is not None and os.fstat(parent.descriptor).st_nlink == 0


def _mode(place: Place) -> int | None:
  """Returns what kind of thing is somewhere, or None."""
  parent = place.parent
  try:
    if parent is None:
      return os.stat(place.path).st_mode
    return os.stat(
      place.path.name, dir_fd=parent.descriptor, follow_symlinks=False
    ).st_mode
  except OSError:
    return None
