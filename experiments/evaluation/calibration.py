"""Calibration: whether a model is as often right as it is sure."""

from typing import NamedTuple

import numpy as np

N_BINS = 15


class Calibration(NamedTuple):
  """The examples of a split by the model's confidence, in bins of equal width.

  Bin b holds the confidences above b / bins, up to (b + 1) / bins.

  Attributes:
    counts: int64 [bins], number of examples.
    confidences: float64 [bins], mean probability of the predicted class; NaN
      where there is no example.
    accuracies: float64 [bins], share of examples whose predicted class is the
      expected one; NaN where there is no example.
  """

  counts: np.ndarray
  confidences: np.ndarray
  accuracies: np.ndarray

  @property
  def edges(self) -> np.ndarray:
    """The confidences between which the bins lie, float64 [bins + 1]."""
    return np.linspace(0, 1, len(self.counts) + 1)

  @property
  def error(self) -> float:
    """The expected calibration error (Guo et al. 2017, arXiv:1706.04599, (3)).

    It is the mean distance of a bin's accuracy from its confidence, each bin
    weighted by its examples: 0 for a model that is right as often as it says.
    """
    used = self.counts > 0
    gaps = np.abs(self.accuracies[used] - self.confidences[used])
    return float(np.average(gaps, weights=self.counts[used]))


def calibrate(
  *, log_probs: np.ndarray, targets: np.ndarray, n_bins: int = N_BINS
) -> Calibration:
  """Puts the examples of a split into bins.

  Args:
    log_probs: float [examples, classes], log p(class), natural logarithm; at
      least one example.
    targets: int [examples], the expected classes.
    n_bins: number of bins.
  """
  predicted = log_probs.argmax(axis=-1)
  confidences = confidences_of(log_probs)
  bins = bin_numbers(confidences, n_bins)
  counts = np.bincount(bins, minlength=n_bins)

  def means(values: np.ndarray) -> np.ndarray:
    sums = np.bincount(bins, weights=values, minlength=n_bins)
    return np.divide(
      sums, counts, out=np.full(n_bins, np.nan), where=counts > 0
    )

  return Calibration(
    counts, means(confidences), means((predicted == targets).astype(np.float64))
  )


def confidences_of(log_probs: np.ndarray) -> np.ndarray:
  """Returns the probability of the likeliest class, float64 [examples].

  Args:
    log_probs: float [examples, classes], log p(class), natural logarithm.
  """
  # exp() of float32 may come out above 1.
  return np.exp(log_probs.max(axis=-1).astype(np.float64)).clip(max=1)


def bin_numbers(confidences: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
  """Returns in which bin each confidence is, int [examples].

  Args:
    confidences: float [examples], from 0 to 1.
    n_bins: number of bins.
  """
  edges = np.linspace(0, 1, n_bins + 1)
  return (np.searchsorted(edges, confidences, side='left') - 1).clip(min=0)
