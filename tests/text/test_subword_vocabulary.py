"""Subword vocabularies: the pieces and the ids are those of trax."""

import pathlib
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments.backend.trax_repairs import import_trax
from experiments.foundation.errors import UserError
from experiments.text import subword_vocabulary, tokenization
from experiments.text.subword_vocabulary import SubwordVocabulary
from tests.fixtures.tiny_data import TEXTS, built_subwords

SHARED_VOCAB = (
  pathlib.Path(__file__).resolve().parents[3] / 'shared/data/en_8k.subword'
)


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> tokenization.Vocabulary:
  return built_subwords(tmp_path_factory.mktemp('cache'))


@pytest.fixture(scope='module')
def real_vocab() -> tokenization.Vocabulary:
  if not SHARED_VOCAB.exists():
    pytest.skip('needs en_8k.subword in ../shared/data')
  return tokenization.load_vocabulary(
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

  assert subword_vocabulary.split_tokens(some) == tokenizer.encode(some)


def test_letters_and_digits_are_those_of_trax():
  """Of all of Unicode, by the definition of trax's tokenizer."""
  characters = map(chr, range(sys.maxunicode + 1))
  for character in characters:
    category = unicodedata.category(character)
    alphanumeric = category[0] in 'LN'
    assert subword_vocabulary.is_alphanumeric(character) == alphanumeric


@settings(deadline=None)
@given(words)
def test_decoding_gives_the_text_back(built, some):
  ids = built.encode(some)
  assert all(0 < i < built.size for i in ids)
  # trax drops the space between two words and puts it back; only its odd end
  # pieces, a single space first or last, come back twice.
  if some == some.strip(' '):
    assert built.decode([*ids, 0, 0]) == some


def test_memory_for_tokens_is_bounded():
  remembered = subword_vocabulary.Remembered(str.encode, max_tokens=3)
  for token in [token for text in TEXTS * 2 for token in text.split()]:
    assert remembered[token] == token.encode()
    assert len(remembered) <= 3


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
    SubwordVocabulary(path)
  assert str(error.value) == message.format(path)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_tokens_are_joined_as_trax_joins_them(some):
  import tensorflow  # noqa: F401 (trax's tokenizer needs it)

  tokenizer = import_trax().data.tokenizer
  tokens = tokenizer.encode(some)
  assert subword_vocabulary.join_tokens(tokens) == tokenizer.decode(tokens)
