"""One training update as a pure function, and many of them in one call.

The update is trax's own: the gradient of its model with its loss layer, and its
optimizer's `tree_update`. What differs from `trax.optimizers.Trainer` is that a
run of steps of one shape is compiled into one program, with donated buffers and
no host work between the steps, and that the norms, each a pass over all
weights, are those of a run's last step alone.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

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


class Start(Protocol):
  """Gives what training starts from in place of random weights."""

  def __call__(self, weights: Any, state: Any) -> tuple[Any, Any]:
    """Returns weights and state of the model, trees like those given.

    Args:
      weights: the tree of its random weights.
      state: the tree of its non-trainable state.
    """


class Rate(NamedTuple):
  """How much of each update an array of weights takes.

  Attributes:
    factor: what its learning rate, and with it its weight decay, is multiplied
      by; 0: it stays as it is, and no gradient is computed.
    n_frozen_steps: how many steps, from the first, it stays as it is, while
      the optimizer takes notice of its gradients.
  """

  factor: float = 1.0
  n_frozen_steps: int = 0


def fresh_state(
  weights, slots, state, rng, *, start: Start | None, has_average: bool
) -> TrainState:
  """Returns what training starts from.

  Args:
    weights: the tree of random weights of model and loss.
    slots: as of `TrainState`.
    state: the tree of initial state of model and loss.
    rng: as of `TrainState`.
    start: gives what is put in the place of the model's; None: nothing.
    has_average: whether there is a moving average; it starts as the weights.
  """
  if start is not None:
    of_model = start(weights[0], state[0])
    weights, state = (
      (new, *tree[1:])
      for new, tree in zip(of_model, (weights, state), strict=True)
    )
  average = weights if has_average else ()
  return TrainState(weights, slots, state, rng, average)


def make_update(
  model_with_loss,
  optimizer,
  *,
  ema_decay: float | None = None,
  rates: Sequence[Rate] = (),
) -> Callable:
  """Makes one training update, a pure function.

  Args:
    model_with_loss: an initialized trax layer that ends in a loss.
    optimizer: a trax optimizer with initialized slots.
    ema_decay: what the moving average of the weights keeps of itself at each
      step, less in the first steps; None: there is no average.
    rates: of the arrays of weights of the model, in the order of the tree; ():
      all take each update as it is.

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

  def move(rate, step, old, new):
    """Returns what a rate lets pass of an update of an array."""
    if rate == Rate():
      return new
    if not rate.factor:
      return old
    factor = jnp.where(step > rate.n_frozen_steps, rate.factor, 0.0)
    return (old + factor * (new - old)).astype(old.dtype)

  def forward(batch, weights, state, key):
    weights = _map_arrays(
      lambda rate, x: x if rate.factor else jax.lax.stop_gradient(x),
      rates,
      weights,
    )
    return model_with_loss.pure_fn(batch, weights, state, key)

  forward_and_backward = fastmath.value_and_grad(
    forward, argnums=1, has_aux=True
  )

  def update(train_state, step, opt_params, batch):
    weights, slots, state, rng, average = train_state
    rng, key = fastmath.random.split(rng)
    (loss, state), gradients = forward_and_backward(batch, weights, state, key)
    new_weights, new_slots, _ = optimizer.tree_update(
      step, gradients, weights, slots, opt_params, store_slots=False
    )
    weights = _map_arrays(
      lambda rate, old, new: move(rate, step, old, new),
      *(rates, weights, new_weights),
    )
    # Of what is frozen for good they stay, so that nothing of it is computed.
    is_frozen = [not rate.factor for rate in rates]
    is_frozen += [False] * (len(new_slots) - len(rates))
    slots = tuple(
      old if frozen else new
      for frozen, old, new in zip(is_frozen, slots, new_slots, strict=True)
    )
    if ema_decay is not None:
      average = move_average(average, weights, step, ema_decay)
    return TrainState(weights, slots, state, rng, average), loss, gradients

  return update


def _map_arrays(function: Callable, rates: Sequence[Rate], *trees: Any) -> Any:
  """Maps arrays of weights and their rates; those without one are last."""
  import jax

  if not rates:
    return trees[-1]
  leaves, tree = zip(*map(jax.tree_util.tree_flatten, trees), strict=True)
  rest = [Rate()] * (len(leaves[0]) - len(rates))
  found = map(function, [*rates, *rest], *leaves)
  return jax.tree_util.tree_unflatten(tree[0], found)


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
