"""What --mode=eval does."""

import pathlib

from absl import flags

from experiments.pipeline import asked_evaluation
from experiments.reporting import report


def run(values: flags.FlagValues) -> None:
  """Evaluates a run again, or on other data, and shows what came of it.

  Args:
    values: the flags.

  Raises:
    UserError: as `asked_evaluation.evaluate`.
  """
  results = asked_evaluation.evaluate(
    pathlib.Path(values.output_dir),
    split=values.split,
    gin_bindings=values.gin_bindings,
    allow_import=values.allow_import,
  )
  if values.split or values.gin_bindings:
    print(f'{results.dataset}, {results.split}')
  print(report.format_results(*results.measured))
  print(f'\nEvaluated at step {results.step}: {results.path}')
