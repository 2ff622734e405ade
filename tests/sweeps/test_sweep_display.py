"""What a sweep shows while it runs: on a terminal, and in a log."""

import logging
import pathlib
import re
import sys

import pytest

from experiments.comparison import run_reader
from experiments.config import gin_config
from experiments.sweeps import (
  sweep_display,
  sweep_estimate,
  sweep_settings,
)
from experiments.sweeps.executors import Outcome
from experiments.sweeps.sweep_plan import Trial
from tests.fixtures import live_terminal
from tests.fixtures.live_launcher import ROOT

# As a runner calls it for two trials at once, of which the first one ends.
_ON_A_TERMINAL = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from tests.sweeps import test_sweep_display as t
from experiments.foundation import log
from experiments.rundir import metric_log
log.start_log(False)
display = t.sweep_display.Display(t.sweep_settings.Settings())
first, second = t.trial(0), t.trial(1)
display.expect([first.structure] * 3, 3)
display.count(0, 3)
for each in (first, second):
  display.show_start(each)
record = metric_log.Record(5, 'eval', 'metrics/Accuracy', 0.5, 0.0)
display.show_records(second, [record])
for step in (5, 10):
  time.sleep(0.2)
  for each in (first, second):
    display.show_progress(each, step, 20, 1 / step)
t.end(display, first, 'finished', 0.875, n_ended=1)
time.sleep(0.2)
display.show_progress(second, 15, 20, 0.0625)
time.sleep(0.2)
display.close()
"""


LABELS = {'EMBEDDING_SIZE': '100', 'LEARNING_RATE': '0.0001'}


class PlainTrial(Trial):
  """One whose structure needs no trax."""

  structure = 'mean'


def trial(seed):
  return PlainTrial(
    str(seed),
    LABELS | {'SEED': str(seed)},
    lambda: gin_config.Config('', {}, {}),
    pathlib.Path(f'SEED={seed}'),
  )


def end(display, ended, status, accuracy, *, n_ended, error=None):
  """Ends a trial as the runner does."""
  metrics = {} if accuracy is None else {'accuracy': accuracy}
  run = run_reader.Run(
    name=ended.name,
    path=ended.path,
    bindings={},
    overrides=(),
    status=status,
    steps=20,
    seconds=1.25,
    metrics=metrics,
    error=error,
  )
  if status == 'finished':
    display.take_best(ended, run)
  outcome = Outcome(status, error)
  display.show_end(ended, run, outcome, n_ended=n_ended, n_trials=3)


def lines_of(written):
  """Returns all lines that were drawn, one after another."""
  lines = re.split(r'[\r\n]+|\x1b\[[A-Z]', written)
  return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize('columns', [80, 120])
def test_on_a_terminal_each_running_trial_has_a_line(columns):
  with live_terminal.Terminal(
    [sys.executable, '-c', _ON_A_TERMINAL], columns=columns, cwd=ROOT
  ) as terminal:
    shown = terminal.read_until(None)
  assert terminal.process.wait() == 0, shown
  drawn = [line for line in lines_of(shown) if not line.startswith('[1/3]')]
  assert max(map(len, drawn)) < columns
  # It compiles, and nobody knows for how long.
  assert any(re.search(r'SEED=0.*: starting 00:00$', line) for line in drawn)
  trials = [line for line in drawn if re.search(r'\d+/20 ', line)]
  assert all(line.startswith('EMBEDDING_SIZE=') for line in trials)
  for line in trials:
    # The label leaves the bar its place.
    assert len(line.split('|')[1]) >= 10, line
    assert 'loss ' in line
  assert any(re.search(r' 10/20 00:0\d left, loss 0.1000', x) for x in trials)
  if columns == 120:
    assert any('loss 0.0625, eval 0.5000' in line for line in trials)
  totals = [line for line in drawn if line.startswith('Trials: ')]
  assert any('| 0/3 00:0' in line for line in totals)
  # One has taken 1.2 s, half of one and another are left, two at once.
  assert re.search(r'\| 1/3 00:0\d, 00:0\d left, best 0\.8750', totals[-1])
  assert '[1/3] EMBEDDING_SIZE=100, ' in shown


def test_without_a_terminal_there_is_a_line_now_and_then(caplog):
  caplog.set_level(logging.INFO)
  settings = sweep_settings.Settings(objective='accuracy')
  clock = [100.0]
  display = sweep_display.Display(
    settings, every_seconds=10, clock=lambda: clock[0]
  )
  display.show_start(trial(0))
  for seconds in range(25):
    clock[0] = 100.0 + seconds
    display.show_progress(trial(0), seconds, 30, 0.5)
  label = trial(0).label
  assert caplog.messages == [
    f'{label}: step 10 of 30, loss 0.5000',
    f'{label}: step 20 of 30, loss 0.5000',
  ]


def test_the_time_left_goes_by_structure():
  left = sweep_estimate.TimeLeft()
  assert left.of_rest({'gru': 2}, n_at_once=1) is None
  left.took('mean', 2.0)
  left.took('mean', 4.0)
  left.took('gru', 100.0)
  # 10 of 3 s, 2 of 100 s, and one that is not drawn yet of 106 / 3 s.
  waiting = {'mean': 10, 'gru': 2, None: 1}
  assert left.of_rest(waiting, n_at_once=1) == pytest.approx(230 + 106 / 3)
  assert left.of_rest(waiting, [4.0], n_at_once=2) == pytest.approx(
    (234 + 106 / 3) / 2
  )
  assert left.of_rest({}, [5.0, 60.0], n_at_once=2) == 60.0
  # Of a new model nobody knows better than of all.
  assert left.of_trial('cnn') == pytest.approx(106 / 3)


def test_checking_says_now_and_then_how_far_it_is(caplog):
  caplog.set_level(logging.INFO)
  seconds = iter([30.0, 31.0, 35.0, 39.0, 41.0])
  with sweep_display.Checking(
    5000, every_seconds=5, clock=lambda: next(seconds)
  ) as checking:
    for _ in range(5):
      checking.update()
  assert caplog.messages == [
    '3 of 5,000 trials checked',
    '5 of 5,000 trials checked',
  ]


def test_the_best_so_far_is_that_of_the_objective(caplog):
  caplog.set_level(logging.INFO)
  display = sweep_display.Display(sweep_settings.Settings())
  end(display, trial(0), 'finished', 0.5, n_ended=1)
  end(display, trial(1), 'finished', 0.25, n_ended=2)
  end(display, trial(2), 'failed', None, n_ended=3, error='It broke.')
  zero, one, two = (trial(seed).label for seed in range(3))
  assert caplog.messages == [
    f'[1/3] {zero}: finished, accuracy 0.5000, 1.2 s (best so far 0.5000, '
    f'{zero})',
    f'[2/3] {one}: finished, accuracy 0.2500, 1.2 s (best so far 0.5000, '
    f'{zero})',
    f'[3/3] {two}: failed, 1.2 s, It broke. (best so far 0.5000, {zero})',
  ]
