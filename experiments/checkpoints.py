"""Checkpoints: one file each, whole or not there, verified when read.

A checkpoint is a NumPy `.npz` archive (a zip, whose every member carries a
CRC-32) of the leaves of a tree, with a JSON description. It holds no pickle, so
that reading one executes nothing. NumPy's own format was chosen because it needs
no package, starts at once and is readable anywhere.
"""

import io
import json
import logging
import os
import pathlib
import re
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np

from experiments import files

_FORMAT = 1
_NAME = 'step_{:010d}.npz'
_PATTERN = re.compile(r'step_(\d{10})\.npz')


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    step: the number of training steps done.
    leaves: NumPy arrays, the leaves of the saved tree in order.
    record: anything that JSON can hold.
  """

  step: int
  leaves: list[np.ndarray]
  record: dict[str, Any]


class DamagedError(ValueError):
  """A checkpoint file that is not what was written."""


class Checkpoints:
  """The checkpoints in one directory."""

  def __init__(self, directory: os.PathLike | str, *, keep: int = 2):
    """Looks at a directory, which need not exist.

    Args:
      directory: where the files are.
      keep: how many of the newest to keep, at least 1. Two, so that a damaged
        one has another to fall back to.
    """
    self._directory = pathlib.Path(directory)
    self._keep = keep

  def steps(self) -> list[int]:
    """Returns the steps that have a file, ascending."""
    if not self._directory.is_dir():
      return []
    matches = map(_PATTERN.fullmatch, os.listdir(self._directory))
    return sorted(int(match[1]) for match in matches if match)

  def path(self, step: int) -> pathlib.Path:
    """Returns the file for a step."""
    return self._directory / _NAME.format(step)

  def save(self, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, then removes those no longer kept.

    Args:
      checkpoint: what to write; a file for the same step is replaced.

    Raises:
      OSError: it could not be written; the others are untouched.
    """
    self._directory.mkdir(parents=True, exist_ok=True)
    files.write_atomic(self.path(checkpoint.step), _encode(checkpoint))
    for step in self.steps()[: -self._keep]:
      self.path(step).unlink(missing_ok=True)
    for aside in self._directory.glob('.*.tmp'):
      aside.unlink(missing_ok=True)

  def load(self, step: int) -> Checkpoint:
    """Reads and verifies one checkpoint.

    Args:
      step: one of `steps()`.

    Raises:
      DamagedError: the file is not what was written.
    """
    path = self.path(step)
    try:
      checkpoint = _decode(path.read_bytes())
    except (
      OSError,
      EOFError,
      KeyError,
      TypeError,
      ValueError,
      NotImplementedError,
      RuntimeError,
      zipfile.BadZipFile,
      zlib.error,
    ) as error:
      raise DamagedError(f'{path} is damaged: {error}') from error
    if checkpoint.step != step:
      raise DamagedError(f'{path} holds step {checkpoint.step}')
    return checkpoint

  def load_newest(self) -> Checkpoint | None:
    """Reads the newest checkpoint that is whole.

    Returns:
      The checkpoint, or None if there is none. A damaged one is reported in the
      log and passed over.
    """
    for step in reversed(self.steps()):
      try:
        return self.load(step)
      except DamagedError as error:
        logging.warning('%s. Falling back to the one before it.', error)
    return None


def _encode(checkpoint: Checkpoint) -> bytes:
  leaves = [np.asarray(leaf) for leaf in checkpoint.leaves]
  description = {
    'format': _FORMAT,
    'step': checkpoint.step,
    'record': checkpoint.record,
    # Kept apart from the arrays since NumPy's format knows no bfloat16.
    'dtypes': [leaf.dtype.name for leaf in leaves],
    'shapes': [leaf.shape for leaf in leaves],
  }
  arrays = {
    f'leaf_{i:05d}': leaf.reshape(-1).view(np.uint8)
    for i, leaf in enumerate(leaves)
  }
  text = json.dumps(description).encode()
  buffer = io.BytesIO()
  np.savez(buffer, description=np.frombuffer(text, np.uint8), **arrays)
  return buffer.getvalue()


def _decode(content: bytes) -> Checkpoint:
  import ml_dtypes  # noqa: F401 (teaches NumPy the name bfloat16)

  with np.load(io.BytesIO(content), allow_pickle=False) as archive:
    description = json.loads(archive['description'].tobytes())
    if description['format'] != _FORMAT:
      raise ValueError(f'format {description["format"]}, expected {_FORMAT}')
    leaves = [
      archive[f'leaf_{i:05d}'].view(np.dtype(dtype)).reshape(shape)
      for i, (dtype, shape) in enumerate(
        zip(description['dtypes'], description['shapes'], strict=True)
      )
    ]
  return Checkpoint(description['step'], leaves, description['record'])
