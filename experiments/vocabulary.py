"""Subword vocabularies: trax's files, and ones built from a train split.

A vocabulary file has a piece a line, as trax's SubwordTextEncoder writes it;
ids are line numbers from 0, and 0 is padding. Texts become the same ids as by
`trax.data.Tokenize`.
"""

import collections
import contextlib
import functools
import hashlib
import itertools
import logging
import pathlib
import re
import typing

import numpy as np

from experiments import cache
from experiments.errors import UserError

PUBLIC_DIR = 'gs://trax-ml/vocabs/'
_DOWNLOAD_TIMEOUT_SECONDS = 10
_MAX_DOWNLOAD_BYTES = 2**26

# trax splits where letters and digits meet other characters, and drops a single
# space between two words. `[^\W_]` is exactly what it takes for a letter or a
# digit (a test compares all of Unicode).
_TOKENS = re.compile(r'[^\W_]+|[\W_]{2,}|[^\w ]|_')
# trax writes a character that has no piece by means of these.
_ESCAPES = '\\_u;0123456789'
_LINE_BREAK = re.compile(r'[\n\r]')
_MAX_REMEMBERED_TOKENS = 2**18

_BUILD_VERSION = 1
_BUILT_NAME = 'train.subword'
# The counts of tokens beyond it are halved in number, the rarest first.
_MAX_COUNTED_TOKENS = 2**21
# Building takes about 5 s for so many distinct tokens.
_MAX_BUILT_TOKENS = 2**17
_MIN_PIECE_COUNT = 2
# Longer pieces would cost time and memory quadratic in the longest token.
_MAX_PIECE_LENGTH = 40


class Vocabulary:
  """The pieces of a vocabulary file, and the ids of texts.

  Attributes:
    path: The file.
    size: Number of pieces; every id is below it.
    fingerprint: SHA-256 of the file, in hex.
    dtype: uint16 if that holds every id, else int32.
  """

  def __init__(self, path: pathlib.Path | str):
    """Reads a file.

    Args:
      path: A subword file.

    Raises:
      UserError: It cannot be read, or is no subword vocabulary.
    """
    self.path = pathlib.Path(path)
    try:
      content = self.path.read_bytes()
      # What TensorFlow's file reader, and so trax, makes of line ends.
      text = content.decode('utf-8').replace('\r', '')
    except OSError as error:
      raise UserError(
        f'cannot read the vocabulary {self.path}: {error.strerror}.'
      ) from error
    except UnicodeDecodeError as error:
      raise UserError(
        f'{self.path} is no subword vocabulary: byte {error.start} is not '
        'UTF-8. Bind VOCAB_FILE to a file of one piece a line.'
      ) from error
    self._lines = text.split('\n')
    if not self._lines[-1]:
      self._lines.pop()
    self._check_pieces()
    self.size = len(self._lines)
    self.fingerprint = hashlib.sha256(content).hexdigest()
    self.dtype = np.dtype(np.uint16 if self.size <= 2**16 else np.int32)
    self._remembered = _Remembered(self._ids_of_token)

  def _check_pieces(self) -> None:
    """Raises UserError unless every text can be cut into the pieces."""
    pieces = {_unquoted(line) for line in self._lines}
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
    from experiments.trax_repairs import import_trax

    import_trax()
    from trax.data import text_encoder

    encoder = text_encoder.SubwordTextEncoder()
    encoder._load_from_file_object(self._lines)
    return encoder

  def _ids_of_token(self, token: str) -> bytes:
    ids = self._encoder._token_to_subtoken_ids(token)
    return np.asarray(ids, self.dtype).tobytes()

  def encode_bytes(self, text: str) -> bytes:
    """Returns the ids of a text as the bytes of an array of `dtype`."""
    return b''.join(map(self._remembered.__getitem__, split_tokens(text)))

  def encode(self, text: str) -> list[int]:
    """Returns the ids of a text, without an end marker."""
    return np.frombuffer(self.encode_bytes(text), self.dtype).tolist()

  def decode(self, ids: typing.Iterable[int]) -> str:
    """Returns the text of ids; padding at the end is left out."""
    from trax.data import text_encoder

    encoder = self._encoder
    reserved = list(range(text_encoder.NUM_RESERVED_TOKENS))
    ids = text_encoder.strip_ids([int(i) for i in ids], reserved)
    return join_tokens(encoder._subtoken_ids_to_tokens(ids))

  def piece(self, piece_id: int) -> str:
    """Returns the piece of an id, as `_`-terminated words are cut."""
    return self._encoder._subtoken_id_to_subtoken_string(int(piece_id))


