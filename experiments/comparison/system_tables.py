"""Files of predictions of other systems: CSV or Parquet, with a row an example.

Columns `row`, the number in the split from 0, `expected` and `predicted`,
classes by name; and, maybe, the probability of each class, in a column that is
called by it.
"""

from __future__ import annotations

import io
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from experiments.foundation import plain_text
from experiments.foundation.errors import UserError
from experiments.foundation.parquet_damage import (
  DamagedParquetError,
  finding_damage,
)
from experiments.foundation.regular_files import (
  MAX_BYTES,
  open_regular,
  read_bounded,
)

if TYPE_CHECKING:
  import pyarrow

COLUMNS = ('row', 'expected', 'predicted')
# Of a CSV file, what the names of its columns must be within.
_MAX_HEAD = 2**16
# How far the probabilities of a row may be from 1 in all, for rounding.
_ROUNDING = 0.01


class Table(NamedTuple):
  """What a file holds.

  Attributes:
    path: the file.
    rows: int64 [n], increasing.
    expected: of each row, the class by name.
    predicted: likewise.
    probabilities: by class, float64 [n]; empty if the file has none.
  """

  path: pathlib.Path
  rows: np.ndarray
  expected: list[str]
  predicted: list[str]
  probabilities: Mapping[str, np.ndarray]

  @property
  def classes(self) -> set[str]:
    """All names of classes in it."""
    return {*self.expected, *self.predicted, *self.probabilities}


def read_table(path: pathlib.Path) -> Table | None:
  """Reads a file; returns None, and may say why, if it is another's.

  Args:
    path: a CSV or Parquet file.

  Raises:
    UserError: it has these columns, and something in them that cannot be.
  """
  import pyarrow

  read = _read_parquet if path.suffix == '.parquet' else _read_csv
  columns = None
  is_ours = False
  try:
    with open_regular(path) as file:
      names = _names_in(file, path)
      is_ours = set(COLUMNS) <= set(names)
      if is_ours:
        if len(set(names)) < len(names):
          raise UserError(f'{path}: two columns have the same name.')
        file.seek(0)
        columns = read(read_bounded(file, MAX_BYTES, str(path)), names)
  except (
    *(pyarrow.ArrowException, DamagedParquetError),
    *(OSError, UnicodeDecodeError),
  ) as error:
    reason = getattr(error, 'strerror', None) or str(error)
    reason = plain_text.one_line(reason)[:200].rstrip('.')
    if is_ours:
      raise UserError(f'{path}: {reason}.') from error
    logging.warning('%s is left out: %s', path, reason)
  if columns is None:
    return None
  return _check(path, columns)


def _names_in(file: BinaryIO, path: pathlib.Path) -> Sequence[str]:
  """Returns the names of the columns of a file that is open at its start."""
  from pyarrow import csv, parquet

  if path.suffix == '.parquet':
    with finding_damage():
      return parquet.read_schema(file).names
  head = file.read(_MAX_HEAD).partition(b'\n')[0] + b'\n'
  # Most files are of others, and are not to be judged.
  if not all(name.encode() in head for name in COLUMNS):
    return ()
  return csv.read_csv(io.BytesIO(head)).column_names


def _types(names: Sequence[str]) -> dict[str, pyarrow.DataType]:
  import pyarrow

  types = dict.fromkeys(names, pyarrow.float64())
  first = (pyarrow.int64(), pyarrow.string(), pyarrow.string())
  return types | dict(zip(COLUMNS, first, strict=True))


def _read_csv(content: bytes, names: Sequence[str]) -> pyarrow.Table:
  from pyarrow import csv

  return csv.read_csv(
    io.BytesIO(content),
    # In one thread it names the row of what it cannot read.
    read_options=csv.ReadOptions(use_threads=False),
    parse_options=csv.ParseOptions(newlines_in_values=True),
    convert_options=csv.ConvertOptions(
      column_types=_types(names), null_values=['']
    ),
  )


def _read_parquet(content: bytes, names: Sequence[str]) -> pyarrow.Table:
  import pyarrow
  from pyarrow import parquet

  types = _types(names)
  with finding_damage():
    table = parquet.read_table(pyarrow.BufferReader(content), use_threads=False)
    return table.cast(pyarrow.schema([(name, types[name]) for name in names]))


def _check(path: pathlib.Path, columns: pyarrow.Table) -> Table:
  """Returns what columns hold, in the order of the rows.

  Raises:
    UserError: something that cannot be.
  """
  for name in columns.column_names:
    if columns[name].null_count:
      raise UserError(f'{path}: an empty cell in the column {name!r}.')
  if not len(columns):
    raise UserError(f'{path}: it has no row.')
  columns = columns.sort_by('row')
  table = Table(
    path=path,
    rows=columns['row'].to_numpy(),
    expected=columns['expected'].to_pylist(),
    predicted=columns['predicted'].to_pylist(),
    probabilities={
      name: columns[name].to_numpy()
      for name in columns.column_names
      if name not in COLUMNS
    },
  )
  again = np.flatnonzero(np.diff(table.rows) == 0)
  if len(again):
    raise UserError(f'{path}: row {table.rows[again[0]]} is there twice.')
  if table.rows[0] < 0:
    raise UserError(f'{path}: row {table.rows[0]}; the first of a split is 0.')
  if table.probabilities:
    _check_probabilities(table)
  return table


def _check_probabilities(table: Table) -> None:
  names = list(table.probabilities)
  shown = plain_text.one_line(', '.join(names))[:200]
  for kind, classes in (
    ('expected', table.expected),
    ('predicted', table.predicted),
  ):
    for row, name in zip(table.rows, classes, strict=True):
      if name not in table.probabilities:
        raise UserError(
          f'{table.path}, row {row}: {kind} is {name!r}, which is none of the '
          f'columns of probabilities, {shown}.'
        )
  values = np.stack(list(table.probabilities.values()), axis=1)
  # Of what is no number, no comparison is true.
  wrong = ~(abs(values.sum(axis=1) - 1) <= _ROUNDING) | (values < 0).any(axis=1)
  if wrong.any():
    at = int(np.flatnonzero(wrong)[0])
    raise UserError(
      f'{table.path}, row {table.rows[at]}: the probabilities of {shown} must '
      'be 0 to 1, and 1 in all.'
    )
  predicted = np.array([names.index(each) for each in table.predicted])
  less = values[np.arange(len(values)), predicted] < values.max(axis=1)
  if less.any():
    at = int(np.flatnonzero(less)[0])
    raise UserError(
      f'{table.path}, row {table.rows[at]}: predicted is '
      f'{table.predicted[at]!r}, but {names[int(values[at].argmax())]!r} has '
      'a higher probability.'
    )
