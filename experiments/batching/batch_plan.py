"""Buckets examples by length and plans, in closed form, the batch of any step.

The batches are those that trax forms, of the same examples in the same order,
by `data.Serial(FilterByLength(...), BucketByLength(...), AddLossWeights())`.
The order is endless: epoch after epoch, each a permutation of all examples, and
half-filled buckets are carried over the seam. So nothing is sampled twice,
nothing is lost, and the batch at step n depends on data, config, seed and n
alone.

Two facts give random access. An epoch adds the same number c of examples to a
bucket each time, so before epoch e a bucket of batch size s has emitted
floor(e * c / s) batches, whatever the order was. And its batch number j is made
of the elements j * s to (j + 1) * s of the endless sequence of that bucket.
"""

import bisect
import collections
import dataclasses
import itertools
import typing
from collections.abc import Iterator, Sequence

import numpy as np

from experiments.batching import buckets
from experiments.foundation.errors import UserError

# Epochs whose batches are remembered: the present one and its neighbours.
_N_SCHEDULES = 3


@dataclasses.dataclass(frozen=True)
class PlannedBatch:
  """Which examples form a batch, and how long its rows are.

  Attributes:
    bucket: index into the batch sizes.
    length: length in tokens to which the rows are padded.
    indices: int64 [batch], the examples in the order of the rows.
  """

  bucket: int
  length: int
  indices: np.ndarray


@dataclasses.dataclass(frozen=True)
class BucketSummary:
  """What falls into a bucket.

  Attributes:
    boundary: its greatest length in tokens; None for the overflow bucket.
    length: length in tokens to which full rows are padded; for the overflow
      bucket that of its longest example.
    batch_size: rows of a batch.
    n_examples: examples of an epoch that fall into it.
    padding: share of padding, 0 to 1, if all rows have that length.
  """

  boundary: int | None
  length: int
  batch_size: int
  n_examples: int
  padding: float


class _Schedule(typing.NamedTuple):
  """The batches that an epoch completes, in order; arrays [batches]."""

  bucket: np.ndarray  # int64, index of the bucket
  number: np.ndarray  # int64, how many batches that bucket emitted before
  length: np.ndarray  # int64, padded length in tokens


