"""sweep.json: what a sweep is and how far it has come.

One JSON object, always replaced as a whole. The run directories know best how
each trial stands; this file says which belong together.

  definition    list: the grids of the last command; values by name as gin
                writes them, a distribution as an object
  gin_files, gin_bindings    as given by the last command
  objective     the metric that is sorted by, and after a comma a second one
  direction     'maximize' or 'minimize'
  search        null for a grid, else an object: sampler, seed, pruner
  status        'running', 'finished' (all trials of the last command are done),
                'incomplete' (some failed) or 'interrupted'
  start, end    of the last command, UTC, ISO 8601
  trials        object: by key, the hash of the trial's resolved config
    directory     below this one
    bindings      object: gin text by name of what the sweep binds
    status        of its run, or 'waiting'
    attempts      how often it was started, in all commands
    steps, seconds, error    as in its run.json
    metrics       those of run.json that are single numbers, of the validation
                  split where there is one
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Required, TypedDict

from experiments.foundation import json_text, json_types
from experiments.foundation.directory import Directory
from experiments.foundation.errors import UserError
from experiments.rundir import lock

_NAME = 'sweep.json'
_LOCK = '.sweep.lock'
# Names of directories beside the file; no name holds half a character.
_NAMES = re.compile('(?!\\.\\.?$)[^/\\0\ud800-\udc7f\udd00-\udfff]+')

RUNNING = 'running'
FINISHED = 'finished'
INCOMPLETE = 'incomplete'
INTERRUPTED = 'interrupted'
WAITING = 'waiting'


class Trial(TypedDict, total=False):
  """A trial."""

  directory: Required[str]
  bindings: Required[Mapping[str, str]]
  status: Required[str]
  attempts: int
  steps: int
  seconds: float | None
  metrics: Mapping[str, float | None]
  error: str | None


class Sweep(TypedDict, total=False):
  """The whole file."""

  definition: list[Any]
  gin_files: list[str]
  gin_bindings: list[str]
  objective: str
  direction: Literal['minimize', 'maximize']
  search: Mapping[str, Any] | None
  status: str
  start: str
  end: str | None
  trials: Required[Mapping[str, Trial]]


def read_sweep(directory: str | os.PathLike[str]) -> Sweep:
  """Returns sweep.json of a directory, with the types checked.

  Returns:
    What is in it; without trials where there is no such file.

  Raises:
    UserError: it is not what this module writes.
  """
  file = Directory(directory).file(_NAME)
  try:
    content = file.read_bytes()
  except (FileNotFoundError, NotADirectoryError):
    return {'trials': {}}
  try:
    sweep = json_types.loads(content, Sweep)
    for key, trial in sweep['trials'].items():
      if not _NAMES.fullmatch(trial['directory']):
        raise ValueError(f'trials.{key}.directory is no name of a directory')
  except ValueError as error:
    raise UserError(
      f'{file} is damaged ({error}). Remove it: the runs beside it are found '
      'again without it.'
    ) from error
  return sweep


class SweepState:
  """A sweep.json that is being written."""

  def __init__(self, directory: pathlib.Path, **fields: Any):
    """Takes over the trials of earlier commands.

    Args:
      directory: that of the sweep; it exists.
      **fields: what describes this command; see the top of this module.
    """
    self._file = Directory(directory).file(_NAME)
    trials = dict(read_sweep(directory)['trials'])
    self._sweep: dict[str, Any] = {**fields, 'trials': trials}

  def trial(self, key: str) -> dict[str, Any]:
    """Returns the entry of a trial, to be changed before `write`."""
    return self._sweep['trials'].setdefault(key, {'attempts': 0})

  def write(self, **fields: Any) -> None:
    """Sets fields of the sweep and puts all on disk."""
    self._sweep = {**self._sweep, **fields}
    # The trials are the long part, and stand last.
    self._sweep['trials'] = self._sweep.pop('trials')
    self._file.write(json_text.to_json(self._sweep, indent=2) + '\n')


@contextlib.contextmanager
def locked(directory: pathlib.Path) -> Iterator[None]:
  """Makes a directory and keeps other sweeps out of it.

  What a sweep that was killed left unfinished is removed.

  Raises:
    UserError: another sweep runs in it, or it cannot be written.
  """
  root = Directory(directory)
  with contextlib.ExitStack() as stack:
    try:
      root.make()
      stack.enter_context(lock.held(root.file(_LOCK)))
    except lock.HeldError as error:
      raise UserError(
        f'--output_dir={directory}: another sweep is running in it. Wait for '
        'it to end, or choose another directory.'
      ) from error
    except OSError as error:
      raise UserError(
        f'--output_dir={directory}: cannot be written: {error.strerror}.'
      ) from error
    root.remove_unfinished(_NAME.__eq__)
    yield
