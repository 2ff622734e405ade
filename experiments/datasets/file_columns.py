"""Which columns of a user's own file are its texts, and which its label.

Told by names first, which people choose with care, and then by what stands in
the columns. What is not told beyond doubt is asked: a wrong column trains
something, and nobody sees that it is wrong.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.datasets import file_rows
from experiments.datasets.file_layout import Layout, find_layout
from experiments.foundation.errors import UserError

# Of columns that people call so, in the order of how sure it is.
_LABEL_NAMES = (
  ('label', 'labels'),
  (
    *('class', 'category', 'target', 'sentiment', 'stars', 'rating', 'intent'),
    *('topic', 'class_index', 'label_text', 'genre', 'emotion', 'y'),
  ),
)
_TEXT_NAMES = (
  *('text', 'texts', 'title', 'headline', 'subject', 'question', 'description'),
  *('body', 'review', 'review_text', 'reviewtext', 'content', 'message'),
  *('sentence', 'sentence1', 'sentence2', 'premise', 'hypothesis', 'tweet'),
  *('comment', 'comment_text', 'document', 'article', 'abstract', 'utterance'),
)
# Columns that are filled in fewer rows are notes.
_LEAST_FILLED = 0.5
# Prose has more words than a name or a date, on average.
_LEAST_WORDS = 3.0
_MOST_CLASSES = 1000
# A class is met again: a number or name that is not is the row's own.
_LEAST_ROWS_PER_CLASS = 3
_LONGEST_LABEL = 60
# A header names; what is longer is read.
_LONGEST_NAME = 40
# Rows whose words are counted: their mean does not change beyond them.
_MOST_READ = 20_000


@dataclasses.dataclass
class _Column:
  """What stands in a column."""

  name: str
  n_filled: int = 0
  n_words: int = 0
  n_counted: int = 0
  n_numbers: int = 0
  n_other: int = 0
  longest: int = 0
  # Cut once there are more than any label has.
  values: set[str] = dataclasses.field(default_factory=set)

  def see(self, value: Any) -> None:
    """Takes the value of a row into account."""
    if value is None:
      return
    if not isinstance(value, (str, int)):
      self.n_other += 1
      return
    text = str(value).strip()
    if not text:
      return
    self.n_filled += 1
    self.longest = max(self.longest, len(text))
    if len(self.values) <= _MOST_CLASSES:
      self.values.add(text[: _LONGEST_LABEL + 1])
    if self.n_counted < _MOST_READ:
      self.n_counted += 1
      self.n_words += len(text.split())
      self.n_numbers += _is_number(text)

  @property
  def words(self) -> float:
    """How many words a value has, on average."""
    return self.n_words / max(self.n_counted, 1)

  def may_be_label(self, n_rows: int) -> bool:
    """Tells whether few enough values stand in it, each often enough."""
    return (
      not self.n_other
      and self.n_filled >= _LEAST_FILLED * n_rows
      and 2 <= len(self.values) <= _MOST_CLASSES
      and self.n_filled >= _LEAST_ROWS_PER_CLASS * len(self.values)
      and self.longest <= _LONGEST_LABEL
    )

  def may_be_text(self, n_rows: int) -> bool:
    """Tells whether it is prose."""
    return (
      not self.n_other
      and self.n_filled >= _LEAST_FILLED * n_rows
      and self.words >= _LEAST_WORDS
      and not self.may_be_label(n_rows)
    )


def find_columns(path: pathlib.Path) -> tuple[str, ...]:
  """Finds the columns of the texts, and of the label.

  Args:
    path: a file or directory, as `find_layout` takes it.

  Returns:
    Their names for `KEYS`, the label last; numbers if the file has no header.

  Raises:
    UserError: it cannot be read, or the columns are not told beyond doubt.
  """
  layout, columns, n_rows = _look(path)
  if layout.format in ('folders', 'fasttext'):
    return layout.columns
  label = _choose_label(columns, n_rows)
  texts = _choose_texts(columns, n_rows, label)
  if label is None or not texts:
    raise UserError(_ask(path, columns, texts, label))
  return (*texts, label)


def _look(path: pathlib.Path) -> tuple[Layout, list[_Column], int]:
  """Reads all rows once: a file may be in the order of its labels."""
  layout = find_layout(path, ('1',))
  if layout.format in ('folders', 'fasttext'):
    return layout, [], 0
  is_table = layout.format in ('csv', 'tsv', 'tab')
  columns = {name: _Column(name) for name in layout.columns}
  n_rows, first = 0, None
  for row in _read_all(layout):
    if row is None:
      continue
    if is_table and first is None:
      first = list(row.values())
      continue
    # Further files of a directory begin with the same header.
    if is_table and list(row.values()) == first:
      continue
    n_rows += 1
    for name, column in columns.items():
      column.see(row.get(name))
  found = list(columns.values())
  if is_table and first is not None:
    if _is_header(first, found):
      # Refuses what two columns are called.
      layout = find_layout(path)
      for column, name in zip(found, layout.columns, strict=True):
        column.name = name
    else:
      n_rows += 1
      for column, value in zip(found, first, strict=True):
        column.see(value)
  return layout, found, n_rows


def _read_all(layout: Layout) -> Iterator[dict[str, Any] | None]:
  for split in layout.files:
    for row in file_rows.read_rows(layout, split):
      yield row.values


def _is_header(first: Sequence[str], columns: Sequence[_Column]) -> bool:
  """Tells names of columns from a first row of values."""
  names = [value.strip() for value in first]
  if len(set(names)) < len(names) or not all(names):
    # An index that pandas wrote has a header without a name.
    names = names[1:] if not names[0] else names
    if len(set(names)) < len(names) or not all(names):
      return False
  for name, column in zip(first, columns, strict=True):
    name = name.strip()
    is_met_again = name in column.values and len(column.values) <= _MOST_CLASSES
    if len(name) > _LONGEST_NAME or _is_number(name) or is_met_again:
      return False
  return True


def _is_number(text: str) -> bool:
  try:
    float(text)
  except ValueError:
    return False
  return True


def _choose_label(columns: list[_Column], n_rows: int) -> str | None:
  candidates = [c.name for c in columns if c.may_be_label(n_rows)]
  for names in _LABEL_NAMES:
    named = [name for name in candidates if _plain(name) in names]
    if named:
      return named[0] if len(named) == 1 else None
  return candidates[0] if len(candidates) == 1 else None


def _choose_texts(
  columns: list[_Column], n_rows: int, label: str | None
) -> list[str]:
  prose = [c for c in columns if c.name != label and c.may_be_text(n_rows)]
  named = [c.name for c in prose if _plain(c.name) in _TEXT_NAMES]
  if named:
    return named
  # Without a header nothing tells one prose from another; so all is read.
  if len(prose) == 1 or all(c.name.isdigit() for c in prose):
    return [c.name for c in prose]
  return []


def _plain(name: str) -> str:
  return name.strip().lower().replace(' ', '_').replace('-', '_')


def _ask(
  path: pathlib.Path,
  columns: list[_Column],
  texts: list[str],
  label: str | None,
) -> str:
  unknown = [
    *(['which columns are the text'] if not texts else []),
    *(['which column is the label'] if label is None else []),
  ]
  shown = ', '.join(f'{c.name!r} ({_describe(c)})' for c in columns[:20])
  more = f' and {len(columns) - 20} more' if columns[20:] else ''
  names = [column.name for column in columns]
  example_texts = texts or [n for n in names if n != label][:1] or ['text']
  example_label = label or next(
    (n for n in names if n not in example_texts), 'label'
  )
  example = ', '.join(map(repr, (*example_texts, example_label)))
  return (
    f'--source={path}: it does not show {" and ".join(unknown)}. Its columns: '
    f'{shown or "none"}{more}. Choose, texts first and the label last: '
    f'--gin_bindings="KEYS=({example})"'
  )


def _describe(column: _Column) -> str:
  n = len(column.values)
  if n > _MOST_CLASSES:
    return f'{column.words:.1f} words, more than {_MOST_CLASSES:,} values'
  values = f'{n:,} value{"s" if n != 1 else ""}'
  return f'{column.words:.1f} words, {values}'
