"""Vocabularies built from a train split, of subwords and of words."""

import collections
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.foundation.errors import UserError
from experiments.text import tokenization, vocabulary_building
from experiments.text.subword_vocabulary import split_tokens
from tests.fixtures.tiny_data import TEXTS, InMemory, built_subwords


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> tokenization.Vocabulary:
  return built_subwords(tmp_path_factory.mktemp('cache'))


def test_a_built_vocabulary_is_no_larger_than_asked_for(built, tmp_path):
  assert built.size <= 100
  source = InMemory(TEXTS * 5)
  small = tokenization.build_vocabulary(
    source=source, vocab_size=60, cache_dir=tmp_path
  )
  assert small.size == 60
  assert small.path.read_text().count('\n') == 60
  assert small.fingerprint != built.fingerprint
  # Frequent words became pieces: fewer ids than characters.
  assert len(built.encode('the cat sat')) < len('the cat sat') // 2
  assert [built.piece(i) for i in built.encode('the cat')] == ['the_', 'cat_']
  assert built.piece(0) == '<pad>_'


@pytest.mark.parametrize('vocab_type', ['subword', 'word'])
def test_a_vocabulary_is_built_once_for_the_same_data(
  vocab_type, tmp_path, caplog
):
  source = InMemory(TEXTS * 5)
  arguments = {
    'source': source,
    'vocab_size': 80,
    'vocab_type': vocab_type,
    'cache_dir': tmp_path,
  }

  def build(**changes):
    with caplog.at_level(logging.INFO):
      return tokenization.build_vocabulary(**arguments | changes)

  assert tokenization.find_vocabulary(**arguments) is None
  first = build()
  assert source.n_reads == 1
  assert build().path == first.path
  assert source.n_reads == 1
  found = tokenization.find_vocabulary(**arguments)
  assert found is not None
  assert found.identity == first.identity
  assert f'Vocabulary of {first.size} pieces: {first.path}' in caplog.messages
  assert not [m for m in caplog.messages if 'Iteration' in m]
  other = InMemory(TEXTS * 5, fingerprint='g')
  assert build(source=other).path != first.path
  again = build(cache_dir=tmp_path / 'elsewhere')
  assert again.fingerprint == first.fingerprint
  lower = build(lower_case=True)
  assert lower.path.parent != first.path.parent
  assert lower.fingerprint != first.fingerprint


def test_a_lower_case_vocabulary_has_no_capitals(tmp_path):
  for vocab_type in ('subword', 'word'):
    lower = tokenization.build_vocabulary(
      source=InMemory(TEXTS * 5),
      vocab_size=100,
      vocab_type=vocab_type,
      lower_case=True,
      cache_dir=tmp_path,
    )
    pieces = [lower.piece(i) for i in range(2, lower.size)]
    # The capitals of TEXTS; <EOS> is in each.
    assert not [piece for piece in pieces if re.search('[ALNT]', piece)]
    assert lower.encode('THE Cat') == lower.encode('the cat')


def test_rare_tokens_are_forgotten_when_there_are_too_many(monkeypatch):
  texts = ['a b a', 'a b c', 'd e f g h']
  source = InMemory(texts)
  monkeypatch.setattr(
    source, 'read', lambda split: (([t], None) for t in texts)
  )
  counts = vocabulary_building.count_tokens(
    source, split_tokens, False, max_tokens=6
  )
  assert counts == {'a': 3, 'b': 2, 'c': 1, 'd': 1}


def test_a_vocabulary_that_cannot_hold_the_characters_is_refused(tmp_path):
  with pytest.raises(UserError) as error:
    tokenization.build_vocabulary(
      source=InMemory(['abc']), vocab_size=10, cache_dir=tmp_path
    )
  # a b c, <pad> and <EOS> without the letters counted, \ _ u ; and the digits.
  characters = set('abc<pad><EOS>\\_u;0123456789')
  assert str(error.value) == (
    'VOCAB_SIZE is 10, but the texts of pets/tiny:1.0.0 have '
    f'{len(characters)} characters: at least {len(characters) + 2} pieces are '
    'needed.'
  )


def words_of(texts, vocab_size, cache_dir, **options):
  vocabulary = tokenization.build_vocabulary(
    source=InMemory(texts),
    vocab_size=vocab_size,
    vocab_type='word',
    cache_dir=cache_dir,
    **options,
  )
  head, *words = vocabulary.path.read_text('utf-8').splitlines()
  assert head == '#words 2'
  return words


def test_the_most_frequent_words_by_hand(tmp_path):
  texts = ['b a, b.', 'The b', 'the é a ; ;']
  # b 3; ; 2; a 2; then in the order of code points: , . The the é
  expected = ['b', ';', 'a', ',', '.', 'The', 'the', 'é']
  assert words_of(texts, 100, tmp_path) == expected
  assert words_of(texts, 5, tmp_path) == expected[:3]
  lower = ['b', ';', 'a', 'the', ',', '.', 'é']
  assert words_of(texts, 100, tmp_path, lower_case=True) == lower


@given(
  st.lists(st.text('abA .\n\r\x1c\x85,_é'), min_size=1), st.integers(3, 12)
)
def test_words_are_chosen_as_by_a_counter(tmp_path_factory, texts, vocab_size):
  cache_dir = tmp_path_factory.mktemp('cache')
  vocabulary = tokenization.build_vocabulary(
    source=InMemory(texts),
    vocab_size=vocab_size,
    vocab_type='word',
    cache_dir=cache_dir,
  )
  counts = collections.Counter(
    word for some in texts for word in re.findall(r'\w+|[^\w\s]', some)
  )
  ranked = sorted(counts, key=lambda word: (-counts[word], word))
  pieces = [vocabulary.piece(i) for i in range(vocabulary.size)]
  assert pieces == ['<pad>', '<unk>', *ranked[: vocab_size - 2]]


def test_a_size_without_room_for_a_word_is_refused(tmp_path):
  with pytest.raises(UserError) as error:
    words_of(['a'], 2, tmp_path)
  assert str(error.value) == (
    'VOCAB_SIZE is 2, but a vocabulary of words needs at least 3: padding, '
    'unknown words and one word.'
  )
