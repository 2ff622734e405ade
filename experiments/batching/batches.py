"""Forms the batches that a plan names, from token ids kept flat on disk."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from experiments.batching.batch_plan import (
  BatchPlan,
  BucketSummary,
  PlannedBatch,
)
from experiments.batching.buckets import (
  bucket_of,
  check_buckets,
  extend_buckets,
)

__all__ = [
  'BatchPlan',
  'BatchStream',
  'BucketSummary',
  'PlannedBatch',
  'gather',
  'gather_many',
  'single_pass',
  'stack_runs',
  'stack_shapes',
]

# Steps a call: enough to hide the call, few enough to stop soon.
_MAX_STEPS_A_CALL = 16
_MAX_TOKENS_A_CALL = 2**20
_STEPS_PLANNED_AHEAD = 1024


class BatchStream:
  """An endless iterator over the batches of a plan, from any position.

  Attributes:
    tokens: the examples.
    plan: their batches.
    position: the step of the next batch; may be set.
  """

  def __init__(self, tokens, plan: BatchPlan, *, position: int = 0):
    """Starts at a position.

    Args:
      tokens: the examples, `tokenization.Tokens`.
      plan: their batches.
      position: step of the first batch.
    """
    self.tokens = tokens
    self.plan = plan
    self.position = position

  def __iter__(self) -> 'BatchStream':
    return self

  def __next__(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns inputs, targets and weights; see `gather`."""
    batch = self.plan.batch(self.position)
    self.position += 1
    return gather(self.tokens, batch.indices, batch.length)


