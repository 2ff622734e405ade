"""What a sweep shows while it runs: on a terminal, and in a log."""

import logging
import pathlib
import sys

from experiments.comparison import compare
from experiments.config import gin_config
from experiments.sweeps import sweep_display, sweep_settings
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
display.count(0, 3)
first, second = t.trial(0), t.trial(1)
for each in (first, second):
  display.started(each)
record = metric_log.Record(5, 'eval', 'metrics/Accuracy', 0.5, 0.0)
display.measured(second, [record])
for step in (5, 10):
  time.sleep(0.2)
  for each in (first, second):
    display.progressed(each, step, 20, 1 / step)
t.end(display, first, 'finished', 0.875, n_ended=1)
time.sleep(0.2)
display.progressed(second, 15, 20, 0.0625)
time.sleep(0.2)
display.close()
"""


def trial(seed):
  return Trial(
    str(seed),
    {'SEED': str(seed)},
    lambda: gin_config.Config('', {}, {}),
    pathlib.Path(f'SEED={seed}'),
  )


def end(display, ended, status, accuracy, *, n_ended, error=None):
  """Ends a trial as the runner does."""
  metrics = {} if accuracy is None else {'accuracy': accuracy}
  run = compare.Run(
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
  display.ended(ended, run, outcome, n_ended=n_ended, n_trials=3)


def test_on_a_terminal_each_running_trial_has_a_line():
  with live_terminal.Terminal(
    [sys.executable, '-c', _ON_A_TERMINAL], columns=120, cwd=ROOT
  ) as terminal:
    shown = terminal.read_until(None)
  assert terminal.process.wait() == 0, shown
  assert 'SEED=0:' in shown
  assert '10/20' in shown
  assert 'loss 0.1000, eval 0.5000' in shown
  assert '15/20' in shown
  assert '[1/3] SEED=0: finished, accuracy 0.8750, 1.2 s' in shown
  assert '1/3' in shown.rpartition('finished')[2]
  assert '0.8750, SEED=0]' in shown


def test_without_a_terminal_there_is_a_line_now_and_then(caplog, monkeypatch):
  caplog.set_level(logging.INFO)
  settings = sweep_settings.Settings(objective='accuracy')
  display = sweep_display.Display(settings, every_seconds=10)
  clock = [100.0]
  monkeypatch.setattr(sweep_display.time, 'monotonic', lambda: clock[0])
  display.started(trial(0))
  for seconds in range(25):
    clock[0] = 100.0 + seconds
    display.progressed(trial(0), seconds, 30, 0.5)
  assert caplog.messages == [
    'SEED=0: step 10 of 30, loss 0.5000',
    'SEED=0: step 20 of 30, loss 0.5000',
  ]


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
  assert caplog.messages == [
    '[1/3] SEED=0: finished, accuracy 0.5000, 1.2 s (best so far 0.5000, '
    'SEED=0)',
    '[2/3] SEED=1: finished, accuracy 0.2500, 1.2 s (best so far 0.5000, '
    'SEED=0)',
    '[3/3] SEED=2: failed, 1.2 s, It broke. (best so far 0.5000, SEED=0)',
  ]
