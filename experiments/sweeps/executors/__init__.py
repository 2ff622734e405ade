"""Where trials run: on this machine, or on a Ray cluster."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from experiments.backend import threads
from experiments.config import gin_config
from experiments.foundation.errors import UserError
from experiments.rundir import metric_log, run_dir


@dataclasses.dataclass(frozen=True)
class Task:
  """A trial, as handed to whatever runs it.

  Attributes:
    key: names it in events.
    config: what to train.
    path: its run directory, the same for all machines.
    names: of what the sweep tries.
  """

  key: str
  config: gin_config.Config
  path: pathlib.Path
  names: tuple[str, ...] | None = None

  @property
  def n_threads(self) -> int:
    """How many threads it takes: as before, if it goes on."""
    try:
      recorded = run_dir.RunDir(self.path).n_threads
    except UserError:
      # The attempt will say so.
      recorded = None
    return recorded or threads.choose()


@dataclasses.dataclass(frozen=True)
class Outcome:
  """How an attempt at a trial ended.

  Attributes:
    status: as in run.json.
    error: one line, or None.
    may_retry: whether another attempt can end otherwise.
  """

  status: str
  error: str | None = None
  may_retry: bool = False


@dataclasses.dataclass(frozen=True)
class Measured:
  """Event: a trial has new records, and waits to hear whether to go on."""

  key: str
  records: list[metric_log.Record]
  answer: Callable[[bool], None]


@dataclasses.dataclass(frozen=True)
class Progressed:
  """Event: a trial has come as far as `step`; `loss` is the newest known."""

  key: str
  step: int
  n_steps: int
  loss: float | None


@dataclasses.dataclass(frozen=True)
class Ended:
  """Event: an attempt at a trial has ended."""

  key: str
  outcome: Outcome


Event = Measured | Progressed | Ended


class Executor(Protocol):
  """Runs tasks, several at a time."""

  def n_free(self) -> int:
    """Returns how many more tasks can be started now."""

  def choose(self, structures: Sequence[str]) -> int:
    """Returns which of several tasks fits what is free; `n_free` is not 0.

    Args:
      structures: `structure.structure` of each, in the order of the sweep.
    """

  def start(self, task: Task) -> None:
    """Starts a task; `n_free` is not 0."""

  def wait(self, timeout_seconds: float) -> list[Event]:
    """Returns events as soon as there are any; [] after the timeout."""

  def stop(self) -> None:
    """Makes running tasks end in order; an `Ended` comes for each."""

  def close(self) -> None:
    """Ends all processes, at once where one still works."""
