"""Labels that a model denies: confident learning.

Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in
Dataset Labels (2021). Its threshold of a class is the model's average
probability of the class on the rows that have it as their label: a model that
is less sure of a class in general needs to be less sure to deny a label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Doubts(NamedTuple):
  """Rows whose labels a model denies, the surest first.

  Attributes:
    rows: int64 [doubts], places among the rows that were asked.
    suggested: int64 [doubts], the class that the model says each is.
    label_probabilities, suggested_probabilities: float64 [doubts], of the
      label's class and of the suggested one.
    n_asked: how many rows the model was asked.
    n_expected: how many of them are estimated to have a wrong label: the
      confident joint, each row of it scaled to the number of the class's rows.
  """

  rows: np.ndarray
  suggested: np.ndarray
  label_probabilities: np.ndarray
  suggested_probabilities: np.ndarray
  n_asked: int
  n_expected: float


def find_doubts(log_probs: np.ndarray, labels: np.ndarray) -> Doubts:
  """Finds rows off the diagonal of the confident joint that are classified so.

  Args:
    log_probs: float [n, classes], of a model that has not learned these rows.
    labels: int [n], as the data set has them.
  """
  n, n_classes = log_probs.shape
  probabilities = np.exp(log_probs.astype(np.float64))
  given = probabilities[np.arange(n), labels]
  counts = np.bincount(labels, minlength=n_classes)
  # A class without rows is never suggested.
  thresholds = np.full(n_classes, np.inf)
  has_rows = counts > 0
  sums = np.bincount(labels, weights=given, minlength=n_classes)
  thresholds[has_rows] = sums[has_rows] / counts[has_rows]
  # A class whose rows all have probability 1 is to be reached, too.
  is_confident = probabilities >= thresholds - 1e-12
  suggested = np.where(is_confident, probabilities, -1.0).argmax(axis=1)
  is_counted = is_confident.any(axis=1)

  joint = np.zeros((n_classes, n_classes))
  np.add.at(joint, (labels[is_counted], suggested[is_counted]), 1)
  totals = joint.sum(axis=1)
  scale = np.divide(counts, totals, where=totals > 0, out=np.zeros(n_classes))
  n_expected = float(((totals - np.diagonal(joint)) * scale).sum())

  # Near the thresholds, a class can be suggested that is the less likely one.
  said = probabilities[np.arange(n), suggested]
  is_denied = is_counted & (suggested != labels) & (said > given)
  rows = np.flatnonzero(is_denied)
  other = said[rows]
  order = np.argsort(given[rows] - other, kind='stable')
  rows = rows[order]
  return Doubts(
    rows,
    suggested[rows],
    given[rows],
    other[order],
    n,
    n_expected,
  )
