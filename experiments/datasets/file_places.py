"""Where in a user's own files the rows of a data set come from."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Collection, Mapping

from experiments.datasets import file_rows
from experiments.datasets.file_layout import find_layout
from experiments.datasets.file_survey import (
  Bad,
  ImportOptions,
  find_side,
  read_content,
)


def find_places(
  path: pathlib.Path,
  options: ImportOptions,
  label_names: Collection[str],
  wanted: Mapping[str, Collection[int]],
) -> dict[tuple[str, int], str]:
  """Reads files that were imported again, and tells where some rows begin.

  Args:
    path: what `DATASET` names.
    options: with which it was imported.
    label_names: the classes that it has then.
    wanted: numbers of rows by split.

  Returns:
    'file:line' by split and number; of folders, the file alone.

  Raises:
    UserError: a file is damaged.
  """
  layout = find_layout(path, options.keys)
  numbers: collections.Counter[str] = collections.Counter()
  names = frozenset(label_names)
  places = {}
  for split in layout.files:
    for row in file_rows.read_rows(layout, split):
      content = read_content(row, layout, options)
      # Of a label that occurs once nothing was imported, either.
      if isinstance(content, Bad) or content.label not in names:
        continue
      side = find_side(content, split)
      number = numbers[side]
      numbers[side] += 1
      if number in wanted.get(side, ()):
        line = '' if layout.format == 'folders' else f':{row.line}'
        places[side, number] = f'{row.file}{line}'
  return places
