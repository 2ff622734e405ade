"""Accuracy against the length of the text."""

import math
from typing import NamedTuple

import numpy as np

N_BINS = 10


class LengthBin(NamedTuple):
  """The examples whose texts are about equally long.

  Attributes:
    shortest: length of the shortest text, in tokens.
    longest: that of the longest.
    mean_length: the mean, in tokens.
    n_examples: number of examples, at least 1.
    accuracy: share of examples whose predicted class is the expected one.
    standard_error: of the accuracy, as a binomial share's:
      sqrt(accuracy (1 - accuracy) / n_examples).
  """

  shortest: int
  longest: int
  mean_length: float
  n_examples: int
  accuracy: float
  standard_error: float


def accuracy_by_length(
  *, lengths: np.ndarray, correct: np.ndarray, n_bins: int = N_BINS
) -> list[LengthBin]:
  """Measures accuracy in bins of about equally many examples.

  Texts of one length are in one bin, so that there may be fewer bins.

  Args:
    lengths: int [examples], in tokens; at least one.
    correct: bool [examples].
    n_bins: number of bins at most.

  Returns:
    The bins, the shortest texts first.
  """
  quantiles = np.arange(1, n_bins + 1) / n_bins
  # Quantiles of the lengths themselves, so that no bin is empty.
  longest = np.unique(np.quantile(lengths, quantiles, method='inverted_cdf'))
  bins = np.searchsorted(longest, lengths, side='left')
  result = []
  for number in range(len(longest)):
    members = bins == number
    n = int(members.sum())
    accuracy = float(correct[members].mean())
    result.append(
      LengthBin(
        int(lengths[members].min()),
        int(longest[number]),
        float(lengths[members].mean()),
        n,
        accuracy,
        math.sqrt(accuracy * (1 - accuracy) / n),
      )
    )
  return result
