"""Files of tokenizers and SentencePiece: the library's own ids, plus one."""

import json
import sys

import pytest

from experiments.foundation.errors import UserError
from experiments.text import vocabulary_files

TEXTS = ['the cat sat on the mat', 'a dog; the cat!', 'zebra', '']


@pytest.fixture(scope='module')
def tokenizer_json(tmp_path_factory):
  """One like BERT's, which adds tokens, cuts and pads."""
  tokenizers = pytest.importorskip('tokenizers')
  trained = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token='[UNK]'))
  trained.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
  special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']
  trained.train_from_iterator(
    TEXTS * 5,
    tokenizers.trainers.WordPieceTrainer(
      vocab_size=60, special_tokens=special, show_progress=False
    ),
  )
  trained.post_processor = tokenizers.processors.BertProcessing(
    ('[SEP]', 3), ('[CLS]', 2)
  )
  trained.enable_truncation(3)
  trained.enable_padding(length=9)
  path = tmp_path_factory.mktemp('tokenizers') / 'x.json'
  trained.save(str(path))
  return path


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  sentencepiece = pytest.importorskip('sentencepiece')
  path = tmp_path_factory.mktemp('sentencepiece') / 'x.model'
  with path.open('wb') as file:
    sentencepiece.SentencePieceTrainer.train(
      sentence_iterator=iter(TEXTS[:3] * 20),
      model_writer=file,
      vocab_size=30,
      hard_vocab_limit=False,
      minloglevel=2,
    )
  return path


def test_ids_of_tokenizers(tokenizer_json):
  import tokenizers

  vocabulary = vocabulary_files.read_vocabulary(tokenizer_json)
  theirs = tokenizers.Tokenizer.from_file(str(tokenizer_json))
  theirs.no_truncation()
  theirs.no_padding()
  assert vocabulary.size == theirs.get_vocab_size() + 1
  for some in TEXTS:
    ids = theirs.encode(some, add_special_tokens=False).ids
    assert vocabulary.encode(some) == [i + 1 for i in ids]
  assert len(vocabulary.encode(TEXTS[0])) >= 6
  assert [vocabulary.piece(i) for i in vocabulary.encode('the dog')] == (
    theirs.encode('the dog', add_special_tokens=False).tokens
  )
  assert vocabulary.piece(1) == '[PAD]'


def test_nothing_of_tokenizers_is_left_to_chance(tmp_path):
  tokenizers = pytest.importorskip('tokenizers')
  trained = tokenizers.Tokenizer(tokenizers.models.BPE())
  trained.train_from_iterator(
    ['abcdefgh'] * 9, tokenizers.trainers.BpeTrainer(show_progress=False)
  )
  path = tmp_path / 'x.json'
  described = json.loads(trained.to_str())
  described['model']['dropout'] = 0.9
  path.write_text(json.dumps(described))
  vocabulary = vocabulary_files.read_vocabulary(path)
  assert {len(vocabulary.encode('abcdefgh')) for _ in range(20)} == {1}


def test_ids_may_have_gaps(tmp_path):
  tokenizers = pytest.importorskip('tokenizers')
  model = tokenizers.models.WordLevel({'a': 0, 'b': 70_000}, unk_token='a')
  path = tmp_path / 'x.json'
  tokenizers.Tokenizer(model).save(str(path))
  vocabulary = vocabulary_files.read_vocabulary(path)
  assert vocabulary.size == 70_002
  assert vocabulary.encode('b') == [70_001]
  assert vocabulary.piece(70_001) == 'b'
  assert vocabulary.piece(9) == '<8>'


def test_ids_of_sentencepiece(model):
  import sentencepiece

  vocabulary = vocabulary_files.read_vocabulary(model)
  theirs = sentencepiece.SentencePieceProcessor(model_file=str(model))
  assert vocabulary.size == theirs.get_piece_size() + 1
  for some in TEXTS:
    ids = theirs.encode(some)
    assert vocabulary.encode(some) == [i + 1 for i in ids]
    assert vocabulary.decode(vocabulary.encode(some)) == theirs.decode(ids)
  assert vocabulary.piece(1) == theirs.id_to_piece(0) == '<unk>'


@pytest.mark.parametrize('package', ['tokenizers', 'sentencepiece'])
def test_a_library_that_is_missing_is_named(package, tmp_path, monkeypatch):
  suffix = {'tokenizers': 'json', 'sentencepiece': 'model'}[package]
  path = tmp_path / f'x.{suffix}'
  path.write_bytes(b'')
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(UserError) as error:
    vocabulary_files.read_vocabulary(path)
  assert str(error.value) == (
    f'{path} needs the package {package}, which is not installed. Install it: '
    f'pip install {package}'
  )


@pytest.mark.parametrize(
  ('name', 'content', 'what'),
  [
    ('x.json', b'', 'tokenizer.json of tokenizers'),
    ('x.json', b'{"a": 1}', 'tokenizer.json of tokenizers'),
    ('x.json', b'[1]', 'tokenizer.json of tokenizers'),
    ('x.json', b'\xff', 'tokenizer.json of tokenizers'),
    ('x.model', b'', 'model of SentencePiece'),
    ('x.model', b'<html>', 'model of SentencePiece'),
  ],
)
def test_a_file_that_is_none_is_refused(name, content, what, tmp_path):
  package = 'tokenizers' if name == 'x.json' else 'sentencepiece'
  pytest.importorskip(package)
  path = tmp_path / name
  path.write_bytes(content)
  with pytest.raises(UserError) as error:
    vocabulary_files.read_vocabulary(path)
  assert str(error.value) == (
    f'{path} is no {what}, or of a version that the library installed does not '
    'know. Bind VOCAB_FILE to another, or to None to build one.'
  )
