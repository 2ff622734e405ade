"""Learning rate schedules that end at the last step, beside trax's own.

Every public function here is a gin configurable, for LR_SCHEDULE. Like trax's,
each returns a function from a step, counted from 1, to a learning rate.
"""

import math
from collections.abc import Callable


def warmup_and_cosine_decay(
  *, max_value, n_steps, n_warmup_steps=0, min_value=0.0
) -> Callable[[int], float]:
  """Rises on a line, then falls on half a cosine to its end at the last step.

  One cycle of SGDR (Loshchilov and Hutter 2017, arXiv:1608.03983).

  Args:
    max_value: learning rate after the warm-up.
    n_steps: training steps in total.
    n_warmup_steps: steps of the rise from 0.
    min_value: learning rate of the last step.

  Returns:
    The learning rate as a function of the step.
  """
  return _warmup_and_decay(
    max_value,
    n_steps,
    n_warmup_steps,
    min_value,
    lambda progress: (1 + math.cos(math.pi * progress)) / 2,
  )


def warmup_and_linear_decay(
  *, max_value, n_steps, n_warmup_steps=0, min_value=0.0
) -> Callable[[int], float]:
  """Rises on a line, then falls on one to its end at the last step.

  Without a warm-up it is fastText's schedule.

  Args:
    max_value: learning rate after the warm-up.
    n_steps: training steps in total.
    n_warmup_steps: steps of the rise from 0.
    min_value: learning rate of the last step.

  Returns:
    The learning rate as a function of the step.
  """
  return _warmup_and_decay(
    max_value, n_steps, n_warmup_steps, min_value, lambda progress: 1 - progress
  )


def _warmup_and_decay(
  max_value: float,
  n_steps: int,
  n_warmup_steps: int,
  min_value: float,
  shape: Callable[[float], float],
) -> Callable[[int], float]:
  def learning_rate(step: int) -> float:
    if step <= n_warmup_steps:
      return max_value * step / n_warmup_steps
    n_decay_steps = max(1, n_steps - n_warmup_steps)
    progress = min(1.0, (step - n_warmup_steps) / n_decay_steps)
    return min_value + (max_value - min_value) * shape(progress)

  return learning_rate
