"""What TensorBoard makes of the events: read by its own readers."""

import math
import os
import shutil
import struct
import subprocess
import sys
import zlib

import live_tensorboard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import tensorboard


def make_png(width, height):
  """Returns a white image, written by hand."""

  def chunk(kind, data):
    checksum = struct.pack('>I', zlib.crc32(kind + data))
    return struct.pack('>I', len(data)) + kind + data + checksum

  header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
  rows = (b'\0' + b'\xff' * width) * height
  return (
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', header)
    + chunk(b'IDAT', zlib.compress(rows))
    + chunk(b'IEND', b'')
  )


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
    writer.scalars({'loss': np.float32(0.125)}, np.int64(20), wall_time=1001.0)
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
    'import sys; from experiments import tensorboard\n'
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
  with pytest.raises(ValueError, match='could not convert'):
    tensorboard.rewrite(tmp_path, [(1, 1.0, 'loss', 'nine')])
  assert read(tmp_path) == {'loss': [(5, 1.0, 9.0)]}


def test_hparam_values():
  values = tensorboard.hparam_values(
    {
      'LEARNING_RATE': 0.01,
      'N_STEPS': 2000,
      'masked': True,
      'MODEL': '@mean_embedding',
      'VOCAB_FILE': None,
      'KEYS': ('text', 'label'),
      'BUCKET_BOUNDARIES': [32, 128],
      'bad': math.nan,
      'worse': -math.inf,
    }
  )
  assert values == {
    'LEARNING_RATE': 0.01,
    'N_STEPS': 2000.0,
    'masked': True,
    'MODEL': '@mean_embedding',
    'KEYS': "('text', 'label')",
    'BUCKET_BOUNDARIES': '[32, 128]',
  }
  assert values['masked'] is True
  assert isinstance(values['N_STEPS'], float)


def test_run_hparams_are_values_and_not_their_text():
  hparams = tensorboard.run_hparams(
    {'LEARNING_RATE': 0.003, 'MODEL': '@mean_embedding'},
    {
      'LEARNING_RATE': '0.003',
      'Adam.b1': '0.8',
      'TrainTask.loss_layer': '@CrossEntropyLoss',
      'multifactor.factors': "'constant * linear_warmup'",
    },
  )
  assert hparams == {
    'LEARNING_RATE': 0.003,
    'MODEL': '@mean_embedding',
    'Adam.b1': 0.8,
    'TrainTask.loss_layer': '@CrossEntropyLoss',
    'multifactor.factors': 'constant * linear_warmup',
  }


@given(st.text())
def test_code_block_indents_every_line(text):
  """Four spaces make a line code, for every line break Markdown knows."""
  block = tensorboard.code_block(text)
  assert all(line.startswith('    ') for line in block.split('\n') if line)
  if text.splitlines():
    lines = [line[4:] for line in block.split('\n')]
    assert lines == text.splitlines()


# What follows asks a real TensorBoard, with each of its two readers.


def write_run(directory, *, hparams, status, losses=(), accuracy=None):
  """Writes what a run writes, and returns its directory."""
  with tensorboard.EventWriter(directory) as writer:
    writer.session_start(hparams, start_time=100.0)
    writer.text('config', tensorboard.code_block('N_STEPS = 2\n*x* = 1'), 0)
    writer.image('confusion', make_png(3, 2), 0)
    writer.session_end(status, end_time=200.0)
  for name in ('train', 'eval'):
    with tensorboard.EventWriter(directory / name) as writer:
      for step, loss in enumerate(losses, start=1):
        writer.scalars({'metrics/loss': loss}, step)
  if accuracy is not None:
    with tensorboard.EventWriter(directory / 'test') as writer:
      writer.scalars({'accuracy': accuracy}, len(losses))
  return directory


