"""How a text's embeddings are combined, and which tokens take part."""

import numpy as np
import pytest

from experiments.backend import trax_repairs

trax_repairs.import_trax()

from experiments.foundation.errors import UserError  # noqa: E402
from experiments.models import classifiers, layers  # noqa: E402

X = np.array([[[1.0], [2.0], [3.0], [4.0]], [[5.0], [6.0], [7.0], [8.0]]])
MASK = np.array([[True, True, True, True], [True, False, False, False]])


def test_combiners():
  by_mean = layers.masked_mean()((X, MASK))
  np.testing.assert_allclose(by_mean, [[10 / 4], [5.0]])
  by_root = layers.masked_mean('sqrtn')((X, MASK))
  np.testing.assert_allclose(by_root, [[10 / 2], [5.0]])
  with pytest.raises(UserError, match=r"^combiner must be 'mean'"):
    layers.masked_mean('sum')


def test_the_mean_of_an_empty_text_is_0():
  for combiner in ('mean', 'sqrtn'):
    mean = layers.masked_mean(combiner)((X, np.zeros_like(MASK)))
    np.testing.assert_array_equal(mean, [[0], [0]])


def kept_share(rate, mode, seed):
  import jax
  from trax import layers as tl

  layer = tl.Serial(*layers.token_dropout(rate, mode), tl.Select([1], n_in=2))
  mask = np.ones((50, 40), bool)
  mask[:, 30:] = False
  layer.init(((50, 40, 1), (50, 40)), rng=jax.random.PRNGKey(0))
  kept = np.asarray(
    layer((np.zeros((50, 40, 1)), mask), rng=jax.random.PRNGKey(seed))
  )
  assert kept.dtype == bool
  assert not kept[:, 30:].any()
  return kept[:, :30]


def test_token_dropout_leaves_out_its_share_anew_each_time():
  first, second = (kept_share(0.3, 'train', seed) for seed in (1, 2))
  # 1,500 draws: three standard errors are 0.035.
  assert first.mean() == pytest.approx(0.7, abs=0.036)
  assert (first != second).any()
  assert kept_share(0.3, 'eval', 1).all()


@pytest.mark.parametrize(
  ('mode', 'is_same'), [('eval', True), ('train', False)]
)
@pytest.mark.parametrize(
  'model', [classifiers.masked_mean_embedding, classifiers.ngram_embedding]
)
def test_models_leave_out_tokens_in_training_alone(model, mode, is_same):
  import jax
  from trax import shapes

  ids = np.arange(1, 21, dtype=np.int32)[None]
  layer = model(vocab_size=21, n_classes=3, token_dropout=0.5, mode=mode)
  layer.init(shapes.signature(ids))
  outputs = [layer(ids, rng=jax.random.PRNGKey(seed)) for seed in (1, 2)]
  assert np.array_equal(*outputs) == is_same
