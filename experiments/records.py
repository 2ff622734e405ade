"""The measured values of a run: metrics.jsonl, and TensorBoard's copy of it."""

import json
import logging
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from experiments import files


class Record(NamedTuple):
  """One measured value.

  Attributes:
    step: training steps done when it was measured.
    split: 'train', 'eval' (sampled from the test split) or 'test' (all of it).
    metric: its name, as TensorBoard shows it, e.g. 'metrics/Accuracy'.
    value: the value.
    time: seconds since the epoch.
  """

  step: int
  split: str
  metric: str
  value: float
  time: float


class Records:
  """The records of one run, kept in a file with a JSON object a line."""

  def __init__(self, path: os.PathLike | str):
    """Starts with no records; the file is not touched.

    Args:
      path: metrics.jsonl.
    """
    self._path = pathlib.Path(path)
    self._records: list[Record] = []

  def __iter__(self):
    return iter(self._records)

  def __len__(self):
    return len(self._records)

  def append(self, records: Iterable[Record]) -> None:
    """Adds records, on disk when this returns.

    Args:
      records: what was measured at one step.
    """
    records = list(records)
    with open(self._path, 'ab') as file:
      file.write(_lines(records))
      file.flush()
      os.fsync(file.fileno())
    self._records += records

  def replace(self, records: Iterable[Record]) -> None:
    """Makes the file hold exactly these records, atomically.

    Args:
      records: the records up to the step that a run goes on from.
    """
    self._records = list(records)
    files.write_atomic(self._path, _lines(self._records))


def read_records(path: os.PathLike | str) -> list[Record]:
  """Reads metrics.jsonl.

  Args:
    path: the file; one that does not exist holds nothing.

  Returns:
    Its records in order. A line that is cut off or no record is reported in the
    log and left out.
  """
  records = []
  try:
    lines = pathlib.Path(path).read_text(errors='replace').splitlines()
  except FileNotFoundError:
    return []
  for number, line in enumerate(lines, start=1):
    try:
      records.append(Record(**json.loads(line)))
    except (TypeError, ValueError):
      logging.warning('%s:%d is no record, left out', path, number)
  return records


def _lines(records: Iterable[Record]) -> bytes:
  return ''.join(
    json.dumps(record._asdict(), allow_nan=False) + '\n' for record in records
  ).encode()
