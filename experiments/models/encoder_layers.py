"""An encoder of the BERT family, as trax layers.

Devlin et al. 2018, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692; Sanh et
al. 2019, arXiv:1910.01108. Layer normalization comes after each part.
"""

import math
from typing import Any

from experiments.models.encoder_config import EncoderConfig

# Less than any activation.
_VERY_LOW = -1e9
_INITIAL_SPREAD = 0.02
# Names of layers; that of a block has its number behind.
EMBEDDING, BLOCK = 'EncoderEmbedding', 'EncoderBlock'

Shapes = tuple[tuple[int, ...], ...]


def embedding_shapes(config: EncoderConfig) -> Shapes:
  """Returns the shapes of the weights of `embedding`, in their order.

  Tokens, positions, perhaps segments, and scale and bias of the normalization.
  """
  width = (config.d_model,)
  return (
    (config.n_tokens, *width),
    (config.n_positions, *width),
    *(((config.n_types, *width),) if config.n_types else ()),
    width,
    width,
  )


def block_shapes(config: EncoderConfig) -> Shapes:
  """Returns the shapes of the weights of a `block`, in their order.

  A kernel [in, out] and a bias of queries, keys and values beside each other;
  of what attention gives; of both dense layers; and scale and bias of the
  normalization after attention, and after the dense layers.
  """
  d, d_ff = config.d_model, config.d_ff
  kernels = ((d, 3 * d), (d, d), (d, d_ff), (d_ff, d))
  dense = [shape for each in kernels for shape in (each, each[1:])]
  return (*dense, *[(d,)] * 4)


def layers(config: EncoderConfig, *, dropout: float, mode: str) -> list[Any]:
  """Makes all of an encoder.

  Args:
    config: which.
    dropout: share of embeddings, of attention and of what each part adds that
      training drops.
    mode: 'train' or 'eval'.

  Returns:
    A list, for tl.Serial: token ids, int32 [batch, length], 0 is padding and
    those of the tokenizer are one less -> float32 [batch, length + markers,
    d_model], and bool of the same two axes, True where there is text.
  """
  from trax import layers as tl

  rate = dropout if mode == 'train' else 0.0
  return [
    tl.Fn('Markers', lambda ids: _with_markers(ids, config), n_out=3),
    _make_layer(EMBEDDING, config, rate),
    *(
      _make_layer(f'{BLOCK}_{i}', config, rate) for i in range(config.n_layers)
    ),
  ]


def pool(how: str):
  """Makes a text's vector of its tokens'.

  Args:
    how: 'first', 'mean' or 'max'.

  Returns:
    A layer: (float32 [batch, length, d], bool [batch, length]) -> float32
    [batch, d].
  """
  from trax import layers as tl

  from experiments.models import layers as shared

  if how == 'first':
    return tl.Fn('First', lambda x, mask: x[:, 0])
  return shared.masked_mean() if how == 'mean' else shared.masked_max()


def _with_markers(ids, config: EncoderConfig):
  """Returns tokens and segments, int32, and mask, of texts between markers."""
  from jax import numpy as jnp

  n_start, n_end = len(config.start), len(config.end)
  n_tokens = jnp.sum(ids != 0, axis=1, keepdims=True)
  tokens = jnp.pad(ids - 1, ((0, 0), (n_start, n_end)))
  places = jnp.arange(tokens.shape[1])[None]
  for i, marker in enumerate(config.start):
    tokens = jnp.where(places == i, marker, tokens)
  for i, marker in enumerate(config.end):
    tokens = jnp.where(places == n_start + n_tokens + i, marker, tokens)
  mask = places < n_start + n_tokens + n_end
  tokens = jnp.where(mask, tokens, 0)
  # A segment ends with its separator.
  is_end = (tokens == config.end[-1]).astype(jnp.int32)
  segments = jnp.cumsum(is_end, axis=1) - is_end
  segments = jnp.clip(segments, 0, max(config.n_types, 1) - 1)
  return tokens, jnp.where(mask, segments, 0), mask


