"""Finds a vocabulary's file, and the kind of vocabulary that reads it."""

import hashlib
import logging
import pathlib
import typing
from collections.abc import Mapping

from experiments.foundation import cache
from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.text.library_vocabularies import (
  SentencePieceVocabulary,
  TokenizersVocabulary,
)
from experiments.text.subword_vocabulary import SubwordVocabulary
from experiments.text.vocabulary import Vocabulary
from experiments.text.word_vocabulary import WordVocabulary

PUBLIC_DIR = 'gs://trax-ml/vocabs/'
_DOWNLOAD_TIMEOUT_SECONDS = 10
_MAX_DOWNLOAD_BYTES = 2**26

# By the end of a file's name; any other is a subword file of trax.
_KINDS: Mapping[str, type[Vocabulary]] = {
  '.json': TokenizersVocabulary,
  '.model': SentencePieceVocabulary,
  '.words': WordVocabulary,
}


def read_vocabulary(
  place: pathlib.Path | File, *, lower_case: bool = False
) -> Vocabulary:
  """Reads a file as what its name says that it is.

  Args:
    place: a tokenizer.json of tokenizers, a .model of SentencePiece, a .words
      file, or else a subword file of trax.
    lower_case: whether to make texts lower-case first.

  Raises:
    UserError: it cannot be read.
  """
  suffix = pathlib.PurePath(str(place)).suffix
  kind = _KINDS.get(suffix, SubwordVocabulary)
  return kind(place, lower_case=lower_case)


def load_vocabulary(
  *, vocab_file: str, vocab_dir: str | None = None, lower_case: bool = False
) -> Vocabulary:
  """Finds and reads a vocabulary.

  Args:
    vocab_file: its name, or a path to it; see `read_vocabulary`.
    vocab_dir: where it is: a directory or gs://BUCKET/FOLDER; None searches the
      working directory and then, for a subword file, trax's public bucket. A
      copy of what comes by network is kept.
    lower_case: whether to make texts lower-case first.

  Returns:
    The vocabulary.

  Raises:
    UserError: it cannot be found, fetched or read.
  """
  folder = vocab_dir or '.'
  if not folder.startswith('gs://'):
    name = pathlib.Path(vocab_file)
    path = pathlib.Path(folder) / name
    if path.is_file():
      return read_vocabulary(path, lower_case=lower_case)
    if vocab_dir or name.name != vocab_file or name.suffix in _KINDS:
      raise UserError(
        f'there is no vocabulary {path}.\n{_ways_out(vocab_file)}'
      )
    folder = PUBLIC_DIR
  path = _fetch(folder, vocab_file)
  return read_vocabulary(path, lower_case=lower_case)


def _ways_out(vocab_file: str) -> str:
  return (
    f'Bind VOCAB_DIR to the directory that has {vocab_file!r},\n'
    'or VOCAB_FILE=None to build a vocabulary from the train split.'
  )


def _fetch(folder: str, vocab_file: str) -> pathlib.Path:
  """Returns the path of the local copy of a file in a public bucket."""
  place = f'{folder.rstrip("/")}/{vocab_file}'
  key = hashlib.sha256(place.encode()).hexdigest()[:16]
  name = pathlib.PurePosixPath(vocab_file).name
  entry = cache.cache_dir() / 'vocabularies' / f'{name}-{key}'

  def build(aside: pathlib.Path) -> dict[str, typing.Any]:
    content = _download(place)
    (aside / name).write_bytes(content)
    read_vocabulary(aside / name)  # A login page must not be kept as one.
    logging.info('Fetched the vocabulary %s.', place)
    return {'source': place}

  cache.open_or_build(entry, build=build, what=f'the vocabulary {name}')
  return entry / name


def _download(place: str) -> bytes:
  """Returns the file at gs://BUCKET/PATH, by HTTPS."""
  import http.client
  import urllib.error
  import urllib.parse
  import urllib.request

  path = urllib.parse.quote(place.removeprefix('gs://'))
  url = f'https://storage.googleapis.com/{path}'
  try:
    with urllib.request.urlopen(
      url, timeout=_DOWNLOAD_TIMEOUT_SECONDS
    ) as response:
      content = response.read(_MAX_DOWNLOAD_BYTES)
  except (OSError, http.client.HTTPException) as error:
    reason = getattr(error, 'reason', None) or error
    vocab_file = place.rpartition('/')[2]
    raise UserError(
      f'vocabulary {vocab_file!r} is not in the working directory, and '
      f'fetching {place} failed: {reason}.\n{_ways_out(vocab_file)}'
    ) from error
  return content
