"""Predictions: from a run directory and texts to labels and probabilities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.config.experiment import BucketConfig
from experiments.evaluation import inference
from experiments.pipeline.data import cut
from experiments.reporting import report
from experiments.text import tokenization

NOT_FINITE = "the model's probabilities are not finite"


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
  max_tokens: int | None,
) -> Classified:
  """Classifies texts by the model of a run.

  Args:
    texts: the texts.
    classifier: the model of the run.
    vocabulary: the vocabulary of the run.
    max_tokens: how many tokens a longer text keeps; None: all.
  """
  tokens = cut(tokenization.tokens_of(texts, vocabulary), max_tokens)
  log_probs, is_kept = classifier.log_probs(tokens)
  return Classified(is_kept, _probabilities(log_probs), tokens.lengths)


def explain_failures(
  classified: Classified, limits: BucketConfig
) -> dict[int, str]:
  """Returns why texts have no probabilities, by their place.

  Args:
    classified: some texts.
    limits: of their lengths.
  """
  is_whole = np.isfinite(classified.probabilities).all(axis=-1)
  return {
    i: NOT_FINITE
    if classified.is_kept[i]
    else explain_length(int(classified.n_tokens[i]), limits)
    for i in np.flatnonzero(~(classified.is_kept & is_whole)).tolist()
  }


def explain_length(n_tokens: int, limits: BucketConfig) -> str:
  """Returns why a text of a number of tokens is left out."""
  if n_tokens < limits.min_length:
    return f'{n_tokens} tokens, at least {limits.min_length} are needed'
  return f'{n_tokens} tokens, at most {limits.max_length} are taken'


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
