"""Models, against the same sums in NumPy."""

import numpy as np
import pytest

from experiments import models, trax_repairs


@pytest.fixture(scope='module')
def model():
  """A mean embedding of 7 pieces and 4 classes, with weights."""
  trax = trax_repairs.import_trax()
  model = models.mean_embedding(vocab_size=7, n_classes=4, d_feature=5)
  model.init(
    trax.shapes.ShapeDtype((2, 3), np.int32),
    rng=trax.fastmath.random.get_prng(0),
  )
  return model


def test_mean_embedding(model):
  embedding, _, (kernel, bias), _ = model.weights
  assert embedding.shape == (7, 5)
  assert kernel.shape == (5, 4)
  assert bias.shape == (4,)
  inputs = np.array([[1, 2, 3], [6, 0, 0]], np.int32)
  # Padding is averaged over, as in the post.
  means = [np.mean([embedding[i] for i in row], axis=0) for row in inputs]
  logits = np.array(means) @ kernel + bias
  expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
  log_probs = np.asarray(model(inputs))
  assert log_probs.dtype == np.float32
  np.testing.assert_allclose(log_probs, expected, rtol=1e-5, atol=1e-6)


def test_every_model_is_keyword_only_and_documented():
  import inspect

  public = {
    name: function
    for name, function in vars(models).items()
    if inspect.isfunction(function) and not name.startswith('_')
  }
  assert 'mean_embedding' in public
  for name, function in public.items():
    parameters = inspect.signature(function).parameters
    assert {p.kind.name for p in parameters.values()} == {'KEYWORD_ONLY'}
    assert {'vocab_size', 'n_classes', 'mode'} <= set(parameters), name
    for parameter in parameters:
      assert f'    {parameter}: ' in (function.__doc__ or ''), (name, parameter)
