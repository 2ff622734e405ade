"""Trials are started until the time is up, and what runs is finished."""

import json
import logging

import pytest

from experiments.config import configurables, gin_config
from experiments.foundation import signals
from experiments.rundir import run_dir, sweep_file
from experiments.sweeps import sweep_plan, sweep_runner
from experiments.sweeps.executors import Ended, Outcome
from experiments.sweeps.sweep_plan import Trial
from experiments.sweeps.sweep_settings import Settings


class Clock:
  """Stands still unless it is put on."""

  def __init__(self):
    self.now = 0.0

  def __call__(self):
    return self.now


class Executor:
  """Takes ten seconds for a trial, two at a time, and does nothing."""

  def __init__(self, clock):
    self._clock = clock
    self._running = []
    self.started = []

  def n_free(self):
    return 2 - len(self._running)

  def choose(self, trials):
    del trials
    return 0

  def start(self, task):
    self.started.append(task.path.name)
    self._running.append(task)

  def wait(self, seconds):
    del seconds
    self._clock.now += 10
    ended, self._running = self._running, []
    for task in ended:
      task.path.mkdir()
      (task.path / 'config.gin').write_text(task.config.text)
      run = {'status': 'finished', 'metrics': {'accuracy': 0.5}}
      (task.path / 'run.json').write_text(json.dumps(run))
    return [Ended(task.key, Outcome(run_dir.FINISHED, None)) for task in ended]

  def stop(self):
    raise AssertionError('nothing has stopped it')

  def close(self):
    pass


def make_trial(directory, rate):
  text = f"LEARNING_RATE = {rate}\nexperiment.splits = ('train', 'test')"
  return Trial(
    key=text,
    values={'LEARNING_RATE': str(rate)},
    make_config=lambda: gin_config.Config(text, {'N_STEPS': 30}, {}),
    path=directory / str(rate),
  )


def run(directory, seconds):
  """Runs five trials; returns the names of those started, and sweep.json."""
  configurables.register()
  clock = Clock()
  executor = Executor(clock)
  settings = Settings()
  state = sweep_file.SweepState(
    directory, objective='accuracy', status=sweep_file.RUNNING
  )
  with signals.StopSignal() as stop_signal:
    sweep_runner.Runner(
      executor,
      state,
      settings,
      stop_signal,
      retries=0,
      supply=sweep_plan.GridSupply(
        [make_trial(directory, i) for i in range(5)]
      ),
      seconds=seconds,
      clock=clock,
    ).run()
  return executor.started, json.loads((directory / 'sweep.json').read_text())


@pytest.mark.parametrize(
  ('seconds', 'n_done'), [(1, 2), (10, 2), (11, 4), (30, 5), (None, 5)]
)
def test_no_trial_starts_after_the_time_and_the_others_come_next(
  tmp_path, caplog, seconds, n_done
):
  caplog.set_level(logging.INFO)
  started, state = run(tmp_path, seconds)
  assert started == [str(i) for i in range(n_done)]
  is_whole = n_done == 5
  assert state['status'] == ('finished' if is_whole else 'incomplete')
  said = [r.message for r in caplog.records if 'are over' in r.message]
  assert (
    said == []
    if is_whole
    else [
      f'{seconds} seconds are over: {n_done} of 5 trials are done. The same '
      'command goes on with the others.'
    ]
  )
  started, state = run(tmp_path, None)
  assert started == [str(i) for i in range(n_done, 5)]
  assert state['status'] == 'finished'
