"""calibration.json: the temperature of a run's answers, under a checksum.

method        'temperature'
temperature   float: what log-probabilities are divided by
step          int: of the checkpoint that it is of
split         what it was fitted on, such as 'train[80%:]'
n_examples    int: how many examples that were
cross_entropy, expected_calibration_error    lists: on that split, before and
              after
checksum      SHA-256 of all that, as JSON with sorted keys
"""

import hashlib
import json
import math
from typing import TypedDict, cast

from experiments.foundation import json_text, json_types
from experiments.foundation.directory import File

METHOD = 'temperature'


class Calibration(TypedDict):
  """What the file holds, but for the checksum."""

  method: str
  temperature: float
  step: int
  split: str
  n_examples: int
  cross_entropy: list[float]
  expected_calibration_error: list[float]


class _Stored(Calibration):
  checksum: str


def write(file: File, calibration: Calibration) -> None:
  """Writes the file, atomically."""
  content = {**calibration, 'checksum': _checksum(dict(calibration))}
  file.write(json_text.to_json(content, indent=2) + '\n')


def read(file: File) -> Calibration | None:
  """Reads the file; None where there is none.

  Raises:
    ValueError: it is damaged.
  """
  try:
    content = file.read_bytes()
  except (FileNotFoundError, NotADirectoryError):
    return None
  stored = dict(json_types.loads(content, _Stored))
  checksum = stored.pop('checksum')
  if _checksum(stored) != checksum:
    raise ValueError('its checksum is another')
  found = cast('Calibration', stored)
  if found['method'] != METHOD:
    raise ValueError(f'its method is {found["method"]!r}')
  if not (math.isfinite(found['temperature']) and found['temperature'] > 0):
    raise ValueError('its temperature is no number above 0')
  return found


def _checksum(values: dict) -> str:
  text = json.dumps(values, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()
