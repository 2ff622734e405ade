"""Layers that leave padding out, and what models share.

As in trax, each function returns a layer; they work for models of one's own as
they do for those of `experiments.models`. Token ids are int32 [batch, length]
with 0 as padding, a mask is bool [batch, length], True where there is text.
"""

import numpy as np

from experiments.foundation.errors import UserError

# The multiplier is of fastText's own hash of n-grams; the others are of the
# finalizer of MurmurHash3, which makes every bit depend on every other.
_HASH_MULTIPLIER = 116049371
_MIX_MULTIPLIERS = (0x85EBCA6B, 0xC2B2AE35)
# Less than any activation, and still finite where a text is empty.
_VERY_LOW = -1e9


def embedding(vocab_size, d_feature, *, init_range=None):
  """Makes an embedding.

  Args:
    vocab_size: number of rows; token ids are below it.
    d_feature: width.
    init_range: rows start uniform in ±init_range. None: as trax has it, in
      ±sqrt(3 / d_feature). fastText starts in ±1 / d_feature.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, length, d_feature].
  """
  from trax import layers as tl

  if init_range is None:
    return tl.Embedding(vocab_size=vocab_size, d_feature=d_feature)
  return tl.Embedding(
    vocab_size=vocab_size,
    d_feature=d_feature,
    kernel_initializer=tl.RandomUniformInitializer(init_range),
  )


def padding_mask():
  """Makes a layer: token ids, int32 [batch, length] -> their mask, bool."""
  from trax import layers as tl

  return tl.Fn('PaddingMask', lambda ids: ids != 0)


def embedded_text(vocab_size, d_feature, *, init_range=None):
  """Makes an embedding that hands on where there is text.

  Args:
    vocab_size: as for `embedding`.
    d_feature: as for `embedding`.
    init_range: as for `embedding`.

  Returns:
    A layer: int32 [batch, length] -> (float32 [batch, length, d_feature],
    mask).
  """
  from trax import layers as tl

  return tl.Branch(
    embedding(vocab_size, d_feature, init_range=init_range), padding_mask()
  )


def dropout(rate, mode):
  """Makes a dropout layer, or none at all where nothing is to be dropped.

  Args:
    rate: share of values that training sets to 0.
    mode: 'train' or 'eval'; 'eval' drops nothing.

  Returns:
    A list, for tl.Serial: of tl.Dropout, or empty for rate 0.
  """
  from trax import layers as tl

  return [tl.Dropout(rate=rate, mode=mode)] if rate else []


def head(n_classes, *, dropout_rate=0.0, mode='train'):
  """Makes what comes last in every model: dropout, dense, log-softmax.

  Args:
    n_classes: number of classes.
    dropout_rate: of the features of a text.
    mode: 'train' or 'eval'.

  Returns:
    A list, for tl.Serial: float32 [batch, d] -> log-probabilities, float32
    [batch, n_classes].
  """
  from trax import layers as tl

  return [
    *dropout(dropout_rate, mode),
    tl.Dense(n_classes),
    tl.LogSoftmax(),
  ]


def token_dropout(rate, mode):
  """Makes a layer that leaves tokens out of a text, or none at all for rate 0.

  Word dropout, of Iyyer et al. 2015, 'Deep Unordered Composition Rivals
  Syntactic Methods for Text Classification'.

  Args:
    rate: share of tokens that training leaves out.
    mode: 'train' or 'eval'; 'eval' leaves none out.

  Returns:
    A list, for tl.Serial, of what takes (activations, mask) and changes the
    mask; empty for rate 0.
  """
  from trax import layers as tl

  if not rate:
    return []
  return [
    tl.Parallel(
      None,
      [
        tl.Fn('MaskToFloat', lambda mask: mask.astype('float32')),
        tl.Dropout(rate=rate, mode=mode),
        tl.Fn('FloatToMask', lambda kept: kept > 0),
      ],
    )
  ]


