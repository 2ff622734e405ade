"""The measured values of a run: metrics.jsonl, and TensorBoard's copy of it."""

import json
import logging
import os
from collections.abc import Iterable
from typing import NamedTuple, TypedDict

from experiments.foundation import json_types, system_errors
from experiments.foundation.directory import File

# In bytes; a longer line is not one of ours.
_LONGEST_LINE = 2**16
# What of a sampled evaluation measures the same as a metric of the exact one.
SAMPLED = {
  'accuracy': 'metrics/Accuracy',
  'cross_entropy': 'metrics/CrossEntropyLoss',
}


def name_sampled(metric: str) -> str:
  """Returns what the sampled evaluation calls a metric of the exact one."""
  return SAMPLED.get(metric, f'metrics/{metric}')


class Record(NamedTuple):
  """One measured value.

  Attributes:
    step: training steps done when it was measured.
    split: 'train', 'eval' (sampled from the validation split, or from test if
      there is none) or 'test' (all of it).
    metric: its name, as TensorBoard shows it, e.g. 'metrics/Accuracy'.
    value: the value.
    time: seconds since the epoch.
  """

  step: int
  split: str
  metric: str
  value: float
  time: float


class _Line(TypedDict):
  step: int
  split: str
  metric: str
  value: float
  time: float


class Records:
  """The records of one run, kept in a file with a JSON object a line."""

  def __init__(self, place: File | os.PathLike | str):
    """Starts with no records; the file is not touched.

    Args:
      place: metrics.jsonl.
    """
    self._file = File.at(place)
    self._records: list[Record] = []

  def __iter__(self):
    return iter(self._records)

  def __len__(self):
    return len(self._records)

  def append(self, records: Iterable[Record]) -> None:
    """Adds records, on disk when this returns.

    Args:
      records: what was measured at one step.

    Raises:
      OSError: they cannot be written; the file is then as it was.
    """
    records = list(records)
    descriptor = self._file.open_in_place(os.O_WRONLY | os.O_APPEND)
    with (
      system_errors.naming(self._file.path),
      open(descriptor, 'ab', buffering=0) as file,
    ):
      size = file.tell()
      try:
        content = _lines(records)
        while content:
          content = content[file.write(content) :]
        os.fsync(file.fileno())
      except OSError:
        file.truncate(size)
        raise
    self._records += records

  def replace(self, records: Iterable[Record]) -> None:
    """Makes the file hold exactly these records, atomically.

    Args:
      records: the records up to the step that a run goes on from. What the
        file has of later steps is reported in the log.
    """
    self._records = list(records)
    last = max((record.step for record in self._records), default=0)
    later = {r.step for r in read_records(self._file) if r.step > last}
    if later:
      logging.info(
        'What was measured after step %d, up to step %d, is taken back',
        last,
        max(later),
      )
    self._file.write(_lines(self._records))


def read_records(place: File | os.PathLike | str) -> list[Record]:
  """Reads metrics.jsonl.

  Args:
    place: the file; one that does not exist holds nothing.

  Returns:
    Its records in order. Lines that are cut off or no records are reported in
    the log and left out.
  """
  records, bad, n_lines = [], [], 0
  try:
    lines = File.at(place).read_lines(_LONGEST_LINE)
    for n_lines, line in enumerate(lines, start=1):
      try:
        records.append(_parse(line))
      except ValueError:
        bad.append(n_lines)
  except FileNotFoundError:
    return []
  if bad:
    logging.warning(
      '%s: %d of %d lines are no records and left out, the first is line %d',
      place,
      len(bad),
      n_lines,
      bad[0],
    )
  return records


def _parse(line: bytes) -> Record:
  value = json_types.loads(line, _Line)
  return Record(
    value['step'],
    value['split'],
    value['metric'],
    value['value'],
    value['time'],
  )


def _lines(records: Iterable[Record]) -> bytes:
  return ''.join(
    json.dumps(record._asdict(), allow_nan=False) + '\n' for record in records
  ).encode()
