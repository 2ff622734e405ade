"""One training update as a pure function, and many of them in one call.

The update is trax's own: the gradient of its model with its loss layer, and its
optimizer's `tree_update`. What differs from `trax.optimizers.Trainer` is that a
run of steps of one shape is compiled into one program, with donated buffers and
no host work between the steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

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


class Start(NamedTuple):
  """What training starts from in place of random weights.

  Attributes:
    weights: the tree of weights of the model.
    state: the tree of its non-trainable state.
  """

  weights: Any
  state: Any


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
    `update(train_state, step, opt_params, batch) -> (train_state, stats)` with
    step int32 [] counting from 1, opt_params a dict of float32 [] and stats a
    dict of float32 []: 'loss', 'gradients_l2' and 'weights_l2'.
  """
  import jax
  from jax import numpy as jnp
  from trax import fastmath

  def moved(average, weights, step, decay: float):
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
    weights, slots, stats = optimizer.tree_update(
      step, gradients, weights, slots, opt_params, store_slots=False
    )
    stats['loss'] = loss
    if ema_decay is not None:
      average = moved(average, weights, step, ema_decay)
    return TrainState(weights, slots, state, rng, average), stats

  return update


def make_update_many(update: Callable) -> Callable:
  """Makes one compiled call that runs up to K updates.

  Args:
    update: from `make_update`.

  Returns:
    `update_many(train_state, first_step, n, opt_params, learning_rates,
    batches) -> (train_state, stats)`: n int32 [] steps, of at most K;
    learning_rates float32 [K]; each array of batches [K, batch, …]; stats a
    dict of float32 [K] whose entries from n on are 0. The train state passed in
    is donated: it must not be used again. A change of n, step or any
    hyper-parameter does not compile again.
  """
  import functools

  import jax
  from jax import numpy as jnp

  @functools.partial(jax.jit, donate_argnums=(0,))
  def update_many(
    train_state, first_step, n, opt_params, learning_rates, batches
  ):
    leaves, tree = jax.tree_util.tree_flatten(train_state)
    leaves = [jnp.asarray(leaf) for leaf in leaves]

    def one(i, leaves):
      _, new = update(
        jax.tree_util.tree_unflatten(tree, leaves),
        (first_step + i).astype(jnp.int32),
        {**opt_params, 'learning_rate': learning_rates[i]},
        jax.tree_util.tree_map(lambda x: x[i], batches),
      )
      return _, new

    def body(i, carry):
      leaves, stats = carry
      train_state, new = one(i, leaves)
      # Optimizers may return tuples for lists, and promote a weak dtype.
      leaves = [
        jnp.asarray(after, before.dtype)
        for before, after in zip(
          leaves, jax.tree_util.tree_leaves(train_state), strict=True
        )
      ]
      return leaves, {k: stats[k].at[i].set(new[k]) for k in stats}

    _, shapes = jax.eval_shape(one, 0, leaves)
    stats = {k: jnp.zeros_like(learning_rates) for k in shapes}
    leaves, stats = jax.lax.fori_loop(0, n, body, (leaves, stats))
    return jax.tree_util.tree_unflatten(tree, leaves), stats

  return update_many