def masked_mean(combiner='mean'):
  """Makes a mean over a text; that of an empty text is 0.

  Args:
    combiner: 'mean' divides the sum by the number of tokens, 'sqrtn' by its
      square root, so that longer texts are as far from 0 as shorter ones.

  Returns:
    A layer: (float32 [batch, length, d], mask) -> float32 [batch, d].

  Raises:
    UserError: there is no such combiner.
  """
  from jax import numpy as jnp
  from trax import layers as tl

  if combiner not in ('mean', 'sqrtn'):
    raise UserError(f"combiner must be 'mean' or 'sqrtn', not {combiner!r}.")

  def mean(x, mask):
    total = jnp.sum(jnp.where(mask[:, :, None], x, 0.0), axis=1)
    n_tokens = jnp.maximum(jnp.sum(mask, axis=1, keepdims=True), 1)
    return total / (jnp.sqrt(n_tokens) if combiner == 'sqrtn' else n_tokens)

  return tl.Fn('MaskedMean', mean)


def masked_max():
  """Makes a maximum over a text; that of an empty text is 0.

  Returns:
    A layer: (float32 [batch, length, d], mask) -> float32 [batch, d].
  """
  from jax import numpy as jnp
  from trax import layers as tl

  def maximum(x, mask):
    top = jnp.max(jnp.where(mask[:, :, None], x, _VERY_LOW), axis=1)
    return jnp.where(jnp.any(mask, axis=1, keepdims=True), top, 0.0)

  return tl.Fn('MaskedMax', maximum)


def attention_pool(d_attention):
  """Makes a mean whose weights are learnt; that of an empty text is 0.

  With H for the activations of a text, it is softmax(v · tanh(W H + b)) H
  (Lin et al. 2017, arXiv:1703.03130, equation 5).

  Args:
    d_attention: width of W.

  Returns:
    A layer: (float32 [batch, length, d], mask) -> float32 [batch, d].
  """
  import jax
  from jax import numpy as jnp
  from trax import layers as tl

  def mean(scores, x, mask):
    mask = mask[:, :, None]
    attention = jax.nn.softmax(jnp.where(mask, scores, _VERY_LOW), axis=1)
    return jnp.sum(jnp.where(mask, attention * x, 0.0), axis=1)

  return tl.Serial(
    tl.Select([0, 0, 1]),
    tl.Dense(d_attention),
    tl.Tanh(),
    # A bias would move all scores alike, and so change nothing.
    tl.Dense(1, use_bias=False),
    tl.Fn('AttentionPool', mean),
  )


def windows(width):
  """Joins the features of neighbouring tokens.

  A dense layer on them is a convolution over time. On CPU its gradient is much
  faster than that of tl.Conv1d: a step of `kim_cnn` on BBC News took 0.4 s, not
  6 s.

  Args:
    width: number of tokens; (width - 1) // 2 of them stand before.

  Returns:
    A layer: (float32 [batch, length, d], mask) -> (float32 [batch, length,
    width * d], mask); what lies beyond a text, in padding or not, is 0.
  """
  from jax import numpy as jnp
  from trax import layers as tl

  before = (width - 1) // 2

  def join(x, mask):
    length = x.shape[1]
    x = jnp.where(mask[:, :, None], x, 0.0)
    around = jnp.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
    parts = [around[:, i : i + length] for i in range(width)]
    return jnp.concatenate(parts, axis=-1), mask

  return tl.Fn(f'Windows_{width}', join, n_out=2)


