"""Sums are the same on any number of cores."""

import os
import subprocess
import sys

import pytest

from experiments.backend import threads
from experiments.foundation.errors import UserError
from tests.fixtures.live_launcher import ROOT

# Each is divided among threads in its own way, by XLA, YNNPACK or OpenBLAS.
OPERATIONS = """
import hashlib, os, pathlib, sys
os.sched_setaffinity(0, {int(core) for core in sys.argv[2:]})
from experiments.backend import jax_setup
jax_setup.start_jax(cache_dir=pathlib.Path(sys.argv[1]))
import jax, numpy as np
from jax import numpy as jnp
x = np.random.RandomState(0).randn(32, 512, 64).astype(np.float32)
def convolve(x, w):
  dims = ('NWC', 'WIO', 'NWC')
  return jax.lax.conv_general_dilated(x, w, [1], 'SAME', dimension_numbers=dims)
for f in (
  lambda x: jnp.sum(x),
  lambda x: jnp.sum(x, axis=(0, 1)),
  lambda x: jnp.vdot(x, x),
  lambda x: x.reshape(-1, 64).T @ x.reshape(-1, 64),
  lambda x: jnp.einsum('bld,bmd->blm', x, x),
  lambda x: convolve(x, x[:5, :64, :]),
  lambda x: jax.grad(lambda w: jnp.sum(convolve(x, w) ** 2))(x[:5, :64, :]),
  lambda x: jnp.zeros((9, 64)).at[jnp.abs(x[..., 0]).astype(int)].add(x),
  lambda x: jnp.linalg.qr(x[:8].reshape(512, 512))[0],
):
  print(hashlib.sha256(np.asarray(jax.jit(f)(x))).hexdigest())
"""


def on_cores(cores, tmp_path, **env):
  done = subprocess.run(
    [sys.executable, '-c', OPERATIONS, str(tmp_path), *map(str, cores)],
    cwd=ROOT,
    env={**os.environ, **env},
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout.split()


def test_all_operations_are_the_same_on_one_core(two_cores, tmp_path):
  one = on_cores(two_cores[:1], tmp_path)
  assert len(one) == 9
  assert on_cores(two_cores, tmp_path) == one
  # The operations tell numbers of threads apart.
  assert on_cores(two_cores, tmp_path, PJRT_NPROC='1') != one


@pytest.mark.parametrize(
  'text', ['', '0', '-1', '257', '1.0', ' 2', '+2', 'all', '٢', '9' * 5000]
)
def test_a_number_that_xla_would_not_take_is_refused(text, monkeypatch):
  monkeypatch.setenv('PJRT_NPROC', text)
  with pytest.raises(UserError) as error:
    threads.choose()
  assert str(error.value) == (
    f'PJRT_NPROC={text!r} in the environment: how many threads JAX works with '
    'must be a whole number from 1 to 256. Unset it for 2.'
  )


@pytest.mark.parametrize(
  ('text', 'expected'), [(None, 2), ('1', 1), ('64', 64)]
)
def test_the_environment_chooses_for_new_runs(text, expected, monkeypatch):
  monkeypatch.delenv('PJRT_NPROC', raising=False)
  if text:
    monkeypatch.setenv('PJRT_NPROC', text)
  assert threads.choose() == expected


STARTED = """
import logging
logging.basicConfig(format='%(message)s')
import jax
jax.devices()
from experiments.backend import threads
for recorded in (None, 5):
  threads.fix(recorded)
try:
  threads.fix(3)
except ValueError as error:
  print(error)
"""


def test_what_started_before_is_not_changed():
  env = {**os.environ, 'NPROC': '5'}
  env.pop('PJRT_NPROC', None)
  done = subprocess.run(
    [sys.executable, '-c', STARTED],
    cwd=ROOT,
    env=env,
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stderr == (
    'JAX was started before, with 5 threads: the last bits will differ from '
    'those of other processes, which have 2. Set PJRT_NPROC=2 before it '
    'starts.\n'
  )
  assert done.stdout == (
    'JAX works with 5 threads in this process, and the run with 3. Start a new '
    'process for it, which takes 3.\n'
  )
