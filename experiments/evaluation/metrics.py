"""What a model's log-probabilities say about it, over a whole split."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.evaluation import calibration, ranking
from experiments.foundation.errors import UserError

# exp() of float32 log-probabilities sums to 1 within 1e-6 for a few classes and
# within 1e-4 for ten thousand.
_NORMALISATION_TOLERANCE = 1e-3
_PER_CLASS = (
  *('precision', 'recall', 'f1', 'support', 'label_names'),
  *('class_auroc', 'class_average_precision', 'rank_counts'),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
  """One exact pass over a split: every example counted once.

  Per-class values are in the order of `label_names`. A ratio without
  denominator (the precision of a class never predicted) is 0.

  Attributes:
    n_examples: examples evaluated.
    n_dropped: examples of the split that were not, being too long.
    accuracy: share of examples whose likeliest class is the expected one.
    cross_entropy: mean of -log p(expected class), in nats.
    macro_f1: unweighted mean of `f1` over the classes that are expected or
      predicted at least once, as scikit-learn has it: of a class that is
      neither, the split says nothing, and 0 would say that it is always wrong.
    expected_calibration_error: mean distance between how sure the model is and
      how often it is right, see `calibration.Calibration.error`.
    precision: per class, of all predicted as it, the share that is it.
    recall: per class, of all that are it, the share predicted as it.
    f1: per class, harmonic mean of precision and recall.
    support: per class, the number of examples expected as it.
    confusion: int64 [classes, classes], rows expected, columns predicted.
    label_names: the classes by name; a class's id is its index.
    balanced_accuracy: mean of `recall` over the classes that are expected.
    matthews_correlation: 1 for all right, about 0 for guesses (Gorodkin 2004,
      doi:10.1016/j.compbiolchem.2004.09.006); 0 where it has no denominator.
    brier_score: mean squared distance of the probabilities of all classes from
      0 and 1, summed over classes (Brier 1950): from 0 to 2.
    auroc: mean of `class_auroc` over the classes that have one, NaN for none.
    average_precision: mean of `class_average_precision`, likewise.
    class_auroc: per class, against all others, see `ranking.Ranking`.
    class_average_precision: per class, likewise.
    rank_counts: see `ranking.Ranking`.
  """

  n_examples: int
  n_dropped: int
  accuracy: float
  cross_entropy: float
  macro_f1: float
  expected_calibration_error: float
  precision: tuple[float, ...]
  recall: tuple[float, ...]
  f1: tuple[float, ...]
  support: tuple[int, ...]
  confusion: np.ndarray
  label_names: tuple[str, ...]
  # Runs of earlier versions lack these.
  balanced_accuracy: float = math.nan
  matthews_correlation: float = math.nan
  brier_score: float = math.nan
  auroc: float = math.nan
  average_precision: float = math.nan
  class_auroc: tuple[float, ...] = ()
  class_average_precision: tuple[float, ...] = ()
  rank_counts: tuple[int, ...] = ()

  @property
  def is_seen(self) -> np.ndarray:
    """Which are expected or predicted at least once: bool [classes]."""
    return (self.confusion.sum(axis=0) + self.confusion.sum(axis=1)) > 0

  def scalars(self) -> dict[str, float]:
    """Returns the numbers that runs are compared by."""
    return {
      'accuracy': self.accuracy,
      'cross_entropy': self.cross_entropy,
      'macro_f1': self.macro_f1,
      'expected_calibration_error': self.expected_calibration_error,
    }

  def to_dict(self) -> dict[str, Any]:
    """Returns all fields as what JSON can hold; `from_dict` reads it."""
    result: dict[str, Any] = {}
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if isinstance(value, np.ndarray):
        value = value.tolist()
      elif isinstance(value, tuple):
        value = list(value)
      result[field.name] = value
    return result

  @classmethod
  def from_dict(cls, values: Mapping[str, Any]) -> Evaluation:
    """Returns the evaluation that `to_dict` gave `values` for.

    Args:
      values: a mapping of all fields; others are ignored.

    Raises:
      ValueError: a field is missing, or of another number of classes.
    """
    every = dataclasses.fields(cls)
    names = [field.name for field in every if field.name in values]
    missing = [
      field.name
      for field in every
      if field.name not in values and field.default is dataclasses.MISSING
    ]
    if missing:
      raise ValueError(f'evaluation without {", ".join(missing)}')
    fields = {name: _not_null(values[name]) for name in names}
    n_classes = len(fields['label_names'])
    for name in _PER_CLASS:
      if name not in fields:
        continue
      fields[name] = tuple(map(_not_null, fields[name]))
      if len(fields[name]) != n_classes:
        raise ValueError(f'metrics.{name} is not of {n_classes} classes')
    rows = fields['confusion']
    if {len(rows), *map(len, rows)} != {n_classes}:
      raise ValueError(f'metrics.confusion is not of {n_classes} classes')
    fields['confusion'] = np.asarray(rows, np.int64)
    return cls(**fields)


def _not_null(value: Any) -> Any:
  """Returns NaN for null, which stands for it in JSON."""
  return math.nan if value is None else value


def evaluate_log_probs(
  *,
  log_probs: np.ndarray,
  targets: np.ndarray,
  label_names: Sequence[str],
  n_dropped: int = 0,
) -> Evaluation:
  """Computes every metric of a split from its log-probabilities.

  Args:
    log_probs: float [examples, classes], log p(class), natural logarithm.
    targets: int [examples], the expected classes, 0 to classes - 1.
    label_names: the classes by name, in the order of their ids.
    n_dropped: examples of the split that are not in `log_probs`.

  Returns:
    The evaluation. Sums are taken in float64. Where classes tie, the lowest id
    is the predicted one.

  Raises:
    UserError: there is no example, or `log_probs` are not log-probabilities
      (a model that does not end in a log-softmax).
    ValueError: a shape, a dtype or a target does not fit.
  """
  log_probs, targets = np.asarray(log_probs), np.asarray(targets)
  _check_arrays(log_probs, targets, label_names, n_dropped)
  log_probs = log_probs.astype(np.float64)
  _check_normalised(log_probs)

  predicted = log_probs.argmax(axis=-1)
  n_classes = len(label_names)
  confusion = np.bincount(
    targets.astype(np.int64) * n_classes + predicted, minlength=n_classes**2
  ).reshape(n_classes, n_classes)
  right, support = confusion.diagonal(), confusion.sum(axis=1)
  n_predicted = confusion.sum(axis=0)
  f1 = _ratios(2 * right, support + n_predicted)
  rows = np.arange(len(targets))
  log_likelihoods = log_probs[rows, targets]
  recall = _ratios(right, support)
  ranked = ranking.rank(log_probs=log_probs, targets=targets)
  # (p - 1)**2 of the expected class, p**2 of the others.
  squares = np.square(np.exp(log_probs)).sum(axis=1)
  squares += 1 - 2 * np.exp(log_likelihoods)
  return Evaluation(
    n_examples=len(targets),
    n_dropped=int(n_dropped),
    accuracy=float(np.mean(predicted == targets)),
    # + 0.0: a perfect model's cross-entropy is 0.0, not -0.0.
    cross_entropy=float(-np.mean(log_likelihoods)) + 0.0,
    macro_f1=float(np.mean(f1[support + n_predicted > 0])),
    expected_calibration_error=calibration.calibrate(
      log_probs=log_probs, targets=targets
    ).error,
    precision=tuple(_ratios(right, n_predicted).tolist()),
    recall=tuple(recall.tolist()),
    f1=tuple(f1.tolist()),
    support=tuple(support.tolist()),
    confusion=confusion,
    label_names=tuple(label_names),
    balanced_accuracy=float(np.mean(recall[support > 0])),
    matthews_correlation=_correlation(right, support, n_predicted),
    brier_score=float(np.mean(squares)),
    auroc=_mean_of_some(ranked.auroc),
    average_precision=_mean_of_some(ranked.average_precision),
    class_auroc=tuple(ranked.auroc.tolist()),
    class_average_precision=tuple(ranked.average_precision.tolist()),
    rank_counts=tuple(ranked.rank_counts.tolist()),
  )


def _correlation(
  right: np.ndarray, support: np.ndarray, n_predicted: np.ndarray
) -> float:
  """Returns Matthews' coefficient from counts by class."""
  n = float(support.sum())
  margins = (support.astype(np.float64), n_predicted.astype(np.float64))
  covariance = n * float(right.sum()) - float(margins[0] @ margins[1])
  spread = math.prod(n**2 - float(each @ each) for each in margins)
  return covariance / math.sqrt(spread) if spread > 0 else 0.0


