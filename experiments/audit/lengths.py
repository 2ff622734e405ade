"""How long texts are, and what MAX_LENGTH does to them, by class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Lengths(NamedTuple):
  """The lengths of some rows, in tokens.

  Attributes:
    n: how many rows.
    median, long, longest: of them; 95 % are not longer than `long`.
    n_over: how many are longer than MAX_LENGTH.
  """

  n: int
  median: int
  long: int
  longest: int
  n_over: int


def measure_lengths(
  lengths: np.ndarray, labels: np.ndarray, n_classes: int, max_length: int
) -> tuple[Lengths, list[Lengths]]:
  """Measures all rows, and those of each class.

  Args:
    lengths: int [n], in tokens.
    labels: int [n].
    n_classes: how many classes there can be.
    max_length: as MAX_LENGTH.
  """
  order = np.argsort(labels, kind='stable')
  stops = np.searchsorted(labels[order], np.arange(1, n_classes))
  by_class = np.split(lengths[order], stops)
  return _measure(lengths, max_length), [
    _measure(each, max_length) for each in by_class
  ]


def _measure(lengths: np.ndarray, max_length: int) -> Lengths:
  if not len(lengths):
    return Lengths(0, 0, 0, 0, 0)
  median, long, longest = np.percentile(
    lengths, (50, 95, 100), method='inverted_cdf'
  )
  n_over = int(np.count_nonzero(lengths > max_length))
  return Lengths(len(lengths), int(median), int(long), int(longest), n_over)
