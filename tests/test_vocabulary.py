"""Vocabularies: the pieces and the ids are those of trax."""

import logging
import pathlib
import sys
import unicodedata
import urllib.error

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_data import TEXTS, InMemory

from experiments import text, vocabulary
from experiments.errors import UserError
from experiments.trax_repairs import import_trax

SHARED_VOCAB = (
  pathlib.Path(__file__).resolve().parents[2] / 'shared/data/en_8k.subword'
)


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> text.Vocabulary:
  """A vocabulary built from TEXTS, many times over."""
  return text.build_vocabulary(
    source=InMemory(TEXTS * 5),
    vocab_size=100,
    cache_dir=tmp_path_factory.mktemp('cache'),
  )


@pytest.fixture(scope='module')
def real_vocab() -> text.Vocabulary:
  if not SHARED_VOCAB.exists():
    pytest.skip('needs en_8k.subword in ../shared/data')
  return text.load_vocabulary(
    vocab_file=SHARED_VOCAB.name, vocab_dir=str(SHARED_VOCAB.parent)
  )


def trax_ids(path: pathlib.Path, texts: list[str]) -> list[list[int]]:
  trax = import_trax()
  import tensorflow  # noqa: F401 (trax reads the file with it)

  tokenized = trax.data.tokenize(
    iter(texts), vocab_file=path.name, vocab_dir=str(path.parent)
  )
  return [ids.astype(int).tolist() for ids in tokenized]


words = st.text(
  st.one_of(st.sampled_from(' _a1é,.\\\n\r'), st.characters(codec='utf-8'))
)


def test_ids_are_those_of_trax_with_a_built_vocabulary(built):
  assert [built.encode(t) for t in TEXTS] == trax_ids(built.path, TEXTS)


def test_ids_are_those_of_trax_with_the_file_of_the_post(real_vocab):
  assert real_vocab.size == 8183
  assert real_vocab.dtype == np.uint16
  assert [real_vocab.encode(t) for t in TEXTS] == trax_ids(SHARED_VOCAB, TEXTS)


@settings(max_examples=300, deadline=None)
@given(words)
@example(' ')
@example('  ')
@example(' a')
@example('a ')
@example(' _ ')
@example('a _ b')
def test_a_text_is_split_as_trax_splits_it(some):
  import_trax()
  from trax.data import tokenizer

  assert vocabulary.split_tokens(some) == tokenizer.encode(some)


def test_letters_and_digits_are_those_of_trax():
  """Of all of Unicode, by the definition of trax's tokenizer."""
  characters = map(chr, range(sys.maxunicode + 1))
  for character in characters:
    category = unicodedata.category(character)
    alphanumeric = category[0] in 'LN'
    assert vocabulary._is_alphanumeric(character) == alphanumeric, category


@settings(deadline=None)
@given(words)
def test_decoding_gives_the_text_back(built, some):
  ids = built.encode(some)
  assert all(0 < i < built.size for i in ids)
  # trax drops the space between two words and puts it back; only its odd end
  # pieces, a single space first or last, come back twice.
  if some == some.strip(' '):
    assert built.decode([*ids, 0, 0]) == some


def test_memory_for_tokens_is_bounded(built, monkeypatch):
  monkeypatch.setattr(vocabulary, '_MAX_REMEMBERED_TOKENS', 3)
  fresh = text.Vocabulary(built.path)
  for some in TEXTS * 2:
    assert fresh.encode(some) == built.encode(some)
    assert len(fresh._remembered) <= 3


def test_a_built_vocabulary_is_no_larger_than_asked_for(built, tmp_path):
  assert built.size <= 100
  source = InMemory(TEXTS * 5)
  small = text.build_vocabulary(
    source=source, vocab_size=60, cache_dir=tmp_path
  )
  assert small.size == 60
  assert small.path.read_text().count('\n') == 60
  assert small.fingerprint != built.fingerprint
  # Frequent words became pieces: fewer ids than characters.
  assert len(built.encode('the cat sat')) < len('the cat sat') // 2
  assert [built.piece(i) for i in built.encode('the cat')] == ['the_', 'cat_']
  assert built.piece(0) == '<pad>_'


def test_a_vocabulary_is_built_once_for_the_same_data(tmp_path, caplog):
  source = InMemory(TEXTS * 5)

  def build(**changes):
    with caplog.at_level(logging.INFO):
      return text.build_vocabulary(
        **{'source': source, 'vocab_size': 80, 'cache_dir': tmp_path} | changes
      )

  first = build()
  assert source.n_reads == 1
  assert build().path == first.path
  assert source.n_reads == 1
  assert f'Vocabulary of {first.size} pieces: {first.path}' in caplog.messages
  assert not [m for m in caplog.messages if 'Iteration' in m]
  other = InMemory(TEXTS * 5, fingerprint='g')
  assert build(source=other).path != first.path
  again = build(cache_dir=tmp_path / 'elsewhere')
  assert again.fingerprint == first.fingerprint


