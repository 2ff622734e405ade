"""Where the files that flags and includes name are looked for."""

import os
from collections.abc import Iterable, Sequence

import experiments
from experiments.foundation import paths
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import nearest, suggest


def find(path: str, directories: Iterable[str]) -> str | None:
  """Returns the path of a file that exists, or None.

  Args:
    path: as it was written.
    directories: in which to look for it, and then where the files of this
      project are; '' is the working directory.

  Raises:
    UserError: no file can have that path; the message has no place yet.
  """
  try:
    path = paths.expand(path)
  except paths.BadPathError as error:
    raise UserError(f'{path} must be {error}.') from None
  for directory in [*directories, *_find_shipped()]:
    candidate = os.path.normpath(os.path.join(directory, path))
    if os.path.exists(candidate):
      return candidate
  return None


def missing(path: str, directories: Sequence[str]) -> str:
  """Says that a file does not exist, and names one like it.

  Args:
    path: as it was written.
    directories: as of `find`.
  """
  folder, name = os.path.split(path)
  known: dict[str, str] = {}
  for directory in [*directories, *_find_shipped()]:
    where = os.path.join(directory, folder)
    try:
      files = os.listdir(where or '.')
    except OSError:
      continue
    # Those of this project are found by their names alone.
    shown = folder if directory in _find_shipped() else where
    for file in sorted(files):
      if os.path.splitext(file)[1] == os.path.splitext(name)[1]:
        known.setdefault(file, os.path.join(shown, file))
  near = suggest(known[each] for each in nearest(name, known))
  return f'{path} does not exist.{near}'


def _find_shipped() -> list[str]:
  """Returns where 'gin/agnews.gin' and 'agnews.gin' are, in a checkout or not.

  Installed, the gin files lie inside the package; see setup.cfg.
  """
  package = os.path.dirname(os.path.abspath(experiments.__file__))
  for root in (package, os.path.dirname(package)):
    if os.path.isfile(os.path.join(root, 'gin', 'base.gin')):
      return [root, os.path.join(root, 'gin')]
  return []
