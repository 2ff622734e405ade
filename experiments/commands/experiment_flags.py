"""The experiment that the flags name, and where its run goes."""

import pathlib

from absl import flags

from experiments.config import experiment
from experiments.rundir import run_names


def read_experiment(
  values: flags.FlagValues,
) -> tuple[experiment.Experiment, pathlib.Path]:
  """Reads, checks and resolves the config, and names the run directory.

  Args:
    values: the flags.

  Raises:
    UserError: the config does not pass the checks.
  """
  found = experiment.read(
    values.gin_file, values.gin_bindings, values.gin_search_paths
  )
  output_dir = values.output_dir or run_names.default_output_dir(
    values.gin_file, dict(found.config.overrides)
  )
  return found, pathlib.Path(output_dir)
