"""The run directory: the names in it, who may write in it, and its status.

What run.json holds is described in `run_record`. metrics.jsonl holds a
`metric_log.Record` a line: step, split ('train', 'eval' for the sampled
evaluations, 'test' for the exact one), metric, value, time.
"""

import contextlib
import datetime
import functools
import os
import pathlib
import platform
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from experiments.foundation import json_text, json_types
from experiments.foundation.directory import Directory, File
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import read_regular
from experiments.rundir import lock, run_names
from experiments.rundir.run_record import (
  DIVERGED,
  FAILED,
  FINISHED,
  INTERRUPTED,
  PRUNED,
  RUNNING,
  RunRecord,
)

__all__ = [
  'DIVERGED',
  'FAILED',
  'FINISHED',
  'INTERRUPTED',
  'PRUNED',
  'RUNNING',
  'RunDir',
  'RunRecord',
  'check_writable',
  'now',
  'provenance',
]

# More than a run gains anything from; each takes memory.
MOST_THREADS = 256

# The name tells who reads a vocabulary; by the end of the original's name.
_SUBWORDS = 'vocabulary.subword'
VOCABULARIES = {
  '.json': 'vocabulary.tokenizer.json',
  '.model': 'vocabulary.sentencepiece.model',
  '.words': 'vocabulary.words',
}
# The names of files, by directory.
_EVENTS = re.compile(r'.*tfevents.*|\.rewrite\.tmp')
_IN_ROOT = re.compile(
  r'config\.gin|run\.json|calibration\.json|encoder\.json|metrics\.jsonl|'
  r'vocabulary\.[a-z.]+|model\.pkl\.gz|model\.weights\.npy\.gz|'
  rf'\.lock|log\.txt|{_EVENTS.pattern}'
)
_CHECKPOINTS = re.compile(r'step_\d{10}\.npz')
_REPORT = re.compile(r'[a-z_]+\.(png|csv|html|jsonl|md)')
_PREDICTIONS = re.compile(r'.+\.parquet')
_OF_EVALUATION = re.compile(rf'evaluation\.json|{_PREDICTIONS.pattern}')
_PROJECTOR = re.compile(r'projector_config\.pbtxt|tokens\.tsv|[\w.-]+\.tensor')
_PACKAGES = (
  'trax',
  'jax',
  'jaxlib',
  'numpy',
  'tensorflow',
  'tensorflow-datasets',
  'gin-config',
  'tensorboard',
)


