"""Compiled programs: a signal is heard while one is computed."""

import os
import signal
import threading
import time

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from experiments.backend.compilation import Program, wait_for

# What a program is to take.
SECONDS = 3.0


@pytest.fixture(scope='module')
def long_program():
  """Returns a program, and an argument with which it takes long."""

  def work(n):
    start = jnp.ones((64, 64)) / 64
    return jax.lax.fori_loop(0, n, lambda i, x: x @ start, start).sum()

  program = Program(jax.jit(work), kind=lambda n: n.shape)
  program(np.int32(1))
  start = time.perf_counter()
  program(np.int32(5000))
  per_second = 5000 / (time.perf_counter() - start)
  return program, np.int32(per_second * SECONDS)


def test_who_waits_is_told_how_long(long_program):
  program, n = long_program
  told: list[float] = []
  result = program.start(np.int32(n // 10))
  wait_for({'a': [result]}, told.append)
  assert result.is_ready()
  assert told == sorted(told)
  assert len(told) > 5


def test_a_signal_is_heard_while_a_program_is_computed(long_program):
  program, n = long_program
  result = program.start(n)
  threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
  with pytest.raises(KeyboardInterrupt):
    wait_for({'a': [result]})
  assert not result.is_ready()
