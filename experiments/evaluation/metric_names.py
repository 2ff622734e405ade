"""Metrics by name: those of a whole split, and those of one class or of k.

`accuracy`, `f1:spam`, `top_3_accuracy`: by such a name a sweep chooses, a run
keeps its best checkpoint, and a comparison has a column.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

# Less is better in metrics, of any system, with these words in their names.
_MINIMIZED = ('cross_entropy', 'loss', 'error', 'brier')
# Metrics of the whole split, named as the fields of `metrics.Evaluation`.
OF_ALL = (
  'accuracy',
  'cross_entropy',
  'macro_f1',
  'expected_calibration_error',
  'balanced_accuracy',
  'matthews_correlation',
  'auroc',
  'average_precision',
  'brier_score',
)
_USUAL = OF_ALL[:4]
# How large a model is: of a run, not of what it was measured on.
N_WEIGHTS = 'n_weights'
# Of one class, as 'f1:spam', by the field that holds a list.
OF_A_CLASS: Mapping[str, str] = {
  'f1': 'f1',
  'precision': 'precision',
  'recall': 'recall',
  'auroc': 'class_auroc',
  'average_precision': 'class_average_precision',
}
_TOP = re.compile(r'top_([1-9]\d{0,5})_accuracy')
# What of run.json is not a number by itself, and is needed for the above.
LISTS = ('label_names', *OF_A_CLASS.values(), 'rank_counts')
EXPECTED = (
  f'{", ".join(OF_ALL)}, top_3_accuracy, or of one class '
  f'{", ".join(f"{name}:CLASS" for name in OF_A_CLASS)}'
)


def is_known(name: str) -> bool:
  """Tells whether a name is a metric's, whatever the classes are."""
  kind, colon, of_class = name.partition(':')
  if colon:
    return kind in OF_A_CLASS and bool(of_class)
  return name in OF_ALL or bool(_TOP.fullmatch(name))


def is_objective(name: str) -> bool:
  """Tells whether runs can be ranked by it: a metric, or a model's size."""
  return name == N_WEIGHTS or is_known(name)


def is_rare(name: str) -> bool:
  """Tells whether a metric is shown only to who asks for it."""
  return is_objective(name) and name not in _USUAL


def is_minimized(name: str) -> bool:
  """Tells whether less of a metric is better; of all others more is."""
  # Of one class, it does not matter what that is called.
  kind = name.lower().partition(':')[0]
  return name == N_WEIGHTS or any(word in kind for word in _MINIMIZED)


def show_value(name: str, value: float) -> str:
  """Returns the value of a metric as tables have it."""
  return f'{value:,.0f}' if name == N_WEIGHTS else f'{value:.4f}'


def class_of(name: str) -> str:
  """Returns the class that a metric is of; '' for all."""
  return name.partition(':')[2]


def n_first(name: str) -> int | None:
  """Returns k of a metric such as 'top_3_accuracy'; None of any other."""
  top = _TOP.fullmatch(name)
  return int(top[1]) if top else None


def check_class(
  name: str, *, setting: str, labels: Sequence[str], dataset: str
) -> None:
  """Checks that a data set has the class that a metric is of.

  Args:
    name: of the metric.
    setting: which names it.
    labels: the classes of the data set.
    dataset: its name.

  Raises:
    UserError: it has not.
  """
  of_class = class_of(name)
  if of_class and of_class not in labels:
    raise UserError(
      f'{setting} is {name!r}, and {dataset} has no class {of_class!r}.'
      + did_you_mean(of_class, labels)
    )


def find_value(found: Mapping[str, Any], name: str) -> float | None:
  """Looks a metric up.

  Args:
    found: of `metrics.Evaluation.to_dict`, perhaps of an earlier version.
    name: of the metric.

  Returns:
    Its value; None if that is not known.
  """
  value: Any = None
  k = n_first(name)
  kind, colon, of_class = name.partition(':')
  if colon and kind in OF_A_CLASS:
    values = found.get(OF_A_CLASS[kind]) or ()
    names = list(found.get('label_names') or ())
    if of_class in names and len(values) == len(names):
      value = values[names.index(of_class)]
  elif k:
    counts = found.get('rank_counts')
    if counts and sum(counts):
      value = sum(counts[:k]) / sum(counts)
  else:
    value = found.get(name)
  if isinstance(value, bool) or not isinstance(value, int | float):
    return None
  return float(value)


def measure(
  name: str, *, log_probs, targets, label_names: Sequence[str]
) -> float | None:
  """Measures one metric.

  Args:
    name: of the metric.
    log_probs: as of `metrics.evaluate_log_probs`.
    targets: likewise.
    label_names: likewise.

  Returns:
    Its value; None where it is not defined, as of a class without examples.
  """
  # Not for who only looks values up.
  from experiments.evaluation import metrics

  evaluation = metrics.evaluate_log_probs(
    log_probs=log_probs, targets=targets, label_names=label_names
  )
  value = find_value(evaluation.to_dict(), name)
  return None if value is None or math.isnan(value) else value
