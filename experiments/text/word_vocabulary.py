"""Word vocabularies: the most frequent words, and one id for all others.

What models of n-grams want (Joulin et al. 2016, arXiv:1607.01759): an id is a
word, so that neighbours are what a reader calls neighbours. A file has a word a
line, in UTF-8; word n, from 0, has the id n + 2. Its first line, no word, says
which version of `words` cuts texts; a file without one is of version 1.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from experiments.foundation.errors import UserError
from experiments.text import words
from experiments.text.vocabulary import Vocabulary, concatenate

_RESERVED = ('<pad>', '<unk>')
N_RESERVED = len(_RESERVED)
_UNKNOWN = 1
_HEADER = re.compile(r'#words ([0-9]{1,4})')
HEADER = f'#words {words.VERSION}'


class WordVocabulary(Vocabulary):
  """Whole words; what is not in the file has the id 1."""

  kind = 'word'

  def _read(self, content: bytes) -> int:
    try:
      text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
      raise UserError(
        f'{self.path} is no word vocabulary: byte {error.start} is not UTF-8. '
        'Bind VOCAB_FILE to a file of one word a line.'
      ) from error
    lines = [line.rstrip('\r') for line in text.split('\n')]
    if not lines[-1]:
      lines.pop()
    first = _HEADER.fullmatch(lines[0]) if lines else None
    self._version = int(first[1]) if first else 1
    if not 1 <= self._version <= words.VERSION:
      raise UserError(
        f'{self.path}:1: words of version {self._version}; this program knows '
        f'1 to {words.VERSION}. Use the one that made the file, or a newer one.'
      )
    n_headers = int(first is not None)
    self._words = lines[n_headers:]
    if self._version > 1:
      self._words = [unicodedata.normalize('NFC', word) for word in self._words]
    seen = set()
    for number, word in enumerate(self._words, 1 + n_headers):
      if word in seen:
        raise self._refusal(number, word, 'stands there twice')
      if not words.is_word(word, version=self._version):
        reason = 'is no word'
        if words.is_word(word, version=words.VERSION):
          reason += f' of version 1: only a first line {HEADER!r} allows marks'
        raise self._refusal(number, word, reason)
      seen.add(word)
    return len(self._words) + N_RESERVED

  def _refusal(self, line: int, word: str, reason: str) -> UserError:
    return UserError(
      f'{self.path}:{line}: {word[:40]!r} {reason}. Bind VOCAB_FILE to a file '
      'of one word a line, or to None to build one.'
    )

  @functools.cached_property
  def _ids(self) -> '_Ids':
    ids = np.arange(self.size, dtype=self.dtype)
    content = [each.tobytes() for each in ids]
    pairs = zip(self._words, content[N_RESERVED:], strict=True)
    return _Ids(pairs, unknown=content[_UNKNOWN])

  def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    id_of = self._ids.__getitem__
    split = functools.partial(words.split_words, version=self._version)
    encoded = [b''.join(map(id_of, split(text))) for text in texts]
    return concatenate(encoded, self.dtype)

  def decode(self, ids: Iterable[int]) -> str:
    """Returns the words of ids with spaces between; padding is left out."""
    return ' '.join(self.piece(i) for i in ids if i)

  def piece(self, piece_id: int) -> str:
    """Returns the word of an id, or '<pad>' or '<unk>'."""
    if piece_id < N_RESERVED:
      return _RESERVED[piece_id]
    return self._words[piece_id - N_RESERVED]


class _Ids(dict):
  """Word → id as bytes; a word that is missing is not remembered."""

  def __init__(self, pairs: Iterable[tuple[str, bytes]], *, unknown: bytes):
    super().__init__(pairs)
    self._unknown = unknown

  def __missing__(self, word: str) -> bytes:
    return self._unknown
