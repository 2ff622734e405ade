"""How a user's own file or directory is read: found out from its beginning."""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import gzip
import json
import pathlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, cast

from experiments.datasets import file_beginnings
from experiments.foundation.data_paths import FORMATS, format_of
from experiments.foundation.errors import UserError
from experiments.foundation.parquet_damage import (
  DamagedParquetError,
  finding_damage,
)
from experiments.foundation.regular_files import open_regular

_SAMPLE_BYTES = 2**18
# What JSON can say, and what a byte that is not UTF-8 is read as.
HALF_CHARACTER = re.compile('[\ud800-\udfff]')
_DELIMITERS = {',': 'comma', '\t': 'tab', ';': 'semicolon', '|': 'bar'}
_SPLIT_NAMES = {
  'train': 'train',
  'training': 'train',
  'validation': 'validation',
  'valid': 'validation',
  'val': 'validation',
  'dev': 'validation',
  'test': 'test',
}


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

  def describe(self) -> str:
    """Returns the way it is read, for a person."""
    parts = [self.format]
    if self.delimiter:
      name = _DELIMITERS[self.delimiter]
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
    return _look({'': path}, keys)
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
  layout = _look_at_first(files, keys)
  # One that nobody asks for may be called anything.
  asked = set(keys) if set(keys) <= {*layout.columns} else {*layout.columns}
  for name in asked or layout.columns:
    if HALF_CHARACTER.search(name):
      raise UserError(
        f'DATASET {str(next(iter(files.values())))!r}: the name of a column, '
        f'{name[:40]!r}, is not UTF-8. Convert the file: iconv -f latin1 -t '
        'utf-8, or another encoding that it is in.'
      )
  return layout


def _look_at_first(
  files: dict[str, pathlib.Path], keys: Sequence[str]
) -> Layout:
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
    columns = _parquet_columns(first)
    _refuse_twins(columns, keys, first)
    return Layout('parquet', files, columns=columns)
  with open_bytes(first) as stream, explaining_damage(first):
    sample = stream.read(_SAMPLE_BYTES)
  if not sample.strip(b'\0 \t\r\n'):
    raise UserError(f'DATASET {str(first)!r}: the file is empty.')
  _refuse(first, file_beginnings.find_other_kind(sample))
  encoding = file_beginnings.find_encoding(sample)
  # Of UTF-16, the sample may end within a character.
  text = sample.decode(
    encoding,
    errors='surrogateescape' if encoding.startswith('utf-8') else 'replace',
  )
  # The sample ends anywhere; its last line is not whole.
  lines = text.splitlines(keepends=True)
  lines = lines[:-1] if len(sample) == _SAMPLE_BYTES and lines[1:] else lines
  layout = Layout(format_, files, encoding=encoding)
  if format_ in ('csv', 'tsv', 'tab'):
    _refuse(first, file_beginnings.find_no_table(text))
    return _look_at_table(layout, lines, keys)
  if format_ == 'fasttext':
    return layout
  first_row = next(iter(_sample_objects(lines, text)), None)
  if first_row is None:
    raise UserError(
      f'DATASET {str(first)!r}: not a JSON object in its first lines. Expected '
      'an object a line, or an array of objects.'
    )
  return dataclasses.replace(layout, columns=tuple(first_row))


def _refuse(path: pathlib.Path, kind: str | None) -> None:
  if kind is not None:
    raise UserError(f'DATASET {str(path)!r}: by how it begins, it is {kind}.')


def _look_at_table(
  layout: Layout, lines: list[str], keys: Sequence[str]
) -> Layout:
  delimiter = '\t'
  if layout.format == 'csv':
    # Of equals the first.
    delimiter = max(_DELIMITERS, key=lambda d: _regularity(lines, d))
  header = next(filter(None, _table(lines, delimiter)), [])
  is_numbered = bool(keys) and all(re.fullmatch(r'[1-9]\d*', k) for k in keys)
  if is_numbered:
    columns = tuple(str(i + 1) for i in range(len(header)))
  else:
    columns = tuple(name.strip() for name in header)
    _refuse_twins(columns, keys, next(iter(layout.files.values())))
  return dataclasses.replace(
    layout, delimiter=delimiter, has_header=not is_numbered, columns=columns
  )


def _refuse_twins(
  columns: Sequence[str], keys: Sequence[str], path: pathlib.Path
) -> None:
  """Refuses columns of one name, if one of them is read, or may be."""
  counts = collections.Counter(columns)
  twice = [name for name, n in counts.items() if n > 1 and name]
  if twice and (not keys or set(twice) & set(keys)):
    raise UserError(
      f'DATASET {str(path)!r}: two columns are called {twice[0]!r}. Rename one.'
    )


def _table(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
  try:
    yield from csv.reader(lines, delimiter=delimiter)
  except csv.Error:
    return


def _regularity(lines: list[str], delimiter: str) -> float:
  """Returns how well a delimiter cuts lines into equally many columns."""
  widths = [len(row) for row in _table(lines, delimiter) if row]
  if not widths or widths[0] < 2:
    return 0.0
  return sum(w == widths[0] for w in widths) / len(widths)


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
  from pyarrow import parquet

  try:
    with open_regular(path) as file, finding_damage():
      return tuple(parquet.read_schema(file).names)
  except DamagedParquetError as error:
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


@contextlib.contextmanager
def explaining_damage(path: pathlib.Path) -> Iterator[None]:
  """Says of a file that `open_bytes` opened that it cannot be unpacked.

  Raises:
    UserError: its packed content is damaged or cut.
  """
  try:
    yield
  except (EOFError, gzip.BadGzipFile, zlib.error) as error:
    raise explain_damage(path, str(error)) from error


def explain_damage(path: pathlib.Path, reason: str) -> UserError:
  """Returns the error of a file that its reader refuses."""
  first = reason.strip().splitlines()[0][:200] if reason.strip() else 'damaged'
  return UserError(f'DATASET {str(path)!r}: cannot be read: {first}')
