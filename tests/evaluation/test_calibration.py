"""Calibration against an example by hand and scikit-learn's curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from experiments.evaluation import calibration


def of(confidences, correct, **options):
  """Calibrates a model of two classes that always predicts the first."""
  p = np.array(confidences, np.float64)
  with np.errstate(divide='ignore'):
    log_probs = np.log(np.stack([p, 1 - p], axis=-1)).astype(np.float32)
  return calibration.calibrate(
    log_probs=log_probs,
    targets=np.where(correct, 0, 1),
    **options,
  )


def test_an_example_by_hand():
  """Bins of 0.2: two at 0.7, one of them right; three at 0.9, all right."""
  found = of(
    [0.7, 0.7, 0.9, 0.9, 0.9], [True, False, True, True, True], n_bins=5
  )
  assert found.counts.tolist() == [0, 0, 0, 2, 3]
  np.testing.assert_allclose(found.confidences[3:], [0.7, 0.9], rtol=1e-6)
  np.testing.assert_array_equal(found.accuracies[3:], [0.5, 1.0])
  assert np.isnan(found.confidences[:3]).all()
  assert np.isnan(found.accuracies[:3]).all()
  # 2/5 |0.5 - 0.7| + 3/5 |1 - 0.9|
  assert found.error == pytest.approx(0.4 * 0.2 + 0.6 * 0.1, rel=1e-6)
  np.testing.assert_allclose(found.edges, [0, 0.2, 0.4, 0.6, 0.8, 1])


def test_sure_and_right_is_calibrated():
  found = of([1.0, 1.0], [True, True])
  assert found.counts.tolist() == [0] * 14 + [2]
  assert found.error == 0


def test_sure_and_wrong_is_not():
  assert of([1.0], [False]).error == 1


def test_half_sure_and_half_right_is_calibrated():
  assert of([0.5] * 4, [True, False, False, True]).error < 1e-6


def test_the_upper_edge_belongs_to_a_bin():
  assert of([0.75, 0.5], [True, True], n_bins=4).counts.tolist() == [0, 1, 1, 0]


def test_probabilities_that_rounding_put_above_1_are_in_the_last_bin():
  found = calibration.calibrate(
    log_probs=np.array([[1e-6, -20.0]], np.float32), targets=np.array([0])
  )
  assert found.counts[-1] == 1
  assert found.confidences[-1] == 1


@given(
  n_examples=st.integers(1, 200),
  n_classes=st.integers(2, 6),
  scale=st.sampled_from([0.1, 2.0, 20.0]),
  seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_scikit_learn(n_examples, n_classes, scale, seed):
  rng = np.random.default_rng(seed)
  logits = scale * rng.normal(size=(n_examples, n_classes))
  log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
  targets = rng.integers(n_classes, size=n_examples)
  found = calibration.calibrate(log_probs=log_probs, targets=targets)
  correct = log_probs.argmax(-1) == targets
  confidences = np.exp(log_probs.max(-1)).clip(max=1)
  accuracies, means = calibration_curve(correct, confidences, n_bins=15)
  used = found.counts > 0
  np.testing.assert_allclose(found.accuracies[used], accuracies)
  np.testing.assert_allclose(found.confidences[used], means)
  assert found.counts.sum() == n_examples
  assert 0 <= found.error <= 1
  # |mean confidence - accuracy| is the error of one bin, the least there is.
  gap = abs(confidences.mean() - correct.mean())
  assert found.error >= gap - 1e-9
