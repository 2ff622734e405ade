"""The experiment that the flags name, and where its run goes."""

import pathlib

from absl import flags

from experiments.config import experiment, gin_config
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
  config = gin_config.check(
    gin_config.parse(
      values.gin_file, values.gin_bindings, values.gin_search_paths
    )
  )
  output_dir = values.output_dir or run_names.default_output_dir(
    values.gin_file, dict(config.overrides)
  )
  return experiment.resolve(config), pathlib.Path(output_dir)
