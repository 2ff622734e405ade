"""Files of word vectors: what others publish, as words and rows of numbers.

None of them can run code when it is read.
"""

import contextlib
import dataclasses
import gzip
import io
import pathlib
import typing
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import open_regular, read_regular
from experiments.foundation.safetensors_file import read_tensors

TEXT_SUFFIXES = ('.txt', '.vec', '.gz')
BLOCK_BYTES = 2**24
_MAX_SIZE = 2**14
_MAX_WORDS_BYTES = 2**28
# What model2vec writes beside its table.
_TABLE, _ROW_OF_ID, _WEIGHT_OF_ID = 'embeddings', 'mapping', 'weights'


@dataclasses.dataclass(frozen=True)
class Block:
  """Some of a file.

  Attributes:
    words: as they are written.
    rows: float32 [n, d], their vectors.
  """

  words: Sequence[str]
  rows: np.ndarray


def read_text_file(path: pathlib.Path) -> Iterator[Block]:
  """Reads the text of word2vec or GloVe: a word and its numbers a line.

  A first line of two whole numbers, as word2vec and fastText write it, is left
  out. A word may hold spaces, as some of GloVe's do; one that is no UTF-8 is
  left out.

  Args:
    path: a .txt or .vec file, or one packed by gzip.

  Yields:
    Blocks of all lines, of one width.

  Raises:
    UserError: it cannot be read, or a line is not like the first one.
  """
  try:
    with contextlib.ExitStack() as stack:
      file: typing.Any = stack.enter_context(open_regular(path))
      if path.suffix == '.gz':
        file = stack.enter_context(gzip.open(file))
      yield from _read_blocks(file, path)
  except (EOFError, gzip.BadGzipFile, zlib.error) as error:
    raise UserError(f'{path} is damaged, or cut short: {error}.') from error
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}.') from error


def _read_blocks(file: typing.Any, path: pathlib.Path) -> Iterator[Block]:
  first = file.readline(BLOCK_BYTES)
  header = first.split()
  n_lines = 0
  if len(header) == 2 and all(part.isdigit() for part in header):
    n_lines, first = 1, file.readline(BLOCK_BYTES)
  size = len(first.split()) - 1
  if not 0 < size <= _MAX_SIZE:
    raise UserError(
      f'{path}:{n_lines + 1}: {size} numbers after the first word. A line must '
      f'be a word and its 1 to {_MAX_SIZE} numbers, with spaces between.'
    )
  rest, is_at_end = first, False
  while not is_at_end:
    more = file.read(BLOCK_BYTES)
    is_at_end = not more
    block, line_break, rest = (rest + more).rpartition(b'\n')
    if is_at_end:
      block += line_break + rest
    elif not line_break:
      raise UserError(
        f'{path}:{n_lines + 1}: a line of more than {BLOCK_BYTES:,} bytes.'
      )
    if block:
      yield _parse(block, size, path, n_lines)
      n_lines += block.count(b'\n') + 1


def _parse(block: bytes, size: int, path: pathlib.Path, n_before: int) -> Block:
  """Returns what whole lines hold: at once, or line by line."""
  import pyarrow
  from pyarrow import csv

  names = [str(i) for i in range(size + 1)]
  kinds = dict.fromkeys(names, pyarrow.float32()) | {'0': pyarrow.binary()}
  try:
    table = csv.read_csv(
      io.BytesIO(block),
      read_options=csv.ReadOptions(column_names=names),
      parse_options=csv.ParseOptions(
        delimiter=' ', quote_char=False, ignore_empty_lines=False
      ),
      convert_options=csv.ConvertOptions(
        column_types=kinds, null_values=[], check_utf8=False
      ),
    )
  except pyarrow.ArrowInvalid:
    words, rows = _parse_lines(block, size, path, n_before)
  else:
    words = table.column(0).to_pylist()
    columns = table.drop_columns('0').combine_chunks().columns
    rows = np.stack([np.from_dlpack(x.chunk(0)) for x in columns], axis=1)
  is_bad = ~np.isfinite(rows).all(axis=1)
  if is_bad.any():
    line = n_before + 1 + int(np.flatnonzero(is_bad)[0])
    raise UserError(f'{path}:{line}: a number that is not finite.')
  return _decode(words, rows)


def _parse_lines(
  block: bytes, size: int, path: pathlib.Path, n_before: int
) -> tuple[list[bytes], np.ndarray]:
  """Does what pyarrow does not: words with spaces, other white space."""
  words, rows = [], []
  lines = block.removesuffix(b'\n').split(b'\n')
  for number, line in enumerate(lines, n_before + 1):
    word, *numbers = line.rstrip().rsplit(None, size) or [b'']
    if len(numbers) != size:
      raise UserError(
        f'{path}:{number}: {len(numbers)} numbers, and the first line has '
        f'{size}. A line must be a word and its numbers, with spaces between.'
      )
    try:
      rows.append(np.array(numbers, np.float32))
    except ValueError as error:
      raise UserError(
        f'{path}:{number}: {size} numbers must end the line, and one of them '
        'is none.'
      ) from error
    words.append(word)
  return words, np.stack(rows)