RUNS = {
  'a': {
    'hparams': {'LEARNING_RATE': 0.1, 'MODEL': '@mean', 'VOCAB_FILE': None},
    'status': 'finished',
    'losses': (1.0, 0.5),
    'accuracy': 0.75,
  },
  # A model with a hyper-parameter of its own, and another value for a None.
  'b': {
    'hparams': {
      'LEARNING_RATE': 0.2,
      'MODEL': '@gru',
      'VOCAB_FILE': 'en_8k.subword',
      'gru.n_layers': 2,
      'gru.masked': True,
    },
    'status': 'failed',
    'losses': (2.0, 0.25),
    'accuracy': 0.875,
  },
  'c': {
    'hparams': {'LEARNING_RATE': 0.05, 'MODEL': '@gru', 'gru.n_layers': 1},
    'status': 'running',
    'losses': (4.0,),
  },
  'd': {
    'hparams': {'LEARNING_RATE': 10.0, 'MODEL': '@mean'},
    'status': 'diverged',
    'losses': (8.0, math.nan),
    'accuracy': math.nan,
  },
}


@pytest.fixture(scope='module')
def logdir(tmp_path_factory):
  logdir = tmp_path_factory.mktemp('logdir')
  for name, run in RUNS.items():
    write_run(logdir / 'runs' / 'agnews' / name, **run)
  return logdir / 'runs'


@pytest.fixture(scope='module', params=[True, False], ids=['fast', 'python'])
def board(request, logdir):
  with live_tensorboard.LiveTensorBoard(
    logdir, load_fast=request.param
  ) as result:
    result.wait_until(lambda: len(result.get('runs')) >= 4 * 4 - 1)
    yield result


def new_run(board, name):
  """Returns the name of a run that no test of the other reader writes to."""
  return f'{name}-{board.load_fast}'


def test_scalars_over_http(board):
  assert board.scalars('agnews/a/train', 'metrics/loss') == [(1, 1), (2, 0.5)]
  assert board.scalars('agnews/b/eval', 'metrics/loss') == [(1, 2), (2, 0.25)]
  assert board.scalars('agnews/b/test', 'accuracy') == [(2, 0.875)]


def test_text_and_image_over_http(board):
  [text] = board.get('plugin/text/text', run='agnews/a', tag='config')
  assert '<pre><code>N_STEPS = 2\n*x* = 1' in text['text']
  [image] = board.get(
    'plugin/images/images', run='agnews/a', tag='confusion', sample=0
  )
  png = board.get_bytes(f'plugin/images/individualImage?{image["query"]}')
  assert png == make_png(3, 2)


def test_every_run_is_a_session_with_its_hparams(board):
  groups = {group['name']: group for group in board.session_groups()}
  assert {f'agnews/{name}' for name in RUNS} <= set(groups)
  statuses = {
    'a': 'STATUS_SUCCESS',
    'b': 'STATUS_FAILURE',
    'c': 'STATUS_UNKNOWN',
    'd': 'STATUS_FAILURE',
  }
  for name, run in RUNS.items():
    group = groups[f'agnews/{name}']
    assert group['hparams'] == {
      key: value for key, value in run['hparams'].items() if value is not None
    }
    [session] = group['sessions']
    assert session['startTimeSecs'] == 100
    assert session['status'] == statuses[name]


def test_metrics_of_all_directories_are_columns(board):
  groups = {group['name']: group for group in board.session_groups()}
  values = {
    name: {
      f'{metric["name"]["group"]}/{metric["name"]["tag"]}': metric['value']
      for metric in group['metricValues']
    }
    for name, group in groups.items()
  }
  assert values['agnews/b'] == {
    'test/accuracy': 0.875,
    'eval/metrics/loss': 0.25,
    'train/metrics/loss': 0.25,
  }
  assert values['agnews/c'] == {
    'eval/metrics/loss': 4,
    'train/metrics/loss': 4,
  }
  assert values['agnews/d']['test/accuracy'] == 'NaN'


def test_no_hparam_is_hidden(board):
  experiment = board.post(
    'plugin/hparams/experiment', {'experimentName': '', 'includeMetrics': True}
  )
  types = {info['name']: info['type'] for info in experiment['hparamInfos']}
  assert types == {
    'LEARNING_RATE': 'DATA_TYPE_FLOAT64',
    'MODEL': 'DATA_TYPE_STRING',
    'VOCAB_FILE': 'DATA_TYPE_STRING',
    'gru.n_layers': 'DATA_TYPE_FLOAT64',
    'gru.masked': 'DATA_TYPE_BOOL',
  }