def test_rare_tokens_are_forgotten_when_there_are_too_many(monkeypatch):
  monkeypatch.setattr(vocabulary, '_MAX_COUNTED_TOKENS', 6)
  texts = ['a b a', 'a b c', 'd e f g h']
  source = InMemory(texts)
  monkeypatch.setattr(
    source, 'read', lambda split: (([t], None) for t in texts)
  )
  counts = vocabulary._count_tokens(source)
  assert counts == {'a': 3, 'b': 2, 'c': 1, 'd': 1}


def test_a_vocabulary_that_cannot_hold_the_characters_is_refused(tmp_path):
  with pytest.raises(UserError) as error:
    text.build_vocabulary(
      source=InMemory(['abc']), vocab_size=10, cache_dir=tmp_path
    )
  # a b c, <pad> and <EOS> without the letters counted, \ _ u ; and the digits.
  characters = set('abc<pad><EOS>\\_u;0123456789')
  assert str(error.value) == (
    'VOCAB_SIZE is 10, but the texts of pets/tiny:1.0.0 have '
    f'{len(characters)} characters: at least {len(characters) + 2} pieces are '
    'needed.'
  )


def test_a_vocabulary_is_found_by_path_by_folder_and_at_hand(
  built, monkeypatch
):
  def load(*args):
    names = ('vocab_file', 'vocab_dir')
    return text.load_vocabulary(**dict(zip(names, args, strict=False)))

  monkeypatch.chdir(built.path.parent)
  assert load(str(built.path)).fingerprint == built.fingerprint
  assert load(built.path.name).fingerprint == built.fingerprint
  assert load('train.subword', '.').fingerprint == built.fingerprint
  with pytest.raises(UserError) as error:
    load('other.subword', '/nowhere')
  assert str(error.value) == (
    'there is no vocabulary /nowhere/other.subword.\n'
    "Bind VOCAB_DIR to the directory that has 'other.subword',\n"
    'or VOCAB_FILE=None to build a vocabulary from the train split.'
  )


def test_a_vocabulary_is_fetched_once(built, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path / 'cache'))
  asked = []

  def download(place):
    asked.append(place)
    return built.path.read_bytes()

  monkeypatch.setattr(vocabulary, '_download', download)
  for _ in range(2):
    found = text.load_vocabulary(vocab_file='en_8k.subword')
    assert found.fingerprint == built.fingerprint
  assert asked == ['gs://trax-ml/vocabs/en_8k.subword']
  text.load_vocabulary(vocab_file='x.subword', vocab_dir='gs://own/dir/')
  assert asked[1:] == ['gs://own/dir/x.subword']


def test_what_is_fetched_must_be_a_vocabulary(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setattr(vocabulary, '_download', lambda place: b'<html>\nquota')
  with pytest.raises(UserError, match='is no subword vocabulary of trax'):
    text.load_vocabulary(vocab_file='en_8k.subword')
  assert not list((tmp_path / 'cache').rglob('en_8k.subword'))


def test_a_vocabulary_that_cannot_be_had_names_both_ways_out(
  tmp_path, monkeypatch
):
  def no_network(url, timeout):
    assert url == (
      'https://storage.googleapis.com/trax-ml/vocabs/en_8k.subword'
    )
    assert timeout <= 10
    raise urllib.error.URLError('Name or service not known')

  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setattr('urllib.request.urlopen', no_network)
  with pytest.raises(UserError) as error:
    text.load_vocabulary(vocab_file='en_8k.subword')
  assert str(error.value) == (
    "vocabulary 'en_8k.subword' is not in the working directory, and fetching "
    'gs://trax-ml/vocabs/en_8k.subword failed: Name or service not known.\n'
    "Bind VOCAB_DIR to the directory that has 'en_8k.subword',\n"
    'or VOCAB_FILE=None to build a vocabulary from the train split.'
  )


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (
      b"'a'\n'\xff'\n",
      '{} is no subword vocabulary: byte 5 is not UTF-8. Bind VOCAB_FILE to a '
      'file of one piece a line.',
    ),
    (
      b'',
      '{} is no subword vocabulary of trax: of 0 lines none is the single '
      "character '0' (14 such).\nBind VOCAB_FILE to another, or to None to "
      'build one.',
    ),
    (
      b"'ab_'\n" + b''.join(b"'%c'\n" % c for c in b'\\_u;0123456789a'),
      '{} is no subword vocabulary of trax: of 16 lines none is the single '
      "character 'b' (1 such).\nBind VOCAB_FILE to another, or to None to "
      'build one.',
    ),
  ],
)
def test_a_file_that_is_no_vocabulary_is_refused(content, message, tmp_path):
  path = tmp_path / 'v'
  path.write_bytes(content)
  with pytest.raises(UserError) as error:
    text.Vocabulary(path)
  assert str(error.value) == message.format(path)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_tokens_are_joined_as_trax_joins_them(some):
  import tensorflow  # noqa: F401 (trax's tokenizer needs it)

  tokenizer = import_trax().data.tokenizer
  tokens = tokenizer.encode(some)
  assert vocabulary.join_tokens(tokens) == tokenizer.decode(tokens)
