"""Predictions of other systems, read as runs.

A file that `system_tables` reads, in the directory that is compared. Which
split it is of is found by its rows: that of a run which expects the same
classes in the same rows.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.comparison import samples
from experiments.comparison.run_reader import Run
from experiments.comparison.samples import NoSampleError, Sample, SystemRun
from experiments.comparison.system_tables import Table, read_table
from experiments.evaluation import metric_names, metrics
from experiments.foundation import plain_text
from experiments.foundation.errors import UserError
from experiments.rundir import run_names

STATUS = 'imported'
# Of what a system holds for impossible, or its cost would be infinite.
_LEAST_PROBABILITY = 1e-7
# What a metric of these needs is which class is predicted.
_OF_CLASSES = (
  *('accuracy', 'macro_f1', 'balanced_accuracy', 'matthews_correlation'),
  *('label_names', 'precision', 'recall', 'f1'),
)


def read_systems(
  paths: Mapping[pathlib.Path, str], runs: Sequence[Run]
) -> list[SystemRun]:
  """Reads files of predictions as runs.

  Args:
    paths: what each is to be called, by its file.
    runs: of this program, whose splits they may be of.

  Returns:
    One for each that is a file of predictions. What is of no run's split has no
    data set and no split.

  Raises:
    UserError: one holds what cannot be.
  """
  tables = {
    name: table
    for path, name in paths.items()
    if (table := read_table(path)) is not None
  }
  known = list(_splits(runs)) if tables else []
  matched: list[SystemRun] = []
  apart: dict[str, Table] = {}
  for name, table in tables.items():
    found = _match(table, known)
    if found:
      run, sample = found
      matched.append(_run(name, table, sample.labels, run.dataset, run.split))
      continue
    apart[name] = table
    if known:
      logging.warning(
        '%s stands apart: %s', table.path, _difference(table, *known[0])
      )
  labels = sorted({each for table in apart.values() for each in table.classes})
  for name, table in apart.items():
    matched.append(_run(name, table, tuple(labels), '', ''))
  return matched


def _splits(runs: Sequence[Run]) -> Iterator[tuple[Run, Sample]]:
  """Yields a run of each split with what it said."""
  done = set()
  for run in itertools.chain.from_iterable((x, x.test) for x in runs):
    if run is None or (run.dataset, run.pooled_split) in done:
      continue
    try:
      (sample,) = samples.read_samples(_folds_of(run, runs))
    except NoSampleError:
      continue
    yield dataclasses.replace(run, split=run.pooled_split), sample
    done.add((run.dataset, run.pooled_split))


def _folds_of(run: Run, runs: Sequence[Run]) -> list[Run]:
  """Returns the runs that differ from one in their fold; else it alone."""
  if run.fold is None:
    return [run]
  same = {
    each.fold: each
    for each in runs
    if (each.seed, each.settings) == (run.seed, run.settings)
  }
  return list(same.values())


def _match(
  table: Table, known: Sequence[tuple[Run, Sample]]
) -> tuple[Run, Sample] | None:
  """Returns the split that a file is of, by a run of it."""
  found = [
    (len(np.intersect1d(table.rows, sample.rows, assume_unique=True)), -i)
    for i, (_, sample) in enumerate(known)
    if not _wrong_rows(table, sample)
  ]
  n_shared, i = max(found, default=(0, 0))
  return known[-i] if n_shared else None


def _wrong_rows(table: Table, sample: Sample) -> list[tuple[int, str, str]]:
  """Returns rows of which another class is expected: number, and both."""
  rows, own, other = np.intersect1d(
    table.rows, sample.rows, assume_unique=True, return_indices=True
  )
  expected = [sample.labels[i] for i in sample.expected[other]]
  return [
    (int(row), table.expected[i], name)
    for row, i, name in zip(rows, own, expected, strict=True)
    if table.expected[i] != name
  ]


def _difference(table: Table, run: Run, sample: Sample) -> str:
  wrong = _wrong_rows(table, sample)
  name = plain_text.escape_line(run.name)
  if not wrong:
    return f'it has no row that {name} has'
  row, own, other = wrong[0]
  return f'it expects {own!r} in row {row}, and {name} expects {other!r}'


def _run(
  name: str,
  table: Table,
  labels: tuple[str, ...],
  dataset: str,
  split: str,
) -> SystemRun:
  """Returns a file as a run.

  Raises:
    UserError: it names a class that the split does not have.
  """
  ids = {label: i for i, label in enumerate(labels)}
  unknown = sorted(table.classes - set(ids))
  if unknown:
    shown = plain_text.one_line(', '.join(labels))[:200]
    raise UserError(
      f'{table.path}: {unknown[0]!r} is no class of {dataset}. There are '
      f'{shown}.'
    )
  sample = Sample(
    labels=labels,
    rows=table.rows,
    expected=np.array([ids[each] for each in table.expected], np.int32),
    text_digests=None,
    log_probs=_log_probs(table, ids),
    has_probabilities=bool(table.probabilities),
    text_settings=(),
  )
  measured = metrics.evaluate_log_probs(
    log_probs=sample.log_probs,
    targets=sample.expected,
    label_names=list(labels),
  ).to_dict()
  if not sample.has_probabilities:
    measured = {key: measured[key] for key in _OF_CLASSES}
  without_suffix = os.path.splitext(name)[0]
  seed = run_names.seed_of(without_suffix)
  return SystemRun(
    name=name,
    path=table.path,
    bindings={} if seed is None else {'SEED': seed},
    overrides=(),
    status=STATUS,
    steps=0,
    seconds=None,
    metrics={
      key: value for key, value in measured.items() if isinstance(value, float)
    },
    error=None,
    dataset=dataset,
    split=split,
    n_examples=len(table.rows),
    lists={
      key: value for key, value in measured.items() if key in metric_names.LISTS
    },
    system=run_names.without_seed(without_suffix) or name,
    sample=sample,
  )


def _log_probs(table: Table, ids: Mapping[str, int]) -> np.ndarray:
  """Returns float32 [n, classes], of which the predicted class has the most."""
  shape = len(table.rows), len(ids)
  probabilities = np.full(shape, _LEAST_PROBABILITY)
  for label, values in table.probabilities.items():
    probabilities[:, ids[label]] = values.clip(_LEAST_PROBABILITY)
  predicted = np.array([ids[each] for each in table.predicted])
  rows = np.arange(shape[0])
  if not table.probabilities:
    probabilities[rows, predicted] = 1
  # Of classes that are as likely, the one that the system took.
  tied = probabilities.argmax(axis=1) != predicted
  probabilities[rows[tied], predicted[tied]] *= 1 + 1e-5
  log_probs = np.log(probabilities / probabilities.sum(axis=1, keepdims=True))
  return log_probs.astype(np.float32)
