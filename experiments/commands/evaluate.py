"""What --mode=eval does."""

import pathlib
from collections.abc import Collection

from experiments.pipeline import runs
from experiments.reporting import report
from experiments.rundir import run_dir


def evaluate(
  output_dir: pathlib.Path, *, allow_import: Collection[str]
) -> None:
  """Evaluates a run again, and shows what came of it.

  Args:
    output_dir: a run directory with a checkpoint.
    allow_import: as --allow_import.

  Raises:
    UserError: as `runs.evaluate`.
  """
  results = runs.evaluate(output_dir, allow_import=allow_import)
  print(report.format_results(results.evaluation, results.examples))
  path = run_dir.RunDir(output_dir).report
  print(f'\nEvaluated at step {results.step}: {path}')
