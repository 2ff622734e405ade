"""Forward passes: every example once, in its place."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from experiments.evaluation import inference
from experiments.text import tokenization

N_CLASSES = 3


class SumModel:
  """Class c gets the sum of the ids, times the weight, plus c."""

  def pure_fn(self, inputs, weights, state, rng):
    del rng
    from jax import numpy as jnp

    sums = inputs.sum(axis=1, keepdims=True) * weights
    return sums + jnp.arange(N_CLASSES, dtype=jnp.float32), state


@pytest.fixture(scope='module')
def classifier():
  model = SumModel()
  return inference.Classifier(
    model,
    forward=inference.compile_forward(model),
    weights=np.float32(2),
    state=(),
    boundaries=[2, 5],
    batch_sizes=[4, 3, 2],
    min_length=1,
    max_length=7,
  )


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(
  strategies.lists(
    strategies.lists(strategies.integers(1, 9), max_size=9), max_size=30
  )
)
def test_every_example_has_its_row(classifier, examples):
  tokens = tokenization.Tokens.from_lists(examples, [0] * len(examples))
  log_probs, kept = classifier.log_probs(tokens)
  assert kept.tolist() == [1 <= len(example) <= 7 for example in examples]
  assert log_probs.dtype == np.float32
  for row, example, is_kept in zip(log_probs, examples, kept, strict=True):
    if is_kept:
      np.testing.assert_array_equal(row, 2 * sum(example) + np.arange(3))
    else:
      assert np.isnan(row).all()


def test_no_example_and_none_that_is_kept(classifier):
  for examples in ([], [[], [1] * 8]):
    tokens = tokenization.Tokens.from_lists(examples, [0] * len(examples))
    log_probs, kept = classifier.log_probs(tokens)
    assert len(log_probs) == len(examples)
    assert not kept.any()


def test_a_bucket_that_was_compiled_before_is_not_compiled_again():
  model = SumModel()
  shapes = []

  def forward(weights, state, inputs):
    shapes.append(inputs.shape)
    return compiled(weights, state, inputs)

  compiled = inference.compile_forward(model)
  classifier = inference.Classifier(
    model,
    forward=forward,
    weights=np.float32(2),
    state=(),
    boundaries=[2, 5],
    batch_sizes=[4, 3, 2],
  )
  assert list(classifier.compile_buckets()) == [2, 5]
  before = set(shapes)
  classifier.log_probs(tokenization.Tokens.from_lists([[1], [1] * 5], [0, 0]))
  assert set(shapes) == before
