"""Checkpoints: one file each, whole or not there, verified when read.

A checkpoint is a NumPy `.npz` archive of the leaves of a tree, with a JSON
description. It holds no pickle, so that reading one executes nothing. Its last
bytes, a zip comment, are the SHA-256 of all before, so that no flipped bit goes
unnoticed, not even one that zip itself would not mind. NumPy's own format was
chosen because it needs no package, starts at once and is readable anywhere.
"""

import hashlib
import io
import json
import logging
import os
import pathlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.foundation.directory import Directory, File
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

_FORMAT = 1
_NAME = 'step_{:010d}.npz'
_PATTERN = re.compile(r'step_(\d{10})\.npz')
_DIGEST_BYTES = hashlib.sha256().digest_size


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    step: the number of training steps done.
    leaves: NumPy arrays, the leaves of the saved tree in order.
    record: anything that JSON can hold.
    metrics: what was evaluated at this very step, by name; {} for nothing.
  """

  step: int
  leaves: list[np.ndarray]
  record: dict[str, Any]
  metrics: Mapping[str, float] = {}


class Best(NamedTuple):
  """The best value so far of the metric that decides.

  Attributes:
    step: the step of its checkpoint.
    value: the value.
  """

  step: int
  value: float


class DamagedError(ValueError):
  """A checkpoint file that is not what was written."""


class Checkpoints:
  """The checkpoints in one directory.

  Attributes:
    best: the best checkpoint up to the one last saved or loaded, or None.
    best_metric: the name of the metric that decides, or None.
  """

  def __init__(
    self,
    directory: Directory | os.PathLike | str,
    *,
    keep: int = 2,
    best_metric: str | None = None,
    best_direction: str = 'maximize',
  ):
    """Looks at a directory, which need not exist.

    Args:
      directory: where the files are.
      keep: how many of the newest to keep, at least 1. Two, so that a damaged
        one has another to fall back to.
      best_metric: the name in `Checkpoint.metrics` by which the best is kept
        besides; None keeps the newest only.
      best_direction: 'maximize' or 'minimize' it. Of equals the first is best.
    """
    self._directory = Directory.at(directory)
    self._keep = keep
    self.best_metric = best_metric
    self._sign = {'maximize': 1, 'minimize': -1}[best_direction]
    self.best: Best | None = None

  def check_metric(self, names: Iterable[str]) -> None:
    """Checks that what decides on the best is measured.

    Args:
      names: what `Checkpoint.metrics` will hold.

    Raises:
      UserError: it is not.
    """
    names = sorted(names)
    if self.best_metric is not None and self.best_metric not in names:
      raise UserError(
        f'experiment.best_metric is {self.best_metric!r}, which EvalTask does '
        'not measure.'
        + (
          did_you_mean(self.best_metric, names)
          or f' It measures {", ".join(names)}.'
        )
      )

  def steps(self) -> list[int]:
    """Returns the steps that have a file, ascending."""
    matches = map(_PATTERN.fullmatch, self._directory.names())
    return sorted(int(match[1]) for match in matches if match)

  def path(self, step: int) -> pathlib.Path:
    """Returns where the file for a step is."""
    return self._file(step).path

  def _file(self, step: int) -> File:
    return self._directory.file(_NAME.format(step))

  def save(self, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, then removes those no longer kept.

    Args:
      checkpoint: what to write; a file for the same step is replaced, and files
        for later ones, which were found damaged, are removed.

    Raises:
      OSError: it could not be written; the others are untouched.
    """
    self._directory.make()
    best = self._best_with(checkpoint)
    self._file(checkpoint.step).write(_encode(checkpoint, best))
    self.best = best
    self._clean_up(checkpoint.step)
    for step in self.steps():
      if step > checkpoint.step:
        self._file(step).unlink(missing_ok=True)

  def load(self, step: int) -> Checkpoint:
    """Reads and verifies one checkpoint.

    Args:
      step: one of `steps()`.

    Raises:
      DamagedError: the file is not what was written.
      OSError: it cannot be read.
    """
    return self._load(step)[0]

  def load_newest(self) -> Checkpoint | None:
    """Reads the newest checkpoint that is whole.

    Returns:
      The checkpoint, or None if there is no file. A damaged one is reported in
      the log and passed over.

    Raises:
      UserError: there are files, and none is whole.
    """
    steps = self.steps()
    for step in reversed(steps):
      try:
        checkpoint, self.best = self._load(step)
      except DamagedError as error:
        logging.warning('%s. Falling back to the one before it.', error)
      else:
        return checkpoint
    if not steps:
      return None
    raise UserError(
      f'{self._directory}: none of the {len(steps)} checkpoints is whole.\n'
      'Put one back from a copy, or remove that directory to train again from '
      'step 0.'
    )

  def load_best(self) -> Checkpoint | None:
    """Reads the best checkpoint.

    Returns:
      The checkpoint; None if no best is kept, there is none yet or it is
      damaged, which is reported in the log.
    """
    if self.load_newest() is None or self.best is None:
      return None
    try:
      return self.load(self.best.step)
    except (DamagedError, FileNotFoundError) as error:
      logging.warning('%s. Taking the newest instead of the best.', error)
      return None

  def n_since_best(self, values: Sequence[float]) -> int:
    """Returns how many values came after the first of the best ones."""
    if not values:
      return 0
    scores = [self._sign * value for value in values]
    return len(scores) - 1 - scores.index(max(scores))

  def resume(self) -> Checkpoint | None:
    """Does what `load_newest` does, and removes what a killed save left."""
    checkpoint = self.load_newest()
    if checkpoint is not None:
      self._clean_up(checkpoint.step)
    return checkpoint

  def _best_with(self, checkpoint: Checkpoint) -> Best | None:
    value = checkpoint.metrics.get(self.best_metric or '')
    if value is None:
      return self.best
    if self.best and self._sign * value <= self._sign * self.best.value:
      return self.best
    return Best(checkpoint.step, float(value))

  def _clean_up(self, newest: int) -> None:
    """Removes the old but for the best, and what was never finished."""
    past = [step for step in self.steps() if step <= newest]
    for step in past[: -self._keep]:
      if self.best is None or step != self.best.step:
        self._file(step).unlink(missing_ok=True)
    self._directory.remove_unfinished(_PATTERN.fullmatch)

  def _load(self, step: int) -> tuple[Checkpoint, Best | None]:
    path = self.path(step)
    content = self._file(step).read_bytes()
    try:
      checkpoint, best = _decode(content)
    except (
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
      raise DamagedError(f'{path} is damaged: it holds step {checkpoint.step}')
    return checkpoint, best


def _encode(checkpoint: Checkpoint, best: Best | None) -> memoryview:
  leaves = [np.asarray(leaf) for leaf in checkpoint.leaves]
  description = {
    'format': _FORMAT,
    'step': checkpoint.step,
    'record': checkpoint.record,
    'metrics': dict(checkpoint.metrics),
    'best': best and best._asdict(),
    # Kept apart from the arrays since NumPy's format knows no bfloat16.
    'dtypes': [leaf.dtype.name for leaf in leaves],
    'shapes': [leaf.shape for leaf in leaves],
  }
  arrays: dict[str, Any] = {
    f'leaf_{i:05d}': leaf.reshape(-1).view(np.uint8)
    for i, leaf in enumerate(leaves)
  }
  text = json.dumps(description).encode()
  buffer = io.BytesIO()
  np.savez(buffer, description=np.frombuffer(text, np.uint8), **arrays)
  with zipfile.ZipFile(buffer, 'a') as archive:
    archive.comment = bytes(_DIGEST_BYTES)
  content = buffer.getbuffer()
  content[-_DIGEST_BYTES:] = _digest(content)
  return content


def _decode(content: bytes) -> tuple[Checkpoint, Best | None]:
  import ml_dtypes  # noqa: F401 (teaches NumPy the name bfloat16)

  if not content:
    raise ValueError('it is empty')
  if content[-_DIGEST_BYTES:] != _digest(content):
    raise ValueError(f'its checksum is wrong ({len(content)} bytes)')
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
  best = description['best']
  return (
    Checkpoint(
      description['step'],
      leaves,
      description['record'],
      description['metrics'],
    ),
    Best(**best) if best else None,
  )


def _digest(content: bytes | memoryview) -> bytes:
  """Returns the checksum of a file that ends in one."""
  return hashlib.sha256(memoryview(content)[:-_DIGEST_BYTES]).digest()
