"""What single texts, lengths and rules of one property tell."""

import numpy as np
import pytest

from experiments.audit import giveaways, lengths, odd_texts
from experiments.audit.duplicates import find_duplicates
from tests.audit.made_rows import rows_of

ODD = [
  ('?!', odd_texts.NO_LETTER),
  ('', odd_texts.NO_LETTER),
  ('$1,200.50', odd_texts.NUMBER),
  (' 12 / 30 ', odd_texts.NUMBER),
  ('https://a.example/x?y=1', odd_texts.ADDRESS),
  ('me@a.example www.b.example', odd_texts.ADDRESS),
  ('Buy buy, BUY!', odd_texts.REPEATED),
  ('a <br /> b', odd_texts.MARKUP),
  ('AT&amp;T is down', odd_texts.MARKUP),
  ('7 days', None),
  ('see https://a.example', None),
  ('so so good', None),
  ('a < b; b > c', None),
  ('well', None),
]


@pytest.mark.parametrize(('text', 'kind'), ODD)
def test_a_text_is_of_the_first_kind_that_fits(text, kind):
  found = odd_texts.find_odd_texts([text])
  assert [each for each, places in found.items() if places] == (
    [kind] if kind else []
  )


@pytest.mark.parametrize(
  'text', ['café', 'Zoë', '«été»', '東京', 'ÄÖÜ', 'plain']
)
def test_an_encoding_gone_wrong_is_found_and_set_right(text):
  garbled = text.encode().decode('latin-1')
  found = list(odd_texts.find_garbled([text, f'a {garbled} b']))
  expected = [] if text.isascii() else [(1, garbled, text)]
  assert found == expected


def test_a_character_that_was_lost_is_found():
  assert list(odd_texts.find_garbled(['so\ufffd sad'])) == [(0, 'so\ufffd', '')]


def test_lengths_are_those_counted_by_hand():
  of_all, by_class = lengths.measure_lengths(
    np.array([1, 2, 3, 4, 100]), np.array([0, 2, 0, 2, 2]), 3, 3
  )
  assert of_all == (5, 3, 100, 100, 2)
  assert by_class == [(2, 1, 3, 3, 0), (0, 0, 0, 0, 0), (3, 4, 100, 100, 2)]


def make_rows(text_of):
  draw = np.random.default_rng(0)
  rows = [
    (text_of(i, label), label)
    for i, label in enumerate(draw.choice(['a', 'b'], 1000).tolist())
  ]
  return rows_of(('a', 'b'), train=rows)


def rules_of(rows):
  found = giveaways.find_giveaways(rows, find_duplicates(rows).groups)
  return {rule.name: rule for rule in found.rules}, found.words


def test_a_first_word_that_tells_all_is_found_and_named():
  rules, words = rules_of(
    make_rows(lambda i, label: f'{"Re:" if label == "a" else "So"} {i:04}')
  )
  assert rules['first word'].accuracy == 1
  assert rules['first word'].tells
  assert {(word.word, word.label) for word in words} == {
    ('re', 'a'),
    ('so', 'b'),
  }


def test_a_length_that_tells_is_found():
  rules, _ = rules_of(
    make_rows(lambda i, label: f'{i:04} {label * 5 * (label == "a")}')
  )
  assert rules['length'].accuracy > 0.95
  assert rules['length'].tells
  assert not rules['first word'].tells


def test_chance_tells_nothing():
  draw = np.random.default_rng(1)
  rules, words = rules_of(
    make_rows(
      lambda i, label: f'w{draw.integers(9)} {i} {"x" * draw.integers(99)}'
    )
  )
  assert not any(rule.tells for rule in rules.values())
  assert not words
