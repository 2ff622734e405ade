"""What a person sees in TensorBoard: its pages in a headless Chromium."""

from typing import Any

import pytest

from experiments.reporting import tensorboard
from tests.fixtures import live_browser, live_tensorboard

pytestmark = [
  pytest.mark.browser,
  pytest.mark.skipif(
    bool(live_browser.missing()),
    reason='not installed: ' + ' and '.join(live_browser.missing()),
  ),
]

# Runs of different models, one of them unfinished.
RUNS: dict[str, tuple[dict[str, Any], str, float | None]] = {
  'EMBEDDING_SIZE=50': ({'EMBEDDING_SIZE': 50}, 'finished', 0.9125),
  'EMBEDDING_SIZE=100': ({'EMBEDDING_SIZE': 100}, 'finished', 0.9375),
  'MODEL=gru': ({'MODEL': '@gru', 'gru.n_units': 48}, 'running', None),
  'LEARNING_RATE=10': ({'LEARNING_RATE': 10.0}, 'diverged', None),
}


@pytest.fixture(scope='module')
def board(tmp_path_factory):
  logdir = tmp_path_factory.mktemp('logdir')
  for name, (hparams, status, accuracy) in RUNS.items():
    directory = logdir / name
    with tensorboard.EventWriter(directory) as writer:
      macros = {'LEARNING_RATE': 0.01, 'MODEL': '@mean', 'VOCAB_FILE': None}
      writer.session_start({**macros, **hparams}, start_time=1.0)
      writer.text('config.gin', tensorboard.code_block('N_STEPS = 2'), 0)
      writer.session_end(status, end_time=2.0)
    with tensorboard.EventWriter(directory / 'train') as writer:
      for step in range(1, 6):
        writer.scalars({'metrics/CrossEntropyLoss': 1 / step}, step)
    if accuracy:
      with tensorboard.EventWriter(directory / 'test') as writer:
        writer.scalars({'metrics/Accuracy': accuracy}, 5)
  with live_tensorboard.LiveTensorBoard(logdir, load_fast=True) as result:
    result.wait_until(lambda: len(result.get('runs')) == 4 + 4 + 2)
    yield result


@pytest.fixture(scope='module')
def browser():
  with live_browser.open_browser() as driver:
    yield driver


def test_hparams_page_has_a_row_for_every_run(board, browser, tmp_path):
  live_browser.open_tab(browser, board.url, 'hparams')
  shown = live_browser.wait_for_text(
    browser,
    [*RUNS, 'Number of matching session groups: 4', 'test.metrics/Accuracy'],
  )
  rows = shown[shown.index('Show Metrics') :].splitlines()
  # The row of the unfinished run: hyper-parameters that only it has, and a
  # metric from the directory below.
  start = rows.index('MODEL=gru')
  assert {'0.010000', '@gru', '48.000', '0.20000'} <= set(
    rows[start : start + 8]
  )
  start = rows.index('EMBEDDING_SIZE=100')
  assert {'0.010000', '@mean', '100.00', '0.93750'} <= set(
    rows[start : start + 8]
  )
  live_browser.save_picture(browser, tmp_path / 'hparams.png')


def test_scalars_page_overlays_the_runs(board, browser, tmp_path):
  live_browser.open_tab(browser, board.url, 'scalars')
  live_browser.wait_for_text(
    browser,
    ['tag: metrics/CrossEntropyLoss', *(f'{name}/train' for name in RUNS)],
  )
  live_browser.save_picture(browser, tmp_path / 'scalars.png')


def test_text_page_shows_the_config(board, browser):
  live_browser.open_tab(browser, board.url, 'text')
  live_browser.wait_for_text(browser, ['config.gin', 'N_STEPS = 2'])
