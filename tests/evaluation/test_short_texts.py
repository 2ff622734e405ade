"""Short texts whose answers are those of their padding are found."""

import numpy as np
import pytest

from experiments.evaluation import inference, short_texts
from experiments.text import tokenization


class MeanModel:
  """Class 1 where the mean of a text's ids is above 4, padding counted or not.

  Attributes:
    counts_padding: whether it is.
    shortest: length in tokens below which it fails.
  """

  def __init__(self, counts_padding, shortest=0):
    self.counts_padding = counts_padding
    self.shortest = shortest

  def pure_fn(self, inputs, weights, state, rng):
    del weights, rng
    from jax import numpy as jnp

    if inputs.shape[1] < self.shortest:
      raise TypeError(f'{inputs.shape[1]} tokens')
    n = (inputs > 0).sum(axis=1)
    if self.counts_padding:
      n = jnp.full_like(n, inputs.shape[1])
    mean = inputs.sum(axis=1) / jnp.maximum(n, 1)
    return jnp.stack([jnp.full_like(mean, 4), mean], axis=1), state


def classifier(model, boundary=40):
  return inference.Classifier(
    model,
    forward=inference.compile_forward(model),
    weights=(),
    state=(),
    boundaries=[boundary],
    batch_sizes=[8, 1],
  )


# Of 8 tokens, the mean is 9 for half of the texts and 2 for the others; padded
# to 40 tokens it is 1.8 and 0.4. Those of 7 tokens are too short to ask.
TEXTS = [[9] * 30, [2] * 8, [9] * 7, [9] * 8, [2] * 50] * 20


@pytest.mark.parametrize(
  ('model', 'boundary', 'expected'),
  [
    (MeanModel(counts_padding=True), 40, (64, 32)),
    (MeanModel(counts_padding=False), 40, (64, 0)),
    # Of 12 tokens, padding included, the means are 6 and 1.3.
    (MeanModel(counts_padding=True), 12, (64, 0)),
    (MeanModel(counts_padding=True, shortest=9), 40, (0, 0)),
  ],
)
def test_answers_that_padding_changes_are_counted(model, boundary, expected):
  tokens = tokenization.Tokens.from_lists(TEXTS, [0] * len(TEXTS))
  found = short_texts.change_by_padding(classifier(model, boundary), tokens)
  assert found == expected
  assert found.is_decisive == (expected[1] > 12)


def test_texts_that_are_all_shorter_say_nothing():
  tokens = tokenization.Tokens.from_lists([[9] * 7, []], [0, 0])
  model = classifier(MeanModel(counts_padding=True))
  found = short_texts.change_by_padding(model, tokens)
  assert found == (0, 0)
  assert not found.is_decisive


def test_only_a_text_s_first_tokens_count():
  ids = np.array([[9] * 8 + [1] * 20, [1] * 8 + [9] * 20])
  tokens = tokenization.Tokens.from_lists(ids.tolist(), [0, 0])
  model = classifier(MeanModel(counts_padding=True))
  assert short_texts.change_by_padding(model, tokens) == (2, 1)
