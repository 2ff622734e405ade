"""Trials as tasks of a Ray cluster, on whose machines the run directories are.

Ray keeps the processes of tasks, so that what one has imported and compiled
serves the next. The cluster's machines need this package and a file system in
common; the data caches are each machine's own.
"""

import contextlib
import dataclasses
import functools
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence

from experiments.backend import threads
from experiments.foundation import signals
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir
from experiments.rundir.metric_log import Record
from experiments.sweeps.executors import (
  Ended,
  Event,
  Measured,
  Outcome,
  Progressed,
  Task,
)
from experiments.training.context import Cache


class RayExecutor:
  """Tasks on a Ray cluster; see `Executor`."""

  def __init__(
    self,
    address: str,
    *,
    jobs: int | None,
    num_cpus: float,
    num_gpus: float,
    memory_mib: float,
    resources: Mapping[str, float],
  ):
    """Connects to a cluster.

    Args:
      address: of its head, or 'auto' for the one that this machine belongs to.
      jobs: most trials at once; None takes as many as the cluster has room for.
      num_cpus: that Ray sets aside for a trial.
      num_gpus: likewise; below 1, trials share a GPU.
      memory_mib: likewise; 0 sets none aside.
      resources: likewise, amounts by a name that the machines were given.

    Raises:
      UserError: Ray is not installed, or there is no such cluster.
    """
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    try:
      import ray
    except ImportError as error:
      raise UserError(
        '--executor=ray needs the package ray. Install it: '
        "pip install 'trax-experiments[ray]', or pip install ray."
      ) from error
    self._ray = ray
    with _handlers_put_back():
      try:
        ray.init(
          address=address,
          log_to_driver=False,
          logging_level=logging.ERROR,
          runtime_env={'env_vars': _environment(threads.choose())},
        )
      except (ConnectionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
          f'--ray_address={address}: no Ray cluster answers: {reason} '
          'Start one by `ray start --head`.'
        ) from error
    self._jobs = jobs
    memory = int(memory_mib * 2**20)
    # By Ray's names of what a cluster has.
    self._needs: dict[str, float] = {
      'CPU': num_cpus,
      'GPU': num_gpus,
      'memory': memory,
      **resources,
    }
    self._monitor = _monitor(ray)
    self._attempt = ray.remote(
      num_cpus=num_cpus,
      num_gpus=num_gpus,
      memory=memory,
      resources=dict(resources),
      max_retries=0,
    )(_attempt)
    self._keys: dict = {}
    self._has_warned = False
    self._taking = self._monitor.take.remote()
    self._is_stopping = False

  def n_free(self) -> int:
    """See `Executor`."""
    if self._is_stopping:
      return 0
    # Machines come and go.
    most = count_room(self._ray.cluster_resources(), self._needs)
    if not most and not self._has_warned:
      self._has_warned = True
      wanted = {name: need for name, need in self._needs.items() if need}
      logging.warning(
        'The cluster has no room for a trial, which needs %s: waiting.', wanted
      )
    if self._jobs is not None:
      most = self._jobs
    return max(0, max(most, 1) - len(self._keys))

  def choose(self, structures: Sequence[str]) -> int:
    """See `Executor`."""
    # Ray decides which process gets it.
    del structures
    return 0

  def start(self, task: Task) -> None:
    """See `Executor`."""
    absolute = dataclasses.replace(task, path=task.path.absolute())
    attempt = self._attempt
    if task.n_threads != threads.choose():
      # Of a run that goes on; it needs a process that starts with them.
      attempt = attempt.options(
        runtime_env={'env_vars': _environment(task.n_threads)}
      )
    self._keys[attempt.remote(absolute, self._monitor)] = task.key

  def wait(self, timeout_seconds: float) -> list[Event]:
    """See `Executor`."""
    ready, _ = self._ray.wait(
      [*self._keys, self._taking], timeout=timeout_seconds
    )
    events: list[Event] = []
    for reference in ready:
      if reference == self._taking:
        events += self._read_report()
      else:
        events.append(self._take_end(reference))
    return events

  def stop(self) -> None:
    """See `Executor`."""
    self._is_stopping = True
    for reference in self._keys:
      # Reaches the task as Ctrl-C; what it asks the monitor is still answered.
      self._ray.cancel(reference, force=False, recursive=False)

  def close(self) -> None:
    """See `Executor`."""
    for reference in self._keys:
      self._ray.cancel(reference, force=True)
    self._ray.shutdown()

  def _read_report(self) -> list[Event]:
    new = self._ray.get(self._taking)
    self._taking = self._monitor.take.remote()
    running = set(self._keys.values())

    def answer(key: str):
      return lambda go_on: self._monitor.answer.remote(key, go_on)

    events: list[Event] = []
    for key, progress, records in new:
      if key not in running:
        continue
      if progress:
        events.append(Progressed(key, *progress))
      else:
        found = [Record(*values) for values in records]
        events.append(Measured(key, found, answer(key)))
    return events

  def _take_end(self, reference) -> Ended:
    from ray import exceptions

    key = self._keys.pop(reference)
    try:
      return Ended(key, self._ray.get(reference))
    except exceptions.TaskCancelledError:
      return Ended(key, Outcome(run_dir.INTERRUPTED))
    except exceptions.RayError as error:
      if self._is_stopping:
        return Ended(key, Outcome(run_dir.INTERRUPTED))
      reason = ' '.join(str(error).split())[:200]
      text = f'The process of the trial was lost: {reason}'
      return Ended(key, Outcome(run_dir.FAILED, text, may_retry=True))


