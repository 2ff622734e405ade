"""What a user's own file holds, in numbers from which settings are derived."""

from __future__ import annotations

import collections
import dataclasses
import pathlib

import numpy as np

from experiments.datasets import file_rows
from experiments.datasets.file_layout import Layout, find_layout
from experiments.datasets.file_survey import (
  BAD,
  SPLITS,
  Bad,
  ImportOptions,
  read_content,
  survey_rows,
)
from experiments.text.words import split_words

# Rows of train whose words are counted, evenly taken from all of them.
_MOST_COUNTED = 50_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileProfile:
  """Numbers of a file.

  Attributes:
    described: how it is read, for a person.
    n_rows: by split, those that exist alone, in the order of `SPLITS`.
    is_cut: whether the splits are cut by a hash.
    labels: how often each class stands in all splits.
    bad: rows that will not do, by kind.
    shown: the first of them, as 'file:line: why'.
    lengths: int64, sorted: the words of each text that was counted.
    n_words: distinct words in these texts, in lower case.
    n_repeated: those of them that stand there twice or more.
  """

  described: str
  n_rows: dict[str, int]
  is_cut: bool
  labels: collections.Counter[str]
  bad: collections.Counter[str]
  shown: list[str]
  lengths: np.ndarray
  n_words: int
  n_repeated: int

  def length(self, share: float) -> int:
    """Returns the length that a share of the texts does not exceed."""
    return int(np.quantile(self.lengths, share, method='inverted_cdf'))


def read_profile(path: pathlib.Path, options: ImportOptions) -> FileProfile:
  """Reads a file twice: for its rows and classes, then for its words.

  Args:
    path: the file or directory.
    options: what of it is read.

  Raises:
    UserError: the file is damaged.
  """
  layout = find_layout(path, options.columns)
  survey = survey_rows(layout, options)
  n_rows = {
    split: survey.labels[split].total()
    for split in SPLITS
    if survey.labels.get(split)
  }
  stride = max(1, -(-n_rows.get('train', 0) // _MOST_COUNTED))
  lengths, counts = _count_words(layout, options, survey.sides, stride)
  return FileProfile(
    described=layout.describe(),
    n_rows=n_rows,
    is_cut='' in layout.files,
    labels=survey.totals,
    bad=survey.bad,
    shown=survey.shown,
    lengths=np.sort(np.array(lengths, np.int64)),
    n_words=len(counts),
    n_repeated=sum(n > 1 for n in counts.values()),
  )


def _count_words(
  layout: Layout, options: ImportOptions, sides: bytearray, stride: int
) -> tuple[list[int], collections.Counter[str]]:
  """Counts words in every stride-th row of train."""
  lengths: list[int] = []
  counts: collections.Counter[str] = collections.Counter()
  n = n_train = 0
  for split in layout.files:
    for row in file_rows.read_rows(layout, split):
      # The file may have grown since it was read first.
      side, n = sides[n] if n < len(sides) else BAD, n + 1
      if side != SPLITS.index('train'):
        continue
      n_train += 1
      if (n_train - 1) % stride:
        continue
      content = read_content(row, layout, options)
      if not isinstance(content, Bad):
        words = split_words(' '.join(content.texts).lower())
        lengths.append(len(words))
        counts.update(words)
  return lengths, counts
