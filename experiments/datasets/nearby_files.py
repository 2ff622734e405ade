"""Files that someone may mean who has bound DATASET to no data set's name."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib

from experiments.foundation import data_paths
from experiments.foundation.suggestions import nearest

# Of 0 to 1: one wrong letter in five, about.
_NEAR = 0.8
_MOST_ENTRIES = 10_000


def suggest_path(name: str) -> str:
  """Returns what to bind where a file or directory has a name, or nearly so.

  Args:
    name: what DATASET is bound to, such as 'reviews' where reviews.csv is.

  Returns:
    A sentence after a space, or ''.
  """
  path = pathlib.Path(name)
  found: dict[str, tuple[str, str]] = {}
  for entry in _list(path.parent):
    whole = str(path.parent / entry.name)
    if entry.is_dir():
      found[entry.name] = ('directory', f'./{whole}')
    elif data_paths.format_of(entry.name):
      found[entry.name] = ('file', whole)
      found.setdefault(entry.name.partition('.')[0], ('file', whole))
    elif entry.name == path.name:
      endings = ', '.join(f'.{each}' for each in data_paths.FORMATS)
      return (
        f' The file {whole!r} is here, but the name of a data file ends in '
        f'{endings}, perhaps with .gz.'
      )
  for each in nearest(path.name, found, cutoff=_NEAR):
    kind, bound = found[each]
    return f' There is a {kind} of such a name: bind DATASET = {bound!r}.'
  return ''


def _list(path: pathlib.Path) -> list[os.DirEntry]:
  # A name can be anything: too long, or with a character that no path has.
  with contextlib.suppress(OSError, ValueError), os.scandir(path) as entries:
    some = itertools.islice(entries, _MOST_ENTRIES)
    return sorted(
      (entry for entry in some if not entry.name.startswith('.')),
      key=lambda entry: entry.name,
    )
  return []
