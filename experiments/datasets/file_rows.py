"""The rows of a user's own files, each with the place where it begins.

Nothing is held in memory but a row and what the reader of the format buffers.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import IO, Any, cast

from experiments.datasets.file_layout import (
  Layout,
  explain_damage,
  explaining_damage,
  open_bytes,
)
from experiments.foundation.errors import UserError
from experiments.foundation.parquet_batches import read_batches
from experiments.foundation.parquet_damage import (
  DamagedParquetError,
  finding_damage,
)
from experiments.foundation.regular_files import open_regular, read_regular

# Of a line, and so of a row of JSON; longer ones are no rows of a data set.
MAX_LINE_BYTES = 2**26
# Of a field of a CSV file: an unclosed quote takes in all that follows.
MAX_FIELD_CHARACTERS = 2**24
_BETWEEN_VALUES = re.compile(r'[ \t\r\n,]*')
# How often a character may be looked at for nothing, and so many more.
_MOST_TRIES, _TRIED_FOR_NOTHING = 16, 2**22
# What a file of Orange says of its columns in its second line.
_ORANGE_TYPES = frozenset(
  ('', 'c', 'd', 's', 't', 'string', 'discrete', 'continuous', 'time', 'text')
)


@dataclasses.dataclass(frozen=True)
class Row:
  """A row as it was read.

  Attributes:
    line: where it begins, from 1; of Parquet and of folders its number.
    file: where it is.
    values: by column; None if the row has another number of columns.
    n_columns: that number.
  """

  line: int
  file: pathlib.Path
  values: dict[str, Any] | None
  n_columns: int = 0


def read_rows(layout: Layout, split: str) -> Iterator[Row]:
  """Yields the rows of a split in the order in which they stand.

  What is not in the file's encoding comes as lone surrogates, as of Python's
  'surrogateescape'.

  Args:
    layout: of `find_layout`.
    split: of `layout.files`.

  Raises:
    UserError: the file is damaged, or a line or field is too long.
  """
  path = layout.files[split]
  if layout.format == 'folders':
    yield from _read_folders(path)
    return
  if layout.format == 'parquet':
    yield from _read_parquet(path)
    return
  try:
    with open_bytes(path) as stream, explaining_damage(path):
      text = io.TextIOWrapper(
        stream,
        encoding=layout.encoding,
        errors='surrogateescape',
        newline='',
      )
      lines = _read_lines(text, path)
      if layout.format in ('csv', 'tsv', 'tab'):
        yield from _read_table(layout, path, lines)
      elif layout.format == 'fasttext':
        yield from _read_fasttext(path, lines)
      else:
        yield from _read_json(path, lines)
  except UnicodeError as error:
    raise explain_damage(path, f'not {layout.encoding}: {error}') from error


def _read_lines(text: IO[str], path: pathlib.Path) -> Iterator[str]:
  n = 0
  while line := text.readline(MAX_LINE_BYTES):
    n += 1
    if len(line) == MAX_LINE_BYTES:
      raise UserError(
        f'{path}:{n}: a line of {MAX_LINE_BYTES // 2**20} million characters '
        'or more is no row of a data set.'
      )
    yield line


def _read_table(
  layout: Layout, path: pathlib.Path, lines: Iterator[str]
) -> Iterator[Row]:
  # A limit of the process: each reader sets its own before it begins.
  csv.field_size_limit(MAX_FIELD_CHARACTERS)
  reader = csv.reader(lines, delimiter=layout.delimiter)
  columns = list(layout.columns)
  n_columns, is_first, line = len(columns), True, 1
  try:
    for values in reader:
      if not values:
        line = reader.line_num + 1
        continue
      if is_first and layout.has_header:
        columns = [name.strip() for name in values]
        n_columns, is_first, line = len(columns), False, reader.line_num + 1
        continue
      if layout.format == 'tab' and line <= 3 and _is_of_orange(values, line):
        line = reader.line_num + 1
        continue
      if len(values) == n_columns:
        yield Row(line, path, dict(zip(columns, values, strict=True)))
      else:
        yield Row(line, path, None, len(values))
      line = reader.line_num + 1
  except csv.Error as error:
    raise UserError(
      f'{path}:{line}: {error}. Does a quote there lack its end?'
    ) from error


def _is_of_orange(values: list[str], line: int) -> bool:
  """Tells the lines of an Orange file that say what its columns are."""
  if line == 2:
    return all(value.strip().lower() in _ORANGE_TYPES for value in values)
  flags = {'', 'class', 'meta', 'm', 'c', 'i', 'ignore', 'skip', 'weight'}
  return all(value.strip().lower() in flags or '=' in value for value in values)


def _read_fasttext(path: pathlib.Path, lines: Iterator[str]) -> Iterator[Row]:
  for n, line in enumerate(lines, 1):
    words = line.split()
    if not words:
      continue
    labels = [word for word in words if word.startswith('__label__')]
    if len(labels) > 1:
      # Several labels are another task.
      yield Row(n, path, None, len(labels))
      continue
    text = ' '.join(word for word in words if not word.startswith('__label__'))
    label = labels[0].removeprefix('__label__') if labels else ''
    yield Row(n, path, {'text': text, 'label': label})


def _read_json(path: pathlib.Path, lines: Iterator[str]) -> Iterator[Row]:
  """Reads an object a line, or an array of objects; by its first character."""
  n = 0
  for line in lines:
    n += 1
    if not line.strip():
      continue
    line = line.lstrip('\ufeff \t')
    if line.startswith('['):
      yield from _read_array(path, itertools.chain([line[1:]], lines), n)
      return
    yield from _read_object(path, line, n)
    break
  for line in lines:
    n += 1
    yield from _read_object(path, line, n)


def _read_array(
  path: pathlib.Path, lines: Iterator[str], first: int
) -> Iterator[Row]:
  """Reads the values of an array after its bracket.

  A value may take many lines. To try after each of them whether it is whole
  takes a time that grows with the square of its length; so it is tried where it
  may end, and where that was wrong too often, when it has grown by half.
  """
  decoder = json.JSONDecoder()
  buffer, start, n = '', 0, first - 1
  n_read = n_tried = longest_tried = 0

  def values() -> Iterator[Any]:
    nonlocal start, n_tried, longest_tried
    while True:
      start = cast(re.Match, _BETWEEN_VALUES.match(buffer, start)).end()
      if start == len(buffer) or buffer[start] == ']':
        return
      try:
        value, start = decoder.raw_decode(buffer, start)
      except ValueError:
        longest_tried = len(buffer) - start
        n_tried += longest_tried
        return
      except RecursionError as error:
        raise UserError(f'{path}:{n}: nested too deeply.') from error
      longest_tried = 0
      yield value

  for line in lines:
    n += 1
    if start:
      buffer, start = buffer[start:], 0
    buffer += line
    n_read += len(line)
    if len(buffer) > MAX_LINE_BYTES:
      raise UserError(f'{path}:{n}: a value in it is too long, or not closed.')
    may_end = '}' in line or ']' in line or len(line) > len(buffer) / 2
    is_cheap = n_tried <= _MOST_TRIES * n_read + _TRIED_FOR_NOTHING
    if (may_end and is_cheap) or len(buffer) > 1.5 * longest_tried:
      for value in values():
        yield _as_row(path, value, n)
  for value in values():
    yield _as_row(path, value, n)
  rest = buffer[start:].strip(' \t\r\n,')
  if rest != ']':
    raise UserError(
      f'{path}:{n}: the JSON array is damaged near {rest[:40]!r}, or cut.'
    )


def _as_row(path: pathlib.Path, value: Any, n: int) -> Row:
  return Row(n, path, value if isinstance(value, dict) else None, 1)


def _read_object(path: pathlib.Path, line: str, n: int) -> Iterator[Row]:
  if not line.strip():
    return
  try:
    value = json.loads(line)
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path}:{n}: not a JSON object: {error}.') from error
  yield _as_row(path, value, n)


def _read_parquet(path: pathlib.Path) -> Iterator[Row]:
  from pyarrow import parquet

  n = 0
  try:
    with (
      open_regular(path) as raw,
      finding_damage(),
      parquet.ParquetFile(raw) as file,
    ):
      for batch in read_batches(file, 1024):
        for values in batch.to_pylist():
          n += 1
          yield Row(n, path, values)
  except DamagedParquetError as error:
    raise explain_damage(path, str(error)) from error


def _read_folders(path: pathlib.Path) -> Iterator[Row]:
  n = 0
  for folder in sorted(path.iterdir()):
    if not folder.is_dir():
      continue
    for file in sorted(folder.glob('*.txt')):
      n += 1
      if not os.path.isfile(file):
        raise UserError(f'DATASET {str(file)!r}: not a regular file.')
      if file.stat().st_size > MAX_LINE_BYTES:
        raise UserError(
          f'{file}: more than {MAX_LINE_BYTES // 2**20} MiB is no text of a '
          'data set.'
        )
      content = read_regular(file, MAX_LINE_BYTES).removeprefix(b'\xef\xbb\xbf')
      text = content.decode('utf-8', errors='surrogateescape')
      yield Row(1, file, {'text': text, 'label': folder.name})