def gather(
  tokens, indices: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Copies examples into a batch, or into several stacked ones.

  Args:
    tokens: the examples, `tokenization.Tokens`.
    indices: int64 [batch] or [count, batch], which of them.
    length: length in tokens of each row; none of them may be longer.

  Returns:
    inputs int32 [..., batch, length], 0 is padding; targets int32 [..., batch];
    weights float32 [..., batch], all 1.
  """
  flat = indices.reshape(-1)
  shape = indices.shape
  inputs = _rows(tokens, flat, length).reshape(*shape, length)
  targets = tokens.labels[flat].astype(np.int32, copy=False).reshape(shape)
  return inputs, targets, np.ones(shape, np.float32)


def gather_many(
  tokens, plan: BatchPlan, first: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Copies a run of batches, or a part of it; see `BatchPlan.runs`.

  Args:
    tokens: the examples, `tokenization.Tokens`.
    plan: their batches.
    first: step of the first batch.
    count: number of steps.

  Returns:
    inputs int32 [count, batch, length], targets int32 [count, batch] and
    weights float32 [count, batch].
  """
  batches = plan.run_batches(first, count)
  return gather(tokens, batches.indices, batches.length)


def single_pass(
  tokens,
  *,
  boundaries: Sequence[int],
  batch_sizes: Sequence[int],
  max_length: int | None = None,
  min_length: int | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
  """Yields every kept example exactly once, in few shapes.

  Rows are padded to the boundary of their bucket, one of `extend_buckets`, so
  that an example's row does not depend on its neighbours. The last batch of a
  bucket is filled up with empty rows of weight 0.

  Args:
    tokens: the examples, `tokenization.Tokens`.
    boundaries: see `BatchPlan`.
    batch_sizes: see `BatchPlan`.
    max_length: longer examples are left out; None keeps them.
    min_length: shorter examples are left out; None keeps them.

  Yields:
    inputs int32 [batch, length], 0 is padding; targets int32 [batch]; weights
    float32 [batch], 0 for filling; indices int64 [batch], -1 for filling.

  Raises:
    UserError: boundaries and sizes do not fit.
  """
  check_buckets(boundaries, batch_sizes)
  boundaries, batch_sizes = extend_buckets(boundaries, batch_sizes, max_length)
  lengths = np.asarray(tokens.lengths)
  bucket = bucket_of(lengths, boundaries)
  if max_length is not None:
    bucket[lengths > max_length] = -1
  if min_length is not None:
    bucket[lengths < min_length] = -1
  for number, size in enumerate(batch_sizes):
    members = np.flatnonzero(bucket == number)
    for start in range(0, len(members), size):
      some = members[start : start + size]
      if number < len(boundaries):
        length = boundaries[number]
      else:
        length = max(int(lengths[some[0]]), 1)  # Alone in its batch.
      inputs = np.zeros((size, length), np.int32)
      targets = np.zeros(size, np.int32)
      weights = np.zeros(size, np.float32)
      indices = np.full(size, -1, np.int64)
      n = len(some)
      inputs[:n], targets[:n], weights[:n] = gather(tokens, some, length)
      indices[:n] = some
      yield inputs, targets, weights, indices


def _rows(tokens, indices: np.ndarray, length: int) -> np.ndarray:
  """Returns int32 [n, length]: the ids of the examples and then zeros."""
  ids = np.asarray(tokens.ids)
  starts = tokens.offsets[indices]
  lengths = tokens.lengths[indices]
  assert not len(lengths) or lengths.max() <= length
  # A row is a window over the flat ids, wiped behind its example's end: twice
  # the speed of an index for each id. Windows must not pass the end of the ids.
  last = len(ids) - length
  near_end = np.flatnonzero(starts > last)
  if last < 0:
    rows = np.zeros((len(indices), length), ids.dtype)
  else:
    windows = np.lib.stride_tricks.sliding_window_view(ids, length)
    rows = windows[np.minimum(starts, last)]
    small = np.uint16 if length < 2**16 else np.int32
    rows *= np.arange(length, dtype=small) < lengths.astype(small)[:, None]
  for row in near_end:
    start, n = int(starts[row]), int(lengths[row])
    rows[row] = 0
    rows[row, :n] = ids[start : start + n]
  return rows.astype(np.int32, copy=False)


def stack_runs(
  stream: BatchStream,
  first: int,
  stop: int,
  most_steps: Callable[[tuple[int, int]], int] = lambda shape: (
    _MAX_STEPS_A_CALL
  ),
) -> Iterator[tuple[int, int, tuple[np.ndarray, ...]]]:
  """Yields runs of batches of one shape, each for one compiled call.

  Args:
    stream: what they are batches of.
    first: number of the first batch.
    stop: number of the batch after the last.
    most_steps: asked before each run, by the shape of its inputs: how many
      batches it may have.

  Yields:
    The number of the run's first batch, how many they are, and inputs, targets
    and weights with an axis before all others that is as long for every run of
    this shape: what is left of it is 0.
  """
  # A plan looks for the end of a run: of one shape alone, there is none.
  for start in range(first, stop, _STEPS_PLANNED_AHEAD):
    end = min(stop, start + _STEPS_PLANNED_AHEAD)
    for _, begin, count in stream.plan.runs(start, end):
      size, length, k = _stack(stream, begin)
      end_of_run = begin + count
      while begin < end_of_run:
        n = min(k, end_of_run - begin, most_steps((size, length)))
        arrays = gather_many(stream.tokens, stream.plan, begin, n)
        yield begin, n, tuple(_fill_up(array, k) for array in arrays)
        begin += n


def stack_shapes(
  stream: BatchStream, first: int, stop: int
) -> Iterator[tuple[np.ndarray, ...]]:
  """Yields what `stack_runs` yields of each shape, in order of first use.

  Args:
    stream: as of `stack_runs`.
    first: as of `stack_runs`.
    stop: as of `stack_runs`.

  Yields:
    Inputs, targets and weights that are all 0.
  """
  seen = set()
  for _, begin, _ in stream.plan.runs(first, stop):
    size, length, k = _stack(stream, begin)
    if (size, length) not in seen:
      seen.add((size, length))
      yield (
        np.zeros((k, size, length), np.int32),
        np.zeros((k, size), np.int32),
        np.zeros((k, size), np.float32),
      )


def _stack(stream: BatchStream, step: int) -> tuple[int, int, int]:
  """Returns rows and length of a batch, and how many of them go together."""
  batch = stream.plan.batch(step)
  size = len(batch.indices)
  most = _MAX_TOKENS_A_CALL // max(1, size * batch.length)
  return size, batch.length, max(1, min(_MAX_STEPS_A_CALL, most))


def _fill_up(array: np.ndarray, length: int) -> np.ndarray:
  """Returns the array with zeros appended on its first axis."""
  if len(array) == length:
    return array
  filled = np.zeros((length, *array.shape[1:]), array.dtype)
  filled[: len(array)] = array
  return filled
