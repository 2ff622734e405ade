"""Parquet files read in pieces, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  import pyarrow
  from pyarrow import parquet


def read_batches(
  file: parquet.ParquetFile,
  batch_size: int,
  columns: Sequence[str] | None = None,
) -> Iterator[pyarrow.RecordBatch]:
  """Yields the rows of a file in their order.

  Arrow holds what it read of each row group until it has read the last one that
  it was asked for, so it is asked for one at a time.

  Args:
    file: the file.
    batch_size: the number of rows of each batch but the last of a row group.
    columns: the names of those that are wanted; None for all.
  """
  for group in range(file.num_row_groups):
    yield from file.iter_batches(
      batch_size, row_groups=[group], columns=columns
    )
