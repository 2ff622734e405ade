"""What came of a run, and how that is said."""

import logging
import pathlib
from typing import NamedTuple, TypedDict

from experiments.config.experiment import EvaluationConfig
from experiments.evaluation import metrics
from experiments.foundation import json_types
from experiments.foundation.errors import UserError
from experiments.reporting import report
from experiments.rundir import run_dir
from experiments.rundir.run_record import Answers


class _Prediction(TypedDict):
  text: str
  expected: str | None
  label: str
  probabilities: dict[str, float]
  n_tokens: int


class Results(NamedTuple):
  """What came of a run.

  Attributes:
    evaluation: the exact evaluation.
    examples: some of its predictions.
    step: training steps that the evaluated model has seen; None: not known, of
      a run that an earlier version of this project has finished.
    n_steps: training steps that the run has done.
    path: the run directory, where it is now.
    answers: what calibration and rejection came to; None of earlier versions.
    is_old: whether the run was finished before, and nothing was done.
  """

  evaluation: metrics.Evaluation
  examples: list[report.Prediction]
  step: int | None
  n_steps: int
  path: pathlib.Path
  answers: Answers | None = None
  is_old: bool = False


def read_results(directory: run_dir.RunDir) -> Results:
  """Reads the results of a finished run.

  Args:
    directory: of the run.

  Raises:
    UserError: its run.json is damaged.
  """
  run = directory.read_run()
  try:
    evaluation = metrics.Evaluation.from_dict(run.get('metrics', {}))
  except ValueError as error:
    raise directory.damage(error) from error
  file = directory.report.file('predictions.jsonl')
  examples = []
  try:
    # Not splitlines(), which splits texts at their own separators, too.
    text = file.read_text(encoding='utf-8-sig') if file.is_file() else ''
    lines = text.split('\n')
    examples = [
      report.Prediction(**json_types.loads(line, _Prediction))
      for line in lines
      if line
    ]
  except UserError:
    raise
  except (TypeError, ValueError) as error:
    logging.warning('%s is damaged: %s', file, error)
  return Results(
    evaluation,
    examples,
    run.get('evaluated_step'),
    run.get('steps', 0),
    directory.path,
    run.get('answers'),
    is_old=True,
  )


def format_run(results: Results, config: EvaluationConfig) -> str:
  """Returns what a run says at its end, as text for a terminal.

  Args:
    results: what came of it.
    config: how its best checkpoint was chosen.
  """
  lines = [
    report.format_results(
      results.evaluation, results.examples, results.answers
    ),
    '',
  ]
  if config.best_metric is not None and results.step is not None:
    lines += [
      f'Evaluated at step {results.step} of {results.n_steps}: the best by '
      f'{config.best_metric}',
      '',
    ]
  if results.is_old:
    return '\n'.join(
      [*lines, f'Finished before: {results.path}. Nothing to do.']
    )
  return '\n'.join(
    [
      *lines,
      f'Run directory: {results.path}',
      f'TensorBoard:   tensorboard --logdir={results.path.parent}',
    ]
  )
