"""How many steps a call of a compiled program may take."""

from collections.abc import Hashable


class Pace:
  """What steps take, to keep a call short: nothing is heard during one."""

  def __init__(self, most_seconds: float = 0.25):
    """Knows nothing yet.

    Args:
      most_seconds: that a call may take, unless a step alone takes longer.
    """
    self._most_seconds = most_seconds
    self._seconds_per_step: dict[Hashable, float] = {}

  def n_steps(self, kind: Hashable) -> int:
    """Returns how many steps the next call may take; one, to measure it.

    Args:
      kind: of the steps; those of a kind take equally long.
    """
    seconds = self._seconds_per_step.get(kind)
    if seconds is None:
      return 1
    return max(1, int(self._most_seconds / max(seconds, 1e-9)))

  def note(self, kind: Hashable, *, n_steps: int, seconds: float) -> None:
    """Takes how long a call has taken.

    Args:
      kind: as of `n_steps`.
      n_steps: of the call.
      seconds: of the call.
    """
    self._seconds_per_step[kind] = seconds / n_steps
