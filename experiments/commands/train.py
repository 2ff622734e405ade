"""What --mode=train does for one run."""

from absl import flags

from experiments.commands.experiment_flags import read_experiment
from experiments.pipeline import runs
from experiments.pipeline.results import format_run
from experiments.training.context import RunContext


def run(values: flags.FlagValues) -> None:
  """Trains, evaluates on the whole test split and shows predictions.

  Args:
    values: the flags.

  Raises:
    UserError: as `runs.train`.
    signals.Interrupted: as `runs.train`.
  """
  experiment, output_dir = read_experiment(values)
  results = runs.train(
    experiment,
    output_dir,
    context=RunContext(),
    trust_init_from=values.trust_init_from,
  )
  print(format_run(results, experiment.evaluation))
