"""Classes that a model is measured on and has never seen."""

import logging
from collections.abc import Sequence

import numpy as np

from experiments.foundation import plain_text

_MOST_NAMES = 3


def warn(
  train: np.ndarray,
  measured: np.ndarray,
  *,
  label_names: Sequence[str],
  splits: tuple[str, str],
) -> None:
  """Says so where there are any, as in a slice of rows sorted by class.

  Args:
    train: int [n], ids of the classes of the examples that are trained on.
    measured: int [m], of those that are evaluated.
    label_names: the classes by name.
    splits: what both are, such as 'train[:80%]' and 'train[80%:]'.
  """
  n_classes = len(label_names)
  n_trained = np.bincount(train, minlength=n_classes)
  n_measured = np.bincount(measured, minlength=n_classes)
  missing = np.flatnonzero((n_trained == 0) & (n_measured > 0))
  if not len(missing):
    return
  names = [
    plain_text.shorten_name(label_names[i]) for i in missing[:_MOST_NAMES]
  ]
  if len(missing) > _MOST_NAMES:
    names.append(f'{len(missing) - _MOST_NAMES} more')
  hint = ''
  if '[' in splits[0]:
    hint = (
      ' If its rows are sorted by class, cut folds instead of slices: '
      'N_FOLDS = 5 and FOLD = 0 keep the shares of all classes.'
    )
  logging.warning(
    '%s has no example of %s, which %d of the %d examples of %s are.%s',
    splits[0],
    ', '.join(names),
    n_measured[missing].sum(),
    len(measured),
    splits[1],
    hint,
  )