def ngram_ids(*, vocab_size, max_n, n_buckets):
  """Appends the hashed n-grams of token ids to the ids.

  The n-grams of a text, for every n from 2 to `max_n`, are hashed into
  `n_buckets` ids that follow those of the vocabulary (Joulin et al. 2016,
  arXiv:1607.01759, section 2.2). Different n-grams may share an id.

  Args:
    vocab_size: token ids are below it.
    max_n: the longest n-gram; 1 adds none.
    n_buckets: number of ids for n-grams.

  Returns:
    A layer: int32 [batch, length] -> int32 [batch, length * max_n], below
    vocab_size + n_buckets; 0 where the n-gram would reach into padding.
  """
  from jax import numpy as jnp
  from trax import layers as tl

  def mix(key):
    for shift, multiplier in zip((16, 13), _MIX_MULTIPLIERS, strict=True):
      key = (key ^ (key >> shift)) * np.uint32(multiplier)
    return key ^ (key >> 16)

  def append(ids):
    found, is_text = [ids], ids != 0
    key = mix(ids.astype(jnp.uint32))
    for n in range(2, max_n + 1):
      # The id that is n - 1 places on; there is only padding past the end.
      later = jnp.pad(ids, ((0, 0), (0, n - 1)))[:, n - 1 :]
      is_text &= later != 0
      key = mix(key * np.uint32(_HASH_MULTIPLIER) + later.astype(jnp.uint32))
      bucket = (key % np.uint32(n_buckets)).astype(jnp.int32)
      found.append(jnp.where(is_text, vocab_size + bucket, 0))
    return jnp.concatenate(found, axis=1)

  return tl.Fn('NGramIds', append)


def bidirectional(make_cell, *, d_hidden, d_state):
  """Runs one recurrent cell along a text and another one against it.

  Both pass padding by: their state stays as it was.

  Args:
    make_cell: function that returns a cell, a layer (input, state) ->
      (output, state), such as `lambda: tl.GRUCell(d_hidden)`.
    d_hidden: width of the cell's output.
    d_state: width of the cell's state.

  Returns:
    A layer: (float32 [batch, length, d], mask) -> (float32 [batch, length,
    2 * d_hidden], mask).
  """
  from jax import numpy as jnp
  from trax import layers as tl

  def flip():
    return tl.Fn('Flip', lambda x: jnp.flip(x, axis=1))

  def with_zero_state(x, mask):
    return x, mask, jnp.zeros((x.shape[0], d_state), x.dtype)

  def keep(output, state, mask, state_before):
    return output, jnp.where(mask[:, None], state, state_before)

  def one_way():
    return [
      tl.Fn('ZeroState', with_zero_state, n_out=3),
      tl.Scan(
        tl.Serial(
          tl.Select([0, 2, 1, 2]),
          make_cell(),
          tl.Fn('PassPaddingBy', keep, n_out=2),
        ),
        axis=1,
      ),
      tl.Select([0], n_in=2),
    ]

  return tl.Serial(
    tl.Branch(
      tl.Serial(one_way()),
      tl.Serial(tl.Parallel(flip(), flip()), one_way(), flip()),
      tl.Select([1], n_in=2),
    ),
    tl.Concatenate(),
    name=f'Bidirectional_{d_hidden}',
  )


def transformer_block(d_feature, n_heads, d_ff, dropout_rate, mode):
  """Makes a block of a Transformer encoder, normalized before each part.

  Args:
    d_feature: width of what goes in and out, a multiple of n_heads.
    n_heads: attention heads.
    d_ff: width of the dense layer between.
    dropout_rate: share of attention and of what each part adds that training
      drops.
    mode: 'train' or 'eval'.

  Returns:
    A list, for tl.Serial: (float32 [batch, length, d_feature], bool [batch, 1,
    1, length] as of tl.PaddingMask) -> the same two.
  """
  from trax import layers as tl

  def drop():
    return dropout(dropout_rate, mode)

  attention = tl.Attention(
    d_feature, n_heads=n_heads, dropout=dropout_rate, mode=mode
  )
  return [
    tl.Residual(tl.LayerNorm(), attention, drop()),
    tl.Residual(
      tl.LayerNorm(),
      tl.Dense(d_ff),
      tl.Relu(),
      drop(),
      tl.Dense(d_feature),
      drop(),
    ),
  ]
