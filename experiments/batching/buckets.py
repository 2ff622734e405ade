"""Which bucket an example falls into, and how long its batch is padded.

trax lets the padded length depend on the batch: a power of two where each of
its texts is shorter than half of the boundary, and the longest of them beyond
the last boundary. A model that sees padding then answers otherwise in other
company. Strictly padded (`BucketByLength.strict_pad_on_len`) in the buckets of
`extend_buckets`, it depends on the text alone.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from experiments.foundation.errors import UserError


def bucket_of(lengths: np.ndarray, boundaries: Sequence[int]) -> np.ndarray:
  """Returns the first bucket whose boundary is not below the length.

  Args:
    lengths: int [n], in tokens.
    boundaries: increasing lengths in tokens.

  Returns:
    int64 [n]; len(boundaries) is the overflow bucket.
  """
  return np.searchsorted(np.asarray(boundaries, np.int64), lengths, 'left')


def check_buckets(
  boundaries: Sequence[int], batch_sizes: Sequence[int]
) -> None:
  """Raises UserError unless boundaries and batch sizes make buckets."""
  rising = all(a < b for a, b in itertools.pairwise(boundaries))
  if not rising or any(b < 1 for b in boundaries):
    raise UserError(
      'BucketByLength.boundaries must be increasing lengths of at least 1, '
      f'but is {list(boundaries)}.'
    )
  if len(batch_sizes) != len(boundaries) + 1 or any(s < 1 for s in batch_sizes):
    raise UserError(
      f'BucketByLength.batch_sizes must be {len(boundaries) + 1} sizes of at '
      'least 1, one for each boundary and one for what is longer, but is '
      f'{list(batch_sizes)}.'
    )


def extend_buckets(
  boundaries: Sequence[int],
  batch_sizes: Sequence[int],
  longest: int | None = None,
) -> tuple[list[int], list[int]]:
  """Returns buckets in which no text is padded for the sake of another.

  Strictly padded, a text is as long as the boundary of its bucket. What is
  longer than the last boundary has none: trax pads it to the longest of its
  batch. Where such a batch holds several texts, buckets of doubled length come
  here in its place; by itself a text is not padded.

  Args:
    boundaries: increasing lengths in tokens.
    batch_sizes: batch size of each bucket, the overflow bucket last.
    longest: no text has more tokens; None if that is not known.

  Returns:
    Boundaries and batch sizes, whose overflow bucket has the size 1.
  """
  boundaries, sizes = list(boundaries), list(batch_sizes)
  if longest is None:
    longest = np.iinfo(np.int32).max
  if sizes[-1] == 1:
    return boundaries, sizes
  while (last := boundaries[-1] if boundaries else 0) < max(longest, 1):
    boundaries.append(max(1, min(2 * last, longest)))
    sizes.append(sizes[-1])
  return boundaries, [*sizes[:-1], 1]


def pad_lengths(
  longest: np.ndarray, boundaries: Sequence[int], bucket: int, *, strict: bool
) -> np.ndarray:
  """Returns to what lengths batches are padded, as by trax's pad_to_max_dims.

  Where trax fails, for a batch of empty texts, the length is at least 1.

  Args:
    longest: int [batches], length in tokens of the longest example of each.
    boundaries: increasing lengths in tokens.
    bucket: index of the bucket of these batches.
    strict: pad to the boundary always. Otherwise to a power of two, where all
      examples are shorter than half of the boundary.

  Returns:
    int64 [batches].
  """
  longest = np.maximum(longest, 1).astype(np.int64)
  if bucket == len(boundaries):
    return longest
  boundary = boundaries[bucket]
  if strict:
    return np.full_like(longest, boundary)
  power = 2 ** np.ceil(np.log2(longest)).astype(np.int64)
  return np.where(2 * longest < boundary, power, boundary)
