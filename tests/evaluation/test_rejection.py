"""Rejection: risk and coverage, by hand and by definition."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from experiments.evaluation import rejection


def binary(confidences, right):
  """Log-probabilities whose likeliest class is class 0, and the classes."""
  sure = np.asarray(confidences)
  log_probs = np.log(np.stack([sure, 1 - sure], axis=1)).astype(np.float32)
  return {
    'log_probs': log_probs,
    'targets': np.where(np.asarray(right), 0, 1),
  }


def test_the_curve_by_hand():
  found = rejection.risk_coverage(
    **binary([0.6, 0.9, 0.8, 0.8], [False, True, True, False])
  )
  np.testing.assert_allclose(found.thresholds, [0.9, 0.8, 0.6], rtol=1e-6)
  # The two that are 0.8 sure are answered together.
  np.testing.assert_allclose(found.coverages, [1 / 4, 3 / 4, 1])
  np.testing.assert_allclose(found.risks, [0, 1 / 3, 2 / 4])
  assert found.area == pytest.approx((0 + 1 / 3 + 1 / 3 + 2 / 4) / 4)


def test_a_threshold_by_hand():
  data = binary([0.6, 0.9, 0.8, 0.7], [False, True, True, False])
  found = rejection.reject(0.7, **data)
  assert (found.coverage, found.risk) == (3 / 4, pytest.approx(1 / 3))
  none = rejection.reject(0.95, **data)
  assert (none.coverage, none.risk) == (0, None)
  every = rejection.reject(0.0, **data)
  assert (every.coverage, every.risk) == (1, 1 / 2)


@hypothesis.given(
  st.lists(
    st.tuples(st.sampled_from([0.55, 0.6, 0.7, 0.8, 0.99]), st.booleans()),
    min_size=1,
    max_size=40,
  )
)
def test_each_point_is_what_its_threshold_comes_to(examples):
  data = binary(*zip(*examples, strict=True))
  curve = rejection.risk_coverage(**data)
  for threshold, coverage, risk in zip(
    curve.thresholds, curve.coverages, curve.risks, strict=True
  ):
    found = rejection.reject(threshold, **data)
    assert found.coverage == pytest.approx(coverage)
    assert found.risk == pytest.approx(risk)
  assert curve.coverages[-1] == 1
  assert 0 <= curve.area <= 1


def test_of_many_points_some_are_kept_the_last_among_them():
  rng = np.random.default_rng(0)
  confidences = rng.uniform(0.5, 1, 5001)
  found = rejection.risk_coverage(**binary(confidences, rng.random(5001) < 0.9))
  assert len(found.coverages) <= 1000
  assert found.coverages[-1] == 1
  assert (np.diff(found.coverages) > 0).all()