def _unquoted(line: str) -> str:
  """Returns the piece of a line, as trax reads it."""
  line = line.rstrip()
  quoted = line[:1] in ('"', "'") and line[-1:] == line[:1]
  return line[1:-1] if quoted else line


class _Remembered(dict):
  """Token → ids as bytes; computed when missing, forgotten when too many."""

  def __init__(self, compute: typing.Callable[[str], bytes]):
    super().__init__()
    self._compute = compute

  def __missing__(self, token: str) -> bytes:
    if len(self) >= _MAX_REMEMBERED_TOKENS:
      self.clear()
    ids = self[token] = self._compute(token)
    return ids


def split_tokens(text: str) -> list[str]:
  """Splits a text as `trax.data.tokenizer.encode` does, but faster.

  Args:
    text: Any text.

  Returns:
    Runs of letters and digits, and the runs between them unless a single space.
  """
  tokens = _TOKENS.findall(text)
  # At the ends of a text trax keeps a single space.
  if text[:1] == ' ' and (len(text) == 1 or _is_alphanumeric(text[1])):
    tokens.insert(0, ' ')
  if text[-1:] == ' ' and len(text) > 1 and _is_alphanumeric(text[-2]):
    tokens.append(' ')
  return tokens


def join_tokens(tokens: list[str]) -> str:
  """Undoes `split_tokens`, as `trax.data.tokenizer.decode` does.

  trax's own needs a table that takes 0.5 s, and TensorFlow.
  """
  text = []
  after_word = False
  for token in tokens:
    is_word = _is_alphanumeric(token[0])
    if after_word and is_word:
      text.append(' ')
    text.append(token)
    after_word = is_word
  return ''.join(text)


def _is_alphanumeric(character: str) -> bool:
  return character != '_' and re.match(r'\w', character) is not None


def load_vocabulary(
  *, vocab_file: str, vocab_dir: str | None = None
) -> Vocabulary:
  """Finds and reads a subword file.

  Args:
    vocab_file: Its name, or a path to it.
    vocab_dir: Where it is: a directory or gs://BUCKET/FOLDER; None searches the
      working directory and then trax's public bucket. A copy of what comes by
      network is kept.

  Returns:
    The vocabulary.

  Raises:
    UserError: It cannot be found, fetched or read.
  """
  folder = vocab_dir or '.'
  if not folder.startswith('gs://'):
    path = (
      pathlib.Path(folder).expanduser() / pathlib.Path(vocab_file).expanduser()
    )
    if path.is_file():
      return Vocabulary(path)
    if vocab_dir or pathlib.Path(vocab_file).name != vocab_file:
      raise UserError(
        f'there is no vocabulary {path}.\n{_ways_out(vocab_file)}'
      )
    folder = PUBLIC_DIR
  return Vocabulary(_fetched(folder, vocab_file))


def _ways_out(vocab_file: str) -> str:
  return (
    f'Bind VOCAB_DIR to the directory that has {vocab_file!r},\n'
    'or VOCAB_FILE=None to build a vocabulary from the train split.'
  )


def _fetched(folder: str, vocab_file: str) -> pathlib.Path:
  """Returns the path of the local copy of a file in a public bucket."""
  place = f'{folder.rstrip("/")}/{vocab_file}'
  key = hashlib.sha256(place.encode()).hexdigest()[:16]
  name = pathlib.PurePosixPath(vocab_file).name
  entry = cache.cache_dir() / 'vocabularies' / f'{name}-{key}'

  def build(aside: pathlib.Path) -> dict[str, typing.Any]:
    content = _download(place)
    (aside / name).write_bytes(content)
    Vocabulary(aside / name)  # A login page must not be kept as a vocabulary.
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


def build_vocabulary(
  *, source: typing.Any, vocab_size: int, cache_dir: pathlib.Path | None = None
) -> Vocabulary:
  """Builds a vocabulary from the train split, or opens the one built before.

  Args:
    source: The data set, a `datasets.source.Source`.
    vocab_size: Number of pieces at most; fewer if the split has fewer.
    cache_dir: Where it is kept; None for the user's cache.

  Returns:
    The vocabulary, a function of texts and size alone.

  Raises:
    UserError: The size does not even hold the characters of the split, or the
      cache cannot be written.
  """
  entry = _built_entry(source, vocab_size, cache_dir)

  def build(aside: pathlib.Path) -> dict[str, typing.Any]:
    counts = _count_tokens(source)
    pieces = _choose_pieces(counts, vocab_size, source.full_name)
    lines = ''.join(f"'{piece}'\n" for piece in pieces)
    (aside / _BUILT_NAME).write_bytes(lines.encode('utf-8'))
    return {'pieces': len(pieces)}

  what = f'the vocabulary of {source.full_name}'
  cache.open_or_build(entry, build=build, what=what)
  vocabulary = Vocabulary(entry / _BUILT_NAME)
  logging.info('Vocabulary of %d pieces: %s', vocabulary.size, vocabulary.path)
  return vocabulary


