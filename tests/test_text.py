"""Vocabularies and token ids: those of trax, kept whole on disk."""

import dataclasses
import logging
import os
import pathlib
import resource
import sys
import unicodedata
import urllib.error

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments import text, vocabulary
from experiments.errors import UserError
from experiments.trax_repairs import import_trax

SHARED_VOCAB = (
  pathlib.Path(__file__).resolve().parents[2] / 'shared/data/en_8k.subword'
)

TEXTS = [
  'The cat sat on the mat, and the dog sat on the cat.',
  'A mat is flat; a cat is fat; a hat is that.',
  'Naïve café_owners paid 1,200 € for 12 cats \\ 3 dogs!',
  'Line one\nline two\r\n',
  '',
  ' the cat  sat ',
]


@dataclasses.dataclass
class InMemory:
  """What `datasets.source.Source` offers, over a list."""

  texts: list[str]
  fingerprint: str = 'f'
  full_name: str = 'pets/tiny:1.0.0'
  keys: tuple[str, ...] = ('text', 'label')
  n_reads: int = 0

  def __post_init__(self):
    self.splits = {'train': 'train[:90%]', 'test': 'test'}
    self.n_examples = {'train': len(self.texts), 'test': len(self.texts)}

  def labels(self) -> np.ndarray:
    return np.arange(len(self.texts), dtype=np.int32) % 3

  def read(self, split, batch_size=1024):
    assert split in self.splits
    self.n_reads += 1
    for i in range(0, len(self.texts), batch_size):
      yield self.texts[i : i + batch_size], self.labels()[i : i + batch_size]


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


def tokenize(source, vocab, cache_dir, split='train'):
  return text.tokenize_split(
    source=source, split=split, vocabulary=vocab, cache_dir=cache_dir
  )


def test_token_ids_are_those_of_each_text(built, tmp_path):
  source = InMemory(TEXTS * 400)  # More than one chunk.
  assert (
    text.find_tokens(
      source=source, split='train', vocabulary=built, cache_dir=tmp_path
    )
    is None
  )
  tokens = tokenize(source, built, tmp_path)
  expected = [built.encode(t) for t in source.texts]
  assert len(tokens) == len(expected)
  assert tokens.ids.dtype == np.uint16
  assert tokens.offsets.dtype == np.int64
  assert tokens.labels.dtype == np.int32
  assert tokens.labels.tolist() == source.labels().tolist()
  assert tokens.lengths.tolist() == [len(ids) for ids in expected]
  for i, ids in enumerate(expected):
    assert tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]].tolist() == ids
  again = tokenize(source, built, tmp_path)
  assert source.n_reads == 1
  assert not again.ids.flags.writeable
  in_memory = text.Tokens.from_lists(expected, source.labels().tolist())
  for name in ('ids', 'offsets', 'labels', 'lengths'):
    np.testing.assert_array_equal(getattr(again, name), getattr(tokens, name))
    np.testing.assert_array_equal(
      getattr(in_memory, name), getattr(tokens, name)
    )


def test_what_the_ids_depend_on_is_in_their_key(built, tmp_path):
  source = InMemory(TEXTS)
  wider = text.build_vocabulary(
    source=InMemory(TEXTS * 5), vocab_size=70, cache_dir=tmp_path
  )
  tokenize(source, built, tmp_path)
  changed = [
    (dataclasses.replace(source, fingerprint='g'), built, 'train'),
    (dataclasses.replace(source, keys=('title', 'label')), built, 'train'),
    (source, wider, 'train'),
    (source, built, 'test'),
  ]
  for n, (some, vocab, split) in enumerate(changed):
    tokenize(some, vocab, tmp_path, split)
    entries = list((tmp_path / 'tokens').glob('*/manifest.json'))
    assert len(entries) == n + 2


def test_texts_without_a_token_are_kept(built, tmp_path):
  tokens = tokenize(InMemory(['', '']), built, tmp_path)
  assert tokens.lengths.tolist() == [0, 0]
  assert tokens.labels.tolist() == [0, 1]


@pytest.mark.parametrize('name', ['ids.bin', 'offsets.bin', 'labels.bin'])
def test_damaged_ids_are_computed_again(built, tmp_path, name, caplog):
  source = InMemory(TEXTS)
  expected = tokenize(source, built, tmp_path).ids.tolist()
  (path,) = tmp_path.glob(f'tokens/*/{name}')
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 64
  path.write_bytes(content)
  assert tokenize(source, built, tmp_path).ids.tolist() == expected
  assert source.n_reads == 2
  assert 'is damaged' in caplog.text


def test_a_full_disk_says_how_much_space_the_ids_need(built, tmp_path):
  source = InMemory(['the cat sat on the mat ' * 40] * 5000)
  n_bytes = 5000 * (40 * 6 * 2 + 8 + 4)
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, hard))
  try:
    with pytest.raises(UserError) as error:
      tokenize(source, built, tmp_path)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert str(error.value).startswith(
    "no space left for the token ids of pets/tiny:1.0.0 'train' in "
    f'{tmp_path / "tokens"}: about '
  )
  said = int(str(error.value).split(': about ')[1].split(' MiB')[0])
  assert said == pytest.approx(n_bytes / 2**20, abs=1)
  assert not list(tmp_path.glob('tokens/.*.tmp'))
  assert len(tokenize(source, built, tmp_path)) == 5000


def test_opening_what_is_cached_needs_no_tokenizer(built, tmp_path):
  source = InMemory(TEXTS * 2000)
  tokenize(source, built, tmp_path)
  fresh = text.Vocabulary(built.path)
  tokenize(source, fresh, tmp_path)
  assert '_encoder' not in vars(fresh)


def test_the_user_s_cache_is_the_default(built, tmp_path, monkeypatch):
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path))
  tokenize(InMemory(TEXTS), built, None)
  (entry,) = (tmp_path / 'tokens').glob('*/')
  assert entry.name.startswith('pets_tiny_1.0.0-train-')
  assert os.stat(entry / 'ids.bin').st_size > 0
