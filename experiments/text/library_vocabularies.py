"""Vocabularies that another library reads: tokenizers and SentencePiece.

Both are optional packages, imported when a file of theirs is named. Their own
ids begin with 0, which is padding here, so id n of the file is n + 1. A text is
encoded whole and as it is: no start, end or other special token is added, and
nothing is cut, padded or left to chance, whatever the file asks for.
"""

import abc
import importlib
import itertools
import json
import pathlib
import types
import typing
from collections.abc import Iterable, Sequence

import numpy as np

from experiments.foundation.errors import UserError
from experiments.text.vocabulary import Vocabulary

_PADDING = '<pad>'


class _LibraryVocabulary(Vocabulary):
  """What both have in common.

  Attributes:
    package: what is imported.
  """

  package: typing.ClassVar[str]

  @property
  def identity(self) -> tuple[typing.Any, ...]:
    """All that the ids of a text depend on, for keys of caches."""
    return *super().identity, importlib.import_module(self.package).__version__

  def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    # JSON can name half of a character, which no UTF-8 holds.
    whole = [text.encode('utf-8', 'replace').decode() for text in texts]
    rows = self._rows(whole)
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    flat = itertools.chain.from_iterable(rows)
    ids = np.fromiter(flat, np.int32, int(sizes.sum()))
    return (ids + 1).astype(self.dtype), sizes

  def decode(self, ids: Iterable[int]) -> str:
    """Returns the text of ids, as the library puts it; padding is left out."""
    return self._text([int(i) - 1 for i in ids if i])

  def piece(self, piece_id: int) -> str:
    """Returns the piece of an id as the library shows it, or '<pad>'."""
    return self._piece(int(piece_id) - 1) if piece_id else _PADDING

  @abc.abstractmethod
  def _rows(self, texts: list[str]) -> list[list[int]]:
    """Returns the library's ids of each text."""

  @abc.abstractmethod
  def _text(self, ids: list[int]) -> str:
    """Returns the text of the library's ids."""

  @abc.abstractmethod
  def _piece(self, piece_id: int) -> str:
    """Returns the piece of an id of the library."""


class TokenizersVocabulary(_LibraryVocabulary):
  """A tokenizer.json, as the library `tokenizers` of Hugging Face writes it."""

  kind = 'tokenizers'
  package = 'tokenizers'

  def _read(self, content: bytes) -> int:
    library = _import_library(self.package, self.path)
    try:
      described = json.loads(content)
      described.update(truncation=None, padding=None)
      if described['model'].get('dropout'):
        described['model']['dropout'] = None
      self._tokenizer = library.Tokenizer.from_str(json.dumps(described))
    # The library raises nothing narrower.
    except Exception as error:
      raise _refuse(self.path, 'tokenizer.json of tokenizers') from error
    vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
    return max(vocabulary.values(), default=-1) + 2

  def _rows(self, texts: list[str]) -> list[list[int]]:
    encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [each.ids for each in encoded]

  def _text(self, ids: list[int]) -> str:
    return self._tokenizer.decode(ids, skip_special_tokens=False)

  def _piece(self, piece_id: int) -> str:
    return self._tokenizer.id_to_token(piece_id) or f'<{piece_id}>'


class SentencePieceVocabulary(_LibraryVocabulary):
  """A .model file of SentencePiece."""

  kind = 'sentencepiece'
  package = 'sentencepiece'

  def _read(self, content: bytes) -> int:
    library = _import_library(self.package, self.path)
    self._processor = library.SentencePieceProcessor()
    try:
      self._processor.LoadFromSerializedProto(content)
      n_pieces = self._processor.get_piece_size()
    except Exception as error:
      raise _refuse(self.path, 'model of SentencePiece') from error
    return n_pieces + 1

  def _rows(self, texts: list[str]) -> list[list[int]]:
    return self._processor.encode(texts, out_type=int)

  def _text(self, ids: list[int]) -> str:
    return self._processor.decode(ids)

  def _piece(self, piece_id: int) -> str:
    return self._processor.id_to_piece(piece_id)


def _import_library(package: str, path: pathlib.Path) -> types.ModuleType:
  try:
    return importlib.import_module(package)
  except ModuleNotFoundError as error:
    if error.name != package:
      raise
    raise UserError(
      f'{path} needs the package {package}, which is not installed. Install '
      f'it: pip install {package}'
    ) from error


def _refuse(path: pathlib.Path, what: str) -> UserError:
  return UserError(
    f'{path} is no {what}, or of a version that the library installed does not '
    'know. Bind VOCAB_FILE to another, or to None to build one.'
  )
