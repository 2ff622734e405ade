"""Predictions: from a run directory and texts to labels and probabilities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.evaluation import inference
from experiments.foundation.errors import UserError
from experiments.pipeline import experiment, saved_model
from experiments.reporting import report
from experiments.rundir import run_dir
from experiments.text import tokenization
from experiments.training import programs


class Classified(NamedTuple):
  """What a model says of some texts.

  Attributes:
    is_kept: bool [texts], False where a text is too short or too long.
    probabilities: float64 [texts, n_classes], NaN where a text is not kept.
    n_tokens: int64 [texts], number of token ids.
  """

  is_kept: np.ndarray
  probabilities: np.ndarray
  n_tokens: np.ndarray


def classify(
  texts: Sequence[str],
  *,
  classifier: inference.Classifier,
  vocabulary: tokenization.Vocabulary,
) -> Classified:
  """Classifies texts by the model of a run, whose config is applied.

  Args:
    texts: the texts.
    classifier: the model of the run.
    vocabulary: the vocabulary of the run.
  """
  tokens = experiment.cut(tokenization.tokens_of(texts, vocabulary))
  log_probs, is_kept = classifier.log_probs(tokens)
  return Classified(is_kept, _probabilities(log_probs), tokens.lengths)


def load_classifier(
  directory: run_dir.RunDir,
) -> tuple[inference.Classifier, int]:
  """Loads the model of a run, whose config is applied.

  Args:
    directory: a run directory.

  Returns:
    The classifier, and the step of its checkpoint.

  Raises:
    UserError: there is no checkpoint, or it does not fit the model.
  """
  saved = saved_model.load(directory)
  model = experiment.make_model(
    n_classes=len(directory.read_run()['labels']), mode='eval'
  )
  weights, state = map(
    saved_model.fill,
    programs.kept('signatures', lambda: experiment.signatures(model)),
    (saved.weights, saved.state),
  )
  if weights is None or state is None:
    raise UserError(
      f'The checkpoint in {directory.checkpoints} does not fit the model: the '
      'code of the model has changed since it was trained.'
    )
  classifier = inference.Classifier(
    model, weights=weights, state=state, **experiment.buckets()
  )
  return classifier, saved.step


def describe(
  *,
  text: str,
  log_probs: np.ndarray,
  label_names: Sequence[str],
  n_tokens: int,
  expected: str | None = None,
) -> report.Prediction:
  """Names a row of log-probabilities.

  Args:
    text: the text.
    log_probs: float32 [n_classes].
    label_names: the classes by name.
    n_tokens: number of token ids of the text.
    expected: the class by name, if it is known.
  """
  return report.Prediction(
    text=text,
    expected=expected,
    label=label_names[int(np.argmax(log_probs))],
    probabilities=dict(
      zip(label_names, _probabilities(log_probs).tolist(), strict=True)
    ),
    n_tokens=n_tokens,
  )


def _probabilities(log_probs: np.ndarray) -> np.ndarray:
  """Returns float64 [..., n_classes], whose rows sum to 1.

  Args:
    log_probs: float32 [..., n_classes].
  """
  probabilities = np.exp(log_probs.astype(np.float64))
  # What float32 rounded off.
  return probabilities / probabilities.sum(axis=-1, keepdims=True)
