"""Word vocabularies: the most frequent words, and one id for all others.

What models of n-grams want (Joulin et al. 2016, arXiv:1607.01759): an id is a
word, so that neighbours are what a reader calls neighbours. A file has a word a
line, in UTF-8; line n, from 0, has the id n + 2.
"""

import functools
import re
from collections.abc import Iterable, Sequence

import numpy as np

from experiments.foundation.errors import UserError
from experiments.text.vocabulary import Vocabulary, concatenated

_RESERVED = ('<pad>', '<unk>')
N_RESERVED = len(_RESERVED)
_UNKNOWN = 1
# Words, numbers and identifiers; and every other character that is no white
# space, by itself, as Joulin et al. set punctuation apart.
_WORD = re.compile(r'\w+|[^\w\s]')


def split_words(text: str) -> list[str]:
  r"""Returns the words of a text: all matches of `\w+|[^\w\s]`.

  Args:
    text: Any text, e.g. "It's 20 €."

  Returns:
    Them, in order, e.g. It ' s 20 € .
  """
  return _WORD.findall(text)


class WordVocabulary(Vocabulary):
  """Whole words; what is not in the file has the id 1."""

  kind = 'word'

  def _read(self, content: bytes) -> int:
    try:
      lines = content.decode('utf-8').removesuffix('\n').split('\n')
    except UnicodeDecodeError as error:
      raise UserError(
        f'{self.path} is no word vocabulary: byte {error.start} is not UTF-8. '
        'Bind VOCAB_FILE to a file of one word a line.'
      ) from error
    self._words = [line.rstrip('\r') for line in lines] if content else []
    seen = set()
    for number, word in enumerate(self._words, 1):
      if word in seen or not _WORD.fullmatch(word):
        what = 'stands there twice' if word in seen else 'is no word'
        raise UserError(
          f'{self.path}:{number}: {word[:40]!r} {what}. Bind VOCAB_FILE to a '
          'file of one word a line, or to None to build one.'
        )
      seen.add(word)
    return len(self._words) + N_RESERVED

  @functools.cached_property
  def _ids(self) -> '_Ids':
    ids = np.arange(self.size, dtype=self.dtype)
    content = [each.tobytes() for each in ids]
    pairs = zip(self._words, content[N_RESERVED:], strict=True)
    return _Ids(pairs, unknown=content[_UNKNOWN])

  def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    id_of = self._ids.__getitem__
    encoded = [b''.join(map(id_of, split_words(text))) for text in texts]
    return concatenated(encoded, self.dtype)

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
