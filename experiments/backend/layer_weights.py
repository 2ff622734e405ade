"""The weights of a trax model by name."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def name_arrays(model, weights) -> dict[str, np.ndarray]:
  """Names the arrays of a tree of weights by their layers.

  Args:
    model: a trax layer.
    weights: its tree of weights, or another of the same structure, such as
      gradients.

  Returns:
    Arrays by name in the order of the tree, e.g. '0_Embedding_8192_50' and
    '2_Dense_4/0'. A number is the position in the layer above; where layers
    share their weights, the first has them.
  """
  return {
    name: np.asarray(leaf) for name, leaf in name_leaves(model, weights).items()
  }


def name_leaves(model, weights) -> dict[str, Any]:
  """Does what `name_arrays` does, but returns the leaves as they are.

  Args:
    model: a trax layer.
    weights: a tree of the structure of its weights, such as their shapes.
  """
  return {'/'.join(path): leaf for path, leaf in _walk(model, weights, ())}


def find_token_rows(
  shapes: Mapping[str, tuple[int, ...]], vocab_size: int
) -> list[str]:
  """Finds the weights that have a row for each token.

  Args:
    shapes: of all weights, by name.
    vocab_size: number of token ids.

  Returns:
    Names of arrays [rows, d], of which row i is of token i: those with as many
    rows, and embeddings with more, which are of something else.
  """
  return [
    name
    for name, shape in shapes.items()
    if len(shape) == 2
    and (
      shape[0] == vocab_size or (shape[0] > vocab_size and 'Embedding' in name)
    )
  ]


def _walk(
  layer, weights: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
  if isinstance(weights, tuple | list):
    layers = layer.sublayers if layer is not None else ()
    # A layer without sublayers may have several arrays of its own.
    if len(layers) != len(weights):
      layers = [None] * len(weights)
    for i, (sublayer, values) in enumerate(zip(layers, weights, strict=True)):
      part = str(i) if sublayer is None else f'{i}_{sublayer.name}'
      yield from _walk(sublayer, values, (*path, part))
  elif isinstance(weights, dict):
    for key, values in weights.items():
      yield from _walk(None, values, (*path, str(key)))
  else:
    yield path or (layer.name,), weights
