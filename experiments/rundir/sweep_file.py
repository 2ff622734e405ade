"""sweep.json: what a sweep is and how far it has come.

One JSON object, always replaced as a whole. The run directories know best how
each trial stands; this file says which belong together.

  definition    list: the grids of the last command; values by name as gin
                writes them, a distribution as an object
  gin_files, gin_bindings    as given by the last command
  objective     the metric that is sorted by
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
    steps, seconds, metrics, error    as in its run.json
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from experiments.foundation import json_text
from experiments.foundation.directory import Directory
from experiments.foundation.errors import UserError
from experiments.rundir import lock

_NAME = 'sweep.json'
_LOCK = '.sweep.lock'

RUNNING = 'running'
FINISHED = 'finished'
INCOMPLETE = 'incomplete'
INTERRUPTED = 'interrupted'
WAITING = 'waiting'


def read_sweep(directory: str | os.PathLike[str]) -> dict[str, Any]:
  """Returns sweep.json of a directory; {} where there is none.

  Raises:
    UserError: it is not what this module writes.
  """
  file = Directory(directory).file(_NAME)
  try:
    sweep = json.loads(file.read_text(encoding='utf-8-sig'))
  except (FileNotFoundError, NotADirectoryError):
    return {}
  except UserError:
    raise
  except (ValueError, RecursionError) as error:
    raise UserError(
      f'{file} is damaged ({error}). Remove it: the runs beside it are found '
      'again without it.'
    ) from error
  if not isinstance(sweep, dict) or not isinstance(sweep.get('trials'), dict):
    raise UserError(f'{file} is no sweep. Choose another --output_dir.')
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
    trials = read_sweep(directory).get('trials', {})
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
    yield
