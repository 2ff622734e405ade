"""Embeddings with the names of their tokens, for TensorBoard's projector.

The files are where TensorBoard looks for a plugin's: it shows them for the run
directory itself and for any directory above it. Nothing of TensorFlow is
needed, neither to write them nor to read them.
"""

import pathlib
import re
from collections.abc import Callable, Mapping

import numpy as np

from experiments.backend import layer_weights
from experiments.foundation.directory import Directory

# As many as its page takes for t-SNE; and what a run may grow by.
_MAX_ROWS = 10_000
_MAX_BYTES = 2**22
_CONFIG_NAME = 'projector_config.pbtxt'
_TOKENS_NAME = 'tokens.tsv'


def token_embeddings(model, weights, vocab_size: int) -> dict[str, np.ndarray]:
  """Finds the weights that have a row for each token.

  Args:
    model: a trax layer.
    weights: its tree of weights.
    vocab_size: number of token ids.

  Returns:
    Arrays [rows, d] by name, of which row i is of token i: those with as many
    rows, and embeddings with more, which are of something else.
  """
  arrays = layer_weights.name_arrays(model, weights)
  shapes = {name: array.shape for name, array in arrays.items()}
  names = layer_weights.find_token_rows(shapes, vocab_size)
  return {name: arrays[name] for name in names}


class TokenTable:
  """The names of tokens, the most frequent first.

  Attributes:
    n_tokens: how many there are.
  """

  def __init__(self, piece: Callable[[int], str], counts: np.ndarray):
    """Names nothing yet.

    Args:
      piece: returns how a token id is shown.
      counts: int [tokens], how often each is in the train split.
    """
    self._piece, self._counts = piece, counts
    self.n_tokens = len(counts)
    self._found: dict[int, tuple[np.ndarray, str]] = {}

  def most_frequent(self, n: int) -> tuple[np.ndarray, str]:
    """Returns the ids of n tokens, int64 [n], and a row of TSV for each."""
    if n not in self._found:
      ids = np.argsort(-self._counts, kind='stable')[:n]
      counts = self._counts[ids].tolist()
      lines = ['token\tid\tcount'] + [
        f'{_cell(self._piece(i))}\t{i}\t{count}'
        for i, count in zip(ids.tolist(), counts, strict=True)
      ]
      self._found[n] = ids, ''.join(f'{line}\n' for line in lines)
    return self._found[n]


def write_projector(
  directory: Directory | pathlib.Path,
  *,
  embeddings: Mapping[str, np.ndarray],
  tokens: TokenTable,
) -> list[pathlib.Path]:
  """Writes embeddings and the names of their rows.

  The rows are those of the most frequent tokens, most frequent first: at most
  10,000, and as many as fit 4 MiB.

  Args:
    directory: `RunDir.projector`; made if missing, files of an earlier run are
      replaced.
    embeddings: arrays [tokens or more, d] by name; without any, nothing is
      written.
    tokens: the names of their rows; rows beyond have none.

  Returns:
    The paths written.

  Raises:
    OSError: a file cannot be written.
  """
  if not embeddings:
    return []
  directory = Directory.at(directory)
  directory.make()
  n_bytes = sum(4 * array.shape[1] for array in embeddings.values())
  n_rows = max(1, min(tokens.n_tokens, _MAX_ROWS, _MAX_BYTES // n_bytes))
  ids, table = tokens.most_frequent(n_rows)
  contents: dict[str, str | bytes] = {_TOKENS_NAME: table}
  config = ''
  for name, array in embeddings.items():
    name = re.sub(r'[^\w.-]', '_', name, flags=re.ASCII)
    rows = np.asarray(array[ids], '<f4')
    contents[f'{name}.tensor'] = encode_tensor(rows)
    config += (
      'embeddings {\n'
      f'  tensor_name: "{name}"\n'
      f'  tensor_shape: {rows.shape[0]}\n'
      f'  tensor_shape: {rows.shape[1]}\n'
      f'  tensor_path: "{name}.tensor"\n'
      f'  metadata_path: "{_TOKENS_NAME}"\n'
      '}\n'
    )
  # Last, since it names the others.
  contents[_CONFIG_NAME] = config
  for name, content in contents.items():
    directory.file(name).write(content)
  return [directory.path / name for name in contents]


def _cell(piece: str) -> str:
  """Returns a piece on one line, without tabs, and never empty."""
  text = ''.join(
    character
    if character.isprintable()
    else character.encode('unicode_escape').decode('ascii')
    for character in piece
  )
  return text if text.strip() else repr(text)


def encode_tensor(rows: np.ndarray) -> bytes:
  """Returns what TensorBoard reads as these rows.

  It reads floats as bytes if a file cannot be read as text, line by line. If
  the first line happens to be text, the rows are written as text.

  Args:
    rows: float32 [rows, d].
  """
  content = rows.tobytes()
  first_line = content.lstrip(b'\n').partition(b'\n')[0]
  try:
    first_line.decode('utf-8')
  except UnicodeDecodeError:
    return content
  lines = ('\t'.join(map(repr, row)) for row in rows.tolist())
  return ''.join(f'{line}\n' for line in lines).encode()
