"""Accuracy in bins of length, worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.evaluation import by_length


def test_an_example_by_hand():
  bins = by_length.accuracy_by_length(
    lengths=np.array([9, 1, 2, 30, 3, 8, 10, 4]),
    correct=np.array([True, True, False, False, True, True, False, True]),
    n_bins=2,
  )
  # 1 to 4 tokens: right, wrong, right, right; 8 to 30: right, right, wrong,
  # wrong.
  assert [each[:2] for each in bins] == [(1, 4), (8, 30)]
  assert [each.mean_length for each in bins] == [10 / 4, 57 / 4]
  assert [each.n_examples for each in bins] == [4, 4]
  assert [each.accuracy for each in bins] == [3 / 4, 1 / 2]
  assert [each.standard_error for each in bins] == pytest.approx(
    [(3 / 4 * 1 / 4 / 4) ** 0.5, 1 / 4]
  )


def test_texts_of_one_length_are_in_one_bin():
  lengths = np.array([5] * 95 + [6, 7, 8, 9, 10])
  bins = by_length.accuracy_by_length(
    lengths=lengths, correct=np.ones(100, bool)
  )
  assert [(each.shortest, each.longest) for each in bins] == [(5, 5), (6, 10)]
  assert [each.n_examples for each in bins] == [95, 5]
  assert {each.standard_error for each in bins} == {0.0}


@given(
  st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1),
  st.integers(1, 12),
)
def test_every_example_is_in_the_one_bin_of_its_length(examples, n_bins):
  lengths, correct = map(np.array, zip(*examples, strict=True))
  bins = by_length.accuracy_by_length(
    lengths=lengths, correct=correct, n_bins=n_bins
  )
  assert 1 <= len(bins) <= n_bins
  for before, after in itertools.pairwise(bins):
    assert before.longest < after.shortest
  assert (bins[0].shortest, bins[-1].longest) == (lengths.min(), lengths.max())
  assert sum(each.n_examples for each in bins) == len(examples)
  right = sum(each.n_examples * each.accuracy for each in bins)
  assert right == pytest.approx(correct.sum())
  for each in bins:
    inside = (each.shortest <= lengths) & (lengths <= each.longest)
    assert each.n_examples == inside.sum()
    assert each.accuracy == correct[inside].mean()
