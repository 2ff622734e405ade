"""How many threads JAX divides sums among: the same, whatever the cores are.

XLA gives each thread of its pool a part of a sum, and OpenBLAS likewise with
what `jax.numpy.linalg` computes. Another number of threads adds in another
order, and a run with other last bits ends with other weights. So the number is
fixed: on fewer cores threads take turns, on more some cores lie idle. A run
records it and keeps it when it goes on.
"""

import logging
import os
import sys

from experiments.foundation import processes
from experiments.foundation.errors import UserError
from experiments.rundir.run_dir import MOST_THREADS

# Of XLA's own client for CPUs.
VARIABLE = 'PJRT_NPROC'
# Beside one thread, two save a Transformer a fourth of its time on two cores,
# and cost a trial that has one core about a tenth; four cost it up to half.
DEFAULT = 2


def choose() -> int:
  """Returns what new runs take: PJRT_NPROC of the environment, or `DEFAULT`.

  Raises:
    UserError: the environment has something else than 1 to `MOST_THREADS`.
  """
  text = os.environ.get(VARIABLE)
  if text is None:
    return DEFAULT
  # XLA would take what it cannot read for the number of cores.
  if not (
    text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_THREADS
  ):
    raise UserError(
      f'{VARIABLE}={text!r} in the environment: how many threads JAX works '
      f'with must be a whole number from 1 to {MOST_THREADS}. Unset it for '
      f'{DEFAULT}.'
    )
  return int(text)


def fix(recorded: int | None) -> None:
  """Fixes the number before JAX starts, which reads it then and only then.

  Args:
    recorded: that of a run which goes on or is asked; None: `choose`.

  Raises:
    UserError: see `choose`; or JAX has started, with another than `recorded`.
  """
  wanted = recorded or choose()
  if not _is_started():
    os.environ[VARIABLE] = str(wanted)
    # Read when JAX loads SciPy's, with which it factorizes matrices.
    os.environ['OPENBLAS_NUM_THREADS'] = '1'
  elif in_use() != wanted:
    if recorded:
      raise UserError(
        f'JAX works with {in_use()} threads in this process, and the run with '
        f'{recorded}. Start a new process for it, which takes {recorded}.'
      )
    logging.warning(
      'JAX was started before, with %d threads: the last bits will differ from '
      'those of other processes, which have %d. Set %s=%d before it starts.',
      in_use(),
      wanted,
      VARIABLE,
      wanted,
    )


def in_use() -> int:
  """Returns the number that JAX has, once it has started."""
  # As XLA looks for it.
  for name in (VARIABLE, 'NPROC'):
    text = os.environ.get(name, '')
    if text.isdigit():
      return int(text)
  return len(processes.usable_cores())


def _is_started() -> bool:
  bridge = sys.modules.get('jax._src.xla_bridge')
  return bridge is not None and bridge.backends_are_initialized()
