"""Builds vocabularies from a train split: of subwords, or of whole words.

A vocabulary depends on the texts, the size and the options alone, and is kept
in the cache.
"""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import logging
import pathlib
import re
import typing
from collections.abc import Callable

from experiments.foundation import cache
from experiments.foundation.errors import UserError
from experiments.text.subword_vocabulary import split_tokens
from experiments.text.vocabulary import Coverage, Vocabulary
from experiments.text.vocabulary_files import read_vocabulary
from experiments.text.word_vectors import WordVectors
from experiments.text.word_vocabulary import HEADER, N_RESERVED
from experiments.text.words import split_words

# Of each type: a change of what is built builds that type anew.
_BUILD_VERSIONS = {'subword': 2, 'word': 3}
_BUILT_NAMES = {'subword': 'train.subword', 'word': 'train.words'}
_LINE_BREAK = re.compile(r'[\n\r]')
# The counts of tokens beyond it are halved in number, the rarest first.
_MAX_COUNTED_TOKENS = 2**21
# Building takes about 5 s for so many distinct tokens.
_MAX_BUILT_TOKENS = 2**17
_MIN_PIECE_COUNT = 2
# Longer pieces would cost time and memory quadratic in the longest token.
_MAX_PIECE_LENGTH = 40
# Words without a vector that are named; a number or a sign tells little.
_MOST_NAMED = 10
_LETTER = re.compile(r'[^\W\d_]')


def build_vocabulary(
  *,
  source: typing.Any,
  vocab_size: int,
  vocab_type: str = 'subword',
  lower_case: bool = False,
  vectors: WordVectors | None = None,
  cache_dir: pathlib.Path | None = None,
) -> Vocabulary:
  """Builds a vocabulary from the train split, or opens the one built before.

  Args:
    source: the data set, a `datasets.source.Source`.
    vocab_size: number of ids at most, padding included; fewer if the split has
      fewer pieces or words.
    vocab_type: 'subword', or 'word' for the most frequent words; of equally
      frequent ones those that come first in the order of code points.
    lower_case: whether to make texts lower-case first.
    vectors: whose words come before all others; then it is of words.
    cache_dir: where it is kept; None for the user's cache.

  Returns:
    The vocabulary, a function of texts, size, type, case and words alone.

  Raises:
    UserError: the size does not even hold the characters of the split, or the
      cache cannot be written.
  """
  vocab_type = 'word' if vectors else vocab_type
  file = _locate(source, vocab_size, vocab_type, lower_case, vectors, cache_dir)

  def build(aside: pathlib.Path) -> dict[str, typing.Any]:
    record: dict[str, typing.Any] = {}
    if vocab_type == 'word':
      counts = _count_words(source, vocab_size, lower_case)
      if vectors:
        record, counts = _measure_coverage(counts, vectors)
      lines = [HEADER, *itertools.islice(counts, vocab_size - N_RESERVED)]
    else:
      counts = count_tokens(source, split_tokens, lower_case)
      counts = _most_frequent(counts, _MAX_BUILT_TOKENS)
      pieces = _choose_pieces(counts, vocab_size, source.full_name)
      lines = [f"'{piece}'" for piece in pieces]
    content = ''.join(f'{line}\n' for line in lines)
    (aside / file.name).write_bytes(content.encode('utf-8'))
    return record

  what = f'the vocabulary of {source.full_name}'
  record = cache.open_or_build(file.parent, build=build, what=what)
  vocabulary = _read(file, lower_case, record)
  logging.info('Vocabulary of %d pieces: %s', vocabulary.size, vocabulary.path)
  if vocabulary.coverage:
    logging.info('Word vectors: %s.', vocabulary.coverage)
  return vocabulary


def find_vocabulary(
  *,
  source: typing.Any,
  vocab_size: int,
  vocab_type: str = 'subword',
  lower_case: bool = False,
  vectors: WordVectors | None = None,
  cache_dir: pathlib.Path | None = None,
) -> Vocabulary | None:
  """Does what build_vocabulary does, but writes nothing.

  Args:
    source: see `build_vocabulary`.
    vocab_size: see `build_vocabulary`.
    vocab_type: see `build_vocabulary`.
    lower_case: see `build_vocabulary`.
    vectors: see `build_vocabulary`.
    cache_dir: see `build_vocabulary`.

  Returns:
    The vocabulary if it was built before, else None.
  """
  vocab_type = 'word' if vectors else vocab_type
  file = _locate(source, vocab_size, vocab_type, lower_case, vectors, cache_dir)
  record = cache.open_entry(file.parent)
  return None if record is None else _read(file, lower_case, record)


