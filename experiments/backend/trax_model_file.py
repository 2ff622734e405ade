"""A model in trax's own format, for `Layer.init_from_file`."""

import gzip
import io
import pickle
from typing import Any

import numpy as np

from experiments.foundation.directory import File

# As trax compresses its own files. Weights only come out 7 % smaller, for 30 ms
# a MB, so they are stored as they are.
_GZIP_LEVEL = 2
_STORED = 0


def write(file: File, model: Any, input_signature: Any) -> None:
  """Writes a model.

  Args:
    file: model.pkl.gz; model.weights.npy.gz is written beside it.
    model: trax layer with weights.
    input_signature: shapes and dtypes of its inputs.

  Raises:
    OSError: it could not be written.
  """
  from trax import layers as tl

  flat_weights, flat_state = tl.flatten_weights_and_state(
    model.weights, model.state
  )
  arrays = io.BytesIO()
  for array in flat_weights:
    np.save(arrays, np.asarray(array), allow_pickle=False)
  description = {
    # Where trax's reader expects arrays or the level of their compression.
    'flat_weights': _GZIP_LEVEL,
    'flat_state': [np.asarray(leaf) for leaf in flat_state],
    'input_signature': input_signature,
  }
  for name, content, level in (
    ('model.weights.npy.gz', arrays.getvalue(), _STORED),
    (file.name, pickle.dumps(description), _GZIP_LEVEL),
  ):
    # Without a time, so that equal models are equal files.
    compressed = gzip.compress(content, level, mtime=0)
    file.parent.file(name).write(compressed)
