"""What --mode=eval does."""

import pathlib

from absl import flags

from experiments.pipeline import runs
from experiments.reporting import report
from experiments.rundir import run_dir


def run(values: flags.FlagValues) -> None:
  """Evaluates a run again, and shows what came of it.

  Args:
    values: the flags.

  Raises:
    UserError: as `runs.evaluate`.
  """
  output_dir = pathlib.Path(values.output_dir)
  results = runs.evaluate(output_dir, allow_import=values.allow_import)
  print(report.format_results(results.evaluation, results.examples))
  path = run_dir.RunDir(output_dir).report
  print(f'\nEvaluated at step {results.step}: {path}')
