"""Equal texts and leaks, against what is counted by hand."""

import numpy as np
import pytest

from experiments.audit.duplicates import commonest, find_duplicates
from tests.audit.made_rows import rows_of

LONG = 'the quick brown fox jumps over the lazy dog and runs on into the wood'
NEAR = LONG.replace('wood', 'woods')


def test_a_leak_is_counted_by_hand():
  rows = rows_of(
    ('a', 'b'),
    train=[
      (LONG, 'a'),
      ('Two  words', 'b'),
      ('another thing', 'a'),
      ('x y', 'a'),
    ],
    test=[(NEAR, 'a'), ('two words', 'a'), ('unheard of', 'a'), ('else', 'b')],
  )
  leak = find_duplicates(rows).leak(0, 1)
  assert leak.rows.tolist() == [4, 5]
  assert leak.twins.tolist() == [0, 1]
  assert leak.is_equal.tolist() == [False, True]
  assert leak.is_right.tolist() == [True, False]
  # The commonest class of train is a: 3 of 4 are. By heart, the second is
  # taken for b; the first and the third are right.
  assert leak.majority_accuracy == 3 / 4
  assert leak.leak_accuracy == 2 / 4
  assert leak.similarity.tolist() == pytest.approx([12 / 14, 1])


def test_equal_texts_are_found_within_a_split_and_with_other_labels():
  rows = rows_of(
    ('a', 'b'),
    train=[
      ('Hi there', 'a'),
      ('hi  there', 'b'),
      ('HI THERE', 'a'),
      ('x', 'a'),
    ],
    test=[('ﬁne', 'a'), ('fine', 'a')],
  )
  found = find_duplicates(rows)
  assert [group.tolist() for group in found.equal] == [[0, 1, 2], [4, 5]]
  assert [group.tolist() for group in found.contradictory] == [[0, 1, 2]]
  assert found.n_wrong == 1
  assert [found.count_repeated(split) for split in (0, 1)] == [(2, 0), (1, 0)]
  assert not len(found.leak(0, 1).rows)


def test_near_pairs_are_counted_within_their_split_and_by_label():
  rows = rows_of(('a', 'b'), train=[(LONG, 'a'), (NEAR, 'b'), ('x', 'a')])
  found = find_duplicates(rows)
  assert [pair[:2] for pair in found.near_pairs] == [(0, 1)]
  assert found.count_repeated(0) == (0, 1)


def test_the_commonest_is_the_lowest_of_several():
  keys = np.array([0, 0, 0, 2, 2])
  values = np.array([5, 3, 5, 9, 1])
  assert commonest(keys, values, 4).tolist() == [5, -1, 1, -1]
  assert commonest(keys[:0], values[:0], 2).tolist() == [-1, -1]
