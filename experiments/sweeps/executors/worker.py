"""A worker process on this machine: imports once, then trial after trial."""

import atexit
import os
import signal
from multiprocessing import connection

from experiments.foundation import processes


def main(
  *, descriptor: int, parent: int, cores: list[int], verbosity: int
) -> None:
  """Works until the other end of the connection closes.

  Args:
    descriptor: of a connection; tasks come in, and `('ready',)`, `('progress',
      step, n_steps, loss)`, `('records', records)` (answered by whether to go
      on) and `('ended', outcome)` go out.
    parent: the process without which this one must not be.
    cores: the processor cores to use.
    verbosity: as --verbosity.
  """
  if not processes.die_with(parent):
    return
  # Before the import of what counts cores to size its pools of threads; JAX's
  # is of the same size everywhere.
  processes.keep_to_cores(cores)
  # Ctrl-C goes to the parent, which says what is to be done.
  signal.signal(signal.SIGINT, signal.SIG_IGN)

  from absl import logging as absl_logging

  from experiments.backend import jax_setup
  from experiments.foundation import cache, log, signals
  from experiments.sweeps.executors import attempt
  from experiments.training.context import Cache

  signal.signal(signal.SIGTERM, signals.raise_for)
  link = connection.Connection(descriptor)
  try:
    absl_logging.set_verbosity(verbosity)
    log.start_log(verbosity > 0)
    jax_setup.start_jax(cache_dir=cache.cache_dir())
    link.send(('ready',))
    shared = Cache()
    while True:
      task = link.recv()

      def report(new) -> bool:
        link.send(('records', new))
        return link.recv()

      def on_progress(*values) -> None:
        link.send(('progress', *values))

      link.send(('ended', attempt.run(task, shared, report, on_progress)))
  except (EOFError, ConnectionError, signals.Terminated):
    # Without taking all modules down one by one, which takes a second.
    atexit._run_exitfuncs()
    os._exit(0)
