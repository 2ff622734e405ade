"""What --mode=eval does."""

import pathlib

from experiments.pipeline import runs
from experiments.reporting import report
from experiments.rundir import run_dir


def evaluate(output_dir: pathlib.Path) -> None:
  """Evaluates a run again, and shows what came of it.

  Args:
    output_dir: a run directory with a checkpoint.

  Raises:
    UserError: as `runs.evaluate`.
  """
  results = runs.evaluate(output_dir)
  print(report.format_results(results.evaluation, results.examples))
  path = run_dir.RunDir(output_dir).report
  print(f'\nEvaluated at step {results.step}: {path}')
