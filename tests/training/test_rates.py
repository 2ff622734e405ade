"""Arrays of weights that learn at a rate of their own, or not at all."""

import numpy as np
import pytest

from experiments.backend import trax_repairs
from experiments.training.update import Rate, TrainState, make_update

trax = trax_repairs.import_trax()

from trax import layers as tl  # noqa: E402
from trax import optimizers  # noqa: E402

BATCH = (
  np.array([[1, 2], [3, 1]], np.int32),
  np.array([0, 1], np.int32),
  np.ones(2, np.float32),
)


def _train(optimizer, rates, n_steps=4, learning_rate=0.1):
  """Returns the train states after each step."""
  import jax

  model = tl.Serial(
    tl.Embedding(4, 3), tl.Mean(axis=1), tl.Dense(2), tl.LogSoftmax()
  )
  model_with_loss = tl.Serial(model, tl.CrossEntropyLoss())
  weights, state = model_with_loss.init(
    trax.shapes.signature(BATCH), rng=jax.random.PRNGKey(0)
  )
  slots, numbers = optimizer.tree_init(weights)
  numbers = {**numbers, 'learning_rate': learning_rate}
  update = jax.jit(make_update(model_with_loss, optimizer, rates=rates))
  states = [TrainState(weights, tuple(slots), state, jax.random.PRNGKey(1))]
  for step in range(1, n_steps + 1):
    states.append(update(states[-1], np.int32(step), numbers, BATCH)[0])
  return states


def _arrays(state):
  import jax

  return [np.array(x) for x in jax.tree_util.tree_leaves(state.weights)]


def _make(name):
  return {
    'SGD': lambda: optimizers.SGD(0.1),
    'Adam': lambda: optimizers.Adam(0.1, weight_decay_rate=0.0),
    'Momentum': lambda: optimizers.Momentum(0.1, weight_decay_rate=0.0),
  }[name]()


@pytest.mark.parametrize('name', ['SGD', 'Adam', 'Momentum'])
def test_a_factor_is_that_of_the_learning_rate(name):
  both = [Rate(0.25), *[Rate(0.25)] * 2]
  scaled = _train(_make(name), both)[-1]
  slower = _train(_make(name), [], learning_rate=0.025)[-1]
  for one, other in zip(_arrays(scaled), _arrays(slower), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('name', ['SGD', 'Adam', 'Momentum'])
def test_what_is_frozen_stays_bit_for_bit_and_the_rest_learns(name):
  first, *_, last = _train(_make(name), [Rate(0.0), Rate(), Rate()])
  before, after = _arrays(first), _arrays(last)
  np.testing.assert_array_equal(before[0], after[0])
  assert all((x != y).any() for x, y in zip(before[1:], after[1:], strict=True))
  for one, other in zip(first.slots[:1], last.slots[:1], strict=True):
    np.testing.assert_array_equal(one, other)


def test_it_thaws_after_so_many_steps_at_its_own_rate():
  states = _train(_make('SGD'), [Rate(0.5, 2), Rate(), Rate()])
  embeddings = [_arrays(state)[0] for state in states]
  for each in embeddings[1:3]:
    np.testing.assert_array_equal(each, embeddings[0])
  whole = _train(_make('SGD'), [Rate(1.0, 2), Rate(), Rate()])
  np.testing.assert_allclose(
    embeddings[3] - embeddings[2],
    (_arrays(whole[3])[0] - embeddings[2]) / 2,
    atol=1e-7,
  )
  assert (embeddings[3] != embeddings[2]).any()


def test_without_rates_nothing_is_other_than_traxs_update():
  for one, other in zip(
    _arrays(_train(_make('Adam'), [])[-1]),
    _arrays(_train(_make('Adam'), [Rate()] * 3)[-1]),
    strict=True,
  ):
    np.testing.assert_array_equal(one, other)
