"""Checkpoints: one file each, whole or not there, verified when read."""

import logging
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from experiments.foundation.directory import Directory, File
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean
from experiments.rundir import checkpoint_file
from experiments.rundir.checkpoint_file import Best, Checkpoint

__all__ = ['Best', 'Checkpoint', 'Checkpoints', 'DamagedError', 'ForeignError']

_NAME = 'step_{:010d}.npz'
_PATTERN = re.compile(r'step_(\d{10})\.npz')


class DamagedError(ValueError):
  """A checkpoint file that is not what was written."""


class ForeignError(UserError):
  """A checkpoint of another run than its directory says."""


def _let_through(checkpoint: Checkpoint) -> None:
  del checkpoint


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
    identity: Mapping[str, str] | None = None,
    check: Callable[[Checkpoint], None] = _let_through,
  ):
    """Looks at a directory, which need not exist.

    Args:
      directory: where the files are.
      keep: how many of the newest to keep, at least 1. Two, so that a damaged
        one has another to fall back to.
      best_metric: the name in `Checkpoint.metrics` by which the best is kept
        besides; None keeps the newest only.
      best_direction: 'maximize' or 'minimize' it. Of equals the first is best.
      identity: what the run is of, by name; it is saved. None: that of what
        is saved.
      check: raises ValueError for what has been read and is not as the saved
        trees are, ForeignError for what is of another run.
    """
    self._directory = Directory.at(directory)
    self._keep = keep
    self.best_metric = best_metric
    self._sign = {'maximize': 1, 'minimize': -1}[best_direction]
    self.best: Best | None = None
    self._identity = identity
    self._check = check

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
    if self._identity is not None:
      checkpoint = checkpoint._replace(identity=self._identity)
    parts = checkpoint_file.encode(checkpoint, best)
    self._file(checkpoint.step).write(*parts)
    before, self.best = self.best, best
    self._clean_up(checkpoint.step, before)
    self.remove_after(checkpoint.step)

  def remove_after(self, step: int) -> None:
    """Removes the files of later steps."""
    for later in self.steps():
      if later > step:
        self._file(later).unlink(missing_ok=True)

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
      ForeignError: it is of another run.
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
      self._clean_up(checkpoint.step, self._best_before(checkpoint.step))
    return checkpoint

  def _best_before(self, step: int) -> Best | None:
    """Returns the best of the checkpoint before one, if that is another."""
    older = [each for each in self.steps() if each < step]
    if not older or self.best is None or self.best.step != step:
      return None
    try:
      return self._load(older[-1])[1]
    except DamagedError:
      return None

  def _best_with(self, checkpoint: Checkpoint) -> Best | None:
    value = checkpoint.metrics.get(self.best_metric or '')
    if value is None:
      return self.best
    if self.best and self._sign * value <= self._sign * self.best.value:
      return self.best
    return Best(checkpoint.step, float(value))

  def _clean_up(self, newest: int, before: Best | None) -> None:
    """Removes the old but for the best, and what was never finished.

    Args:
      newest: the step of the newest.
      before: the best of the one before, which a run may go on from.
    """
    bests = {best.step for best in (self.best, before) if best is not None}
    past = [step for step in self.steps() if step <= newest]
    for step in past[: -self._keep]:
      if step not in bests:
        self._file(step).unlink(missing_ok=True)
    self._directory.remove_unfinished(_PATTERN.fullmatch)

  def _load(self, step: int) -> tuple[Checkpoint, Best | None]:
    path = self.path(step)
    with self._file(step).open_to_read() as file:
      try:
        checkpoint, best = checkpoint_file.decode(file)
        if checkpoint.step != step:
          raise ValueError(f'it holds step {checkpoint.step}')
        self._check(checkpoint)
      except ForeignError:
        raise
      except ValueError as error:
        raise DamagedError(f'{path} is damaged: {error}') from error
    return checkpoint, best
