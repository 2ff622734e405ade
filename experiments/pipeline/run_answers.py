"""How sure the answers of a run are: its temperature, and what it rejects."""

import logging

import numpy as np

from experiments.evaluation import (
  calibration,
  inference,
  rejection,
  temperature,
)
from experiments.foundation.errors import UserError
from experiments.rundir import calibration_file, run_dir
from experiments.rundir.run_record import Answers
from experiments.text import tokenization


def calibrate(
  classifier: inference.Classifier,
  tokens: tokenization.Tokens,
  *,
  directory: run_dir.RunDir,
  split: str,
  step: int,
) -> inference.Classifier:
  """Fits the temperature of a run, and keeps it in its directory.

  Args:
    classifier: its model, at temperature 1.
    tokens: of the validation split, which tell nothing of what is reported on.
    directory: of the run.
    split: what they are, such as 'train[80%:]'.
    step: training steps that the model has seen.

  Returns:
    The model at that temperature.

  Raises:
    UserError: all examples are too long.
  """
  log_probs, kept = classifier.log_probs(tokens)
  if not kept.any():
    raise UserError(
      f'CALIBRATION: no example of {split!r} is short enough to be measured. '
      'Give MAX_LENGTH more.'
    )
  log_probs, targets = log_probs[kept], np.asarray(tokens.labels)[kept]
  found = temperature.fit_temperature(log_probs, targets)
  if not 1.01 * temperature.LOWEST < found < 0.99 * temperature.HIGHEST:
    logging.warning(
      'CALIBRATION: the temperature came to %.3g, the end of its range: %d '
      'examples of %r are too few, or too easy, to fit it.',
      found,
      len(targets),
      split,
    )
  before = measure_sureness(log_probs, targets)
  after = measure_sureness(temperature.rescale(log_probs, found), targets)
  calibration_file.write(
    directory.calibration,
    {
      'method': calibration_file.METHOD,
      'temperature': found,
      'step': step,
      'split': split,
      'n_examples': len(targets),
      'cross_entropy': [before[0], after[0]],
      'expected_calibration_error': [before[1], after[1]],
    },
  )
  return classifier.at_temperature(found)


def measure(
  log_probs: np.ndarray,
  targets: np.ndarray,
  *,
  at: float,
  reject_below: float | None,
  risk: rejection.RiskCoverage | None,
) -> Answers:
  """Measures what calibration and rejection come to.

  Args:
    log_probs: float [examples, classes], at the temperature.
    targets: int [examples], the expected classes.
    at: the temperature.
    reject_below: as REJECT_BELOW.
    risk: by coverage, where that is given.
  """
  answers: Answers = {'calibration': None, 'rejection': None}
  if at != 1:
    before = measure_sureness(temperature.rescale(log_probs, 1 / at), targets)
    answers['calibration'] = {
      'temperature': at,
      'cross_entropy_before': before[0],
      'expected_calibration_error_before': before[1],
    }
  if reject_below is not None and risk is not None:
    found = rejection.reject(reject_below, log_probs=log_probs, targets=targets)
    answers['rejection'] = {
      'threshold': found.threshold,
      'coverage': found.coverage,
      'risk': found.risk,
      'area': risk.area,
    }
  return answers


def measure_sureness(
  log_probs: np.ndarray, targets: np.ndarray
) -> tuple[float, float]:
  """Returns the cross-entropy, in nats, and the expected calibration error.

  Args:
    log_probs: float [examples, classes].
    targets: int [examples], the expected classes.
  """
  rows = np.arange(len(targets))
  return (
    float(-log_probs[rows, targets].mean(dtype=np.float64)),
    calibration.calibrate(log_probs=log_probs, targets=targets).error,
  )


def load_temperature(directory: run_dir.RunDir, step: int) -> float:
  """Returns the temperature of a run; 1 with a warning if it has none yet.

  Args:
    directory: of the run, whose config asks for a temperature.
    step: of the checkpoint that is asked.

  Raises:
    UserError: calibration.json is damaged.
  """
  anew = f'python launcher.py --mode=eval --output_dir={directory.path}'
  try:
    found = calibration_file.read(directory.calibration)
  except ValueError as error:
    raise UserError(
      f'{directory.calibration} is damaged ({error}). Make it anew: {anew}'
    ) from error
  if found is None or found['step'] != step:
    logging.warning(
      'The model of step %d is not calibrated yet, so it answers as it is. To '
      'calibrate it: %s',
      step,
      anew,
    )
    return 1.0
  return found['temperature']
