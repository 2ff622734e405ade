"""What a running TensorBoard shows, asked with each of its two readers."""

import math
import os
import shutil
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from experiments.reporting import tensorboard
from experiments.training import histograms
from tests.fixtures import live_tensorboard

# TensorBoard takes long to start.
pytestmark = pytest.mark.slow


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


# Of 31 values 0 to 30: one in each bin, and the last bin has both its edges.
COUNTED = np.arange(31.0)


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
        writer.histogram(histograms.count(COUNTED * step, step=step, tag='w/x'))
  if accuracy is not None:
    with tensorboard.EventWriter(directory / 'test') as writer:
      writer.scalars({'accuracy': accuracy}, len(losses))
  return directory


RUNS: dict[str, dict[str, Any]] = {
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


def test_histograms_over_http(board):
  assert bins(board, 'agnews/b/train', 'w/x') == {
    step: [[i * step, (i + 1) * step, 1 + (i == 29)] for i in range(30)]
    for step in (1, 2)
  }


def bins(board, run, tag):
  """Returns [lower edge, upper edge, count] of the bins by step."""
  found = board.get('plugin/histograms/histograms', run=run, tag=tag)
  assert len({step for _, step, _ in found}) == len(found)
  return {step: rows for _, step, rows in found}


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
      writer.histogram(histograms.count(COUNTED, step=step, tag='h'))
      if step > 3:
        writer.scalars({'late': step}, step)
  board.wait_until(lambda: len(board.scalars(f'{run}/train', 'loss')) == 5)
  assert len(board.scalars(f'{run}/train', 'late')) == 2

  kept: list[tuple] = []
  for step in (1, 2, 3):
    again = histograms.count(COUNTED, step=step, tag='h')
    kept += [(step, 1.0, 'loss', step), (step, 1.0, 'h', again)]
  tensorboard.rewrite(train, kept)
  board.wait_until(lambda: len(board.scalars(f'{run}/train', 'loss')) == 3)
  with tensorboard.EventWriter(train) as writer:
    for step in range(4, 7):
      writer.scalars({'loss': 10 * step, 'late': 10 * step}, step)
      writer.histogram(histograms.count(-COUNTED, step=step, tag='h'))
  resumed = [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50), (6, 60)]
  board.wait_until(lambda: board.scalars(f'{run}/train', 'loss')[-1] == (6, 60))
  assert board.scalars(f'{run}/train', 'loss') == resumed
  assert board.scalars(f'{run}/train', 'late') == [(4, 40), (5, 50), (6, 60)]
  found = bins(board, f'{run}/train', 'h')
  assert {step: rows[0][0] for step, rows in found.items()} == {
    **dict.fromkeys((1, 2, 3), 0),
    **dict.fromkeys((4, 5, 6), -30),
  }


def test_killed_between_the_new_file_and_the_removal_of_the_old(
  board, logdir, tmp_path
):
  train, before = tmp_path / 'train', tmp_path / 'before'
  for start in (1, 4):
    with tensorboard.EventWriter(train) as writer:
      for step in range(start, start + 3):
        writer.scalars({'loss': step}, step)
  shutil.copytree(train, before)
  tensorboard.rewrite(train, [(1, 1.0, 'loss', 10), (2, 1.0, 'loss', 20)])
  shutil.copytree(before, train, dirs_exist_ok=True)  # As if not yet removed.
  shutil.rmtree(before)
  assert len(os.listdir(train)) == 3
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
