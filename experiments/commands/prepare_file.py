"""What --mode=prepare does with a user's own file: it writes a gin file."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from experiments.config import gin_config, gin_statements
from experiments.datasets import file_import
from experiments.datasets.file_columns import find_columns
from experiments.datasets.file_layout import Layout, find_layout
from experiments.datasets.file_survey import ImportOptions
from experiments.foundation import data_paths, files
from experiments.foundation.errors import UserError
from experiments.pipeline.starting_config import BASE, write_config
from experiments.text.file_profile import FileProfile, read_profile

# What the file decides, unless it is said how.
_BINDABLE = ('KEYS', 'SPLIT_BY', 'TEXT_SEPARATOR')


def prepare_file(source: str, gin_bindings: Sequence[str]) -> None:
  """Looks at a file or a directory, and writes a gin file to train on it.

  The gin file is called as the source is, lies in the working directory, and is
  whole or not there.

  Args:
    source: its path.
    gin_bindings: statements that bind KEYS, SPLIT_BY or TEXT_SEPARATOR.

  Raises:
    UserError: the source cannot be read, its columns are not told beyond doubt,
      too few of its rows will do, or the gin file is there.
  """
  bound = _read_bindings(gin_bindings)
  path = _find_source(source)
  target = pathlib.Path(f'{_stem(path)}.gin')
  if os.path.lexists(target):
    raise _is_there(target)
  try:
    keys = bound.get('KEYS') or find_columns(path)
    options = ImportOptions(keys=tuple(keys), split_by=bound.get('SPLIT_BY'))
    layout = find_layout(path, options.columns)
    file_import.check_columns(path, layout, options)
    profile = read_profile(path, options)
    _check_rows(path, profile)
  except UserError as error:
    # What reads files knows them by the macro that names them.
    message = str(error).replace(f'DATASET {str(path)!r}', f'--source={path}')
    raise UserError(message) from error
  text = write_config(
    profile,
    dataset=_as_dataset(path),
    keys=options.keys,
    keys_reason=_explain_keys(layout, is_bound='KEYS' in bound),
    split_by=options.split_by,
    separator=bound.get('TEXT_SEPARATOR'),
    file_name=shlex.quote(str(target)),
  )
  # What it binds is checked as the run will, before it is there.
  gin_config.parse([BASE], [text.replace(f"include '{BASE}'", '')])
  try:
    files.write_new(target, text)
  except FileExistsError:
    raise _is_there(target) from None
  *texts, label = options.keys
  print(f'Read: {path} ({profile.described})')
  print(f'Texts: {", ".join(texts)}')
  print(f'Label: {label}, {len(profile.labels):,} classes')
  rows = ', '.join(f'{split} {n:,}' for split, n in profile.n_rows.items())
  print(f'Rows: {rows}')
  if profile.bad:
    kinds = ', '.join(f'{k} ({n:,})' for k, n in profile.bad.most_common())
    print(f'Left out: {kinds}; the first is {profile.shown[0]}')
  print(f'Written: {target}')
  print(f'Next: python launcher.py --gin_file={shlex.quote(str(target))}')


def _read_bindings(gin_bindings: Sequence[str]) -> dict[str, Any]:
  """Returns the values of the macros that are bound, checked as in a run."""
  if not gin_bindings:
    return {}
  for binding in gin_statements.read([], gin_bindings).bindings:
    if binding.name not in _BINDABLE:
      raise UserError(
        f'{binding.name} is bound in --gin_bindings, but --mode=prepare '
        f'without --gin_file takes {", ".join(_BINDABLE)} alone. Bind it in '
        'the gin file that is written.'
      )
  # DATASET is bound for the checks' sake, to what is no file.
  parsed = gin_config.parse(
    [BASE],
    ["DATASET = 'any'\nKEYS = ('text', 'label')", *gin_bindings],
  )
  last = {b.name: b.value for b in parsed.bindings if b.source == 1}
  named = {b.name for b in gin_statements.read([], gin_bindings).bindings}
  return {name: last[name] for name in named}


def _find_source(source: str) -> pathlib.Path:
  path = pathlib.Path(source)
  try:
    path.stat()
  except OSError as error:
    raise UserError(
      f'--source={source}: cannot be read ({error.strerror}). Name a file or a '
      f'directory of your own data.'
    ) from error
  if path.is_dir():
    # What cannot be read is told when the columns are looked for.
    with contextlib.suppress(UserError):
      parts = find_layout(path, ('1',)).files
      # A train split alone is cut as a file is.
      return parts['train'] if list(parts) == ['train'] else path
  return path


def _stem(path: pathlib.Path) -> str:
  name = (
    path.absolute().resolve().name if path.name in ('', '..') else path.name
  )
  if path.is_dir() or data_paths.format_of(name) is None:
    return name or 'data'
  is_packed = name.lower().endswith('.gz')
  return (name[: -len('.gz')] if is_packed else name).rpartition('.')[0]


def _as_dataset(path: pathlib.Path) -> str:
  """Returns a path as `DATASET` takes it."""
  name = str(path)
  return name if data_paths.is_data_path(name) else f'./{name}'


def _is_there(target: pathlib.Path) -> UserError:
  return UserError(
    f'{target} is there, and is not written over. Move it away, or train with '
    f'it: python launcher.py --gin_file={shlex.quote(str(target))}'
  )


def _check_rows(path: pathlib.Path, profile: FileProfile) -> None:
  n_good, n_bad = sum(profile.n_rows.values()), profile.bad.total()
  shown = ''.join(f'\n  {line}' for line in profile.shown)
  if n_bad > n_good:
    raise UserError(
      f'--source={path}: {n_bad:,} of {n_good + n_bad:,} rows will not do:'
      f'{shown}\nIf the columns are others, choose them, texts first and the '
      """label last: --gin_bindings="KEYS=('text', 'label')\""""
    )
  if len(profile.labels) < 2:
    raise UserError(
      f'--source={path}: expected at least 2 classes, found '
      f'{", ".join(map(repr, profile.labels)) or "none"}.{shown}'
    )
  if 'train' not in profile.n_rows or len(profile.n_rows) < 2:
    raise UserError(
      f'--source={path}: {n_good:,} rows are too few to be cut into train, '
      'validation and test. Expected some dozens of each class.'
    )


def _explain_keys(layout: Layout, *, is_bound: bool) -> str:
  if is_bound:
    return 'As --gin_bindings said: texts, and last the label.'
  columns = ', '.join(map(repr, layout.columns[:10]))
  more = f' and {len(layout.columns) - 10} more' if layout.columns[10:] else ''
  return f'Texts, and last the label. The columns are {columns}{more}.'
