"""The weights of a trax model by name."""

from collections.abc import Iterator
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
  return {'/'.join(path): array for path, array in _walk(model, weights, ())}


def _walk(
  layer, weights: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
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
    yield path or (layer.name,), np.asarray(weights)