class BatchPlan:
  """The batch of every step, by its number. Not safe to share by threads.

  Memory grows with the number of examples, not with that of the steps: the
  orders of the last few epochs are remembered, others are computed again.
  """

  def __init__(
    self,
    *,
    lengths: np.ndarray,
    boundaries: Sequence[int],
    batch_sizes: Sequence[int],
    seed: int,
    max_length: int | None = None,
    min_length: int | None = None,
    strict_pad_on_len: bool = False,
  ):
    """Sorts the examples into their buckets.

    Args:
      lengths: int [n], length of each example in tokens.
      boundaries: increasing lengths in tokens, up to and including which an
        example belongs to a bucket.
      batch_sizes: rows of a batch, for each bucket and then for what is longer
        than the last boundary.
      seed: seeds the order of the examples; at least 0.
      max_length: longer examples are dropped; None keeps them.
      min_length: shorter examples are dropped; None keeps them.
      strict_pad_on_len: pad to the boundary even where every example of a batch
        is shorter than half of it; trax then pads to a power of two.

    Raises:
      UserError: not increasing boundaries, sizes that do not fit them, or no
        example that is kept.
    """
    buckets.check_buckets(boundaries, batch_sizes)
    self._lengths = np.asarray(lengths, np.int32)
    self._boundaries = [int(b) for b in boundaries]
    self._sizes = [int(s) for s in batch_sizes]
    self._seed = int(seed)
    self._strict = strict_pad_on_len

    kept = np.ones(len(self._lengths), bool)
    if max_length is not None:
      kept &= self._lengths <= max_length
    if min_length is not None:
      kept &= self._lengths >= min_length
    self.n_kept = int(kept.sum())
    self.n_dropped = len(kept) - self.n_kept
    if not self.n_kept:
      raise UserError(
        _say_nothing_is_left(self._lengths, min_length, max_length)
      )

    bucket = buckets.bucket_of(self._lengths, self._boundaries)
    bucket[~kept] = -1
    self._members = [
      np.flatnonzero(bucket == b) for b in range(len(self._sizes))
    ]
    self._counts = [len(m) for m in self._members]
    # Random high bits, the example's index in the low ones: sorting gives a
    # permutation without ties, the same on each platform and NumPy version.
    self._index_mask = np.uint64(
      (1 << max(len(self._lengths) - 1, 1).bit_length()) - 1
    )
    self._orders: list[collections.OrderedDict[int, np.ndarray]] = [
      collections.OrderedDict() for _ in self._sizes
    ]
    self._schedules: collections.OrderedDict[int, _Schedule] = (
      collections.OrderedDict()
    )
    self._span = (0, 0, 0)  # An epoch, its first step, that of the next one.

  @property
  def batches_per_epoch(self) -> float:
    """Mean number of steps in which every kept example is used once."""
    return sum(c / s for c, s in zip(self._counts, self._sizes, strict=True))

  def epoch_order(self, epoch: int) -> np.ndarray:
    """Returns int64 [n_kept], the kept examples in the order of an epoch."""
    keys = np.concatenate(
      self.epoch_keys(epoch, [b for b, c in enumerate(self._counts) if c])
    )
    keys.sort()
    return (keys & self._index_mask).astype(np.int64)

  def batch(self, step: int) -> PlannedBatch:
    """Returns the batch at a step; the first is 0."""
    schedule, at = self._find(step)
    bucket = int(schedule.bucket[at])
    size = self._sizes[bucket]
    first = int(schedule.number[at]) * size
    return PlannedBatch(
      bucket=bucket,
      length=int(schedule.length[at]),
      indices=self._elements(bucket, first, first + size).astype(np.int64),
    )

  def runs(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Splits steps into runs of batches that have the same shape.

    Args:
      start: first step.
      stop: the step after the last.

    Yields:
      (bucket, first step, number of steps), as long as they can be: the next
      run differs in bucket or in padded length.
    """
    pending = None  # ((bucket, length), first, count)
    step = start
    while step < stop:
      schedule, at = self._find(step)
      end = min(len(schedule.bucket), at + stop - step)
      bucket, length = schedule.bucket[at:end], schedule.length[at:end]
      differs = (bucket[1:] != bucket[:-1]) | (length[1:] != length[:-1])
      edges = [0, *(np.flatnonzero(differs) + 1).tolist(), end - at]
      for low, high in itertools.pairwise(edges):
        shape = (int(bucket[low]), int(length[low]))
        if pending and pending[0] == shape:
          pending = (shape, pending[1], pending[2] + high - low)
          continue
        if pending:
          yield pending[0][0], pending[1], pending[2]
        pending = (shape, step + low, high - low)
      step += end - at
    if pending:
      yield pending[0][0], pending[1], pending[2]

  def run_batches(self, first: int, count: int) -> PlannedBatch:
    """Returns the batches of a run, or of a part of one, stacked.

    Args:
      first: step of the first batch.
      count: number of steps, all in one of the `runs`.

    Returns:
      A PlannedBatch whose indices are int64 [count, batch].
    """
    schedule, at = self._find(first)
    bucket, length = int(schedule.bucket[at]), int(schedule.length[at])
    size = self._sizes[bucket]
    low = int(schedule.number[at]) * size
    flat = self._elements(bucket, low, low + count * size)
    return PlannedBatch(
      bucket, length, flat.astype(np.int64).reshape(count, size)
    )

  def summary(self) -> list[BucketSummary]:
    """Returns what falls into each bucket, the overflow bucket last."""
    rows = []
    for bucket, members in enumerate(self._members):
      overflow = bucket == len(self._boundaries)
      lengths = self._lengths[members]
      longest = int(lengths.max()) if len(members) else 0
      length = longest if overflow else self._boundaries[bucket]
      alone = overflow and self._sizes[bucket] == 1
      full = int(lengths.sum()) if alone else length * len(members)
      rows.append(
        BucketSummary(
          boundary=None if overflow else length,
          length=length,
          batch_size=self._sizes[bucket],
          n_examples=len(members),
          padding=1 - int(lengths.sum()) / full if full else 0.0,
        )
      )
    return rows

  def _count_before(self, epoch: int) -> int:
    """Returns the number of batches before an epoch."""
    return sum(
      epoch * c // s for c, s in zip(self._counts, self._sizes, strict=True)
    )

  def _find(self, step: int) -> tuple[_Schedule, int]:
    """Returns the schedule of the step's epoch, and its place therein."""
    if step < 0:
      raise IndexError(f'steps start at 0, got {step}')
    epoch, first, stop = self._span
    if not first <= step < stop:
      high = 1
      while self._count_before(high) <= step:
        high *= 2
      # The first epoch before whose end more batches than `step` are emitted.
      epoch = bisect.bisect_right(
        range(high), step, key=lambda e: self._count_before(e + 1)
      )
      first, stop = self._count_before(epoch), self._count_before(epoch + 1)
      self._span = (epoch, first, stop)
    return self._schedule(epoch), step - first

  def epoch_keys(self, epoch: int, wanted: Sequence[int]) -> list[np.ndarray]:
    """Returns the unsorted keys, uint64 [c], of some buckets in an epoch."""
    generator = np.random.PCG64(np.random.SeedSequence([self._seed, epoch]))
    raw = generator.random_raw(len(self._lengths))
    raw &= ~self._index_mask
    return [
      raw[self._members[b]] | self._members[b].astype(np.uint64) for b in wanted
    ]

  def _remember(self, bucket: int, epoch: int, keys: np.ndarray) -> np.ndarray:
    """Turns sorted keys into the order of a bucket and keeps it for a while."""
    small = len(self._lengths) <= np.iinfo(np.int32).max
    order = (keys & self._index_mask).astype(np.int32 if small else np.int64)
    orders = self._orders[bucket]
    orders[epoch] = order
    orders.move_to_end(epoch)
    # As many epochs as a batch that straddles them can need.
    while len(orders) > -(-self._sizes[bucket] // self._counts[bucket]) + 2:
      orders.popitem(last=False)
    return order

  def _order(self, bucket: int, epoch: int) -> np.ndarray:
    """Returns int [c], the examples of a bucket in the order of an epoch."""
    order = self._orders[bucket].get(epoch)
    if order is None:
      (keys,) = self.epoch_keys(epoch, [bucket])
      keys.sort()
      order = self._remember(bucket, epoch, keys)
    return order

  def _elements(self, bucket: int, start: int, stop: int) -> np.ndarray:
    """Returns a stretch of the endless sequence of a bucket, int [n]."""
    count = self._counts[bucket]
    parts = []
    for epoch in range(start // count, (stop - 1) // count + 1):
      first = epoch * count
      order = self._order(bucket, epoch)
      parts.append(order[max(start - first, 0) : stop - first])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)

  def _schedule(self, epoch: int) -> _Schedule:
    """Returns the batches that are completed in an epoch."""
    if epoch in self._schedules:
      self._schedules.move_to_end(epoch)
      return self._schedules[epoch]
    of_buckets, numbers, lengths, completions = [], [], [], []
    used = [b for b, count in enumerate(self._counts) if count]
    for bucket, keys in zip(used, self.epoch_keys(epoch, used), strict=True):
      count, size = self._counts[bucket], self._sizes[bucket]
      first, stop = epoch * count // size, (epoch + 1) * count // size
      keys.sort()
      order = self._remember(bucket, epoch, keys)
      if first == stop:
        continue
      offset = epoch * count  # Of this epoch in the bucket's endless sequence.
      carried = self._elements(bucket, first * size, (first + 1) * size)
      whole = order[(first + 1) * size - offset : stop * size - offset]
      longest = np.append(
        self._lengths[carried].max(),
        self._lengths[whole].reshape(-1, size).max(axis=1),
      )
      number = np.arange(first, stop)
      completions.append(keys[(number + 1) * size - 1 - offset])
      of_buckets.append(np.full(len(number), bucket))
      numbers.append(number)
      lengths.append(
        buckets.pad_lengths(
          longest, self._boundaries, bucket, strict=self._strict
        )
      )
    in_order = np.argsort(np.concatenate(completions))
    schedule = _Schedule(
      *(np.concatenate(a)[in_order] for a in (of_buckets, numbers, lengths))
    )
    self._schedules[epoch] = schedule
    if len(self._schedules) > _N_SCHEDULES:
      self._schedules.popitem(last=False)
    return schedule


def _say_nothing_is_left(
  lengths: np.ndarray, min_length: int | None, max_length: int | None
) -> str:
  """Says that a filter drops every example."""
  if not len(lengths):
    return 'the split has no examples. Bind SPLITS to one that has.'
  return (
    f'all {len(lengths)} examples are dropped by their length: they have '
    f'{lengths.min()} to {lengths.max()} tokens, MAX_LENGTH is {max_length} '
    f'and FilterByLength.min_length is {min_length or 0}. Raise MAX_LENGTH.'
  )
