"""calibration.json: what is read is what was written, or it is refused."""

import contextlib
import json
from typing import Any

import pytest

from experiments.foundation.directory import File
from experiments.rundir import calibration_file

CONTENT: Any = {
  'method': 'temperature',
  'temperature': 1.8342,
  'step': 300,
  'split': 'train[80%:]',
  'n_examples': 340,
  'cross_entropy': [0.25, 0.2],
  'expected_calibration_error': [0.05, 0.01],
}


@pytest.fixture
def file(tmp_path):
  return File.at(tmp_path / 'calibration.json')


def test_it_comes_back(file):
  assert calibration_file.read(file) is None
  calibration_file.write(file, CONTENT)
  assert calibration_file.read(file) == CONTENT


def test_every_flipped_byte_is_noticed(file):
  calibration_file.write(file, CONTENT)
  original = file.path.read_bytes()
  for i, byte in enumerate(original):
    file.path.write_bytes(original[:i] + bytes([byte ^ 1]) + original[i + 1 :])
    # White space between the values may become another.
    with contextlib.suppress(ValueError):
      assert calibration_file.read(file) == CONTENT


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'temperature': 'high'}, 'temperature is'),
    ({'temperature': 0.0}, 'its temperature is no number above 0'),
    ({'temperature': -2.0}, 'its temperature is no number above 0'),
    ({'method': 'isotonic'}, "its method is 'isotonic'"),
    ({'step': '300'}, 'step is'),
    ({'cross_entropy': 1}, 'cross_entropy is'),
  ],
)
def test_a_right_checksum_makes_nothing_right(file, changes, message):
  calibration_file.write(file, CONTENT | changes)
  with pytest.raises(ValueError, match=message):
    calibration_file.read(file)


def test_a_field_that_is_missing(file):
  calibration_file.write(file, CONTENT)
  stored = json.loads(file.path.read_text())
  del stored['step']
  file.path.write_text(json.dumps(stored))
  with pytest.raises(ValueError, match='step'):
    calibration_file.read(file)
