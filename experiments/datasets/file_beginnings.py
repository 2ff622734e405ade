"""What the first bytes of a file say of how it is read."""

from __future__ import annotations

import re

_BYTE_ORDER_MARKS = (
  (b'\xef\xbb\xbf', 'utf-8-sig'),
  (b'\xff\xfe\x00\x00', 'utf-32'),
  (b'\x00\x00\xfe\xff', 'utf-32'),
  (b'\xff\xfe', 'utf-16'),
  (b'\xfe\xff', 'utf-16'),
)
# So many of every other byte are 0 in UTF-16 where most letters are Latin.
_ZEROS = 0.4
# What else files begin with that are called .csv, .json or .txt by mistake.
_OTHERS = (
  (
    rb'PK\x03\x04',
    'a ZIP archive, or a workbook as .xlsx. Unpack or export it',
  ),
  (rb'\x1f\x8b', 'packed by gzip. Let its name end in .gz'),
  (rb'BZh[1-9]1AY|\xfd7zXZ|\x28\xb5\x2f\xfd', 'packed. Unpack it'),
  (rb'PAR1', 'a Parquet file. Let its name end in .parquet'),
  (rb'\xd0\xcf\x11\xe0', 'a workbook of Excel. Export it as CSV'),
  (rb'SQLite format 3\0', 'a database of SQLite. Export a table as CSV'),
  (rb'%PDF-', 'a PDF'),
  (
    rb'(?i:\s*<!doctype html|\s*<html\b)',
    'a page of HTML. Get the file itself',
  ),
  (
    rb'version https://git-lfs\.github\.com/',
    'a pointer of Git LFS. Get the file itself: git lfs pull',
  ),
)
_JSON = re.compile(r'\s*(\[\s*)?\{\s*"')
_EXCEL_SEPARATOR = re.compile(r'sep=.\r?\n')


def find_encoding(sample: bytes) -> str:
  """Returns the encoding of a text file, for Python.

  Args:
    sample: how it begins. Without a byte-order mark it is UTF-8, or UTF-16 if
      every other byte is 0.
  """
  for mark, name in _BYTE_ORDER_MARKS:
    if sample.startswith(mark):
      return name
  for name, zeros, letters in (
    ('utf-16-le', sample[1::2], sample[::2]),
    ('utf-16-be', sample[::2], sample[1::2]),
  ):
    if zeros.count(0) > _ZEROS * len(zeros) and letters.count(0) * 10 < len(
      letters
    ):
      return name
  return 'utf-8'


def find_other_kind(sample: bytes) -> str | None:
  """Tells what a file is that is none of text; None if it may be.

  Args:
    sample: how it begins.

  Returns:
    What it is and perhaps what to do, without a full stop.
  """
  for pattern, kind in _OTHERS:
    if re.match(pattern, sample):
      return kind
  return None


def find_no_table(text: str) -> str | None:
  """Tells why the text of a file is no table; None if it may be one.

  Args:
    text: how it begins.

  Returns:
    As `find_other_kind`.
  """
  if _JSON.match(text):
    return 'JSON. Let its name end in .json, or .jsonl for an object a line'
  if _EXCEL_SEPARATOR.match(text):
    return (
      f'a table below a line for Excel alone, {text.splitlines()[0]!r}. Remove '
      'that line'
    )
  return None
