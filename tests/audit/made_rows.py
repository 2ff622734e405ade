"""Rows made for a test."""

import numpy as np

from experiments.audit.audit import Limits, audit_rows
from experiments.audit.rows import Rows


def rows_of(labels, **splits):
  """Returns rows; each split is a list of texts and names of classes."""
  return Rows.of_splits(
    [
      (
        name,
        [text for text, _ in rows],
        [labels.index(label) for _, label in rows],
      )
      for name, rows in splits.items()
    ],
    labels,
  )


def audit_of(rows, *, max_length=8, opinion=None):
  """Audits rows; their lengths are in words."""
  return audit_rows(
    rows,
    dataset='made_up:1.0.0',
    n_tokens=np.array([len(text.split()) for text in rows.texts]),
    limits=Limits(max_length=max_length, is_cut=False),
    opinion=opinion,
  )