def _mean_of_some(values: np.ndarray) -> float:
  """Returns the mean of what is not NaN; NaN if nothing is."""
  values = values[~np.isnan(values)]
  return float(values.mean()) if len(values) else math.nan


def _ratios(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
  """Returns float64 quotients, 0 where there is no denominator."""
  return numerators / np.maximum(denominators, 1)


def _check_arrays(
  log_probs: np.ndarray,
  targets: np.ndarray,
  label_names: Sequence[str],
  n_dropped: int,
) -> None:
  n_classes = len(label_names)
  if log_probs.ndim != 2 or log_probs.shape[1] != n_classes:
    raise ValueError(
      f'log_probs have shape {log_probs.shape}, '
      f'expected (examples, {n_classes}): one column a label name'
    )
  if not np.issubdtype(log_probs.dtype, np.floating):
    raise ValueError(f'log_probs are {log_probs.dtype}, expected a float dtype')
  if targets.shape != log_probs.shape[:1]:
    raise ValueError(
      f'targets have shape {targets.shape}, expected {log_probs.shape[:1]}: '
      'one class an example'
    )
  if not np.issubdtype(targets.dtype, np.integer):
    raise ValueError(f'targets are {targets.dtype}, expected an int dtype')
  if not targets.size:
    raise UserError(
      f'nothing to evaluate: {n_dropped} examples were dropped as too long '
      'and none is left. Raise MAX_LENGTH or evaluate another split.'
    )
  if targets.min() < 0 or targets.max() >= n_classes:
    raise ValueError(
      f'targets go from {targets.min()} to {targets.max()}, '
      f'expected 0 to {n_classes - 1}'
    )


def _check_normalised(log_probs: np.ndarray) -> None:
  # exp() of large logits may be inf: then the sum is wrong, as it should be.
  with np.errstate(over='ignore'):
    sums = np.exp(log_probs).sum(axis=-1)
  # Negated so that NaN is caught as well.
  wrong = np.flatnonzero(~(np.abs(sums - 1) <= _NORMALISATION_TOLERANCE))
  if wrong.size:
    raise UserError(
      f"the model's outputs are not log-probabilities: for {wrong.size} of "
      f'{len(sums)} examples the classes sum to something else than 1 '
      f'(example {wrong[0]}: {sums[wrong[0]]:.6g}).\n'
      'The last layer of MODEL must be tl.LogSoftmax(), and its weights finite.'
    )
