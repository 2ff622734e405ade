"""Folds keep what scikit-learn's StratifiedGroupKFold promises."""

import warnings

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn import model_selection

from experiments.datasets import folds


@st.composite
def rows(draw):
  """Classes and groups of rows that can be cut, and into how many folds."""
  n_folds = draw(st.integers(2, 6))
  n_classes = draw(st.integers(1, 5))
  seed = draw(st.integers(0, 2**32 - 1))
  generator = np.random.default_rng(seed)
  n = draw(st.integers(n_folds * n_classes, 300))
  shares = generator.dirichlet(np.full(n_classes, draw(st.floats(0.3, 5))))
  labels = generator.choice(n_classes, n, p=shares)
  n_groups = draw(st.integers(n_folds, n))
  groups = generator.integers(0, n_groups, n)
  return labels, groups, n_folds


def cut(case):
  """Returns the folds of a case, which has enough of each class."""
  try:
    return folds.assign_folds(*case)
  except folds.TooManyFoldsError:
    hypothesis.reject()


@hypothesis.given(rows())
def test_each_row_is_in_one_fold_and_each_group_in_one(case):
  _, groups, n_folds = case
  found = cut(case)
  assert found.dtype == np.int16
  # Every row has one: they are disjoint, and hold all.
  assert found.shape == groups.shape
  assert set(found.tolist()) == set(range(n_folds))
  pairs = set(zip(groups.tolist(), found.tolist(), strict=True))
  assert len(pairs) == len(set(groups.tolist()))


def unevenness(labels, found, n_folds):
  """Returns by how many rows of a class folds differ at most, in the mean."""
  counts = np.asarray(
    [
      np.bincount(found[labels == label], minlength=n_folds)
      for label in np.unique(labels)
    ]
  )
  return float(
    np.mean((counts / counts.sum(axis=1, keepdims=True)).std(axis=1))
  )


@hypothesis.given(rows())
def test_classes_are_spread_no_worse_than_by_scikit_learn(case):
  """By a hundredth of the rows: of the share of a class that a fold has."""
  labels, groups, n_folds = case
  found = cut(case)
  other = np.zeros(len(labels), int)
  splitter = model_selection.StratifiedGroupKFold(n_folds)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    for fold, (_, held_out) in enumerate(
      splitter.split(labels, labels, groups)
    ):
      other[held_out] = fold
  largest = np.bincount(groups).max() / len(labels)
  assert unevenness(labels, found, n_folds) <= (
    unevenness(labels, other, n_folds) + 0.01 + largest
  )


@hypothesis.given(rows())
def test_the_order_of_rows_does_not_matter(case):
  labels, groups, n_folds = case
  found = cut(case)
  order = np.random.default_rng(0).permutation(len(labels))
  again = folds.assign_folds(labels[order], groups[order], n_folds)
  np.testing.assert_array_equal(again, found[order])


@hypothesis.given(st.lists(st.integers(10, 60), min_size=1, max_size=4))
def test_rows_that_are_alone_are_spread_as_evenly_as_can_be(sizes):
  labels = np.repeat(np.arange(len(sizes)), sizes)
  found = folds.assign_folds(labels, np.arange(len(labels)), 5)
  for label in range(len(sizes)):
    counts = np.bincount(found[labels == label], minlength=5)
    assert np.ptp(counts) <= 1
  assert np.ptp(np.bincount(found, minlength=5)) <= 1


def test_groups_go_where_their_class_is_rare():
  """Pairs of rows, of which dealing in turn would part the classes."""
  groups = np.repeat(np.arange(16), 2)
  labels = groups // 2 % 2
  found = folds.assign_folds(labels, groups, 4)
  for label in (0, 1):
    counts = np.bincount(found[labels == label], minlength=4)
    np.testing.assert_array_equal(counts, [4] * 4)


def test_by_hand():
  """The large group first; then of each class to whom has least."""
  labels = np.asarray([0, 0, 0, 1, 1, 1])
  groups = np.asarray([7, 7, 1, 2, 3, 9])
  found = folds.assign_folds(labels, groups, 2)
  # Two of class 0 in fold 0, so the third goes to fold 1, and it has room for
  # one of class 1 more.
  np.testing.assert_array_equal(found, [0, 0, 1, 0, 1, 1])


@pytest.mark.parametrize(
  ('labels', 'groups', 'expected'),
  [
    ([0, 0, 0, 1, 1], [0, 1, 2, 3, 4], (1, 2, 2)),
    ([0, 0, 0, 5, 5, 5], [0, 1, 2, 3, 3, 4], (5, 3, 2)),
  ],
)
def test_a_class_that_cannot_be_in_every_fold_is_named(
  labels, groups, expected
):
  with pytest.raises(folds.TooManyFoldsError) as raised:
    folds.assign_folds(np.asarray(labels), np.asarray(groups), 3)
  error = raised.value
  assert (error.label, error.n_rows, error.n_groups) == expected
