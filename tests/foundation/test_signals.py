"""Ctrl-C and SIGTERM, as they are noted, held and raised."""

import concurrent.futures
import itertools
import os
import signal
import subprocess
import sys

import pytest

from experiments.foundation import signals


def test_a_later_signal_ends_what_the_first_lets_go_on():
  clock = itertools.count()
  with signals.StopSignal(lambda: 1.5 * next(clock)) as stop_signal:
    assert stop_signal() is None
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop_signal() == signal.SIGTERM
    with pytest.raises(signals.Terminated):
      os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
      os.kill(os.getpid(), signal.SIGINT)
  assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
  ('number', 'error'),
  [
    (signal.SIGTERM, signals.Terminated),
    (signal.SIGINT, KeyboardInterrupt),
  ],
)
def test_a_held_signal_waits_for_the_end(number, error):
  reached = []

  def signalled():
    with signals.held():
      with signals.held():
        os.kill(os.getpid(), number)
        reached.append('the end of the inner')
      reached.append('the end of the outer')

  before = signal.signal(signal.SIGTERM, signals.raise_for)
  try:
    with pytest.raises(error):
      signalled()
  finally:
    signal.signal(signal.SIGTERM, before)
  assert reached == ['the end of the inner', 'the end of the outer']


def test_a_held_signal_that_is_ignored_stays_so():
  before = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    with signals.held():
      os.kill(os.getpid(), signal.SIGINT)
  finally:
    signal.signal(signal.SIGINT, before)


def test_a_signal_that_comes_twice_at_once_is_one():
  with signals.StopSignal() as stop_signal:
    for _ in range(3):
      os.kill(os.getpid(), signal.SIGTERM)
    assert stop_signal() == signal.SIGTERM


@pytest.mark.parametrize(
  ('number', 'error'),
  [
    (signal.SIGTERM, signals.Terminated),
    (signal.SIGINT, KeyboardInterrupt),
  ],
)
def test_what_may_be_given_up_ends_at_once(number, error):
  reached: list[str] = []
  with signals.StopSignal() as stop_signal:
    with pytest.raises(error), stop_signal.raising():
      _kill_and(number, reached)
    assert stop_signal() == number
    assert stop_signal.has_raised
    # Nor is it begun when the signal has come before.
    with pytest.raises(error), stop_signal.raising():
      reached.append('the beginning')
    # Outside it is noted.
    reached.append('outside')
  assert reached == ['outside']


def _kill_and(number, reached):
  os.kill(os.getpid(), number)
  reached.append('the end')


def test_a_signal_that_was_noted_ends_what_may_be_given_up():
  with signals.StopSignal() as stop_signal:
    os.kill(os.getpid(), signal.SIGTERM)
    assert not stop_signal.has_raised
    with pytest.raises(signals.Terminated), stop_signal.raising():
      pass


def test_outside_of_the_main_thread_none_is_heard():
  def listen():
    before = signal.getsignal(signal.SIGTERM)
    with signals.StopSignal() as stop_signal, stop_signal.raising():
      assert signal.getsignal(signal.SIGTERM) is before
      return stop_signal()

  with concurrent.futures.ThreadPoolExecutor() as pool:
    assert pool.submit(listen).result() is None


HELD = """
import os, signal
from experiments.foundation import signals

signal.signal(signal.SIGTERM, signals.end_command)
with signals.held(before_exit=lambda: print('put right', flush=True)):
  os.kill(os.getpid(), signal.{name})
  print('not cut short')
"""


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT'])
def test_a_command_ends_at_once_in_what_is_held(name):
  done = subprocess.run(
    [sys.executable, '-c', HELD.format(name=name)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 128 + getattr(signal, name)
  assert (done.stdout, done.stderr) == ('put right\n', 'Stopped.\n')
