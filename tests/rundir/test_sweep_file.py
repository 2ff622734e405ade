"""The file of a sweep, and who may write it."""

import pytest

from experiments.foundation.errors import UserError
from experiments.rundir import sweep_file

LEFT = '.sweep.json.0a1b2c3d.tmp'
OTHERS = ['.mine.0a1b2c3d.tmp', '.sweep.json.tmp', 'sweep.json.0a1b2c3d.tmp']


def test_what_a_killed_sweep_left_unfinished_goes(tmp_path):
  for name in [LEFT, *OTHERS]:
    (tmp_path / name).write_text('{')
  with sweep_file.locked(tmp_path):
    found = {path.name for path in tmp_path.iterdir()}
  assert found == {*OTHERS, '.sweep.lock'}


def test_what_a_sweep_is_writing_stays(tmp_path):
  with sweep_file.locked(tmp_path):
    (tmp_path / LEFT).write_text('{')
    with (
      pytest.raises(UserError, match='another sweep is running in it'),
      sweep_file.locked(tmp_path),
    ):
      pass
    assert (tmp_path / LEFT).exists()
