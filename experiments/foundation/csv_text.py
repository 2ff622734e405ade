"""CSV, as programs and spreadsheets read it."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

# What makes a spreadsheet compute a cell (Excel, LibreOffice, Google Sheets),
# after what they leave out at its start. A cell holds another one where the
# spreadsheet's separator is not the comma.
_FORMULA = re.compile(
  r'(^|[;\t|])(?=[\t\r]|[\s\ufeff\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20])',
  re.MULTILINE,
)


def to_csv(rows: Iterable[Sequence[object]]) -> str:
  r"""Returns rows as CSV, each ended by a line feed.

  Args:
    rows: of cells. Numbers stay numbers. A text that a spreadsheet would
      compute, such as '=1+1' or '@relu', gets an apostrophe before it, as one
      does who types it.
  """
  return ''.join(map(_line, rows))


def _line(row: Sequence[object]) -> str:
  text = io.StringIO()
  # With '\n' it would leave a carriage return without quotes.
  csv.writer(text, lineterminator='\r\n').writerow(map(_harmless, row))
  return text.getvalue().removesuffix('\r\n') + '\n'


def _harmless(cell: object) -> object:
  if not isinstance(cell, str) or _is_number(cell):
    return cell
  return _FORMULA.sub(r"\1'", cell)


def _is_number(cell: str) -> bool:
  try:
    float(cell)
  except ValueError:
    return False
  return True