def _make_layer(name: str, config: EncoderConfig, rate: float):
  """Makes a layer with weights; the class is made where trax is imported."""
  import jax
  from trax.layers import base

  is_block = name != EMBEDDING
  shapes = block_shapes(config) if is_block else embedding_shapes(config)
  # The last vectors are pairs of scale and bias.
  scales = {len(shapes) - 2, *((len(shapes) - 4,) if is_block else ())}

  class Layer(base.Layer):
    """Weights of given shapes, and a function of them."""

    def __init__(self):
      super().__init__(n_in=2 if is_block else 3, n_out=2, name=name)

    def init_weights_and_state(self, input_signature):
      del input_signature
      keys = jax.random.split(self.rng, len(shapes))
      self.weights = tuple(
        _INITIAL_SPREAD * jax.random.normal(key, shape)
        if len(shape) > 1
        else jax.numpy.full(shape, float(i in scales))
        for i, (key, shape) in enumerate(zip(keys, shapes, strict=True))
      )

    def forward(self, inputs):
      drop = _Dropout(self.rng if rate else None, rate)
      compute = _transform if is_block else _embed
      return compute(inputs, self.weights, config, drop)

  return Layer()


class _Dropout:
  """Sets a share of values to 0, others with each call."""

  def __init__(self, key, rate: float):
    self._key, self._rate = key, rate

  def __call__(self, x):
    import jax
    from jax import numpy as jnp

    if not self._rate:
      return x
    self._key, key = jax.random.split(self._key)
    is_kept = jax.random.bernoulli(key, 1 - self._rate, x.shape)
    return jnp.where(is_kept, x / (1 - self._rate), 0.0)


def _embed(inputs, weights, config: EncoderConfig, drop: _Dropout):
  from jax import numpy as jnp

  tokens, segments, mask = inputs
  by_token, by_position, *by_type, scale, bias = weights
  first = config.first_position
  # Beyond the last there is only padding.
  places = jnp.minimum(
    first + jnp.arange(tokens.shape[1]), len(by_position) - 1
  )
  x = by_token[tokens] + by_position[places]
  for each in by_type:
    x = x + each[segments]
  return drop(_normalize(x, scale, bias, config.epsilon)), mask


def _transform(inputs, weights, config: EncoderConfig, drop: _Dropout):
  import jax
  from jax import numpy as jnp

  x, mask = inputs
  dense, norms = weights[:8], weights[8:]
  batch, length, width = x.shape
  heads = (config.n_heads, width // config.n_heads)

  def project(x, i):
    return x @ dense[2 * i] + dense[2 * i + 1]

  together = project(x, 0).reshape(batch, length, 3, *heads)
  queries, keys, values = (together[:, :, i] for i in range(3))
  scores = jnp.einsum('bqhd,bkhd->bhqk', queries, keys) / math.sqrt(heads[1])
  scores = jnp.where(mask[:, None, None], scores, _VERY_LOW)
  attention = drop(jax.nn.softmax(scores, axis=-1))
  found = jnp.einsum('bhqk,bkhd->bqhd', attention, values)
  found = project(found.reshape(batch, length, width), 1)
  x = _normalize(x + drop(found), norms[0], norms[1], config.epsilon)
  activate = {
    'gelu': lambda x: jax.nn.gelu(x, approximate=False),
    'gelu_tanh': lambda x: jax.nn.gelu(x, approximate=True),
    'relu': jax.nn.relu,
  }[config.activation]
  found = project(activate(project(x, 2)), 3)
  x = _normalize(x + drop(found), norms[2], norms[3], config.epsilon)
  return x, mask


def _normalize(x, scale, bias, epsilon: float):
  import jax
  from jax import numpy as jnp

  mean = jnp.mean(x, axis=-1, keepdims=True)
  x = x - mean
  variance = jnp.mean(x * x, axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(variance + epsilon) * scale + bias
