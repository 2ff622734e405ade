"""Tensors of a .safetensors file, which can run no code when it is read.

The package `safetensors` of Hugging Face checks the header: sizes, bounds, and
that the tensors neither overlap nor leave gaps.
"""

import pathlib
from collections.abc import Mapping

import ml_dtypes
import numpy as np

from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import read_regular

_MAX_BYTES = 2**33
_DTYPES: Mapping[str, np.dtype] = {
  'F64': np.dtype(np.float64),
  'F32': np.dtype(np.float32),
  'F16': np.dtype(np.float16),
  'BF16': np.dtype(ml_dtypes.bfloat16),
  'I64': np.dtype(np.int64),
  'I32': np.dtype(np.int32),
  'I16': np.dtype(np.int16),
  'I8': np.dtype(np.int8),
  'U8': np.dtype(np.uint8),
  'BOOL': np.dtype(np.bool_),
}


def read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Reads all tensors of a file.

  Args:
    path: the file.

  Returns:
    Read-only arrays by name.

  Raises:
    UserError: it cannot be read, is no such file or is cut short, or holds
      numbers of a type that is not known.
  """
  import safetensors

  try:
    content = read_regular(path, _MAX_BYTES)
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}.') from error
  try:
    found = safetensors.deserialize(content)
  except safetensors.SafetensorError as error:
    reason = str(error).splitlines()[0][:200]
    raise UserError(
      f'{path} is no safetensors file, or is damaged: {reason}.'
    ) from error
  tensors = {}
  for name, tensor in found:
    dtype = _DTYPES.get(tensor['dtype'])
    if dtype is None:
      raise UserError(
        f'{path}: the tensor {name!r} is of the type {tensor["dtype"]}, which '
        f'is not read. These are: {", ".join(_DTYPES)}.'
      )
    tensors[name] = np.frombuffer(tensor['data'], dtype).reshape(
      tensor['shape']
    )
  return tensors
