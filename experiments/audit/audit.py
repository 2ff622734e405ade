"""All that is asked of a data set before it is believed."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from experiments.audit import giveaways, label_doubts, odd_texts
from experiments.audit.duplicates import Duplicates, Leak, find_duplicates
from experiments.audit.lengths import Lengths, measure_lengths
from experiments.audit.rows import Rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
  """What of long and short texts a run leaves out.

  Attributes:
    max_length: as MAX_LENGTH, in tokens.
    is_cut: whether longer texts are cut to it; else they are left out.
  """

  max_length: int
  is_cut: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOpinion:
  """What a model that has not learned some rows says of them.

  Attributes:
    name: of its run directory.
    rows: int64 [m], places in the audit's rows.
    log_probs: float32 [m, classes].
    n_missing: how many of what it was asked is not among the audit's rows.
  """

  name: str
  rows: np.ndarray
  log_probs: np.ndarray
  n_missing: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audit:
  """What was found.

  Attributes:
    dataset: its name.
    rows: all rows.
    counts: int64 [splits, classes].
    limits: what MAX_LENGTH does.
    lengths: of all rows.
    lengths_by_class: by class.
    duplicates: equal and nearly equal texts.
    leaks: of each later split from each earlier one, if any row is leaked.
    odd: places of odd texts by kind.
    garbled: texts whose encoding has gone wrong.
    giveaways: what gives labels away.
    opinion: what a model said, or None.
    doubts: rows whose labels it denies, as places in the audit's rows.
  """

  dataset: str
  rows: Rows
  counts: np.ndarray
  limits: Limits
  lengths: Lengths
  lengths_by_class: list[Lengths]
  duplicates: Duplicates
  leaks: list[Leak]
  odd: dict[str, list[int]]
  garbled: list[odd_texts.Garbled]
  giveaways: giveaways.Giveaways
  opinion: RunOpinion | None
  doubts: label_doubts.Doubts | None

  @property
  def imbalance(self) -> float:
    """How many rows the largest class of the first split has to the smallest.

    Infinity where a class has none.
    """
    counts = self.counts[0]
    least = int(counts.min())
    return float(counts.max() / least) if least else float('inf')

  def unlikeness(self, split: int) -> float:
    """Returns by what share of its rows a split's classes differ from train's.

    Args:
      split: which, by its place.
    """
    shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
    return float(np.abs(shares[split] - shares[0]).sum() / 2)


def audit_rows(
  rows: Rows,
  *,
  dataset: str,
  n_tokens: np.ndarray,
  limits: Limits,
  opinion: RunOpinion | None = None,
) -> Audit:
  """Looks at everything.

  Args:
    rows: all rows.
    dataset: its name.
    n_tokens: int [n], the length of each row.
    limits: what MAX_LENGTH does.
    opinion: of a finished run; None: there is none.
  """
  duplicates = find_duplicates(rows)
  splits = range(len(rows.split_names))
  found = (
    duplicates.leak(source, target)
    for source, target in itertools.combinations(splits, 2)
  )
  n_classes = len(rows.label_names)
  counts = [
    np.bincount(rows.labels[rows.of(split)], minlength=n_classes)
    for split in splits
  ]
  of_all, by_class = measure_lengths(
    n_tokens, rows.labels, n_classes, limits.max_length
  )
  doubts = None
  if opinion is not None:
    doubts = label_doubts.find_doubts(
      opinion.log_probs, rows.labels[opinion.rows]
    )
    doubts = doubts._replace(rows=opinion.rows[doubts.rows])
  return Audit(
    dataset=dataset,
    rows=rows,
    counts=np.stack(counts),
    limits=limits,
    lengths=of_all,
    lengths_by_class=by_class,
    duplicates=duplicates,
    leaks=[leak for leak in found if len(leak.rows)],
    odd=odd_texts.find_odd_texts(rows.texts),
    garbled=list(odd_texts.find_garbled(rows.texts)),
    giveaways=giveaways.find_giveaways(rows, duplicates.groups),
    opinion=opinion,
    doubts=doubts,
  )