def _decode(words: Sequence[bytes], rows: np.ndarray) -> Block:
  decoded, kept = [], []
  for i, word in enumerate(words):
    with contextlib.suppress(UnicodeDecodeError):
      decoded.append(word.decode('utf-8'))
      kept.append(i)
  return Block(decoded, rows if len(kept) == len(rows) else rows[kept])


def read_array(path: pathlib.Path) -> Block:
  """Reads an array of NumPy, and the words of its rows.

  Args:
    path: a .npy file; a file of the same name that ends in .words, beside it,
      has a word a line.

  Raises:
    UserError: one of them cannot be read, or they do not go together.
  """
  names = path.with_suffix('.words')
  try:
    with open_regular(path) as file:
      rows = np.load(file, allow_pickle=False)
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}.') from error
  except (ValueError, EOFError) as error:
    reason = str(error).splitlines()[0][:200]
    raise UserError(f'{path} is no array of NumPy: {reason}.') from error
  words = _read_words(names)
  return Block(words, _check_rows(rows, len(words), path, f'words in {names}'))


def _read_words(path: pathlib.Path) -> list[str]:
  try:
    content = read_regular(path, _MAX_WORDS_BYTES).decode('utf-8')
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}. An array needs its words there, '
      'one a line.'
    ) from error
  except UnicodeDecodeError as error:
    raise UserError(f'{path}: byte {error.start} is not UTF-8.') from error
  return content.removesuffix('\n').split('\n')


def read_safetensors(path: pathlib.Path) -> tuple[np.ndarray, pathlib.Path]:
  """Reads the table of a static model, in the layout of model2vec.

  Args:
    path: a .safetensors file, beside which there is a tokenizer.json.

  Returns:
    float32 [n, d], of which row i is that of the tokenizer's id i; and the
    path of the tokenizer.

  Raises:
    UserError: one of them cannot be read, or they do not go together.
  """
  tensors = read_tensors(path)
  table = tensors.pop(_TABLE, None)
  row_of_id = tensors.pop(_ROW_OF_ID, None)
  weights = tensors.pop(_WEIGHT_OF_ID, None)
  if table is None or tensors:
    raise UserError(
      f'{path} has {"no" if table is None else "other tensors beside"} '
      f'{_TABLE!r}'
      + (f': {", ".join(sorted(tensors))[:200]}' if tensors else '')
      + '. EMBEDDING_FILE takes a table of vectors, as model2vec writes it.'
    )
  tokenizer = path.with_name('tokenizer.json')
  n_ids = _count_ids(tokenizer)
  if row_of_id is not None:
    if (
      row_of_id.shape != (n_ids,)
      or not ((row_of_id >= 0) & (row_of_id < len(table))).all()
    ):
      raise UserError(f'{path}: {_ROW_OF_ID!r} is no row for each piece.')
    table = table[row_of_id]
  rows = _check_rows(table, n_ids, path, f'pieces in {tokenizer}')
  if weights is not None:
    rows = rows * _check_rows(
      weights.reshape(-1, 1), n_ids, path, f'pieces in {tokenizer}'
    )
  return rows, tokenizer


def _count_ids(tokenizer: pathlib.Path) -> int:
  from experiments.text.library_vocabularies import TokenizersVocabulary

  # Less padding, which only we have.
  return TokenizersVocabulary(tokenizer).size - 1


def _check_rows(
  rows: np.ndarray, n: int, path: pathlib.Path, what: str
) -> np.ndarray:
  """Returns an array in float32, if it is one of finite rows.

  Raises:
    UserError: it is none.
  """
  if not np.issubdtype(rows.dtype, np.number) and rows.dtype.kind != 'V':
    raise UserError(f'{path} holds {rows.dtype}, and numbers are needed.')
  if rows.ndim != 2 or rows.shape[1] > _MAX_SIZE or not rows.size:
    raise UserError(
      f'{path} has the shape {list(rows.shape)}, and a row of 1 to {_MAX_SIZE} '
      'numbers for each word is needed.'
    )
  if len(rows) != n:
    raise UserError(
      f'{path} has {len(rows):,} rows, and there are {n:,} {what}.'
    )
  rows = np.ascontiguousarray(rows, np.float32)
  if not np.isfinite(rows).all():
    raise UserError(f'{path} has a number that is not finite.')
  return rows
