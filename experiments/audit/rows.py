"""The rows that an audit looks at: all splits of a data set, in memory."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Rows:
  """Rows of a data set, those of a split one after another.

  Attributes:
    texts: [n], as a model gets them.
    labels: int32 [n], places in `label_names`.
    starts: int64 [splits + 1]; split i is the rows from starts[i] up to
      starts[i + 1].
    split_names: as the user wrote them, e.g. 'train[:80%]', the one that is
      trained on first.
    label_names: the classes.
  """

  texts: Sequence[str]
  labels: np.ndarray
  starts: np.ndarray
  split_names: tuple[str, ...]
  label_names: tuple[str, ...]

  @classmethod
  def of_splits(
    cls,
    splits: Iterable[tuple[str, Sequence[str], Sequence[int] | np.ndarray]],
    label_names: Sequence[str],
  ) -> Rows:
    """Puts splits together.

    Args:
      splits: name, texts and labels of each.
      label_names: the classes.
    """
    names: list[str] = []
    texts: list[str] = []
    labels = [np.zeros(0, np.int32)]
    starts = [0]
    for name, some_texts, some_labels in splits:
      names.append(name)
      texts.extend(some_texts)
      labels.append(np.asarray(some_labels, np.int32))
      starts.append(len(texts))
    return cls(
      texts,
      np.concatenate(labels),
      np.asarray(starts, np.int64),
      tuple(names),
      tuple(label_names),
    )

  def __len__(self) -> int:
    return len(self.texts)

  def of(self, split: int) -> slice:
    """Returns where the rows of a split are."""
    return slice(int(self.starts[split]), int(self.starts[split + 1]))

  @functools.cached_property
  def splits(self) -> np.ndarray:
    """The split of each row; int64 [n]."""
    return np.repeat(np.arange(len(self.split_names)), np.diff(self.starts))

  def number(self, row: int) -> int:
    """Returns a row's number in its split, from 0."""
    return int(row - self.starts[self.splits[row]])

  def label(self, row: int) -> str:
    """Returns a row's class by name."""
    return self.label_names[self.labels[row]]

  def place(self, row: int) -> str:
    """Returns a row's split and number, such as 'train 17'."""
    return f'{self.split_names[self.splits[row]]} {self.number(row)}'
