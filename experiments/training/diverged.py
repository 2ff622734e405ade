"""How a run ends whose loss is not finite."""

from experiments.foundation.errors import EndOfRun, UserError
from experiments.rundir import run_dir


class Diverged(EndOfRun, UserError):
  """The loss is not finite."""

  run_status = run_dir.DIVERGED

  def __init__(self, step: int, loss: float):
    """Says what to do.

    Args:
      step: training steps done, the one with this loss among them.
      loss: a number that is not finite.
    """
    super().__init__(
      f'The loss of step {step} is {loss}. Lower LEARNING_RATE, or clip the '
      'gradients, e.g. CLIP_GRAD_NORM = 1.0.'
    )
    self.step = step