class RunDir:
  """The names inside a run directory, which are reached as `Directory` says.

  Attributes:
    path: where it is.
    root: itself.
  """

  def __init__(self, path: os.PathLike | str):
    """Names a directory, which need not exist."""
    self.root = Directory(path)
    self.path = self.root.path
    self.config = self.root.file('config.gin')
    self.run = self.root.file('run.json')
    self.calibration = self.root.file('calibration.json')
    # What a pretrained encoder is that the model is made of.
    self.encoder = self.root.file('encoder.json')
    self.metrics = self.root.file('metrics.jsonl')
    self.checkpoints = self.root.directory('checkpoints')
    self.model = self.root.file('model.pkl.gz')
    self.report = self.root.directory('report')
    self.predictions = self.root.directory('predictions')
    self.evaluations = self.root.directory('evaluations')
    # Where TensorBoard looks for what its projector shows.
    self.projector = self.root.directory('plugins').directory(
      'org_tensorflow_tensorboard_projector'
    )
    self.lock = self.root.file('.lock')
    # What a sweep's worker prints while it works on this run.
    self.log = self.root.file('log.txt')

  def events(self, name: str) -> Directory:
    """Returns a directory of TensorBoard's.

    Args:
      name: 'train', 'eval', or `run_names.split_name` of what the exact
        evaluation is of.
    """
    return self.root.directory(name)

  def predictions_of(self, split: str) -> File:
    """Returns the file of what the model said of a split.

    Args:
      split: in TFDS's syntax, such as 'test' or 'train[80%:]'.
    """
    return self.predictions.file(f'{run_names.split_name(split)}.parquet')

  def evaluation_of(self, name: str) -> Directory:
    """Returns the directory of an evaluation on other data than the run's own.

    Args:
      name: of the data and of the split.
    """
    return self.evaluations.directory(run_names.split_name(name))

  @property
  def vocabulary(self) -> File:
    """The copy of the vocabulary; where there is none, that of subwords."""
    for name in VOCABULARIES.values():
      if self.root.file(name).is_file():
        return self.root.file(name)
    return self.root.file(_SUBWORDS)

  def store_vocabulary(self, original: pathlib.Path) -> None:
    """Copies a vocabulary, in place of any that is there.

    Args:
      original: its file.
    """
    content = read_regular(original)
    name = VOCABULARIES.get(original.suffix, _SUBWORDS)
    if self.vocabulary.name != name:
      self.vocabulary.unlink(missing_ok=True)
    self.root.file(name).write(content)

  def is_free(self) -> bool:
    """Tells whether a run may begin here: nothing that is not its own is there.

    A process that was killed early leaves what is written before config.gin.
    """
    own = {
      self.lock.name,
      *VOCABULARIES.values(),
      _SUBWORDS,
      self.encoder.name,
      self.run.name,
      self.log.name,
    }
    try:
      names = set(self.root.names()) - own
    except OSError:
      return True
    return all(name.startswith('.') and name.endswith('.tmp') for name in names)

  def read_run(self) -> RunRecord:
    """Returns run.json with the types checked; {} where there is none.

    Raises:
      UserError: it is damaged.
    """
    try:
      content = self.run.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
      return {}
    try:
      return json_types.loads(content, RunRecord)
    except ValueError as error:
      raise self.damage(error) from error

  def read_labels(self) -> list[str]:
    """Returns the names of the classes, as run.json has them.

    Raises:
      UserError: it has none, or is damaged.
    """
    labels = self.read_run().get('labels')
    if not labels:
      raise self.damage(ValueError('it has no labels'))
    return labels

  def damage(self, error: Exception) -> UserError:
    """Returns what to tell the user about something wrong in run.json."""
    return UserError(
      f'{self.run} is damaged ({error}). Put it back from a copy, or remove '
      'it and train again, which then goes on from the last checkpoint.'
    )

  @property
  def n_threads(self) -> int | None:
    """How many threads the run records; None if it says nothing of them.

    Raises:
      UserError: run.json is damaged.
    """
    value = self.read_run().get('n_threads')
    if value is not None and not 1 <= value <= MOST_THREADS:
      raise self.damage(
        ValueError(f'n_threads is {value}, not of 1 to {MOST_THREADS}')
      )
    return value

  def write_run(self, **fields: Any) -> None:
    """Sets fields of run.json, atomically.

    Args:
      **fields: JSON-able values; the others stay.
    """
    run = {**self.read_run(), **fields}
    self.run.write(json_text.to_json(run, indent=2) + '\n')

  def existing(self) -> 'RunDir':
    """Returns itself.

    Raises:
      UserError: this is not a run directory.
    """
    if not self.config.is_file():
      raise UserError(
        f'--output_dir={self.path}: no run directory (it has no config.gin). '
        'Give the directory of a run, e.g. runs/agnews/default.'
      )
    self.check_kinds()
    return self

  @contextlib.contextmanager
  def locked(self):
    """Makes the directory and keeps other processes from writing in it.

    What a process that was killed left unfinished is removed.

    Raises:
      UserError: another process is writing in it, or it cannot be written.
    """
    with contextlib.ExitStack() as stack:
      try:
        self.root.make()
        stack.enter_context(lock.held(self.lock))
      except OSError as error:
        raise UserError(
          f'--output_dir={self.path}: cannot be written: {error.strerror}.'
        ) from error
      except lock.HeldError as error:
        raise self._refusal(error) from error
      for directory, names in self.walk():
        directory.remove_unfinished(names.fullmatch)
      self.check_kinds()
      yield self

  def check_unlocked(self) -> None:
    """Checks, without a trace, that no other process is writing in it.

    Raises:
      UserError: one is.
    """
    try:
      lock.check(self.lock)
    except lock.HeldError as error:
      raise self._refusal(error) from error

  def is_locked(self) -> bool:
    """Tells, without a trace, whether a process is writing in it."""
    return lock.is_held(self.lock)

  def _refusal(self, error: lock.HeldError) -> UserError:
    return UserError(
      f'--output_dir={self.path}: {error.holder} is writing in it. Wait for it '
      'to end, or choose another directory.'
    )

  def check_kinds(self) -> None:
    """Checks that what has a name of ours is a regular file or a directory.

    Whatever is opened later is checked by itself; this tells before there is
    work that would be lost.

    Raises:
      UserError: something is a link, a device, …
    """
    for directory, names in self.walk():
      for name in directory.names():
        if names.fullmatch(name):
          directory.file(name).is_file()

  def walk(self) -> Iterator[tuple[Directory, re.Pattern[str]]]:
    """Yields each directory that is written to, and the names in it."""
    yield self.root, _IN_ROOT
    yield self.checkpoints, _CHECKPOINTS
    yield self.report, _REPORT
    yield self.predictions, _PREDICTIONS
    yield self.projector, _PROJECTOR
    for name in self._event_names():
      yield self.events(name), _EVENTS
    for name in self.evaluations.names():
      place = self.evaluations.directory(name)
      with contextlib.suppress(NotADirectoryError):
        place.names()
        yield place, _OF_EVALUATION
        yield place.directory('report'), _REPORT

  def _event_names(self) -> list[str]:
    """Returns the names of the directories of TensorBoard's, made or not."""
    splits: list[str] = []
    # Who needs run.json says what is wrong with it.
    with contextlib.suppress(UserError, OSError):
      splits += self.read_run().get('splits', {}).values()
    return list(
      dict.fromkeys(
        ['train', 'eval', 'test', *map(run_names.split_name, splits)]
      )
    )


