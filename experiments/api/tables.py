"""Many runs from Python: made by a sweep, and side by side in a table."""

import os
from typing import TYPE_CHECKING

from experiments.api.calls import (
  Texts,
  from_python,
  path_of,
  paths_of,
  texts_of,
)
from experiments.comparison import arrow_table
from experiments.comparison import compare as comparisons
from experiments.foundation import choices
from experiments.foundation.errors import UserError
from experiments.sweeps import sweep as sweeps

if TYPE_CHECKING:
  import pyarrow


@from_python
def compare(
  output_dir: str | os.PathLike[str], *, objective: str | None = None
) -> 'pyarrow.Table':
  """Puts runs side by side, as `--mode=compare` does.

  Args:
    output_dir: holds the directories of the runs.
    objective: as --objective.

  Returns:
    See `comparison.arrow_table.to_arrow`.

  Raises:
    UserError: there is no run, or none has the objective.
  """
  return arrow_table.to_arrow(
    comparisons.compare(path_of('output_dir', output_dir), objective)
  )


@from_python
def sweep(
  gin_file: Texts,
  sweep: Texts = (),
  *,
  gin_bindings: Texts = (),
  gin_search_paths: Texts = (),
  output_dir: str | os.PathLike[str] | None = None,
  search: str = 'grid',
  trials: int | None = None,
  folds: int | None = None,
  jobs: int | None = None,
  retries: int = 1,
  seconds: int | None = None,
  executor: str = 'local',
  ray_address: str = 'auto',
) -> 'pyarrow.Table':
  """Runs what is left of a sweep, as `--sweep` and `--folds` do.

  Args:
    gin_file: as --gin_file, one or several.
    sweep: as --sweep, e.g. 'LEARNING_RATE=[0.003, 0.01]', or a YAML file; one
      or several.
    gin_bindings: as --gin_bindings.
    gin_search_paths: as --gin_search_paths.
    output_dir: holds the directories of the trials; None: as of the launcher.
    search: as --search.
    trials: as --trials.
    folds: as --folds; alone or with `sweep`.
    jobs: as --jobs.
    retries: as --retries.
    seconds: as --seconds.
    executor: as --executor.
    ray_address: as --ray_address.

  Returns:
    Its trials, as `compare` has them; of one that failed, 'error' says why.

  Raises:
    UserError: the sweep or one of its trials is refused; nothing has started.
    KeyboardInterrupt: Ctrl-C; the same call goes on.
  """
  choices.check('search', search, choices.SEARCHES)
  choices.check('executor', executor, choices.EXECUTORS)
  for name, value, least in (
    ('trials', trials, 1),
    ('folds', folds, 2),
    ('jobs', jobs, 1),
    ('retries', retries, 0),
    ('seconds', seconds, 1),
  ):
    if value is not None and value < least:
      raise UserError(f'{name} must be at least {least}, not {value}.')
  results = sweeps.run_sweep(
    sweeps.read_sweep(
      texts_of(sweep),
      gin_files=paths_of('gin_file', gin_file),
      gin_bindings=texts_of(gin_bindings),
      gin_search_paths=paths_of('gin_search_paths', gin_search_paths),
      output_dir=None
      if output_dir is None
      else path_of('output_dir', output_dir),
      search=search,
      n_trials=trials,
      n_folds=folds,
    ),
    jobs=jobs,
    retries=retries,
    seconds=seconds,
    executor=executor,
    ray_address=ray_address,
  )
  return arrow_table.to_arrow(results.comparison)
