"""What --mode=train does for one run."""

import pathlib

from experiments.config.experiment import Experiment
from experiments.pipeline import runs
from experiments.pipeline.results import format_run
from experiments.training.context import RunContext


def train(
  experiment: Experiment, output_dir: pathlib.Path, *, trust_init_from: bool
) -> None:
  """Trains, evaluates on the whole test split and shows predictions.

  Args:
    experiment: what to train.
    output_dir: the run directory; made if missing.
    trust_init_from: as --trust_init_from.

  Raises:
    UserError: as `runs.train`.
    signals.Interrupted: as `runs.train`.
  """
  results = runs.train(
    experiment,
    output_dir,
    context=RunContext(),
    trust_init_from=trust_init_from,
  )
  print(format_run(results, experiment.evaluation))
