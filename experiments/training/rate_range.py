"""The loss while the learning rate rises from step to step: a range test.

After L. N. Smith, Cyclical Learning Rates for Training Neural Networks (WACV
2017), section 3.3.
"""

import contextlib
import math
from typing import TYPE_CHECKING

import numpy as np

from experiments.backend.compilation import Tracing
from experiments.batching import batches
from experiments.training import update
from experiments.training.progress import Progress

if TYPE_CHECKING:
  from experiments.backend.trax_loop import TraxLoop

N_STEPS = 300
RATES = np.geomspace(1e-6, 10, N_STEPS)
# Nothing can be learnt any more where the loss is this often the least.
_MOST_TIMES_LEAST = 4
# Long enough to smooth the batches, short enough to follow the rise.
_SMOOTHING = 0.9
_STEPS_A_CALL = 10
# Less may be the noise of batches.
_LEAST_FALL = 0.05
# The first loss is the mean over so many steps.
_FIRST = 10


def measure_losses(
  trax_loop: 'TraxLoop',
  *,
  start: update.Start | None,
  progress: Progress,
  tracing: Tracing = contextlib.nullcontext,
) -> np.ndarray:
  """Trains from the start with `RATES`, until the loss has no use.

  Args:
    trax_loop: has the layers, the optimizer and the data; its `train_task` is
      over a `batches.BatchStream`.
    start: weights to start from; None: random ones.
    progress: told of steps done.
    tracing: entered while code of layers and optimizer runs.

  Returns:
    Float64 [n], the loss of each step, n <= `N_STEPS`, all finite.
  """
  import jax
  from jax import numpy as jnp

  update_many = update.UpdateMany(
    update.make_update(trax_loop.model_with_loss, trax_loop.optimizer),
    tracing=tracing,
  )
  state = update.fresh_state(
    *trax_loop.train_state(), start=start, has_average=False
  )
  # Copies: the originals stay valid where trax's layers refer to them.
  state = jax.tree_util.tree_map(lambda x: jnp.array(x, copy=True), state)
  numbers = trax_loop.optimizer_numbers()
  found: list[float] = []
  for first, n, arrays in batches.stack_runs(
    trax_loop.train_task.labeled_data, 0, N_STEPS, lambda shape: _STEPS_A_CALL
  ):
    rates = np.zeros(len(arrays[0]), np.float32)
    rates[:n] = RATES[first : first + n]
    state, losses, _ = update_many(state, first + 1, n, numbers, rates, arrays)
    for loss in np.asarray(losses, np.float64)[:n].tolist():
      if not math.isfinite(loss):
        return np.array(found)
      found.append(loss)
    n_examples = n * arrays[0].shape[1]
    progress.update(len(found), n_examples=n_examples, loss=found[-1])
    smoothed = smooth(np.array(found))
    if smoothed[-1] > _MOST_TIMES_LEAST * smoothed.min():
      break
  return np.array(found)


def smooth(losses: np.ndarray) -> np.ndarray:
  """Returns the moving average [n] of losses [n], without its slow start."""
  mean, means = 0.0, []
  for i, loss in enumerate(losses.tolist(), 1):
    mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
    means.append(mean / (1 - _SMOOTHING**i))
  return np.array(means)


def propose(losses: np.ndarray) -> float | None:
  """Returns a rate at which the loss falls fast, or None if it falls at none.

  The longest fall is the longest sequence of steps, not only neighbours, each
  with a lower loss than the one before. What is proposed is the rate of half as
  many steps before its end, as by fastai's 'valley': farther from where
  training breaks down than the steepest step, and less a matter of noise.

  Args:
    losses: float64 [n], of the first n of `RATES`.
  """
  means = smooth(losses)
  if len(means) < _FIRST or means.min() > (1 - _LEAST_FALL) * means[_FIRST - 1]:
    return None
  lengths = np.zeros(len(means), int)
  for i in range(1, len(means)):
    lengths[i] = lengths[:i][means[:i] > means[i]].max(initial=-1) + 1
  end = int(lengths.argmax())
  return float(RATES[end - int(lengths[end]) // 2])
