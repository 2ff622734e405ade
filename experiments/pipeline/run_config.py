"""The config of a run directory, which may come from a stranger.

A gin file can import Python modules, and so run them. Those that are installed,
or stand where PYTHONPATH leads, are the user's own choice; what came with the
directory is not.
"""

import os
import pathlib
import sys

from experiments.config import experiment, gin_config
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir

# Its configurables unpickle files that a config can name.
_UNPICKLING = 'trax.rl'


def load_experiment(directory: run_dir.RunDir) -> experiment.Experiment:
  """Reads the experiment of a run.

  Args:
    directory: a run directory.

  Raises:
    UserError: the config does not pass the checks, or imports a module of the
      directory itself.
  """
  parsed = gin_config.parse([str(directory.config)])
  for statement in parsed.imports:
    if _is_within(statement.module, directory.path):
      raise UserError(
        f'{statement.place}: module {statement.module} came with the run '
        'directory and is not run. If you trust it, copy it to where '
        'PYTHONPATH leads.'
      )
    if f'{statement.module}.'.startswith(f'{_UNPICKLING}.'):
      raise UserError(
        f'{statement.place}: a classifier needs no {statement.module}, which '
        'can run what a file contains.'
      )
  return experiment.resolve(gin_config.check(parsed, of_run=True))


def _is_within(module: str, directory: pathlib.Path) -> bool:
  """Tells whether importing a module could find it in a directory."""
  below = os.path.realpath(directory)
  places = (
    os.path.realpath(os.path.join(root, *module.split('.')))
    for root in sys.path
  )
  return any(os.path.commonpath([below, place]) == below for place in places)
