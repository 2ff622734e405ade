"""How a user's own file or directory is read: found out from its beginning."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, cast

from experiments.foundation.data_paths import FORMATS, format_of
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import open_regular

_SAMPLE_BYTES = 2**18
_DELIMITERS = ',\t;|'
_SPLIT_NAMES = {
  'train': 'train',
  'training': 'train',
  'validation': 'validation',
  'valid': 'validation',
  'val': 'validation',
  'dev': 'validation',
  'test': 'test',
}
_BYTE_ORDER_MARKS = (
  (b'\xef\xbb\xbf', 'utf-8-sig'),
  (b'\xff\xfe\x00\x00', 'utf-32'),
  (b'\x00\x00\xfe\xff', 'utf-32'),
  (b'\xff\xfe', 'utf-16'),
  (b'\xfe\xff', 'utf-16'),
)


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a path is read.

  Attributes:
    format: of `data_paths.FORMATS`, or 'folders'.
    files: by split, where they come apart; by '' where they do not. Of
      'folders' the directory that holds a folder for each class.
    delimiter: between the columns of CSV, else ''.
    encoding: of the text, as Python names it.
    has_header: whether the first row of CSV names the columns.
    columns: their names, as far as the first file's beginning tells.
  """

  format: str
  files: dict[str, pathlib.Path]
  delimiter: str = ''
  encoding: str = 'utf-8'
  has_header: bool = False
  columns: tuple[str, ...] = ('text', 'label')

  def described(self) -> str:
    """Returns the way it is read, for a person."""
    parts = [self.format]
    if self.delimiter:
      name = {'\t': 'tab', ' ': 'space'}.get(self.delimiter, self.delimiter)
      parts.append(f'delimiter {name}')
      parts.append('with header' if self.has_header else 'without header')
    if self.format not in ('parquet', 'folders'):
      parts.append(self.encoding)
    return ', '.join(parts)


def find_layout(path: pathlib.Path, keys: Sequence[str] = ()) -> Layout:
  """Finds out how a file or a directory is read.

  Args:
    path: a file of one of `FORMATS`, perhaps with .gz; a directory with
      train.*, validation.* and test.* of one format; or one with a folder of
      .txt files for each class, perhaps below train/ and test/.
    keys: the columns that are wanted. Numbers name the columns of a CSV file
      without a header, from 1.

  Raises:
    UserError: there is nothing that can be read.
  """
  try:
    if path.is_dir():
      return _find_directory(path, keys)
    files = {'': path}
    return _look(files, keys)
  except OSError as error:
    raise UserError(
      f'DATASET {str(path)!r}: cannot be read ({error.strerror}).'
    ) from error


def _find_directory(path: pathlib.Path, keys: Sequence[str]) -> Layout:
  entries = sorted(path.iterdir())
  files: dict[str, pathlib.Path] = {}
  for entry in entries:
    stem = entry.name.split('.')[0].lower()
    split = _SPLIT_NAMES.get(stem)
    if split is None or not (entry.is_dir() or format_of(entry.name)):
      continue
    if split in files:
      raise UserError(
        f'DATASET {str(path)!r}: {files[split].name} and {entry.name} are both '
        f'its {split} split. Keep one of them there.'
      )
    files[split] = entry
  folders = {split for split, file in files.items() if file.is_dir()}
  if files and 'train' not in files:
    raise UserError(
      f'DATASET {str(path)!r}: it has {", ".join(sorted(files))} and no train '
      'split. Name a file there train, such as train.csv.'
    )
  if folders and len(folders) < len(files):
    raise UserError(
      f'DATASET {str(path)!r}: its splits are files and folders. Keep one kind.'
    )
  if folders:
    return Layout('folders', files)
  if files:
    return _look(files, keys)
  if any(entry.is_dir() and any(entry.glob('*.txt')) for entry in entries):
    return Layout('folders', {'': path})
  raise UserError(
    f'DATASET {str(path)!r}: neither train.* and test.* files '
    f'({", ".join(FORMATS)}) nor a folder of .txt files for each class.'
  )


