"""Models, against the same sums in NumPy, in trax's own layers, and by hand."""

import functools
import inspect
from typing import Any

import numpy as np
import pytest

from experiments.backend import trax_repairs
from experiments.foundation.errors import UserError
from experiments.models import classifiers, layers

trax = trax_repairs.import_trax()

from trax import layers as tl  # noqa: E402

_VOCAB_SIZE, _N_CLASSES, _D = 30, 3, 4
_EMBEDDING, _HEAD = 30 * 4, 4 * 3 + 3
# Small sizes for each model, and the number of weights that they give.
_SIZES: dict[str, tuple[dict[str, Any], int]] = {
  'mean_embedding': ({}, _EMBEDDING + _HEAD),
  'masked_mean_embedding': ({}, _EMBEDDING + _HEAD),
  'max_embedding': ({}, _EMBEDDING + _HEAD),
  'attention_embedding': (
    {'d_attention': 5},
    _EMBEDDING + (4 * 5 + 5) + 5 + _HEAD,
  ),
  'ngram_embedding': (
    {'max_n': 3, 'n_buckets': 50},
    (30 + 50) * 4 + _HEAD,
  ),
  'kim_cnn': (
    {'widths': (2, 3), 'n_filters': 5},
    _EMBEDDING + (2 * 4 * 5 + 5) + (3 * 4 * 5 + 5) + (10 * 3 + 3),
  ),
  # Of each direction: two gates and a candidate, from 4 inputs and 5 units.
  'gru_classifier': (
    {'d_hidden': 5},
    _EMBEDDING + 2 * 3 * ((4 + 5) * 5 + 5) + (10 * 3 + 3),
  ),
  # Three gates and a candidate.
  'lstm_classifier': (
    {'d_hidden': 5},
    _EMBEDDING + 2 * 4 * ((4 + 5) * 5 + 5) + (10 * 3 + 3),
  ),
  # Positions; then of a block two norms, four projections, two layers.
  'transformer_classifier': (
    {'n_layers': 1, 'n_heads': 2, 'd_ff': 6, 'max_len': 12},
    _EMBEDDING
    + 12 * 4
    + (2 * 8 + 4 * (4 * 4 + 4) + (4 * 6 + 6) + (6 * 4 + 4))
    + 8
    + _HEAD,
  ),
}
_MASKED = sorted(set(_SIZES) - {'mean_embedding'})
_TEXTS = np.array(
  [
    [1, 2, 3, 4, 5, 6],
    [7, 8, 9, 0, 0, 0],
    [29, 0, 0, 0, 0, 0],
    [3, 3, 5, 3, 0, 0],
  ],
  np.int32,
)


def make(name, mode='eval', **options):
  sizes = {
    'vocab_size': _VOCAB_SIZE,
    'n_classes': _N_CLASSES,
    'd_feature': _D,
    **_SIZES[name][0],
  }
  return getattr(classifiers, name)(mode=mode, **{**sizes, **options})


def initialized(layer, *inputs, seed=0):
  """Gives a layer weights, all of them some way from zero."""
  import jax

  signature = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in inputs)
  weights, state = layer.weights_and_state_signature(
    signature[0] if len(signature) == 1 else signature
  )
  rng = np.random.default_rng(seed)
  layer.weights = jax.tree_util.tree_map(
    lambda w: rng.normal(0, 0.5, w.shape).astype(w.dtype), weights
  )
  layer.state = jax.tree_util.tree_map(
    lambda s: np.zeros(s.shape, s.dtype), state
  )
  return layer


@functools.cache
def with_weights(name):
  return initialized(make(name), _TEXTS)


@functools.cache
def compiled(model):
  import jax

  def forward(inputs, weights, key):
    return model.pure_fn(inputs, weights, model.state, key)[0]

  return jax.jit(forward)


def outputs(model, inputs, seed=0):
  import jax

  key = jax.random.PRNGKey(seed)
  return np.asarray(compiled(model)(inputs, model.weights, key))


def padded(ids, length):
  return np.pad(ids, ((0, 0), (0, length - ids.shape[1])))


def leaves(tree):
  import jax

  return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(tree)]


# All models ------------------------------------------------------------------


