"""Rejection: what a model gains by leaving out what it is not sure of.

Coverage is the share of examples that it answers, risk the share of wrong
answers among them (El-Yaniv and Wiener 2010, "On the Foundations of Noise-free
Selective Classification").
"""

from typing import NamedTuple

import numpy as np

from experiments.evaluation.calibration import confidences_of

# More points than a picture has columns say no more.
_MOST_POINTS = 1000


class RiskCoverage(NamedTuple):
  """Risk and coverage at every threshold, the highest threshold first.

  Attributes:
    thresholds: float64 [points]: answered is what is at least so sure.
    coverages: float64 [points], increasing, the last is 1.
    risks: float64 [points].
    area: the mean risk over all coverages: 0 if no example is wrong.
  """

  thresholds: np.ndarray
  coverages: np.ndarray
  risks: np.ndarray
  area: float


class Rejection(NamedTuple):
  """What a threshold comes to.

  Attributes:
    threshold: REJECT_BELOW.
    coverage: the share of examples that are answered.
    risk: the share of wrong answers among them; None if there are none.
  """

  threshold: float
  coverage: float
  risk: float | None


def risk_coverage(
  *, log_probs: np.ndarray, targets: np.ndarray
) -> RiskCoverage:
  """Computes the curve.

  Args:
    log_probs: float [examples, classes]; at least one example.
    targets: int [examples], the expected classes.

  Returns:
    A point for each confidence that occurs; of many, every so many-th.
  """
  confidences = confidences_of(log_probs)
  order = np.argsort(-confidences, kind='stable')
  wrong = (log_probs.argmax(axis=-1) != targets)[order]
  # Equal confidences are answered or rejected together.
  ends = np.append(np.flatnonzero(np.diff(confidences[order])), len(order) - 1)
  n_answered = ends + 1
  risks = np.cumsum(wrong)[ends] / n_answered
  area = np.average(risks, weights=np.diff(n_answered, prepend=0))
  step = -(-len(ends) // _MOST_POINTS)
  chosen = np.arange(len(ends))[::-1][::step][::-1]
  return RiskCoverage(
    confidences[order][ends][chosen],
    n_answered[chosen] / len(order),
    risks[chosen],
    float(area),
  )


def reject(
  threshold: float, *, log_probs: np.ndarray, targets: np.ndarray
) -> Rejection:
  """Measures a threshold.

  Args:
    threshold: below it an answer is rejected.
    log_probs: as of `risk_coverage`.
    targets: as of `risk_coverage`.
  """
  answered = confidences_of(log_probs) >= threshold
  wrong = log_probs.argmax(axis=-1) != targets
  return Rejection(
    threshold,
    float(answered.mean()),
    float(wrong[answered].mean()) if answered.any() else None,
  )
