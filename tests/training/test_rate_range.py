"""What is proposed of losses that were measured with a rising rate."""

import numpy as np
import pytest

from experiments.training import rate_range


def losses(*, start, end, least=0.2, noise=0.02, seed=0):
  """Returns losses that fall between two rates, and rise from ten times end."""
  rates = rate_range.RATES
  fallen = np.clip(np.log(rates / start) / np.log(end / start), 0, 1)
  risen = np.clip(np.log10(rates / end) - 1, 0, None)
  drawn = np.random.RandomState(seed).randn(len(rates)) * noise
  return 1.6 - (1.6 - least) * fallen + 3 * risen + drawn


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize(
  ('start', 'end'), [(1e-4, 1e-2), (1e-3, 1e-1), (0.01, 1)]
)
def test_it_is_a_rate_at_which_the_loss_falls(start, end, seed):
  found = rate_range.propose(losses(start=start, end=end, seed=seed))
  assert start < found < end


@pytest.mark.parametrize(
  'flat',
  [
    np.zeros(0),
    np.full(rate_range.N_STEPS, 1.6),
    1.6 + 0.02 * np.random.RandomState(0).randn(rate_range.N_STEPS),
    np.linspace(1.6, 6, rate_range.N_STEPS),
  ],
)
def test_none_is_proposed_where_it_does_not_fall(flat):
  assert rate_range.propose(flat) is None


def test_the_average_has_no_slow_start():
  assert rate_range.smooth(np.full(9, 1.6)) == pytest.approx(np.full(9, 1.6))
