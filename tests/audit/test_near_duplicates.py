"""Near duplicates: those that counting all pairs finds, and no others."""

import itertools
import random

import numpy as np
import pytest

from experiments.audit import near_duplicates


def runs_of(text):
  words = text.split()
  words += [''] * (3 - len(words))
  return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def count_all(texts):
  """The Jaccard index of all pairs of which it is high, counted one by one."""
  found = {}
  for (i, a), (j, b) in itertools.combinations(
    enumerate(map(runs_of, texts)), 2
  ):
    index = len(a & b) / len(a | b)
    if index >= near_duplicates.SIMILAR:
      found[i, j] = index
  return found


def find(texts, sides=None):
  pairs, similarity = near_duplicates.find_near_duplicates(
    texts, np.zeros(len(texts), int) if sides is None else sides
  )
  return dict(zip(map(tuple, pairs.tolist()), similarity.tolist(), strict=True))


@pytest.mark.parametrize('seed', range(3))
def test_it_finds_what_counting_all_pairs_finds(seed):
  draw = random.Random(seed)
  words = [f'w{i}' for i in range(300)]
  texts = [
    ' '.join(draw.choices(words, k=draw.randint(1, 80))) for _ in range(100)
  ]
  for text in list(texts):
    changed = text.split()
    for _ in range(draw.randint(0, 3)):
      changed[draw.randrange(len(changed))] = draw.choice(words)
    texts.append(' '.join(changed))
  texts = list(dict.fromkeys(texts))
  expected = count_all(texts)
  found = find(texts)
  assert len(expected) > 20
  # MinHash misses a pair in a hundred that is just alike enough.
  missed = {pair: each for pair, each in expected.items() if pair not in found}
  assert len(missed) <= len(expected) // 20, missed
  assert found == pytest.approx({pair: expected[pair] for pair in found})


def test_what_differs_in_punctuation_alone_has_the_same_words():
  assert find(['the cat, sat. there', 'the cat sat there!']) == {(0, 1): 1}


def test_texts_without_words_are_like_no_other():
  assert find(['!!!', '???', '']) == {}


def test_scripts_without_spaces_are_read_by_the_character():
  one = '我今天早上在公园里看见了一只很大的黑狗'
  assert list(find([one, one.replace('黑', '白'), 'a b c'])) == [(0, 1)]


def test_each_side_of_many_copies_is_found():
  n = 200
  texts = [
    f'{"one of many copies of the same long text " * 4}{i}' for i in range(n)
  ]
  sides = np.arange(n) // 100
  pairs = np.array(list(find(texts, sides)))
  assert len(set(near_duplicates.clusters(n, pairs).tolist())) == 1
  across = sides[pairs[:, 0]] != sides[pairs[:, 1]]
  # Each of the later side is known to stand in the other.
  assert set(pairs[across][:, 1].tolist()) == set(range(100, 200))
