"""One training update as a pure function, and many of them in one call.

The update is trax's own: the gradient of its model with its loss layer, and its
optimizer's `tree_update`. What differs from `trax.optimizers.Trainer` is that a
run of steps of one shape is compiled into one program, with donated buffers and
no host work between the steps, and that the norms, each a pass over all
weights, are those of a run's last step alone.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from experiments.backend.compilation import Program, Tracing

# As TensorFlow's ExponentialMovingAverage: 0.1 at first, 0.99 at step 891.
_WARM_UP = (1.0, 10.0)


class TrainState(NamedTuple):
  """What a step changes.

  Attributes:
    weights: the tree of weights of model and loss.
    slots: the tree of optimizer slots.
    state: the tree of non-trainable state of model and loss.
    rng: uint32 [2], the key that the next step's key is split from.
    average: the moving average of the weights, or () where there is none.
  """

  weights: Any
  slots: Any
  state: Any
  rng: Any
  average: Any = ()

  @property
  def evaluated_weights(self) -> Any:
    """The average, or where there is none the weights."""
    return self.average or self.weights


class Start(NamedTuple):
  """What training starts from in place of random weights.

  Attributes:
    weights: the tree of weights of the model.
    state: the tree of its non-trainable state.
  """

  weights: Any
  state: Any


def fresh_state(
  weights, slots, state, rng, *, start: Start | None, has_average: bool
) -> TrainState:
  """Returns what training starts from.

  Args:
    weights: the tree of random weights of model and loss.
    slots: as of `TrainState`.
    state: the tree of initial state of model and loss.
    rng: as of `TrainState`.
    start: what is put in the place of the model's; None: nothing.
    has_average: whether there is a moving average; it starts as the weights.
  """
  if start is not None:
    weights, state = (start.weights, *weights[1:]), (start.state, *state[1:])
  average = weights if has_average else ()
  return TrainState(weights, slots, state, rng, average)


def make_update(
  model_with_loss, optimizer, *, ema_decay: float | None = None
) -> Callable:
  """Makes one training update, a pure function.

  Args:
    model_with_loss: an initialized trax layer that ends in a loss.
    optimizer: a trax optimizer with initialized slots.
    ema_decay: what the moving average of the weights keeps of itself at each
      step, less in the first steps; None: there is no average.

  Returns:
    `update(train_state, step, opt_params, batch) -> (train_state, loss,
    gradients)` with step int32 [] counting from 1, opt_params a dict of float32
    [], loss float32 [], and gradients, not clipped, a tree like the weights.
  """
  import jax
  from jax import numpy as jnp
  from trax import fastmath

  def move_average(average, weights, step, decay: float):
    first, second = (n + step.astype('float32') for n in _WARM_UP)
    rate = 1 - jnp.minimum(decay, first / second)
    return jax.tree_util.tree_map(
      lambda a, w: (a + rate * (w - a)).astype(a.dtype), average, weights
    )

  forward_and_backward = fastmath.value_and_grad(
    model_with_loss.pure_fn, argnums=1, has_aux=True
  )

  def update(train_state, step, opt_params, batch):
    weights, slots, state, rng, average = train_state
    rng, key = fastmath.random.split(rng)
    (loss, state), gradients = forward_and_backward(batch, weights, state, key)
    weights, slots, _ = optimizer.tree_update(
      step, gradients, weights, slots, opt_params, store_slots=False
    )
    if ema_decay is not None:
      average = move_average(average, weights, step, ema_decay)
    return TrainState(weights, slots, state, rng, average), loss, gradients

  return update


class UpdateMany:
  """Up to K updates in one compiled call, for each shape of batches.

  A change of the number of steps, of the first step or of any hyper-parameter
  does not compile again.
  """

  def __init__(
    self, update: Callable, *, tracing: Tracing = contextlib.nullcontext
  ):
    """Compiles nothing yet.

    Args:
      update: from `make_update`.
      tracing: entered while code of layers and optimizer runs.
    """
    import jax

    self._program = Program(
      jax.jit(_update_many(update), donate_argnums=(0,)),
      kind=_shape_of_batches,
      tracing=tracing,
    )

  def __call__(
    self,
    train_state: TrainState,
    first_step: int,
    n: int,
    opt_params: dict[str, float],
    learning_rates: np.ndarray,
    batches: tuple[np.ndarray, ...],
  ) -> tuple[TrainState, Any, dict[str, Any]]:
    """Runs updates; returns before they are done.

    Args:
      train_state: arrays of JAX, donated: it must not be used again.
      first_step: number of the first step, counting from 1.
      n: how many steps, 1 to K.
      opt_params: what the optimizer takes beside the learning rate.
      learning_rates: float32 [K].
      batches: arrays [K, batch, …].

    Returns:
      The new train state; float32 [K], the losses, 0 from n on; and of the last
      step, each float32 [], 'gradients_l2', the norm of the gradients before
      clipping, and 'weights_l2', that of the weights after the step.
    """
    return self._program.start(
      train_state,
      np.int32(first_step),
      np.int32(n),
      opt_params,
      learning_rates,
      batches,
    )

  def compile(
    self,
    train_state: TrainState,
    opt_params: dict[str, float],
    many_batches: Iterable[tuple[np.ndarray, ...]],
  ) -> None:
    """Compiles what calls of some shapes need and earlier ones did not.

    Args:
      train_state: as in a call, or a copy on the host.
      opt_params: as in a call.
      many_batches: of each of the calls, what is like its batches.
    """
    self._program.compile(
      (
        train_state,
        np.int32(0),
        np.int32(0),
        opt_params,
        np.zeros(len(batches[0]), np.float32),
        batches,
      )
      for batches in many_batches
    )


def _shape_of_batches(*args) -> tuple[int, ...]:
  # That of the model stays as it is.
  return args[-1][0].shape


def _update_many(update: Callable) -> Callable:
  """Returns the function that `UpdateMany` compiles."""
  import jax
  from jax import numpy as jnp

  def l2_norm(tree):
    leaves = [x.astype(jnp.float32) for x in jax.tree_util.tree_leaves(tree)]
    return jnp.sqrt(sum(jnp.vdot(x, x) for x in leaves))

  def update_many(
    train_state, first_step, n, opt_params, learning_rates, batches
  ):
    leaves, tree = jax.tree_util.tree_flatten(train_state)

    def one(i, carry):
      leaves, losses, norm = carry
      train_state, loss, gradients = update(
        jax.tree_util.tree_unflatten(tree, leaves),
        (first_step + i).astype(jnp.int32),
        {**opt_params, 'learning_rate': learning_rates[i]},
        jax.tree_util.tree_map(lambda x: x[i], batches),
      )
      # Optimizers may return tuples for lists, and promote a weak dtype.
      leaves = [
        jnp.asarray(after, before.dtype)
        for before, after in zip(
          leaves, jax.tree_util.tree_leaves(train_state), strict=True
        )
      ]
      norm = jax.lax.cond(i == n - 1, lambda: l2_norm(gradients), lambda: norm)
      return leaves, losses.at[i].set(loss), norm

    leaves, losses, norm = jax.lax.fori_loop(
      0, n, one, (leaves, jnp.zeros_like(learning_rates), jnp.float32(0))
    )
    train_state = jax.tree_util.tree_unflatten(tree, leaves)
    norms = {'gradients_l2': norm, 'weights_l2': l2_norm(train_state.weights)}
    return train_state, losses, norms

  return update_many
