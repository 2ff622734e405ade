"""Temperature scaling, on made-up data whose temperature is known."""

import numpy as np
import pytest
import scipy.special

from experiments.evaluation import temperature


def made_up(n, true_temperature, seed=0):
  """A model whose logits are that many times too large, and the classes."""
  rng = np.random.default_rng(seed)
  logits = rng.normal(0, 2, (n, 4))
  probabilities = scipy.special.softmax(logits, axis=1)
  targets = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
  log_probs = scipy.special.log_softmax(logits * true_temperature, axis=1)
  return log_probs.astype(np.float32), targets.clip(max=3)


def cross_entropy(log_probs, targets):
  return -log_probs[np.arange(len(targets)), targets].mean(dtype=np.float64)


@pytest.mark.parametrize('true_temperature', [0.3, 1, 2.5, 8])
def test_it_is_found(true_temperature):
  log_probs, targets = made_up(40_000, true_temperature)
  found = temperature.fit_temperature(log_probs, targets)
  assert found == pytest.approx(true_temperature, rel=0.03)
  # No point of a grid is better.
  best = cross_entropy(temperature.rescale(log_probs, found), targets)
  for other in found * np.geomspace(0.8, 1.25, 21):
    rescaled = temperature.rescale(log_probs, other)
    assert cross_entropy(rescaled, targets) > best - 1e-6


def test_it_stays_within_bounds():
  log_probs, _ = made_up(50, 1)
  right = log_probs.argmax(axis=1)
  found = temperature.fit_temperature(log_probs, right)
  assert found == pytest.approx(temperature.LOWEST, rel=1e-3)
  wrong = log_probs.argmin(axis=1)
  found = temperature.fit_temperature(log_probs, wrong)
  assert found == pytest.approx(temperature.HIGHEST, rel=1e-3)


def test_what_has_no_probability_at_all_is_borne():
  log_probs = np.array([[0, -np.inf], [-np.inf, 0], [0, -np.inf]], np.float32)
  found = temperature.fit_temperature(log_probs, np.array([0, 1, 1]))
  assert temperature.LOWEST <= found <= temperature.HIGHEST
  assert temperature.rescale(log_probs, 2).tolist() == log_probs.tolist()


def test_rescaled_they_are_probabilities_of_the_same_order():
  log_probs, _ = made_up(500, 1)
  for each in (0.1, 3.0):
    rescaled = temperature.rescale(log_probs, each)
    assert rescaled.dtype == np.float32
    np.testing.assert_allclose(np.exp(rescaled).sum(axis=1), 1, rtol=1e-5)
    assert (rescaled.argmax(axis=1) == log_probs.argmax(axis=1)).all()
    back = temperature.rescale(rescaled, 1 / each)
    np.testing.assert_allclose(back, log_probs, rtol=1e-3, atol=1e-3)
