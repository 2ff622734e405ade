"""Subword vocabularies: trax's files, and ones built from a train split.

A vocabulary file has a piece a line, as trax's SubwordTextEncoder writes it;
ids are line numbers from 0, and 0 is padding. Texts become the same ids as by
`trax.data.Tokenize`.
"""

import functools
import re
import typing
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from experiments.foundation.errors import UserError
from experiments.text.vocabulary import Vocabulary, concatenate

# trax splits where letters and digits meet other characters, and drops a single
# space between two words. `[^\W_]` is exactly what it takes for a letter or a
# digit (a test compares all of Unicode).
_TOKENS = re.compile(r'[^\W_]+|[\W_]{2,}|[^\w ]|_')
# trax writes a character that has no piece by means of these.
_ESCAPES = '\\_u;0123456789'
MAX_REMEMBERED_TOKENS = 2**18


class SubwordVocabulary(Vocabulary):
  """Pieces of words, in trax's own format."""

  kind = 'subword'

  def _read(self, content: bytes) -> int:
    try:
      # What TensorFlow's file reader, and so trax, makes of line ends.
      text = content.decode('utf-8-sig').replace('\r', '')
    except UnicodeDecodeError as error:
      raise UserError(
        f'{self.path} is no subword vocabulary: byte {error.start} is not '
        'UTF-8. Bind VOCAB_FILE to a file of one piece a line.'
      ) from error
    self._lines = text.split('\n')
    if not self._lines[-1]:
      self._lines.pop()
    self._check_pieces()
    self._remembered = Remembered(self._ids_of_token)
    return len(self._lines)

  def _check_pieces(self) -> None:
    """Raises UserError unless every text can be cut into the pieces."""
    pieces = {_unquote(line) for line in self._lines}
    alphabet = {c for piece in pieces for c in piece}.union(_ESCAPES)
    missing = sorted(alphabet - pieces)
    if missing:
      raise UserError(
        f'{self.path} is no subword vocabulary of trax: of {len(pieces)} lines '
        f'none is the single character {missing[0]!r} ({len(missing)} such).\n'
        'Bind VOCAB_FILE to another, or to None to build one.'
      )

  @functools.cached_property
  def _encoder(self) -> typing.Any:
    """Trax's encoder of this file, read without its use of TensorFlow."""
    from experiments.backend.trax_repairs import import_trax

    import_trax()
    from trax.data import text_encoder

    encoder = text_encoder.SubwordTextEncoder()
    encoder._load_from_file_object(self._lines)
    return encoder

  def _ids_of_token(self, token: str) -> bytes:
    ids = self._encoder._token_to_subtoken_ids(token)
    return np.asarray(ids, self.dtype).tobytes()

  def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    ids_of = self._remembered.__getitem__
    encoded = [b''.join(map(ids_of, split_tokens(text))) for text in texts]
    return concatenate(encoded, self.dtype)

  def decode(self, ids: Iterable[int]) -> str:
    """Returns the text of ids; padding at the end is left out."""
    from trax.data import text_encoder

    encoder = self._encoder
    reserved = list(range(text_encoder.NUM_RESERVED_TOKENS))
    ids = text_encoder.strip_ids([int(i) for i in ids], reserved)
    return join_tokens(encoder._subtoken_ids_to_tokens(ids))

  def piece(self, piece_id: int) -> str:
    """Returns the piece of an id, as `_`-terminated words are cut."""
    return self._encoder._subtoken_id_to_subtoken_string(int(piece_id))


def _unquote(line: str) -> str:
  """Returns the piece of a line, as trax reads it."""
  line = line.rstrip()
  quoted = line[:1] in ('"', "'") and line[-1:] == line[:1]
  return line[1:-1] if quoted else line


class Remembered(dict):
  """Token → ids as bytes; computed when missing, forgotten when too many."""

  def __init__(
    self,
    compute: Callable[[str], bytes],
    max_tokens: int = MAX_REMEMBERED_TOKENS,
  ):
    super().__init__()
    self._compute = compute
    self._max_tokens = max_tokens

  def __missing__(self, token: str) -> bytes:
    if len(self) >= self._max_tokens:
      self.clear()
    ids = self[token] = self._compute(token)
    return ids


def split_tokens(text: str) -> list[str]:
  """Splits a text as `trax.data.tokenizer.encode` does, but faster.

  Args:
    text: any text.

  Returns:
    Runs of letters and digits, and the runs between them unless a single space.
  """
  tokens = _TOKENS.findall(text)
  # At the ends of a text trax keeps a single space.
  if text[:1] == ' ' and (len(text) == 1 or is_alphanumeric(text[1])):
    tokens.insert(0, ' ')
  if text[-1:] == ' ' and len(text) > 1 and is_alphanumeric(text[-2]):
    tokens.append(' ')
  return tokens


def join_tokens(tokens: list[str]) -> str:
  """Undoes `split_tokens`, as `trax.data.tokenizer.decode` does.

  trax's own needs a table that takes 0.5 s, and TensorFlow.
  """
  text = []
  after_word = False
  for token in tokens:
    is_word = is_alphanumeric(token[0])
    if after_word and is_word:
      text.append(' ')
    text.append(token)
    after_word = is_word
  return ''.join(text)


def is_alphanumeric(character: str) -> bool:
  """Tells whether trax counts a character to words."""
  return character != '_' and re.match(r'\w', character) is not None
