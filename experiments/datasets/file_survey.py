"""A first look at the rows of a user's own files: what they hold, and lack."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import unicodedata
from typing import NamedTuple

from experiments.datasets import file_rows
from experiments.datasets.file_layout import HALF_CHARACTER, Layout
from experiments.datasets.file_rows import Row

SPLITS = ('train', 'validation', 'test')
# In the place of a split's: the row will not do.
BAD = 255
ONCE = 'a label that occurs once'
# Of 2**64: where hashes stop to be train's, and validation's.
_CUTS = (round(0.8 * 2**64), round(0.9 * 2**64))
_MOST_SHOWN = 10
_MOST_UNDECODED = 2**16
_LONGEST_LABEL = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportOptions:
  """What of a file is read, and how.

  Attributes:
    keys: columns, texts first, the label last.
    split_by: a column whose equal values stay in one split; None: texts do.
    skip_bad_rows: whether rows that will not do are left out.
  """

  keys: tuple[str, ...]
  split_by: str | None = None
  skip_bad_rows: bool = False

  @property
  def columns(self) -> tuple[str, ...]:
    """All that is read of a row."""
    extra = (self.split_by,) if self.split_by else ()
    return tuple(dict.fromkeys((*self.keys, *extra)))


class Content(NamedTuple):
  """What of a row is kept."""

  texts: list[str]
  label: str
  group: str

  def split_by(self) -> str:
    """Returns what is the same for rows that stay together."""
    return self.group or normalize(' '.join(self.texts))


class Bad(NamedTuple):
  """Why a row will not do."""

  kind: str
  reason: str
  undecoded: str = ''


@dataclasses.dataclass
class Survey:
  """What a first look at all rows found.

  Attributes:
    labels: how often each class stands in each split, by split.
    bad: rows that will not do, by kind.
    shown: the first of them, as 'file:line: why'.
    sides: a byte for each row: the place of its split in `SPLITS`, or `BAD`.
    undecoded: of the first rows, what is not in the file's encoding.
  """

  labels: dict[str, collections.Counter[str]]
  bad: collections.Counter[str]
  shown: list[str]
  sides: bytearray
  undecoded: str = ''

  @property
  def totals(self) -> collections.Counter[str]:
    """How often each class stands in all splits."""
    return sum(self.labels.values(), collections.Counter())

  def refuse(self, row: Row, bad: Bad) -> None:
    """Counts a row that will not do."""
    self.bad[bad.kind] += 1
    if len(self.shown) < _MOST_SHOWN:
      self.shown.append(f'{row.file}:{row.line}: {bad.reason}')
    if len(self.undecoded) < _MOST_UNDECODED:
      self.undecoded += bad.undecoded

  def find_encoding(self) -> str | None:
    """Returns which encoding the bytes that are not UTF-8 would fit, if any.

    One for all rows: each alone is too short to tell.
    """
    if not self.undecoded:
      return None
    import charset_normalizer

    try:
      content = self.undecoded.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
      # JSON can say half of a character, which stands for no byte.
      return None
    best = charset_normalizer.from_bytes(content[:_MOST_UNDECODED]).best()
    return None if best is None else best.encoding


def survey_rows(layout: Layout, options: ImportOptions) -> Survey:
  """Reads all rows once, and finds what will not do.

  Args:
    layout: how the files are read.
    options: what of them is read.

  Raises:
    UserError: a file is damaged.
  """
  survey = Survey({}, collections.Counter(), [], bytearray())
  first_of: dict[str, Row] = {}
  for split in layout.files:
    for row in file_rows.read_rows(layout, split):
      content = read_content(row, layout, options)
      if isinstance(content, Bad):
        survey.refuse(row, content)
        survey.sides.append(BAD)
        continue
      side = find_side(content, split)
      survey.labels.setdefault(side, collections.Counter())[content.label] += 1
      survey.sides.append(SPLITS.index(side))
      if content.label not in first_of:
        first_of[content.label] = dataclasses.replace(row, values=None)
  for label, n in survey.totals.items():
    if n == 1:
      for counts in survey.labels.values():
        counts.pop(label, None)
      survey.refuse(
        first_of[label],
        Bad(ONCE, f'no other row has the label {label!r}'),
      )
  return survey


def read_content(
  row: Row,
  layout: Layout,
  options: ImportOptions,
  *,
  needs_label: bool = True,
) -> Content | Bad:
  """Returns what a row holds, or why it will not do.

  Args:
    row: as it was read.
    layout: how it was read.
    options: what of it is read.
    needs_label: whether it will not do without a label; '' stands for none.
  """
  if row.values is None:
    if layout.format == 'fasttext':
      return Bad('several labels', f'{row.n_columns} labels, expected one')
    if layout.format == 'json':
      return Bad('not an object', 'expected a JSON object')
    return Bad(
      'a wrong number of columns',
      f'{row.n_columns} columns, expected {len(layout.columns)}',
    )
  values = {}
  for column in options.columns:
    value = row.values.get(column)
    if isinstance(value, bool):
      value = str(value).lower()
    elif isinstance(value, int):
      value = str(value)
    if value is not None and not isinstance(value, str):
      return Bad(
        'not a text',
        f'{column!r} is a {type(value).__name__}, expected a string',
      )
    values[column] = (value or '').strip()
  texts = [values[key] for key in options.keys[:-1]]
  label = values[options.keys[-1]]
  for value in (*texts, label):
    if not value.isascii() and HALF_CHARACTER.search(value):
      return Bad('not UTF-8', 'not UTF-8', value)
  if not any(texts):
    return Bad('no text', f'no text in {" or ".join(options.keys[:-1])}')
  if not label and needs_label:
    return Bad('no label', f'no label in {options.keys[-1]}')
  if len(label) > _LONGEST_LABEL or len(label.splitlines()) > 1:
    return Bad('a label that is a text', f'the label is {label[:40]!r}…')
  return Content(
    texts, label, values[options.split_by] if options.split_by else ''
  )


def normalize(text: str) -> str:
  """Returns what is the same for texts that a reader takes for equal.

  Args:
    text: capitals and white space of which do not count.
  """
  if not text.isascii():
    text = unicodedata.normalize('NFKC', text)
  return ' '.join(text.casefold().split())


def find_side(content: Content, split: str) -> str:
  """Returns the split that a row is in.

  Args:
    content: of the row.
    split: in which its file has it; '' for a file without splits.
  """
  return split or _side(content.split_by())


def _side(split_by: str) -> str:
  """Returns the split of a row, a function of its text or group alone."""
  try:
    content = split_by.encode('utf-8', 'surrogateescape')
  except UnicodeEncodeError:
    content = split_by.encode('utf-8', 'surrogatepass')
  digest = hashlib.blake2b(content, digest_size=8)
  place = int.from_bytes(digest.digest(), 'big')
  return SPLITS[sum(place >= cut for cut in _CUTS)]