def check_writable(path: pathlib.Path) -> None:
  """Checks, without a trace, that a directory can be made and written in.

  Args:
    path: the directory, which need not exist.

  Raises:
    UserError: it, or its nearest existing parent, cannot be written.
  """
  nearest = path.absolute()
  # os.path, since pathlib raises where a directory must not be searched.
  while not os.path.exists(nearest) and nearest.parent != nearest:
    nearest = nearest.parent
  if not os.path.isdir(nearest):
    raise UserError(
      f'--output_dir={path}: {nearest} is a file. Choose another directory.'
    )
  if not os.access(nearest, os.W_OK | os.X_OK):
    raise UserError(
      f'--output_dir={path}: {nearest} is not writable. Choose another '
      'directory.'
    )


def now() -> str:
  """Returns the time in UTC, ISO 8601."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


@functools.cache
def provenance() -> dict[str, Any]:
  """Returns where and with what the runs of this process are made.

  Returns:
    'host', 'python', 'versions' by package, 'git_commit' and 'git_dirty' of the
    code (both None outside a git checkout).
  """
  import importlib.metadata

  versions = {}
  for package in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      versions[package] = importlib.metadata.version(package)
  commit = _git('rev-parse', 'HEAD')
  return {
    'host': platform.node(),
    'python': platform.python_version(),
    'versions': versions,
    'git_commit': commit,
    'git_dirty': bool(_git('status', '--porcelain')) if commit else None,
  }


def _git(*arguments: str) -> str | None:
  code = pathlib.Path(__file__).parent
  try:
    return subprocess.run(
      ['git', '-C', str(code), *arguments],
      capture_output=True,
      encoding='utf-8',
      errors='replace',
      check=True,
      timeout=10,
    ).stdout.strip()
  except (OSError, subprocess.SubprocessError):
    return None
