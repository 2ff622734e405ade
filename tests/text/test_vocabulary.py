"""What every kind of vocabulary does alike."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.text import tokenization, vocabulary_files
from tests.fixtures.tiny_data import InMemory


@pytest.fixture(
  scope='module',
  params=['subword', 'word', 'tokenizers', 'sentencepiece'],
)
def path(request, tmp_path_factory):
  """A file of each kind, of few letters."""
  folder = tmp_path_factory.mktemp(request.param)
  texts = ['aa ab ba b a b', 'A Ab é aa ab'] * 9
  if request.param == 'tokenizers':
    library = pytest.importorskip('tokenizers')
    trained = library.Tokenizer(library.models.BPE())
    trained.pre_tokenizer = library.pre_tokenizers.ByteLevel()
    trained.decoder = library.decoders.ByteLevel()
    trained.train_from_iterator(
      texts,
      library.trainers.BpeTrainer(
        vocab_size=280,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
      ),
    )
    trained.save(str(folder / 'x.json'))
    return folder / 'x.json'
  if request.param == 'sentencepiece':
    library = pytest.importorskip('sentencepiece')
    with (folder / 'x.model').open('wb') as file:
      library.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=file,
        vocab_size=12,
        hard_vocab_limit=False,
        minloglevel=2,
      )
    return folder / 'x.model'
  return tokenization.build_vocabulary(
    source=InMemory(texts),
    vocab_size=90,
    vocab_type=request.param,
    cache_dir=folder,
  ).path


some_texts = st.lists(st.text(' aAbéß\n1,€\x00\ud800'), max_size=6)


@given(some_texts)
def test_ids_are_those_of_each_text_alone_and_never_padding(path, texts):
  vocabulary = vocabulary_files.read_vocabulary(path)
  ids, sizes = vocabulary.encode_batch(texts)
  assert (ids.dtype, sizes.dtype) == (np.uint16, np.int64)
  rows = [vocabulary.encode(some) for some in texts]
  assert sizes.tolist() == list(map(len, rows))
  assert ids.tolist() == list(itertools.chain(*rows))
  assert all(0 < i < vocabulary.size for i in ids)
  assert all(isinstance(vocabulary.piece(i), str) for i in ids)
  assert vocabulary.piece(0).startswith('<pad>')


@given(some_texts)
def test_lower_case_is_made_first(path, texts):
  plain = vocabulary_files.read_vocabulary(path)
  lower = vocabulary_files.read_vocabulary(path, lower_case=True)
  lowered = [some.lower() for some in texts]
  for got, expected in zip(
    lower.encode_batch(texts), plain.encode_batch(lowered), strict=True
  ):
    np.testing.assert_array_equal(got, expected)


def test_what_decides_the_ids_is_in_the_identity(path, tmp_path):
  vocabulary = vocabulary_files.read_vocabulary(path)
  copy = tmp_path / f'copy{path.suffix}'
  copy.write_bytes(path.read_bytes())
  again = vocabulary_files.read_vocabulary(copy)
  assert again.identity == vocabulary.identity
  lower = vocabulary_files.read_vocabulary(copy, lower_case=True)
  assert lower.identity != vocabulary.identity
  assert lower.fingerprint == vocabulary.fingerprint


def test_padding_is_left_out_of_the_text(path):
  vocabulary = vocabulary_files.read_vocabulary(path)
  ids = vocabulary.encode('ab aa')
  assert vocabulary.decode([*ids, 0, 0]).strip() == 'ab aa'
