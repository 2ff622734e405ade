"""What a model's embedding starts from: word vectors."""

from typing import Any

import numpy as np

from experiments.backend import layer_weights
from experiments.config.experiment import Experiment
from experiments.foundation.errors import UserError
from experiments.pipeline.data import Data
from experiments.pipeline.models import Models
from experiments.rundir.run_record import EmbeddingRecord
from experiments.text.vocabulary import Vocabulary
from experiments.text.word_vectors import WordVectors
from experiments.training.update import Start


def start_of(
  experiment: Experiment, *, data: Data, models: Models
) -> Start | None:
  """Returns what puts word vectors into the embedding of a model.

  A row without a vector keeps its random numbers, spread as far as the vectors
  are (Kim 2014, arXiv:1408.5882, section 4.3).

  Args:
    experiment: what will be trained.
    data: what it will be trained on.
    models: its models.

  Returns:
    The start; None: there are no word vectors.

  Raises:
    UserError: the model has no embedding that they fit.
  """
  vectors = data.vectors
  if vectors is None:
    return None
  vocab_size = experiment.model.vocab_size
  shapes = models.weight_shapes()
  names = layer_weights.find_token_rows(shapes, vocab_size)
  places = [
    place
    for place, (name, shape) in enumerate(shapes.items())
    if name in names and shape[1] == vectors.size
  ]
  if not places:
    raise UserError(
      f'EMBEDDING_FILE = {str(vectors.path)!r} has vectors of {vectors.size} '
      f'numbers, and MODEL has no embedding of {vocab_size} rows of so many. '
      f'Bind EMBEDDING_SIZE = {vectors.size}.'
    )
  ids, rows = _rows_of_ids(data.vocabulary, vectors)

  def start(weights: Any, state: Any) -> tuple[Any, Any]:
    import jax

    leaves, tree = jax.tree_util.tree_flatten(weights)
    for place in places:
      leaves[place] = _fill(np.array(leaves[place]), ids, rows, vocab_size)
    return jax.tree_util.tree_unflatten(tree, leaves), state

  return start


def _rows_of_ids(
  vocabulary: Vocabulary, vectors: WordVectors
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the ids that have a vector, int [n], and these, float32 [n, d]."""
  if vectors.tokenizer:
    # The library's ids begin with 0, which is padding here.
    return np.arange(1, len(vectors.rows) + 1), vectors.rows
  found = {
    i: vectors.find(vocabulary.piece(i)) for i in range(1, vocabulary.size)
  }
  row_of = {i: row for i, row in found.items() if row is not None}
  return np.array([*row_of], int), vectors.rows[[*row_of.values()]]


def _fill(
  table: np.ndarray, ids: np.ndarray, rows: np.ndarray, vocab_size: int
) -> np.ndarray:
  others = np.setdiff1d(np.arange(vocab_size), ids)
  if len(others) and len(ids):
    spread = table[others].std()
    table[others] *= rows.std() / spread if spread else 1.0
  table[ids] = rows
  return table


def describe(data: Data) -> EmbeddingRecord | None:
  """Returns what run.json says of the word vectors; None: there are none.

  Args:
    data: of the run.
  """
  vectors, coverage = data.vectors, data.vocabulary.coverage
  if vectors is None:
    return None
  return {
    'file': str(vectors.path),
    'size': vectors.size,
    'coverage': None
    if coverage is None
    else {
      'n_types': coverage.n_types,
      'n_types_found': coverage.n_types_found,
      'n_words': coverage.n_words,
      'n_words_found': coverage.n_words_found,
      'missing': list(coverage.missing),
    },
  }