@pytest.mark.parametrize(
  ('column', 'expected'),
  [
    ({'hparam': 'LEARNING_RATE'}, 'cabd'),
    # A run without the value comes last.
    ({'hparam': 'gru.n_layers'}, 'cbad'),
    ({'metric': {'group': 'eval', 'tag': 'metrics/loss'}}, 'bac'),
    ({'metric': {'group': 'test', 'tag': 'accuracy'}}, 'ab'),
  ],
)
def test_sorting(board, column, expected):
  groups = board.session_groups({**column, 'order': 'ORDER_ASC'})
  names = [group['name'] for group in groups]
  order = ''.join(name[-1] for name in names if name.startswith('agnews/'))
  if 'metric' in column:
    # NaN has no place in an order.
    order = order.replace('d', '')
  assert order[: len(expected)] == expected


def test_a_running_tensorboard_shows_no_step_twice_after_a_resume(
  board, logdir
):
  """Killed at step 5, resumed from the checkpoint of step 3."""
  run = new_run(board, 'resume')
  train = logdir / run / 'train'
  with tensorboard.EventWriter(train) as writer:
    for step in range(1, 6):
      writer.scalars({'loss': step}, step)
      if step > 3:
        writer.scalars({'late': step}, step)
  board.wait_until(lambda: len(board.scalars(f'{run}/train', 'loss')) == 5)
  assert len(board.scalars(f'{run}/train', 'late')) == 2

  tensorboard.rewrite(
    train, [(step, 1.0, 'loss', step) for step in range(1, 4)]
  )
  board.wait_until(lambda: len(board.scalars(f'{run}/train', 'loss')) == 3)
  with tensorboard.EventWriter(train) as writer:
    for step in range(4, 7):
      writer.scalars({'loss': 10 * step, 'late': 10 * step}, step)
  resumed = [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50), (6, 60)]
  board.wait_until(lambda: board.scalars(f'{run}/train', 'loss')[-1] == (6, 60))
  assert board.scalars(f'{run}/train', 'loss') == resumed
  assert board.scalars(f'{run}/train', 'late') == [(4, 40), (5, 50), (6, 60)]


def test_killed_between_the_new_file_and_the_removal_of_the_old(
  board, logdir, tmp_path, monkeypatch
):
  for start in (1, 4):
    with tensorboard.EventWriter(tmp_path / 'train') as writer:
      for step in range(start, start + 3):
        writer.scalars({'loss': step}, step)
  with monkeypatch.context() as patch:
    patch.setattr('pathlib.Path.unlink', lambda *args, **kwargs: None)
    tensorboard.rewrite(
      tmp_path / 'train', [(1, 1.0, 'loss', 10), (2, 1.0, 'loss', 20)]
    )
  assert len(os.listdir(tmp_path / 'train')) == 3
  run = new_run(board, 'killed')
  shutil.move(tmp_path, logdir / run)
  board.wait_until(lambda: board.scalars(f'{run}/train', 'loss'))
  assert board.scalars(f'{run}/train', 'loss') == [(1, 10), (2, 20)]


def test_the_first_end_of_a_session_counts(board, logdir):
  """Why an interrupted run, which can go on, must leave its end open."""
  run = new_run(board, 'ends')
  with tensorboard.EventWriter(logdir / run) as writer:
    writer.session_start({'LEARNING_RATE': 1.0}, start_time=1.0)
    writer.session_end('interrupted', end_time=2.0)
    writer.session_end('failed', end_time=3.0)
    writer.session_end('finished', end_time=4.0)

  def status():
    for group in board.session_groups():
      if group['name'] == run:
        return group['sessions'][0]['status']
    return None

  board.wait_until(status)
  assert status() == 'STATUS_FAILURE'
