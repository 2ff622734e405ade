"""A model with all that a checkpoint must hold: random keys and a state."""

import gin


@gin.configurable
def noisy_embedding(*, vocab_size, n_classes, mode, d_feature=8):
  """A mean of embeddings with dropout and batch normalization.

  Args:
    vocab_size: number of rows of the embedding.
    n_classes: number of classes.
    mode: 'train' or 'eval'.
    d_feature: width of the embedding.
  """
  from trax import layers as tl

  return tl.Serial(
    tl.Embedding(vocab_size=vocab_size, d_feature=d_feature),
    tl.Dropout(rate=0.3, mode=mode),
    tl.Mean(axis=1),
    tl.BatchNorm(axis=(0,), mode=mode),
    tl.Dense(n_classes),
    tl.LogSoftmax(),
  )
