"""The study of a search: Optuna's journal, opened and its damage explained."""

import contextlib
import json
import pathlib
from collections.abc import Iterator

from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.sweeps import sweep_settings


def open_study(
  path: pathlib.Path,
  *,
  name: str,
  settings: sweep_settings.Settings,
):
  """Opens the study of a name, or begins one.

  Args:
    path: the journal.
    name: of the study.
    settings: of the sweep.

  Returns:
    An `optuna.Study`.
  """
  import optuna
  from optuna.storages import journal
  from optuna.storages.journal import _file

  class NoLock(_file.BaseJournalFileLock):
    """The sweep's own lock keeps others out, and a killed sweep leaves none."""

    def acquire(self) -> bool:
      return True

    def release(self) -> None:
      pass

  _cut_half_line(path)
  storage = optuna.storages.JournalStorage(
    journal.JournalFileBackend(str(path), lock_obj=NoLock())
  )
  pruners = {
    'none': optuna.pruners.NopPruner(),
    'median': optuna.pruners.MedianPruner(
      n_startup_trials=settings.pruner_startup_trials
    ),
    'halving': optuna.pruners.SuccessiveHalvingPruner(),
    # Another one, once it is known when a trial is first evaluated.
    'hyperband': optuna.pruners.NopPruner(),
  }
  return optuna.create_study(
    storage=storage,
    study_name=name,
    directions=settings.directions,
    pruner=pruners[settings.pruner],
    load_if_exists=True,
  )


def make_hyperband(first: int, last: int | None):
  """Returns a pruner whose rungs lie where trials are evaluated.

  Args:
    first: number of the step of the first evaluation.
    last: that of the last; None: as the first trial to finish has it.
  """
  import optuna

  return optuna.pruners.HyperbandPruner(
    min_resource=first, max_resource=last or 'auto', reduction_factor=3
  )


@contextlib.contextmanager
def explaining_damage(path: pathlib.Path) -> Iterator[None]:
  """Says what is wrong with a journal in place of what comes of it in Optuna.

  Raises:
    UserError: Optuna cannot make sense of the journal.
  """
  import optuna

  try:
    yield
  except UserError:
    raise
  except OSError as error:
    raise UserError(
      f'{path}: cannot be read or written: {error.strerror or error}.'
    ) from error
  except (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(RecursionError, TypeError, ValueError, optuna.exceptions.OptunaError),
  ) as error:
    line = _first_bad_line(path)
    where = f'{path}:{line}' if line else f'{path}'
    raise UserError(
      f'{where}: the record of the search is damaged '
      f'({type(error).__name__}). Its trials are not: move this file away, and '
      'the same command draws anew and takes what is finished as it is.'
    ) from error


def _first_bad_line(path: pathlib.Path) -> int | None:
  """Returns the number of the first line that cannot be one of a journal."""
  with contextlib.suppress(OSError):
    for number, line in enumerate(
      File.at(path).read_bytes().splitlines(), start=1
    ):
      try:
        entry = json.loads(line)
      except (ValueError, RecursionError):
        return number
      if not isinstance(entry, dict) or not isinstance(
        entry.get('op_code'), int
      ):
        return number
  return None


def _cut_half_line(path: pathlib.Path) -> None:
  """Removes what a process has left that was killed while it wrote a line."""
  file = File.at(path)
  if not file.is_file():
    return
  content = file.read_bytes()
  end = content.rfind(b'\n') + 1
  if end < len(content):
    file.write(content[:end])