def find_vocabulary(
  *, source: typing.Any, vocab_size: int, cache_dir: pathlib.Path | None = None
) -> Vocabulary | None:
  """Does what build_vocabulary does, but writes nothing.

  Args:
    source: See `build_vocabulary`.
    vocab_size: See `build_vocabulary`.
    cache_dir: See `build_vocabulary`.

  Returns:
    The vocabulary if it was built before, else None.
  """
  entry = _built_entry(source, vocab_size, cache_dir)
  if cache.open_entry(entry) is None:
    return None
  return Vocabulary(entry / _BUILT_NAME)


def _built_entry(
  source: typing.Any, vocab_size: int, cache_dir: pathlib.Path | None
) -> pathlib.Path:
  """Returns the directory of a vocabulary, named by what it depends on."""
  identity = (
    _BUILD_VERSION,
    source.fingerprint,
    source.splits['train'],
    tuple(source.keys),
    vocab_size,
  )
  key = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
  stem = re.sub(r'[^\w.-]+', '_', source.full_name)
  root = cache_dir or cache.cache_dir()
  return root / 'vocabularies' / f'{stem}-{vocab_size}-{key}'


def _count_tokens(source: typing.Any) -> dict[str, int]:
  """Returns how often each token stands in the train split, the rarest cut."""
  counts: collections.Counter[str] = collections.Counter()
  for texts, _ in source.read('train'):
    counts.update(itertools.chain.from_iterable(map(split_tokens, texts)))
    if len(counts) > _MAX_COUNTED_TOKENS:
      counts = collections.Counter(_most_frequent(counts, len(counts) // 2))
  return _most_frequent(counts, _MAX_BUILT_TOKENS)


def _most_frequent(counts: dict[str, int], n: int) -> dict[str, int]:
  ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
  return dict(ranked[:n])


def _choose_pieces(
  counts: dict[str, int], vocab_size: int, full_name: str
) -> list[str]:
  """Returns at most vocab_size pieces, by trax's algorithm.

  trax searches for the minimum count of a piece whose vocabulary has about the
  size asked for. Taking the count of the token at that rank, and of what comes
  out the most frequent pieces, needs one build instead of about ten and cuts
  texts into no more pieces (BBC News, 8,192: 518 a text instead of 526).
  """
  from experiments.trax_repairs import import_trax

  import_trax()
  from trax.data import text_encoder

  ranked = sorted(counts.values(), reverse=True)
  min_count = ranked[vocab_size - 1] if vocab_size <= len(ranked) else 0
  encoder = text_encoder.SubwordTextEncoder()
  with _quiet_trax():
    encoder.build_from_token_counts(
      counts,
      max(min_count, _MIN_PIECE_COUNT),
      max_subtoken_length=_MAX_PIECE_LENGTH,
    )
  # A line break would break its line; trax writes the character as a number.
  pieces = [
    p for p in encoder.all_subtoken_strings if not _LINE_BREAK.search(p)
  ]
  n_reserved = len(text_encoder.RESERVED_TOKENS)
  # Without every character as a piece of its own a text could not be cut.
  needed = n_reserved + sum(len(p) == 1 for p in pieces[n_reserved:])
  if needed > vocab_size:
    raise UserError(
      f'VOCAB_SIZE is {vocab_size}, but the texts of {full_name} have '
      f'{needed - n_reserved} characters: at least {needed} pieces are needed.'
    )
  spare = vocab_size - needed
  chosen = list(pieces[:n_reserved])
  for piece in pieces[n_reserved:]:  # The most frequent first.
    if len(piece) == 1:
      chosen.append(piece)
    elif spare > 0:
      chosen.append(piece)
      spare -= 1
  return chosen


@contextlib.contextmanager
def _quiet_trax():
  """Leaves out the two log lines that trax writes for each iteration."""
  logger = logging.getLogger('absl')
  level = logger.level
  logger.setLevel(logging.WARNING)
  try:
    yield
  finally:
    logger.setLevel(level)
