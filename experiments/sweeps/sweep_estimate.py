"""How long the rest of a sweep takes.

Trials with the same structure take about the same time, and those of another
model may take a hundred times that. So what finished speaks for its own
structure; where none of a structure has finished, all that did speak for it.
"""

import collections
from collections.abc import Iterable, Mapping


class TimeLeft:
  """Knows how long trials took, by structure."""

  def __init__(self) -> None:
    """Knows nothing yet."""
    self._seconds: dict[str, list[float]] = collections.defaultdict(list)

  def took(self, structure: str, seconds: float) -> None:
    """Takes the time of a trial that has finished."""
    self._seconds[structure].append(seconds)

  def of_trial(self, structure: str | None) -> float | None:
    """Returns the seconds that a trial takes; None if nothing tells.

    Args:
      structure: `Trial.structure`, or None for a trial that is not drawn yet.
    """
    known = self._seconds.get(structure or '') or [
      seconds for several in self._seconds.values() for seconds in several
    ]
    return sum(known) / len(known) if known else None

  def of_rest(
    self,
    waiting: Mapping[str | None, int],
    running: Iterable[float] = (),
    *,
    n_at_once: int,
  ) -> float | None:
    """Returns the seconds until all is done; None if nothing tells.

    Args:
      waiting: number of trials that have not started, by structure.
      running: seconds that each running trial still takes.
      n_at_once: number of trials that run at the same time.
    """
    running = list(running)
    total = sum(running)
    for structure, n_trials in waiting.items():
      seconds = self.of_trial(structure)
      if seconds is None and n_trials:
        return None
      total += n_trials * (seconds or 0.0)
    return max([total / n_at_once, *running])