def _look(files: dict[str, pathlib.Path], keys: Sequence[str]) -> Layout:
  """Looks at the beginning of the first of some files of one format."""
  formats = {split: format_of(file.name) for split, file in files.items()}
  first = next(iter(files.values()))
  format_ = format_of(first.name)
  if format_ is None:
    raise UserError(
      f'DATASET {str(first)!r}: its name must end in '
      f'{", ".join(f".{ending}" for ending in FORMATS)}, perhaps with .gz.'
    )
  if len(set(formats.values())) > 1:
    named = ', '.join(file.name for file in files.values())
    raise UserError(
      f'DATASET {str(first.parent)!r}: {named} must be of one format.'
    )
  for file in files.values():
    if not file.is_file():
      raise UserError(
        f'DATASET {str(file)!r}: there is no such file.'
        if not file.exists()
        else f'DATASET {str(file)!r}: not a regular file.'
      )
  if format_ == 'parquet':
    return Layout('parquet', files, columns=_parquet_columns(first))
  with open_bytes(first) as stream:
    sample = _read_sample(stream, first)
  if not sample.strip(b'\0 \t\r\n'):
    raise UserError(f'DATASET {str(first)!r}: the file is empty.')
  encoding = 'utf-8'
  for mark, name in _BYTE_ORDER_MARKS:
    if sample.startswith(mark):
      encoding = name
      break
  text = sample.decode(encoding, errors='replace')
  # The sample ends anywhere; its last line is not whole.
  lines = text.splitlines(keepends=True)
  lines = lines[:-1] if len(sample) == _SAMPLE_BYTES and lines[1:] else lines
  layout = Layout(format_, files, encoding=encoding)
  if format_ in ('csv', 'tsv', 'tab'):
    return _look_at_table(layout, lines, keys)
  if format_ == 'fasttext':
    return layout
  columns = next(iter(_sample_objects(lines, text)), None)
  if columns is None:
    raise UserError(
      f'DATASET {str(first)!r}: not a JSON object in its first lines. Expected '
      'an object a line, or an array of objects.'
    )
  return dataclasses.replace(layout, columns=tuple(columns))


def _look_at_table(
  layout: Layout, lines: list[str], keys: Sequence[str]
) -> Layout:
  delimiter = '\t'
  if layout.format == 'csv':
    delimiter = max(_DELIMITERS, key=lambda d: _regularity(lines, d))
  header = next(filter(None, _table(lines, delimiter)), [])
  is_numbered = bool(keys) and all(re.fullmatch(r'[1-9]\d*', k) for k in keys)
  if is_numbered:
    columns = tuple(str(i + 1) for i in range(len(header)))
  else:
    columns = tuple(name.strip() for name in header)
    twice = [name for name in columns if columns.count(name) > 1 and name]
    if twice and (not keys or set(twice) & set(keys)):
      raise UserError(
        f'DATASET {str(next(iter(layout.files.values())))!r}: two columns are '
        f'called {twice[0]!r}. Rename one.'
      )
  return dataclasses.replace(
    layout, delimiter=delimiter, has_header=not is_numbered, columns=columns
  )


def _table(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
  try:
    yield from csv.reader(lines, delimiter=delimiter)
  except csv.Error:
    return


def _regularity(lines: list[str], delimiter: str) -> tuple[float, int]:
  """Returns how well a delimiter cuts lines into equally many columns."""
  widths = [len(row) for row in _table(lines, delimiter) if row]
  if not widths or widths[0] < 2:
    return 0.0, 0
  return sum(w == widths[0] for w in widths) / len(widths), -_DELIMITERS.index(
    delimiter
  )


def _sample_objects(lines: list[str], text: str) -> Iterator[dict]:
  candidates = [*lines, text.lstrip().removeprefix('[')]
  for candidate in candidates:
    stripped = candidate.strip().lstrip('[').rstrip(',]')
    try:
      value, _ = json.JSONDecoder().raw_decode(stripped.strip())
    except (ValueError, RecursionError):
      continue
    if isinstance(value, dict):
      yield value


def _parquet_columns(path: pathlib.Path) -> tuple[str, ...]:
  import pyarrow
  from pyarrow import parquet

  try:
    return tuple(parquet.read_schema(path).names)
  except pyarrow.ArrowException as error:
    raise explain_damage(path, str(error)) from error


def _read_sample(stream: IO[bytes], path: pathlib.Path) -> bytes:
  try:
    return stream.read(_SAMPLE_BYTES)
  except (OSError, EOFError) as error:
    raise explain_damage(path, str(error)) from error


class _Unpacked(gzip.GzipFile):
  """A gzip file that closes what it reads."""

  def __init__(self, path: pathlib.Path):
    self._packed = open_regular(path)
    super().__init__(fileobj=self._packed)

  def close(self) -> None:
    super().close()
    self._packed.close()


def open_bytes(path: pathlib.Path) -> IO[bytes]:
  """Opens a file, and unpacks it by the way if its name ends in .gz."""
  if path.name.lower().endswith('.gz'):
    return cast(IO[bytes], _Unpacked(path))
  return open_regular(path)


def explain_damage(path: pathlib.Path, reason: str) -> UserError:
  """Returns the error of a file that its reader refuses."""
  first = reason.strip().splitlines()[0][:200] if reason.strip() else 'damaged'
  return UserError(f'DATASET {str(path)!r}: cannot be read: {first}')
