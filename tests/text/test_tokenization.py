"""Token ids of a split: those of each text, kept whole on disk."""

import dataclasses
import os
import resource

import numpy as np
import pytest

from experiments.foundation.errors import UserError
from experiments.text import tokenization
from tests.fixtures.tiny_data import TEXTS, InMemory, built_subwords


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> tokenization.Vocabulary:
  return built_subwords(tmp_path_factory.mktemp('cache'))


def tokenize(source, vocab, cache_dir, split='train'):
  return tokenization.tokenize_split(
    source=source, split=split, vocabulary=vocab, cache_dir=cache_dir
  )


def test_token_ids_are_those_of_each_text(built, tmp_path):
  source = InMemory(TEXTS * 400)  # More than one chunk.
  assert (
    tokenization.find_tokens(
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
  in_memory = tokenization.Tokens.from_lists(expected, source.labels().tolist())
  for name in ('ids', 'offsets', 'labels', 'lengths'):
    np.testing.assert_array_equal(getattr(again, name), getattr(tokens, name))
    np.testing.assert_array_equal(
      getattr(in_memory, name), getattr(tokens, name)
    )


def test_what_the_ids_depend_on_is_in_their_key(built, tmp_path):
  source = InMemory(TEXTS)
  wider = tokenization.build_vocabulary(
    source=InMemory(TEXTS * 5), vocab_size=70, cache_dir=tmp_path
  )
  lower = tokenization.load_vocabulary(
    vocab_file=str(built.path), lower_case=True
  )
  tokenize(source, built, tmp_path)
  changed = [
    (dataclasses.replace(source, fingerprint='g'), built, 'train'),
    (dataclasses.replace(source, keys=('title', 'label')), built, 'train'),
    (source, wider, 'train'),
    (source, lower, 'train'),
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
  fresh = tokenization.load_vocabulary(vocab_file=str(built.path))
  tokenize(source, fresh, tmp_path)
  assert '_encoder' not in vars(fresh)


def test_the_user_s_cache_is_the_default(built, tmp_path, monkeypatch):
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path))
  tokenize(InMemory(TEXTS), built, None)
  (entry,) = (tmp_path / 'tokens').glob('*/')
  assert entry.name.startswith('pets_tiny_1.0.0-train-')
  assert os.stat(entry / 'ids.bin').st_size > 0


def test_cutting_leaves_the_cache_as_it_is(built, tmp_path):
  source = InMemory(TEXTS)
  whole = tokenize(source, built, tmp_path)
  lengths = [len(built.encode(t)) for t in TEXTS]
  cut = whole.cut(7)
  assert cut.lengths.tolist() == [min(length, 7) for length in lengths]
  assert cut.n_cut == sum(length > 7 for length in lengths)
  assert cut.ids is whole.ids
  assert whole.lengths.tolist() == lengths
  assert whole.n_cut == 0
  assert cut.cut(9).lengths.tolist() == [min(length, 9) for length in lengths]
