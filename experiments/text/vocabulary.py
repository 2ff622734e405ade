"""What every vocabulary does: texts become ids, and ids pieces.

Id 0 is padding, whatever the kind. A vocabulary is a file, and whether texts
are made lower-case before it sees them; nothing else decides the ids.
"""

import abc
import dataclasses
import hashlib
import pathlib
import typing
from collections.abc import Iterable, Sequence

import numpy as np

from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import WrongKindError, read_regular


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coverage:
  """How much of a train split has a word vector.

  Attributes:
    n_types: how many different words there are.
    n_types_found: how many of them have a vector.
    n_words: how many words there are, each as often as it stands there.
    n_words_found: how many of them have a vector.
    missing: the most frequent words without one.
  """

  n_types: int
  n_types_found: int
  n_words: int
  n_words_found: int
  missing: Sequence[str]

  def __str__(self) -> str:
    text = (
      f'{self.n_types_found / max(self.n_types, 1):.1%} of the '
      f'{self.n_types:,} words of train have a vector, '
      f'{self.n_words_found / max(self.n_words, 1):.1%} of the text'
    )
    if not self.missing:
      return text
    return f'{text}; without: {", ".join(self.missing)}'


class Vocabulary(abc.ABC):
  """The pieces of a vocabulary file, and the ids of texts.

  Attributes:
    kind: what it is, e.g. 'subword'.
    path: the file.
    lower_case: whether texts are made lower-case first.
    size: number of ids, padding included; every id is below it.
    fingerprint: SHA-256 of the file, in hex.
    dtype: uint16 if that holds every id, else int32.
    coverage: of the word vectors that it was built for, if it was.
  """

  kind: typing.ClassVar[str]
  coverage: Coverage | None = None

  def __init__(
    self, place: pathlib.Path | str | File, *, lower_case: bool = False
  ):
    """Reads a file.

    Args:
      place: the file: its path, or where it is in a run directory.
      lower_case: whether to make texts lower-case first, by `str.lower`.

    Raises:
      UserError: it cannot be read, is not a vocabulary of this kind, or needs a
        package that is not installed.
    """
    self.path = pathlib.Path(str(place))
    self.lower_case = lower_case
    try:
      if isinstance(place, File):
        content = place.read_bytes()
      else:
        content = read_regular(place)
    except WrongKindError as error:
      raise UserError(f'cannot read the vocabulary: {error}') from error
    except OSError as error:
      raise UserError(
        f'cannot read the vocabulary {self.path}: {error.strerror}.'
      ) from error
    self.fingerprint = hashlib.sha256(content).hexdigest()
    self.size = self._read(content)
    self.dtype = np.dtype(np.uint16 if self.size <= 2**16 else np.int32)

  @property
  def identity(self) -> tuple[typing.Any, ...]:
    """All that the ids of a text depend on, for keys of caches."""
    return self.kind, self.fingerprint, self.lower_case, self.dtype.str

  def encode_batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids of texts, without start or end markers.

    Args:
      texts: any texts.

    Returns:
      The ids of all texts, one after the other, `dtype` [tokens]; and how many
      each text has, int64 [n].
    """
    if self.lower_case:
      texts = [text.lower() for text in texts]
    return self._encode(texts)

  def encode(self, text: str) -> list[int]:
    """Returns the ids of a text."""
    return self.encode_batch([text])[0].tolist()

  @abc.abstractmethod
  def decode(self, ids: Iterable[int]) -> str:
    """Returns the text of ids, as near as can be; padding is left out."""

  @abc.abstractmethod
  def piece(self, piece_id: int) -> str:
    """Returns how an id is shown."""

  @abc.abstractmethod
  def _read(self, content: bytes) -> int:
    """Takes the content of the file; returns `size`."""

  @abc.abstractmethod
  def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Does what encode_batch does, but for the lower-casing."""


def concatenate(
  encoded: Sequence[bytes], dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
  """Returns what `Vocabulary.encode_batch` returns.

  Args:
    encoded: the ids of each text as the bytes of an array of `dtype`.
    dtype: their type.
  """
  sizes = np.fromiter(map(len, encoded), np.int64, len(encoded))
  return np.frombuffer(b''.join(encoded), dtype), sizes // dtype.itemsize