def _read(
  file: pathlib.Path, lower_case: bool, record: dict[str, typing.Any]
) -> Vocabulary:
  vocabulary = read_vocabulary(file, lower_case=lower_case)
  if record:
    vocabulary.coverage = Coverage(**record)
  return vocabulary


def _locate(
  source: typing.Any,
  vocab_size: int,
  vocab_type: str,
  lower_case: bool,
  vectors: WordVectors | None,
  cache_dir: pathlib.Path | None,
) -> pathlib.Path:
  """Returns where a vocabulary is, in an entry named by what it depends on."""
  identity = (
    _BUILD_VERSIONS[vocab_type],
    source.fingerprint,
    source.splits['train'],
    tuple(source.keys),
    vocab_size,
    vocab_type,
    lower_case,
    *((vectors.fingerprint,) if vectors else ()),
  )
  key = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
  stem = re.sub(r'[^\w.-]+', '_', source.full_name)
  root = (cache_dir or cache.cache_dir()) / 'vocabularies'
  return root / f'{stem}-{vocab_size}-{key}' / _BUILT_NAMES[vocab_type]


def count_tokens(
  source: typing.Any,
  split: Callable[[str], list[str]],
  lower_case: bool,
  *,
  max_tokens: int = _MAX_COUNTED_TOKENS,
) -> dict[str, int]:
  """Returns how often each token stands in the train split.

  Of more than `max_tokens` the rarer half is forgotten each time.
  """
  counts: collections.Counter[str] = collections.Counter()
  for texts, _ in source.read('train'):
    if lower_case:
      texts = map(str.lower, texts)
    counts.update(itertools.chain.from_iterable(map(split, texts)))
    if len(counts) > max_tokens:
      counts = collections.Counter(_most_frequent(counts, len(counts) // 2))
  return counts


def _most_frequent(counts: dict[str, int], n: int) -> dict[str, int]:
  ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
  return dict(ranked[:n])


def _count_words(
  source: typing.Any, vocab_size: int, lower_case: bool
) -> dict[str, int]:
  """Returns how often each word stands in train, the most frequent first."""
  if vocab_size <= N_RESERVED:
    raise UserError(
      f'VOCAB_SIZE is {vocab_size}, but a vocabulary of words needs at least '
      f'{N_RESERVED + 1}: padding, unknown words and one word.'
    )
  counts = count_tokens(source, split_words, lower_case)
  return _most_frequent(counts, len(counts))


def _measure_coverage(
  counts: dict[str, int], vectors: WordVectors
) -> tuple[dict[str, typing.Any], dict[str, int]]:
  """Puts words with a vector before the others, and counts both.

  Args:
    counts: by word, the most frequent first.
    vectors: of some of them.

  Returns:
    The fields of a `Coverage`; and the counts in their new order.
  """
  found = {
    word: n for word, n in counts.items() if vectors.find(word) is not None
  }
  missing = {word: n for word, n in counts.items() if word not in found}
  coverage = Coverage(
    n_types=len(counts),
    n_types_found=len(found),
    n_words=sum(counts.values()),
    n_words_found=sum(found.values()),
    missing=[*itertools.islice(filter(_LETTER.search, missing), _MOST_NAMED)],
  )
  return dataclasses.asdict(coverage), found | missing


def _choose_pieces(
  counts: dict[str, int], vocab_size: int, full_name: str
) -> list[str]:
  """Returns at most vocab_size pieces, by trax's algorithm.

  trax searches for the minimum count of a piece whose vocabulary has about the
  size asked for. Taking the count of the token at that rank, and of what comes
  out the most frequent pieces, needs one build instead of about ten and cuts
  texts into no more pieces (BBC News, 8,192: 518 a text instead of 526).
  """
  from experiments.backend.trax_repairs import import_trax

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
