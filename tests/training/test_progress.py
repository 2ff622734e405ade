"""A bar on a terminal, plain lines elsewhere."""

import logging
import sys

import pytest

from experiments.training import progress
from tests.fixtures import live_terminal
from tests.fixtures.live_launcher import ROOT

SHOWS = """
import logging, sys, time
from experiments.commands import command_line
from experiments.training import progress

command_line.parse_flags(['program'], '')
bar = progress.Progress(n_steps=200, step=50)
for step in range(60, 201, 10):
  time.sleep(0.11)
  bar.update(step, n_examples=320, loss=0.5)
  if step == 100:
    logging.info('evaluated at step 100')
bar.close()
logging.info('done')
"""


class Clock:
  """The time that progress sees, in seconds."""

  def __init__(self):
    self.seconds = 1000.0

  def __call__(self):
    return self.seconds


def test_plain_lines_every_few_seconds(caplog):
  caplog.set_level(logging.INFO)
  clock = Clock()
  shown = progress.Progress(n_steps=100, step=0, clock=clock)
  for step in range(1, 26):
    # The first step takes 20 s to compile, the others 1 s each.
    clock.seconds += 20 if step == 1 else 1
    shown.update(step, n_examples=64, loss=1 / step)
  shown.close()
  assert caplog.messages == [
    'step 1 of 100, loss 1.0000',
    'step 11 of 100, loss 0.0909, 64 examples/s',
    'step 21 of 100, loss 0.0476, 64 examples/s',
  ]


def test_the_rate_is_that_of_the_last_seconds(caplog):
  caplog.set_level(logging.INFO)
  clock = Clock()
  shown = progress.Progress(n_steps=100, step=0, every_seconds=0, clock=clock)
  for step in range(1, 31):
    clock.seconds += 1
    shown.update(step, n_examples=10 if step <= 10 else 1000, loss=None)
  assert caplog.messages[9] == 'step 10 of 100, 10 examples/s'
  assert caplog.messages[-1] == 'step 30 of 100, 1,000 examples/s'


@pytest.mark.parametrize('columns', [80, 0])
def test_a_bar_on_a_terminal_that_the_log_does_not_break(columns):
  command = [sys.executable, '-c', SHOWS]
  with live_terminal.Terminal(command, cwd=ROOT, columns=columns) as terminal:
    written = terminal.read_until(None)
    assert terminal.process.wait() == 0
  # What a line shows before it is written over, or ended.
  shown = [part for part in written.replace('\n', '\r').split('\r') if part]
  assert max(map(len, shown)) <= 80
  bars = [part for part in shown if '/200 [' in part]
  assert bars[0].startswith(' 25%|')
  assert any(
    'loss 0.5000' in bar and 'examples/s' in bar and 'step/s' in bar
    for bar in bars
  )
  others = [part.strip() for part in shown if part not in bars]
  assert [part for part in others if part] == ['evaluated at step 100', 'done']
  # The bar comes again below the line, and is wiped in the end.
  after = shown[shown.index('evaluated at step 100') + 1 :]
  assert '/200 [' in after[0]
  assert after[-1] == 'done'
  assert after[-2].strip() == ''
