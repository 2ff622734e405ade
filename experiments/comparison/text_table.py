"""Tables of aligned text, as wide as there is room."""

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence

from experiments.foundation import plain_text

_WIDEST_CELL = 40
# How far cells are cut, step by step, where there is no room for more.
_CUTS = (20, 14, 9)


@dataclasses.dataclass(frozen=True)
class Column:
  """A column of a table that may have to be made narrower.

  Attributes:
    head: its name.
    cells: one a row.
    short: the same with less in them; None if they cannot say less.
    rank: where there is no room, the columns of the highest rank are shortened
      and left out first; one of rank 0 is cut, and then left out from the right
      if need be.
    is_whole: whether it always stays, and uncut.
  """

  head: str
  cells: Sequence[str]
  short: Sequence[str] | None = None
  rank: int = 0
  is_whole: bool = False


def columns(rows: Sequence[Sequence[str]], widest: int = _WIDEST_CELL) -> str:
  """Lays out rows of cells as aligned text.

  Args:
    rows: the first holds the heads.
    widest: longer cells are cut, in characters.
  """
  heads, *cells = rows
  by_column = list(zip(*cells, strict=True)) or [()] * len(heads)
  return _lay_out(
    [Column(*each) for each in zip(heads, by_column, strict=True)], widest
  )


def fit(table: Sequence[Column], width: float) -> tuple[str, list[str]]:
  """Lays out columns in lines that are no longer than there is room.

  Args:
    table: at least one column.
    width: in characters; infinity for any.

  Returns:
    The text; and the heads of the columns that are left out.
  """
  text, shown = '', table
  for shown, widest, is_wrapped in _forms(table):
    text = _lay_out(shown, widest, is_wrapped)
    if _width(text) <= width:
      break
  else:
    text = '\n'.join(_cut(line, int(width)) for line in text.split('\n'))
  heads = {column.head for column in shown}
  return text, [column.head for column in table if column.head not in heads]


def _forms(
  table: Sequence[Column],
) -> Iterator[tuple[list[Column], int, bool]]:
  """Yields a table as it is, then with ever less in it.

  Yields:
    The columns, how wide a cell may be, and whether heads are wrapped.
  """
  table = list(table)
  order = sorted(
    (i for i, column in enumerate(table) if column.rank),
    key=lambda i: (table[i].rank, i),
    reverse=True,
  )
  yield list(table), _WIDEST_CELL, False
  yield list(table), _WIDEST_CELL, True
  for i in order:
    if (short := table[i].short) is not None:
      table[i] = dataclasses.replace(table[i], cells=short)
      yield list(table), _WIDEST_CELL, True
  left = list(range(len(table)))
  for i in order:
    left.remove(i)
    yield [table[j] for j in left], _WIDEST_CELL, True
  for widest in _CUTS:
    yield [table[j] for j in left], widest, True
  for i in [i for i in left if not table[i].is_whole][::-1]:
    left.remove(i)
    if left:
      yield [table[j] for j in left], _CUTS[-1], True


def _lay_out(
  table: Sequence[Column], widest: int, is_wrapped: bool = False
) -> str:
  blocks = []
  for column in table:
    most = _WIDEST_CELL if column.is_whole else widest
    cells = [_cut(plain_text.escape_line(cell), most) for cell in column.cells]
    head = [_cut(plain_text.escape_line(column.head), widest)]
    if is_wrapped:
      head = _wrap(column.head, max(map(len, cells), default=1))
    width = max(map(len, [*head, *cells]))
    is_number = all(map(_is_number, cells))
    lines = [
      line.rjust(width) if is_number else line.ljust(width)
      for line in [*head, *cells]
    ]
    blocks.append((len(head), width, lines))
  n_head = max(n for n, _, _ in blocks)
  # Heads of fewer lines stand above their cells.
  filled = [[' ' * width] * (n_head - n) + lines for n, width, lines in blocks]
  return '\n'.join('  '.join(row).rstrip() for row in zip(*filled, strict=True))


def _wrap(head: str, width: int) -> list[str]:
  """Returns a head in lines, broken after its words where they do not fit."""
  lines = ['']
  for word in re.findall(
    r'[^_./ ]+[_./ ]?|[_./ ]', plain_text.escape_line(head)
  ):
    if lines[-1] and len(lines[-1]) + len(word) > width:
      lines.append('')
    lines[-1] += word
  return [line.rstrip() for line in lines]


def _cut(text: str, width: int) -> str:
  return text if len(text) <= width else f'{text[: width - 1]}…'


def _width(text: str) -> int:
  return max(map(len, text.split('\n')))


def _is_number(cell: str) -> bool:
  number = re.match(r'<?(\S+)( ± | \[|$)', cell)
  try:
    return not cell or math.isfinite(float(number[1] if number else 'nan'))
  except ValueError:
    return False
