"""metrics.jsonl: every record once, whatever happens to the process."""

import errno
import json
import logging
import os

import pytest

from experiments.rundir import metric_log
from experiments.rundir.metric_log import Record, Records, read_records

A = Record(1, 'train', 'metrics/Loss', 0.5, 100.0)
B = Record(2, 'eval', 'metrics/Größe', 1e-30, 101.5)
C = Record(3, 'test', 'exact/accuracy', 1, 90.25)


def test_records_come_back_in_order(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  kept = Records(path)
  kept.append([A])
  kept.append([B, C])
  assert list(kept) == read_records(path) == [A, B, C]
  assert len(kept) == 3
  assert path.read_text().splitlines()[1] == json.dumps(
    {
      'step': 2,
      'split': 'eval',
      'metric': 'metrics/Größe',
      'value': 1e-30,
      'time': 101.5,
    }
  )


def test_a_file_that_is_not_there_holds_nothing(tmp_path):
  assert read_records(tmp_path / 'none') == []


def test_no_value_that_json_does_not_know_is_written(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  kept = Records(path)
  kept.append([A])
  with pytest.raises(ValueError, match='Out of range float'):
    kept.append([B, B._replace(value=float('nan'))])
  assert read_records(path) == list(kept) == [A]


def test_replace_takes_back_what_came_later_and_says_so(tmp_path, caplog):
  path = tmp_path / 'metrics.jsonl'
  Records(path).append([A, B, C, B._replace(step=9)])
  kept = Records(path)
  with caplog.at_level(logging.INFO):
    kept.replace([A, B])
  assert read_records(path) == list(kept) == [A, B]
  assert caplog.messages == [
    'What was measured after step 2, up to step 9, is taken back'
  ]
  kept.append([C])
  assert read_records(path) == [A, B, C]


def test_replace_by_the_same_says_nothing(tmp_path, caplog):
  path = tmp_path / 'metrics.jsonl'
  Records(path).append([A, B])
  with caplog.at_level(logging.INFO):
    Records(path).replace([A, B])
  assert not caplog.messages


def test_lines_that_are_no_records_are_left_out_and_counted(tmp_path, caplog):
  path = tmp_path / 'metrics.jsonl'
  Records(path).append([A, B])
  good = path.read_bytes()
  bad = [
    b'',
    b'{',
    b'[1, 2]',
    b'null',
    b'\xff\x00\x80',
    b'{"step": 1}',
    good.splitlines()[0][:-5],
    good.splitlines()[0].replace(b'"step": 1', b'"step": "1"'),
    good.splitlines()[0].replace(b'0.5', b'null'),
    b'[' * 100_000,
  ]
  path.write_bytes(good + b'\n'.join(bad) + b'\n' + good)
  assert read_records(path) == [A, B, A, B]
  assert caplog.messages == [
    f'{path}: 10 of 14 lines are no records and left out, the first is line 3'
  ]


@pytest.mark.parametrize('written', [0, 1, 30])
def test_an_append_that_fails_leaves_the_file_as_it_was(
  tmp_path, monkeypatch, written
):
  """The disk is full after some bytes, or when they are to be made durable."""
  path = tmp_path / 'metrics.jsonl'
  kept = Records(path)
  kept.append([A])
  before = path.read_bytes()
  real = os.write

  def fail(descriptor):
    # What fitted before the disk was full.
    real(descriptor, b'x' * written)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(metric_log.os, 'fsync', fail)
  with pytest.raises(OSError, match='No space left') as error:
    kept.append([B])
  assert error.value.filename == str(path)
  assert path.read_bytes() == before
  assert list(kept) == [A]
  monkeypatch.undo()
  kept.append([C])
  assert read_records(path) == [A, C]


def test_a_replace_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
  path = tmp_path / 'metrics.jsonl'
  kept = Records(path)
  kept.append([A])

  def fail(descriptor):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

  monkeypatch.setattr(os, 'fsync', fail)
  with pytest.raises(OSError, match='quota'):
    kept.replace([])
  assert read_records(path) == [A]
  assert list(tmp_path.iterdir()) == [path]