def test_every_model_is_keyword_only_and_documented():
  public = {
    name: function
    for name, function in vars(classifiers).items()
    if inspect.isfunction(function) and not name.startswith('_')
  }
  assert set(public) == set(_SIZES)
  for name, function in public.items():
    parameters = inspect.signature(function).parameters
    assert {p.kind.name for p in parameters.values()} == {'KEYWORD_ONLY'}
    expected = {'vocab_size', 'n_classes', 'd_feature', 'dropout', 'mode'}
    assert expected <= set(parameters), name
    # Python 3.13 keeps no indentation that all lines have.
    lines = (inspect.getdoc(function) or '').splitlines()
    documented = {line.partition(':')[0] for line in lines}
    for parameter in parameters:
      assert f'  {parameter}' in documented, (name, parameter)


@pytest.mark.parametrize('name', _SIZES)
def test_has_as_many_weights_as_computed_by_hand(name):
  assert (
    sum(w.size for w in leaves(with_weights(name).weights)) == (_SIZES[name][1])
  )


@pytest.mark.parametrize('name', _SIZES)
def test_gives_log_probabilities(name):
  output = outputs(with_weights(name), _TEXTS)
  assert output.dtype == np.float32
  assert output.shape == (4, _N_CLASSES)
  np.testing.assert_allclose(np.exp(output).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize('name', _MASKED)
def test_padding_changes_nothing(name):
  model = with_weights(name)
  wide = outputs(model, padded(_TEXTS, 11))
  np.testing.assert_allclose(wide, outputs(model, _TEXTS), rtol=0, atol=2e-6)
  alone = outputs(model, _TEXTS[2:3, :1])
  np.testing.assert_allclose(alone[0], wide[2], rtol=0, atol=2e-6)


@pytest.mark.parametrize('name', ['masked_mean_embedding', 'max_embedding'])
def test_padding_changes_no_bit_of_a_sum_of_few_or_of_a_maximum(name):
  model = with_weights(name)
  np.testing.assert_array_equal(
    outputs(model, padded(_TEXTS, 11)), outputs(model, _TEXTS)
  )


def test_padding_counts_in_the_model_of_the_post():
  model = with_weights('mean_embedding')
  wide = outputs(model, padded(_TEXTS, 11))
  assert np.abs(wide - outputs(model, _TEXTS)).max() > 0.01


@pytest.mark.parametrize('name', _SIZES)
def test_the_order_of_the_batch_changes_nothing(name):
  model = with_weights(name)
  order = np.array([2, 0, 3, 1])
  np.testing.assert_allclose(
    outputs(model, _TEXTS[order]),
    outputs(model, _TEXTS)[order],
    rtol=0,
    atol=1e-6,
  )


@pytest.mark.parametrize('name', _MASKED)
def test_a_text_without_tokens_is_classified_by_the_last_bias(name):
  import jax

  model = with_weights(name)
  bias = leaves(model.weights)[-1]
  output = outputs(model, np.zeros_like(_TEXTS))
  np.testing.assert_allclose(output, [jax.nn.log_softmax(bias)] * 4, atol=1e-6)


@pytest.mark.parametrize('name', _SIZES)
def test_gradients_reach_every_weight_and_are_finite(name):
  of_loss = gradient(with_weights(name))
  gradients = leaves(of_loss(_TEXTS))
  reached = [np.abs(g).max() > 1e-6 for g in gradients]
  # A bias of keys adds the same to all scores of a query: softmax ignores it.
  n_key_biases = 1 if name == 'transformer_classifier' else 0
  assert reached.count(False) == n_key_biases
  half_empty = _TEXTS * np.array([[1], [0], [1], [0]], np.int32)
  assert all(np.isfinite(g).all() for g in leaves(of_loss(half_empty)))


def gradient(model):
  import jax

  labels = np.array([0, 1, 2, 1])

  def loss(weights, inputs):
    key = jax.random.PRNGKey(0)
    log_probs, _ = model.pure_fn(inputs, weights, model.state, key)
    return -log_probs[np.arange(4), labels].mean()

  return functools.partial(jax.jit(jax.grad(loss)), model.weights)


@pytest.mark.parametrize('name', _SIZES)
def test_dropout_is_for_training_only(name):
  plain = with_weights(name)
  training, evaluating = (
    initialized(make(name, mode, dropout=0.5), _TEXTS)
    for mode in ('train', 'eval')
  )
  for model in (training, evaluating):
    model.weights = refilled(model.weights, leaves(plain.weights))
  assert 'Dropout' not in str(plain)
  assert 'Dropout' in str(training)
  np.testing.assert_array_equal(
    outputs(evaluating, _TEXTS), outputs(plain, _TEXTS)
  )
  some, others = (outputs(training, _TEXTS, seed=seed) for seed in (1, 2))
  assert np.abs(some - others).max() > 1e-3


@pytest.mark.parametrize(
  'name',
  [name for name in _SIZES if name.endswith('_embedding')],
)
def test_init_range_is_that_of_the_embedding(name):
  model = make(name, init_range=0.02)
  weights, _ = model.init(
    trax.shapes.signature(_TEXTS), rng=trax.fastmath.random.get_prng(0)
  )
  embedding = max(leaves(weights), key=np.size)
  assert 0.019 < np.abs(embedding).max() <= 0.02


# Each model ------------------------------------------------------------------


def by_numpy(name, features):
  """Log-probabilities of features [batch, d] by the last weights of a model."""
  *_, kernel, bias = leaves(with_weights(name).weights)
  logits = np.array(features) @ kernel + bias
  return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def rows(name):
  """The embeddings of each text, without padding."""
  embedding = leaves(with_weights(name).weights)[0]
  return [embedding[text[text > 0]] for text in _TEXTS]


def assert_classifies(name, features):
  np.testing.assert_allclose(
    outputs(with_weights(name), _TEXTS),
    by_numpy(name, features),
    rtol=0,
    atol=2e-6,
  )


def test_mean_embedding():
  name = 'mean_embedding'
  # Padding is averaged over, as in the post.
  embedding, _, (kernel, bias), _ = with_weights(name).weights
  assert embedding.shape == (_VOCAB_SIZE, _D)
  assert kernel.shape == (_D, _N_CLASSES)
  assert bias.shape == (_N_CLASSES,)
  assert_classifies(name, [embedding[text].mean(axis=0) for text in _TEXTS])


def test_mean_embedding_is_the_layers_of_the_post_bit_for_bit():
  post = tl.Serial(
    tl.Embedding(vocab_size=_VOCAB_SIZE, d_feature=_D),
    tl.Mean(axis=1),
    tl.Dense(_N_CLASSES),
    tl.LogSoftmax(),
  )
  ours = make('mean_embedding')
  for model in (ours, post):
    key = trax.fastmath.random.get_prng(0)
    model.init(trax.shapes.signature(_TEXTS), rng=key)
  for a, b in zip(leaves(ours.weights), leaves(post.weights), strict=True):
    np.testing.assert_array_equal(a, b)
  np.testing.assert_array_equal(outputs(ours, _TEXTS), outputs(post, _TEXTS))


def test_masked_mean_embedding():
  name = 'masked_mean_embedding'
  assert_classifies(name, [x.mean(axis=0) for x in rows(name)])


def test_max_embedding():
  name = 'max_embedding'
  assert_classifies(name, [x.max(axis=0) for x in rows(name)])


def test_attention_embedding():
  name = 'attention_embedding'
  _, w, b, v, *_ = leaves(with_weights(name).weights)
  features = []
  for x in rows(name):
    scores = np.exp(np.tanh(x @ w + b) @ v)
    features.append((scores / scores.sum() * x).sum(axis=0))
  assert_classifies(name, features)


def hashed(gram, n_buckets):
  """The hash of an n-gram, by the arithmetic of Python's own integers."""

  def mixed(key):
    key = (key ^ key >> 16) * 0x85EBCA6B % 2**32
    key = (key ^ key >> 13) * 0xC2B2AE35 % 2**32
    return key ^ key >> 16

  key = mixed(gram[0])
  for later in gram[1:]:
    key = mixed((key * 116049371 + later) % 2**32)
  return _VOCAB_SIZE + key % n_buckets


@pytest.mark.parametrize('max_n', [1, 2, 5])
def test_ngram_ids(max_n):
  layer = layers.ngram_ids(vocab_size=_VOCAB_SIZE, max_n=max_n, n_buckets=1000)
  expected = [
    [
      hashed(text[i : i + n], 1000) if i + n <= np.count_nonzero(text) else 0
      for n in range(2, max_n + 1)
      for i in range(len(text))
    ]
    for text in _TEXTS.tolist()
  ]
  ids = np.asarray(layer(_TEXTS))
  assert ids.dtype == np.int32
  np.testing.assert_array_equal(ids[:, : _TEXTS.shape[1]], _TEXTS)
  np.testing.assert_array_equal(ids[:, _TEXTS.shape[1] :].tolist(), expected)
  # Shorter than the longest n-gram.
  assert layer(_TEXTS[:, :1]).shape == (4, max_n)


def test_ngrams_spread_over_the_buckets():
  # 100 x 100 bigrams in 1,000 buckets, with Poisson's 10 to each.
  pairs = np.mgrid[1:101, 1:101].reshape(2, -1).T
  layer = layers.ngram_ids(vocab_size=200, max_n=2, n_buckets=1000)
  ids = np.asarray(layer(pairs.astype(np.int32)))[:, 2] - 200
  counts = np.bincount(ids, minlength=1000)
  assert 0.85 < counts.var() / counts.mean() < 1.15


def test_ngram_embedding():
  name = 'ngram_embedding'
  embedding = leaves(with_weights(name).weights)[0]
  features = []
  for text in _TEXTS.tolist():
    text = text[: np.count_nonzero(text)]
    grams = [
      hashed(text[i : i + n], 50)
      for n in (2, 3)
      for i in range(len(text) - n + 1)
    ]
    features.append(embedding[text + grams].mean(axis=0))
  assert_classifies(name, features)


def test_kim_cnn():
  name = 'kim_cnn'
  _, *filters, _, _ = leaves(with_weights(name).weights)
  features = []
  for x in rows(name):
    found = []
    for kernel, bias in zip(filters[::2], filters[1::2], strict=True):
      width = len(kernel) // _D
      before = (width - 1) // 2
      around = np.pad(x, ((before, width - 1 - before), (0, 0)))
      outputs = [
        around[i : i + width].ravel() @ kernel + bias for i in range(len(x))
      ]
      found.append(np.maximum(outputs, 0).max(axis=0).ravel())
    features.append(np.concatenate(found))
  assert_classifies(name, features)


def test_kim_cnn_of_one_width():
  model = initialized(make('kim_cnn', widths=(3,)), _TEXTS)
  assert outputs(model, _TEXTS).shape == (4, _N_CLASSES)


@pytest.mark.parametrize(
  ('cell', 'whole', 'd_state'),
  [(tl.GRUCell, tl.GRU, 4), (tl.LSTMCell, tl.LSTM, 8)],
)
def test_each_direction_is_traxs_own_layer_on_the_text_alone(
  cell, whole, d_state
):
  x = np.random.default_rng(0).normal(size=(4, 6, 4)).astype(np.float32)
  mask = _TEXTS > 0
  both = initialized(
    layers.bidirectional(lambda: cell(4), d_hidden=4, d_state=d_state), x, mask
  )
  states, handed_on = both((x, mask))
  np.testing.assert_array_equal(handed_on, mask)
  weights = leaves(both.weights)
  along, against = (initialized(whole(4), x) for _ in range(2))
  half = len(weights) // 2
  along.weights = refilled(along.weights, weights[:half])
  against.weights = refilled(against.weights, weights[half:])
  for i, n in enumerate(mask.sum(axis=1)):
    text = x[i : i + 1, :n]
    backwards = np.asarray(against(text[:, ::-1]))[:, ::-1]
    expected = np.concatenate([along(text), backwards], axis=-1)[0]
    np.testing.assert_allclose(states[i, :n], expected, rtol=0, atol=2e-6)


def refilled(tree, new_leaves):
  import jax

  return jax.tree_util.tree_unflatten(
    jax.tree_util.tree_structure(tree), new_leaves
  )


def test_transformer_reads_the_first_tokens():
  model = with_weights('transformer_classifier')
  long = np.arange(1, 21, dtype=np.int32)[None]
  read = outputs(model, long)
  np.testing.assert_array_equal(read, outputs(model, long[:, :12]))
  assert np.abs(read - outputs(model, long[:, :11])).max() > 1e-4


@pytest.mark.parametrize(
  ('d_feature', 'n_heads', 'better'), [(50, 4, 52), (3, 1, 4), (5, 3, 6)]
)
def test_transformer_needs_a_width_that_its_heads_share(
  d_feature, n_heads, better
):
  with pytest.raises(UserError) as caught:
    make('transformer_classifier', n_heads=n_heads, d_feature=d_feature)
  assert str(caught.value) == (
    'transformer_classifier.d_feature must be even and a multiple of n_heads, '
    f'which is {n_heads}, not {d_feature}. Bind EMBEDDING_SIZE = {better}, or '
    'another n_heads.'
  )
