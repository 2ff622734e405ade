"""The texts of a user's own file as they stand, to ask a finished model.

Nothing is imported for it: every row counts, in order, whatever its class; a
class may be missing, or occur once.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from experiments.datasets import file_import, file_rows
from experiments.datasets.file_layout import Layout, find_layout
from experiments.datasets.file_rows import Row
from experiments.datasets.file_survey import Bad, ImportOptions, read_content
from experiments.foundation.errors import UserError


class Text(NamedTuple):
  """A row of a file.

  Attributes:
    row: where it stands.
    text: several columns joined; '' if the row will not do.
    label: its class by name; '' if it has none.
    bad: why the row will not do, or None.
  """

  row: Row
  text: str
  label: str
  bad: Bad | None


class FileTexts:
  """The texts of one split of a file or a directory.

  Attributes:
    path: the file or directory.
    split: which; 'all rows' of a file without splits.
  """

  def __init__(
    self,
    path: pathlib.Path,
    options: ImportOptions,
    *,
    split: str | None,
    separator: str,
    needs_label: bool,
  ):
    """Finds out how it is read.

    Args:
      path: what `DATASET` names.
      options: what of it is read.
      split: 'train', 'validation' or 'test' of a directory; None: its test
        split, or all rows of what has no splits.
      separator: between several texts.
      needs_label: whether rows without a label will not do.

    Raises:
      UserError: there is nothing to read, or a column or the split is missing.
    """
    self.path = path
    self._options, self._separator = options, separator
    self._needs_label = needs_label
    self._layout = find_layout(path, options.columns)
    file_import.check_columns(
      path, self._layout, options, needs_label=needs_label
    )
    self._split = _find_split(path, self._layout, split)
    self.split = self._split or 'all rows'

  def read(self) -> Iterator[Text]:
    """Yields all rows in order.

    Raises:
      UserError: a file is damaged.
    """
    for row in file_rows.read_rows(self._layout, self._split):
      content = read_content(
        row, self._layout, self._options, needs_label=self._needs_label
      )
      if isinstance(content, Bad):
        yield Text(row, '', '', content)
      else:
        text = self._separator.join(content.texts)
        yield Text(row, text, content.label, None)


def _find_split(path: pathlib.Path, layout: Layout, split: str | None) -> str:
  names = list(layout.files)
  if names == ['']:
    if split is None:
      return ''
    raise UserError(
      f'--split={split}: {path.name} has no splits, and all its rows are read. '
      'Leave --split out.'
    )
  split = split or 'test'
  if split not in names:
    raise UserError(
      f'--split={split}: {path.name} has the splits {", ".join(names)}. Name '
      'one of them.'
    )
  return split
