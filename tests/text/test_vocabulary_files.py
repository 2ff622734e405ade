"""A vocabulary's file is found, fetched once, and read as what it is."""

import io
import urllib.error

import pytest

from experiments.foundation.errors import UserError
from experiments.text import tokenization, vocabulary_files
from tests.fixtures.tiny_data import built_subwords


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> tokenization.Vocabulary:
  return built_subwords(tmp_path_factory.mktemp('cache'))


def test_a_vocabulary_is_found_by_path_by_folder_and_at_hand(
  built, monkeypatch
):
  def load(*args):
    names = ('vocab_file', 'vocab_dir')
    return tokenization.load_vocabulary(**dict(zip(names, args, strict=False)))

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


@pytest.mark.parametrize('name', ['x.json', 'x.model', 'x.words'])
def test_what_trax_does_not_publish_is_not_looked_for_there(
  name, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr('urllib.request.urlopen', None)
  with pytest.raises(UserError, match=f'^there is no vocabulary {name}.\n'):
    tokenization.load_vocabulary(vocab_file=name)


def test_a_vocabulary_is_fetched_once(built, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path / 'cache'))
  asked = []

  def serve(url, timeout):
    assert timeout <= 10
    asked.append(url)
    return io.BytesIO(built.path.read_bytes())

  monkeypatch.setattr('urllib.request.urlopen', serve)
  for _ in range(2):
    found = tokenization.load_vocabulary(vocab_file='en_8k.subword')
    assert found.fingerprint == built.fingerprint
  bucket = 'https://storage.googleapis.com'
  assert asked == [f'{bucket}/trax-ml/vocabs/en_8k.subword']
  tokenization.load_vocabulary(
    vocab_file='x.subword', vocab_dir='gs://own/dir/'
  )
  assert asked[1:] == [f'{bucket}/own/dir/x.subword']


def test_what_is_fetched_must_be_a_vocabulary(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', str(tmp_path / 'cache'))
  page = b'<html>\nquota'
  monkeypatch.setattr(
    'urllib.request.urlopen', lambda url, timeout: io.BytesIO(page)
  )
  with pytest.raises(UserError, match='is no subword vocabulary of trax'):
    tokenization.load_vocabulary(vocab_file='en_8k.subword')
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
    tokenization.load_vocabulary(vocab_file='en_8k.subword')
  assert str(error.value) == (
    "vocabulary 'en_8k.subword' is not in the working directory, and fetching "
    'gs://trax-ml/vocabs/en_8k.subword failed: Name or service not known.\n'
    "Bind VOCAB_DIR to the directory that has 'en_8k.subword',\n"
    'or VOCAB_FILE=None to build a vocabulary from the train split.'
  )


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
  with pytest.raises(UserError) as error:
    vocabulary_files.read_vocabulary(tmp_path)
  assert str(error.value) == (
    f'cannot read the vocabulary: {tmp_path} is a directory, and a regular '
    'file is needed.'
  )
