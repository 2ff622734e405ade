"""The steps at which a run is evaluated and saved."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Events:
  """Steps that end with a sampled evaluation and a checkpoint.

  As trax has it, the first and every n-th; and the last, whatever the period.

  Attributes:
    last: the total number of steps.
    period: n; None: only the last.
  """

  last: int
  period: int | None

  def is_at(self, step: int) -> bool:
    """Tells whether a step is one; step 0, before the first, is none."""
    if step == self.last:
      return True
    if self.period is None:
      return False
    return step == 1 or (step > 0 and step % self.period == 0)

  def after(self, step: int) -> int:
    """Returns the first one after a step that is before the last."""
    if self.period is None:
      return self.last
    if step == 0:
      return 1
    return min(self.last, (step // self.period + 1) * self.period)
