"""Temperature scaling: one number that makes a model as sure as it is right.

Log-probabilities are divided by the temperature and normalised again (Guo et
al. 2017, arXiv:1706.04599, section 4.2). Above 1 a model becomes less sure,
below 1 surer; which class is the likeliest does not change.
"""

import numpy as np

# Where every example is right, the surer the better, without an end.
LOWEST, HIGHEST = 0.05, 20.0
# exp() of less is 0 in float64.
_LOG_OF_NOTHING = -1e4


def fit_temperature(log_probs: np.ndarray, targets: np.ndarray) -> float:
  """Returns the temperature at which the cross-entropy is least.

  Args:
    log_probs: float [examples, classes], log p(class), natural logarithm.
    targets: int [examples], the expected classes; at least one.

  Returns:
    A number from `LOWEST` to `HIGHEST`.
  """
  from scipy import optimize

  logits = np.maximum(log_probs.astype(np.float64), _LOG_OF_NOTHING)
  expected = np.take_along_axis(logits, targets[:, None], axis=1)[:, 0]

  def cross_entropy(log_temperature: float) -> float:
    scale = np.exp(-log_temperature)
    return float(np.mean(_log_sum_exp(logits * scale) - expected * scale))

  # Convex in 1 / temperature, so with one minimum.
  found = optimize.minimize_scalar(
    cross_entropy,
    bounds=(np.log(LOWEST), np.log(HIGHEST)),
    method='bounded',
    options={'xatol': 1e-6},
  )
  return float(np.exp(found.x))


def rescale(log_probs: np.ndarray, temperature: float) -> np.ndarray:
  """Returns log-probabilities at a temperature, float32 [examples, classes].

  Args:
    log_probs: float [examples, classes], those at temperature 1.
    temperature: above 0.
  """
  logits = log_probs.astype(np.float64) / temperature
  return (logits - _log_sum_exp(logits)[:, None]).astype(np.float32)


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
  greatest = logits.max(axis=1, keepdims=True)
  sums = np.exp(logits - greatest).sum(axis=1)
  return greatest[:, 0] + np.log(sums)
