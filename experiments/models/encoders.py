"""The model that is a pretrained encoder and a head."""

from experiments.models import encoder_layers, layers


def pretrained_encoder(
  *, vocab_size, n_classes, encoder, pooling=None, dropout=0.0, mode='train'
):
  """Classifies the vector that a pretrained encoder makes of a text.

  ENCODER names the directory that it is from. Devlin et al. 2018,
  arXiv:1810.04805.

  Args:
    vocab_size: not used: the encoder has its own tokens.
    n_classes: number of classes.
    encoder: what it is, an `encoder_config.EncoderConfig`.
    pooling: 'first' for its first token, 'mean' or 'max'; None: as its
      directory says, or else 'first'.
    dropout: share of embeddings, of attention, of what each part adds and of
      the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  del vocab_size
  return tl.Serial(
    encoder_layers.layers(encoder, dropout=dropout, mode=mode),
    encoder_layers.pool(pooling or encoder.pooling),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )
