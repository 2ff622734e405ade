"""Trials on this machine: worker processes that import and compile once."""

import collections
import contextlib
import glob
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import typing
from collections.abc import Mapping, Sequence
from multiprocessing import connection

from absl import logging as absl_logging

from experiments.backend import jax_setup, threads
from experiments.foundation import processes
from experiments.rundir import run_dir
from experiments.sweeps.executors import (
  Ended,
  Event,
  Measured,
  Outcome,
  Progressed,
  Task,
)
from experiments.training.context import MOST_KEPT
from experiments.training.structure import structure

_COMMAND = (
  'import json, sys\n'
  'path, options = json.loads(sys.argv[1])\n'
  'sys.path[:] = path\n'
  'from experiments.sweeps.executors import worker\n'
  'worker.main(**options)\n'
)
_MOST_DEATHS_AT_START = 3
_CLOSE_SECONDS = 5
_OWN_FILES = 48
_FILES_OF_A_WORKER = 4


class LocalExecutor:
  """Worker processes that share out the cores and the GPUs; see `Executor`.

  They die with this process, however it ends.
  """

  def __init__(self, jobs: int):
    """Starts the workers, which import in the meantime.

    Args:
      jobs: number of trials at once.

    Raises:
      UserError: so many workers may not have so many files open.
    """
    # A pipe to each worker, and what the sweep itself has open.
    jax_setup.allow_open_files(_OWN_FILES + _FILES_OF_A_WORKER * jobs)
    cores = processes.usable_cores()
    gpus = visible_gpus()
    self._deaths_at_start = 0
    self._is_stopping = False
    self._workers = [
      _Worker(
        share_cores(cores, i, jobs),
        worker_environment(gpus, i),
        threads.choose(),
      )
      for i in range(jobs)
    ]

  def n_free(self) -> int:
    """See `Executor`."""
    if self._is_stopping:
      return 0
    return sum(worker.task is None for worker in self._workers)

  def choose(self, structures: Sequence[str]) -> int:
    """See `Executor`."""
    return choose_task(self._workers, structures)

  def start(self, task: Task) -> None:
    """See `Executor`."""
    kind = structure(task.config.text)
    worker = choose_worker(self._workers, kind)
    if worker.n_threads != task.n_threads:
      # Of a run that goes on; JAX takes no other number once it has started.
      worker = self._replace(worker, task.n_threads)
    worker.give(task, kind)

  def wait(self, timeout_seconds: float) -> list[Event]:
    """See `Executor`.

    Raises:
      RuntimeError: workers end before they are ready.
    """
    events: list[Event] = []
    by_link = {worker.link: worker for worker in self._workers}
    for link in connection.wait(list(by_link), timeout_seconds):
      worker = by_link[link]  # type: ignore[index]
      try:
        event = worker.receive()
      except (EOFError, ConnectionResetError):
        event = self._handle_loss(worker)
      if event:
        events.append(event)
    return events

  def stop(self) -> None:
    """See `Executor`."""
    self._is_stopping = True
    for worker in self._workers:
      worker.process.send_signal(signal.SIGTERM)

  def close(self) -> None:
    """See `Executor`."""
    for worker in self._workers:
      worker.link.close()
      if worker.task is not None or not worker.is_ready:
        worker.process.kill()
    end = time.monotonic() + _CLOSE_SECONDS
    for worker in self._workers:
      try:
        worker.process.wait(max(0, end - time.monotonic()))
      except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()

  def _replace(self, worker: '_Worker', n_threads: int) -> '_Worker':
    """Puts a new worker in the place of one that has no task, or no process."""
    worker.link.close()
    worker.process.kill()
    worker.process.wait()
    new = _Worker(worker.cores, worker.environment, n_threads)
    self._workers[self._workers.index(worker)] = new
    return new

  def _handle_loss(self, worker: '_Worker') -> Ended | None:
    """Puts a new worker in the place of one that has died."""
    worker.link.close()
    reason = _reason(worker.process.wait())
    self._deaths_at_start += not worker.is_ready
    task = worker.task
    i = self._workers.index(worker)
    if self._is_stopping:
      del self._workers[i]
      status = run_dir.INTERRUPTED
      return Ended(task.key, Outcome(status)) if task else None
    if self._deaths_at_start >= _MOST_DEATHS_AT_START:
      raise RuntimeError(f'Workers end before they are ready: {reason}.')
    self._replace(worker, worker.n_threads)
    if task is None:
      return None
    error = f'The process of the trial has {reason}.'
    return Ended(task.key, Outcome(run_dir.FAILED, error, may_retry=True))


class _Worker:
  """A worker process, seen from the parent."""

  def __init__(
    self, cores: list[int], environment: Mapping[str, str], n_threads: int
  ):
    self.cores, self.environment, self.n_threads = cores, environment, n_threads
    self.is_ready = False
    self.task: Task | None = None
    # Whose programs it keeps.
    self.structures: collections.deque[str] = collections.deque(
      maxlen=MOST_KEPT
    )
    self.link, other = multiprocessing.Pipe()
    options = {
      'descriptor': other.fileno(),
      'parent': os.getpid(),
      'cores': cores,
      'verbosity': absl_logging.get_verbosity(),
    }
    self.process = subprocess.Popen(
      [sys.executable, '-c', _COMMAND, json.dumps([sys.path, options])],
      stdin=subprocess.DEVNULL,
      pass_fds=[other.fileno()],
      env={**os.environ, **environment, threads.VARIABLE: str(n_threads)},
      # Ctrl-C on the terminal then reaches the parent alone.
      process_group=0,
    )
    other.close()

  def give(self, task: Task, structure: str) -> None:
    """Hands over a task; one that is not ready finds it when it is."""
    self.task = task
    if structure in self.structures:
      self.structures.remove(structure)
    self.structures.append(structure)
    # If it is dead, `wait` finds out.
    with contextlib.suppress(BrokenPipeError):
      self.link.send(task)

  def receive(self) -> Event | None:
    """Reads a message.

    Raises:
      EOFError: the process has died.
    """
    kind, *content = self.link.recv()
    if kind == 'ready':
      self.is_ready = True
      return None
    assert self.task is not None
    if kind == 'progress':
      return Progressed(self.task.key, *content)
    if kind == 'records':
      return Measured(self.task.key, content[0], self.link.send)
    task, self.task = self.task, None
    return Ended(task.key, content[0])


class Compiling(typing.Protocol):
  """What is looked at to choose among workers."""

  structures: collections.deque[str]  # that it has compiled, or is about to
  task: typing.Any  # that it has, or None
  is_ready: bool  # whether it has imported what it needs


_AnyWorker = typing.TypeVar('_AnyWorker', bound=Compiling)


def choose_worker(workers: Sequence[_AnyWorker], structure: str) -> _AnyWorker:
  """Returns a free worker: that has compiled it, or else imported."""
  free = [worker for worker in workers if worker.task is None]
  return min(
    free, key=lambda w: (structure not in w.structures, not w.is_ready)
  )


def choose_task(workers: Sequence[Compiling], structures: Sequence[str]) -> int:
  """Returns which of several tasks the next free worker should do.

  Args:
    workers: of which one is free at least.
    structures: those of the tasks that wait, at least one, in their order.

  Returns:
    An index of `structures`.
  """
  kept = choose_worker(workers, '').structures
  taken = {s for worker in workers for s in worker.structures}
  own = [i for i, structure in enumerate(structures) if structure in kept]
  new = [i for i, structure in enumerate(structures) if structure not in taken]
  if own or not new:
    return own[0] if own else 0
  # Far from what the others do: they would come to the next ones soon, and
  # trials of one size wait for the same part of the machine.
  return new[-1] if taken - set(kept) else new[0]


def share_cores(cores: list[int], i: int, jobs: int) -> list[int]:
  """Returns the cores of one of several workers, as equal as can be."""
  if jobs >= len(cores):
    return [cores[i % len(cores)]]
  return cores[i * len(cores) // jobs : (i + 1) * len(cores) // jobs]


def visible_gpus() -> list[str]:
  """Returns the names of the GPUs that this process may use."""
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  if visible is not None:
    return [name for name in visible.split(',') if name]
  return [str(i) for i in range(len(glob.glob('/dev/nvidia[0-9]*')))]


def worker_environment(gpus: list[str], i: int) -> dict[str, str]:
  """Returns what a worker has in its environment beside that of the parent."""
  environment = {}
  if gpus:
    environment['CUDA_VISIBLE_DEVICES'] = gpus[i % len(gpus)]
  if 'XLA_PYTHON_CLIENT_MEM_FRACTION' not in os.environ:
    # JAX would take three quarters of the GPU for itself.
    environment['XLA_PYTHON_CLIENT_PREALLOCATE'] = os.environ.get(
      'XLA_PYTHON_CLIENT_PREALLOCATE', 'false'
    )
  return environment


def _reason(returncode: int) -> str:
  if returncode == -signal.SIGKILL:
    return 'been killed (signal 9), as the kernel does when memory runs out'
  if returncode < 0:
    return f'died of signal {-returncode} ({signal.Signals(-returncode).name})'
  return f'ended with status {returncode}'