def count_room(there: Mapping[str, float], needs: Mapping[str, float]) -> int:
  """Returns how many trials fit at once, by the amounts of all machines.

  Args:
    there: amounts by name.
    needs: of one trial; one that needs nothing fits once for each CPU.
  """
  needs = {name: need for name, need in needs.items() if need} or {'CPU': 1}
  return min(int(there.get(name, 0) // need) for name, need in needs.items())


def _attempt(task: Task, monitor) -> Outcome:
  """Runs in a process of the cluster."""
  try:
    with _handlers_put_back():
      # Ray's would end the process, with no word of how far the trial came.
      signal.signal(signal.SIGTERM, signals.raise_for)
      return _train(task, monitor)
  except (KeyboardInterrupt, signals.Terminated):
    return Outcome(run_dir.INTERRUPTED)


def _train(task: Task, monitor) -> Outcome:
  import ray
  from absl import logging as absl_logging
  from ray import exceptions

  from experiments.foundation import log
  from experiments.sweeps.executors import attempt

  log.start_log(absl_logging.get_verbosity() > 0)

  def report(new) -> bool:
    records = [tuple(record) for record in new]
    try:
      return ray.get(monitor.report.remote(task.key, records))
    except exceptions.TaskCancelledError as error:
      raise KeyboardInterrupt from error

  def on_progress(*values) -> None:
    monitor.progress.remote(task.key, values)

  return attempt.run(task, _share_in_process(), report, on_progress)


@functools.cache
def _share_in_process() -> Cache:
  """Returns what the tasks of a process share, which Ray alone starts."""
  return Cache()


def _monitor(ray):
  """Starts the actor through which trials report and are answered."""
  from ray.util import scheduling_strategies

  class Monitor:
    """Passes records on, and holds the trial until there is an answer."""

    def __init__(self):
      import asyncio

      self._new: list = []
      self._answers: dict = {}
      self._has_new = asyncio.Event()

    async def report(self, key, records):
      import asyncio

      answer = self._answers[key] = asyncio.get_running_loop().create_future()
      self._new.append((key, (), records))
      self._has_new.set()
      return await answer

    async def progress(self, key, values):
      self._new.append((key, values, ()))
      self._has_new.set()

    async def take(self):
      await self._has_new.wait()
      self._has_new.clear()
      new, self._new = self._new, []
      return new

    async def answer(self, key, go_on):
      answer = self._answers.get(key)
      if answer is not None and not answer.done():
        answer.set_result(go_on)

  # It must live as long as this process, so it lives on the same machine.
  here = scheduling_strategies.NodeAffinitySchedulingStrategy(
    ray.get_runtime_context().get_node_id(), soft=True
  )
  options = {'num_cpus': 0, 'max_concurrency': 1000}
  return (
    ray.remote(Monitor).options(scheduling_strategy=here, **options).remote()
  )


def _environment(n_threads: int) -> dict[str, str]:
  """Returns what the processes of trials have in their environment."""
  environment = {
    threads.VARIABLE: str(n_threads),
    'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
    # JAX would take three quarters of a GPU for itself.
    'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
  }
  for name in os.environ:
    if name.startswith(('TRAX_EXPERIMENTS_', 'TFDS_', 'JAX_', 'XLA_')):
      environment[name] = os.environ[name]
  return environment


@contextlib.contextmanager
def _handlers_put_back() -> Iterator[None]:
  """Puts the handlers back that were there before."""
  numbers = (signal.SIGINT, signal.SIGTERM)
  handlers = {number: signal.getsignal(number) for number in numbers}
  try:
    yield
  finally:
    for number, handler in handlers.items():
      signal.signal(number, handler)
