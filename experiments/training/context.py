"""What surrounds a run: what it may reuse, where it reports, when it stops.

A run of the launcher is alone; those of a sweep's worker come one after the
other, and share what they make in a `Cache`.
"""

import collections
import dataclasses
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

from experiments.foundation.signals import StopSignal
from experiments.rundir.metric_log import Record

_Made = TypeVar('_Made')

# Programs hold the weights of the run that made them.
MOST_KEPT = 4


class Keep(Protocol):
  """Returns what was made under a key, or makes it."""

  def __call__(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
    """Returns what `make` made.

    Args:
      key: what it is, and all that it depends on beside the structure of the
        config.
      make: makes it.
    """


def keep_nothing(key: Hashable, make: Callable[[], _Made]) -> _Made:
  """Makes it: a `Keep` of a run that is alone."""
  del key
  return make()


class Cache:
  """What the runs of a process have made, by the structure of their configs."""

  def __init__(self) -> None:
    """Holds nothing yet."""
    # The newest structure is last.
    self._kept: collections.OrderedDict[str, dict[Hashable, Any]] = (
      collections.OrderedDict()
    )

  def of(self, structure: str) -> Keep:
    """Returns what keeps things for the runs of a structure.

    Args:
      structure: `structure.structure` of their configs; the structures used
        last stay.
    """
    made = self._kept.setdefault(structure, {})
    self._kept.move_to_end(structure)
    while len(self._kept) > MOST_KEPT:
      self._kept.popitem(last=False)

    def keep(key: Hashable, make: Callable[[], _Made]) -> _Made:
      if key not in made:
        made[key] = make()
      return made[key]

    return keep


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunContext:
  """What surrounds a run.

  Attributes:
    keep: gives what earlier runs have made.
    on_progress: told of step, number of steps and the newest loss, or None,
      with every call of a compiled program.
    on_records: told of each group of new records, and first of those from
      before; what it raises ends the run.
    hparams: names of what the sweep tries that the run is a trial of; None of a
      run by itself.
    stop_signal: entered where a signal must wait for a checkpoint; a signal
      ends the run.
  """

  keep: Keep = keep_nothing
  on_progress: Callable[[int, int, float | None], None] = (
    lambda step, n_steps, loss: None
  )
  on_records: Callable[[list[Record]], None] = lambda records: None
  hparams: tuple[str, ...] | None = None
  stop_signal: StopSignal = dataclasses.field(default_factory=StopSignal)
