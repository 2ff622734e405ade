"""What runs said of the same examples.

Two runs can be compared example by example where they kept their predictions,
and where a row of one is the same row in the other: the number in the split,
the expected class and, if both read the same columns, the text.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.comparison.run_reader import Run
from experiments.foundation.errors import UserError
from experiments.rundir import predictions_file, run_dir

# What of a config decides which text a row has.
_TEXT_SETTINGS = ('TFDS.keys', 'experiment.text_separator')
# How far the accuracy that run.json has may be from that of the predictions.
_ROUNDING = 1e-6
_KEEP = '--mode=eval keeps them'


class Sample(NamedTuple):
  """What one run said of a split.

  Attributes:
    labels: the classes by name; a class's id is its index.
    rows: int64 [n], numbers in the split, increasing.
    expected: int [n], ids of the expected classes.
    text_digests: S16 [n]; None of a system that kept none.
    log_probs: float [n, classes], natural logarithm.
    has_probabilities: whether these are more than which class is predicted.
    text_settings: of which columns a text is made.
  """

  labels: tuple[str, ...]
  rows: np.ndarray
  expected: np.ndarray
  text_digests: np.ndarray | None
  log_probs: np.ndarray
  has_probabilities: bool
  text_settings: tuple[str | None, ...]

  def only(self, rows: np.ndarray) -> Sample:
    """Returns what it says of some of its rows, int64, increasing."""
    if np.array_equal(rows, self.rows):
      return self
    places = np.searchsorted(self.rows, rows)
    digests = self.text_digests
    return self._replace(
      rows=rows,
      expected=self.expected[places],
      text_digests=None if digests is None else digests[places],
      log_probs=self.log_probs[places],
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SystemRun(Run):
  """A file of predictions of another system.

  Attributes:
    sample: what it holds.
  """

  sample: Sample


@dataclasses.dataclass(frozen=True)
class NoSampleError(Exception):
  """A run cannot be compared by its examples.

  Attributes:
    reason: why, such as 'no row in common'.
  """

  reason: str

  def __str__(self) -> str:
    return self.reason


def read_sample(run: Run) -> Sample:
  """Reads what a run kept of the split that its metrics are of.

  Args:
    run: any run.

  Raises:
    NoSampleError: it kept nothing that can be used.
  """
  if isinstance(run, SystemRun):
    return run.sample
  if not run.n_examples:
    raise NoSampleError('nothing measured')
  file = run_dir.RunDir(run.path).predictions_of(run.split)
  try:
    kept = predictions_file.read(file)
  except FileNotFoundError:
    raise NoSampleError(f'no predictions kept; {_KEEP}') from None
  except UserError as error:
    raise NoSampleError(str(error).rstrip('.')) from error
  except OSError as error:
    raise NoSampleError(f'{file}: {error.strerror}') from error
  if (kept.dataset, kept.split) != (run.dataset, run.split):
    raise NoSampleError(
      f'predictions of {kept.dataset}, {kept.split}; {_KEEP} of {run.split}'
    )
  measured = run.metrics.get('accuracy', math.nan)
  right = kept.log_probs.argmax(axis=-1) == kept.expected
  if not abs(np.mean(right) - measured) < _ROUNDING:
    raise NoSampleError(
      f'predictions of another evaluation than run.json has; {_KEEP}'
    )
  return Sample(
    labels=kept.labels,
    rows=kept.rows,
    expected=kept.expected,
    text_digests=kept.text_digests,
    log_probs=kept.log_probs,
    has_probabilities=True,
    text_settings=_text_settings(run.settings),
  )


def read_samples(runs: Sequence[Run]) -> list[Sample]:
  """Reads what the runs of a config kept; the folds of a seed are one sample.

  Args:
    runs: that differ in seed or fold alone. Folds that nothing is measured on
      yet are left out.

  Returns:
    One a seed.

  Raises:
    NoSampleError: one kept nothing that can be used.
  """
  by_seed: dict[str | None, list[Run]] = {}
  for run in runs:
    if run.fold is None or run.n_examples:
      by_seed.setdefault(run.seed, []).append(run)
  if not by_seed:
    raise NoSampleError('nothing measured')
  return [_pool(list(map(read_sample, some))) for some in by_seed.values()]


def _pool(parts: Sequence[Sample]) -> Sample:
  """Returns as one what was said of rows that have nothing in common."""
  first = parts[0]
  if len(parts) == 1:
    return first
  if any(part.labels != first.labels for part in parts):
    raise NoSampleError('folds with other classes')
  rows = np.concatenate([part.rows for part in parts])
  order = np.argsort(rows, kind='stable')
  if (np.diff(rows[order]) == 0).any():
    raise NoSampleError('folds with rows in common: the data have changed')
  digests = [x.text_digests for x in parts if x.text_digests is not None]
  return first._replace(
    rows=rows[order],
    expected=np.concatenate([part.expected for part in parts])[order],
    text_digests=np.concatenate(digests)[order],
    log_probs=np.concatenate([part.log_probs for part in parts])[order],
  )


def _text_settings(settings: Mapping[str, str]) -> tuple[str | None, ...]:
  return tuple(settings.get(name) for name in _TEXT_SETTINGS)


def match(samples: Sequence[Sample]) -> list[Sample]:
  """Returns samples on the rows that all of them have.

  Args:
    samples: at least one.

  Raises:
    NoSampleError: they have no row in common, or what they call by one number
      is not one example.
  """
  first = samples[0]
  rows = functools.reduce(_intersect, (each.rows for each in samples))
  if not len(rows):
    raise NoSampleError('no row in common')
  matched = [first.only(rows)]
  for sample in samples[1:]:
    if sample.labels != first.labels:
      raise NoSampleError('other classes')
    matched.append(sample.only(rows))
    n_other = np.count_nonzero(_differ(matched[0], matched[-1]))
    if n_other:
      raise NoSampleError(
        f'other texts or classes in {n_other:,} of {len(rows):,} rows'
      )
  return matched


def _intersect(first: np.ndarray, second: np.ndarray) -> np.ndarray:
  if np.array_equal(first, second):
    return first
  return np.intersect1d(first, second, assume_unique=True)


def _differ(first: Sample, second: Sample) -> np.ndarray:
  """Returns bool [n]: where rows of one number are not one example."""
  differ = first.expected != second.expected
  if (
    first.text_digests is not None
    and second.text_digests is not None
    and first.text_settings == second.text_settings
  ):
    differ = differ | (first.text_digests != second.text_digests)
  return differ
