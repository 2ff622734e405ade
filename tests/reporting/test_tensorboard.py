"""The events on disk, as TensorBoard's own reader finds them."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reporting import tensorboard


def read(directory):
  """Returns the events' scalars as {tag: [(step, wall time, value)]}."""
  from tensorboard.backend.event_processing import event_accumulator

  events = event_accumulator.EventAccumulator(str(directory)).Reload()
  return {
    tag: [(e.step, e.wall_time, e.value) for e in events.Scalars(tag)]
    for tag in events.Tags()['scalars']
  }


def test_scalars_come_back(tmp_path):
  with tensorboard.EventWriter(tmp_path / 'new' / 'train') as writer:
    writer.scalars({'loss': 0.5, 'accuracy': 0.25}, 10, wall_time=1000.5)
    loss: Any = np.float32(0.125)
    step: Any = np.int64(20)
    writer.scalars({'loss': loss}, step, wall_time=1001.0)
  assert read(tmp_path / 'new' / 'train') == {
    'loss': [(10, 1000.5, 0.5), (20, 1001.0, 0.125)],
    'accuracy': [(10, 1000.5, 0.25)],
  }


def test_events_are_on_disk_before_close(tmp_path):
  writer = tensorboard.EventWriter(tmp_path)
  writer.scalars({'loss': 0.5}, 1, wall_time=1.0)
  assert read(tmp_path) == {'loss': [(1, 1.0, 0.5)]}
  writer.flush()
  writer.close()
  writer.close()


def test_tensorflow_is_not_imported(tmp_path):
  code = (
    'import sys; from experiments.reporting import tensorboard\n'
    'assert "numpy" not in sys.modules\n'
    f'with tensorboard.EventWriter({str(tmp_path)!r}) as writer:\n'
    '  writer.scalars({"a": 1.0}, 1)\n'
    '  writer.text("b", "c", 1)\n'
    '  writer.session_start({"d": 1}, start_time=0.0)\n'
    '  writer.session_end("finished", end_time=0.0)\n'
    f'tensorboard.rewrite({str(tmp_path)!r}, [])\n'
    'assert "tensorflow" not in sys.modules\n'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_image_must_be_png(tmp_path):
  with (
    tensorboard.EventWriter(tmp_path) as writer,
    pytest.raises(ValueError) as error,
  ):
    writer.image('confusion', b'GIF89a', 1)
  assert str(error.value) == (
    "image confusion is no PNG: it starts with b'GIF89a'"
  )


def test_files_sort_in_the_order_they_were_made(tmp_path):
  """Readers sort by name, and all of these are made in one second."""
  paths = []
  for _ in range(12):
    with tensorboard.EventWriter(tmp_path, filename_suffix='.x') as writer:
      paths.append(writer.path)
  paths.append(tensorboard.rewrite(tmp_path / 'other', []))
  # A file of a machine whose clock is ahead.
  ahead = tmp_path / 'events.out.tfevents.9000000000.host.1.0'
  ahead.touch()
  paths += [ahead, tensorboard.rewrite(tmp_path, [])]
  names = [path.name for path in paths if path.parent == tmp_path]
  assert names == sorted(names)
  assert len(set(names)) == 14


def test_rewrite_leaves_exactly_the_events(tmp_path):
  (tmp_path / 'notes.txt').write_text('not an event file')
  (tmp_path / '.rewrite.tmp').write_text('left by a crash')
  for _ in range(2):
    with tensorboard.EventWriter(tmp_path) as writer:
      writer.scalars({'loss': 9.0, 'gone': 1.0}, 5)
  path = tensorboard.rewrite(
    tmp_path,
    # Out of order, and one of them twice.
    [(2, 12.0, 'loss', 0.5), (1, 11.0, 'loss', 7.0), (1, 10.0, 'loss', 1.0)],
  )
  assert read(tmp_path) == {'loss': [(1, 10.0, 1.0), (2, 12.0, 0.5)]}
  assert sorted(os.listdir(tmp_path)) == sorted(['notes.txt', path.name])


def test_rewrite_that_fails_keeps_the_old_files(tmp_path):
  with tensorboard.EventWriter(tmp_path) as writer:
    writer.scalars({'loss': 9.0}, 5, wall_time=1.0)
  nine: Any = 'nine'
  with pytest.raises(ValueError, match='could not convert'):
    tensorboard.rewrite(tmp_path, [(1, 1.0, 'loss', nine)])
  assert read(tmp_path) == {'loss': [(5, 1.0, 9.0)]}


@given(st.text())
def test_code_block_indents_every_line(text):
  """Four spaces make a line code, for every line break Markdown knows."""
  block = tensorboard.code_block(text)
  assert all(line.startswith('    ') for line in block.split('\n') if line)
  if text.splitlines():
    lines = [line[4:] for line in block.split('\n')]
    assert lines == text.splitlines()
