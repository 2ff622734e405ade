"""Which steps are evaluated and saved, whatever the period."""

import hypothesis
import pytest
from hypothesis import strategies as st

from experiments.training.events import Events


def counted(last, period):
  """By counting: what `Events` answers without."""
  return [
    step
    for step in range(1, last + 1)
    if step in (1, last) or (period and step % period == 0)
    if period or step == last
  ]


@hypothesis.given(st.integers(1, 60), st.none() | st.integers(1, 70))
def test_events_are_those_that_one_counts(last, period):
  events, expected = Events(last, period), counted(last, period)
  assert [s for s in range(last + 1) if events.is_at(s)] == expected
  for step in range(last):
    assert events.after(step) == next(s for s in expected if s > step)


@pytest.mark.parametrize('period', [10**9, 10**18, None])
def test_a_huge_period_is_not_counted_through(period):
  events = Events(10**18 + 5, period)
  assert events.after(7) == min(period or events.last, events.last)
  assert not events.is_at(10**9 - 1)
