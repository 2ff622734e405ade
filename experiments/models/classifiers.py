"""Models: functions that return trax layers.

Each takes what the framework knows (`vocab_size`, `n_classes`, `mode`) and its
own hyper-parameters, all keyword-only, and returns a layer that maps token ids,
int32 [batch, length] with 0 as padding, to log-probabilities, float32
[batch, n_classes]. Every public function here is a gin configurable. In all but
the post's, `mean_embedding`, padding changes nothing, and a text without tokens
is classified by the last bias alone.
"""

import math

from experiments.foundation.errors import UserError
from experiments.models import layers


def mean_embedding(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  init_range=None,
  dropout=0.0,
  mode='train',
):
  """Averages the embeddings of a text and classifies the average.

  The mean runs over all positions, padding included, as in the post. It is the
  bag of embeddings of fastText (Joulin et al. 2016, arXiv:1607.01759) with a
  full softmax and without n-grams.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    init_range: rows start uniform in ±init_range; None: as trax has it.
    dropout: share of the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.embedding(vocab_size, d_feature, init_range=init_range),
    tl.Mean(axis=1),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def masked_mean_embedding(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  init_range=None,
  combiner='mean',
  token_dropout=0.0,
  dropout=0.0,
  mode='train',
):
  """Averages the embeddings of a text, without padding, and classifies it.

  The bag of embeddings of Joulin et al. 2016, arXiv:1607.01759, without
  n-grams.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    init_range: rows start uniform in ±init_range; None: as trax has it.
    combiner: 'mean', or 'sqrtn' to divide the sum by the square root of the
      number of tokens.
    token_dropout: share of tokens that training leaves out.
    dropout: share of the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.embedded_text(vocab_size, d_feature, init_range=init_range),
    layers.token_dropout(token_dropout, mode),
    layers.masked_mean(combiner),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def max_embedding(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  init_range=None,
  dropout=0.0,
  mode='train',
):
  """Classifies the greatest value of each feature over a text's embeddings.

  SWEM-max of Shen et al. 2018, arXiv:1805.09843.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    init_range: rows start uniform in ±init_range; None: as trax has it.
    dropout: share of the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.embedded_text(vocab_size, d_feature, init_range=init_range),
    layers.masked_max(),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def attention_embedding(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  d_attention=50,
  init_range=None,
  dropout=0.0,
  mode='train',
):
  """Averages the embeddings of a text by learnt weights and classifies that.

  The weights are those of Lin et al. 2017, arXiv:1703.03130, equation 5, over
  embeddings in place of an LSTM's states.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    d_attention: width of the layer that says how much a token counts.
    init_range: rows start uniform in ±init_range; None: as trax has it.
    dropout: share of the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.embedded_text(vocab_size, d_feature, init_range=init_range),
    layers.attention_pool(d_attention),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def ngram_embedding(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  max_n=2,
  n_buckets=65536,
  init_range=None,
  combiner='mean',
  token_dropout=0.0,
  dropout=0.0,
  mode='train',
):
  """Averages the embeddings of tokens and of hashed n-grams, and classifies it.

  fastText's classifier (Joulin et al. 2016, arXiv:1607.01759), whose words are
  the vocabulary's pieces here, with a full softmax.

  Args:
    vocab_size: number of token ids; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    max_n: the longest n-gram, in tokens; 1 is `masked_mean_embedding` with
      more rows.
    n_buckets: rows of the embedding beyond the tokens', shared by n-grams.
    init_range: rows start uniform in ±init_range; None: as trax has it.
    combiner: 'mean', or 'sqrtn' to divide the sum by the square root of the
      number of tokens and n-grams.
    token_dropout: share of tokens and n-grams that training leaves out.
    dropout: share of the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.ngram_ids(vocab_size=vocab_size, max_n=max_n, n_buckets=n_buckets),
    layers.embedded_text(
      vocab_size + n_buckets, d_feature, init_range=init_range
    ),
    layers.token_dropout(token_dropout, mode),
    layers.masked_mean(combiner),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def kim_cnn(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  widths=(3, 4, 5),
  n_filters=100,
  dropout=0.0,
  mode='train',
):
  """Convolves the embeddings of a text and takes each filter's maximum.

  CNN-rand of Kim 2014, arXiv:1408.5882; the paper drops out 0.5.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    widths: tokens that the filters of each kind see at once.
    n_filters: number of filters of each width.
    dropout: share of the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  def greatest(width):
    return tl.Serial(
      layers.windows(width),
      tl.Dense(n_filters),
      tl.Relu(),
      layers.masked_max(),
    )

  return tl.Serial(
    layers.embedded_text(vocab_size, d_feature),
    tl.Branch(*map(greatest, widths)),
    tl.Concatenate(n_items=len(widths)) if len(widths) > 1 else [],
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def gru_classifier(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  d_hidden=50,
  dropout=0.0,
  mode='train',
):
  """Averages the states of a GRU that reads a text in both directions.

  GRU: Cho et al. 2014, arXiv:1406.1078. Averaged, in both directions: Conneau
  et al. 2017, arXiv:1705.02364.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    d_hidden: units of each direction.
    dropout: share of the embeddings and of the features of a text that
      training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.embedded_text(vocab_size, d_feature),
    layers.dropout(dropout, mode),
    layers.bidirectional(
      lambda: tl.GRUCell(d_hidden), d_hidden=d_hidden, d_state=d_hidden
    ),
    layers.masked_mean(),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def lstm_classifier(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  d_hidden=50,
  dropout=0.0,
  mode='train',
):
  """Averages the outputs of an LSTM that reads a text in both directions.

  LSTM: Hochreiter and Schmidhuber 1997. Averaged, in both directions: Conneau
  et al. 2017, arXiv:1705.02364.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    d_hidden: units of each direction.
    dropout: share of the embeddings and of the features of a text that
      training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  from trax import layers as tl

  return tl.Serial(
    layers.embedded_text(vocab_size, d_feature),
    layers.dropout(dropout, mode),
    layers.bidirectional(
      lambda: tl.LSTMCell(d_hidden), d_hidden=d_hidden, d_state=2 * d_hidden
    ),
    layers.masked_mean(),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )


def transformer_classifier(
  *,
  vocab_size,
  n_classes,
  d_feature=50,
  n_layers=2,
  n_heads=2,
  d_ff=200,
  max_len=512,
  dropout=0.0,
  mode='train',
):
  """Averages what a small Transformer encoder makes of a text.

  Vaswani et al. 2017, arXiv:1706.03762, with layer normalization before each
  part (Xiong et al. 2020, arXiv:2002.04745). Padding is masked in attention and
  mean. Positions start as sines and are trained, as trax has it.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding, even and a multiple of n_heads.
    n_layers: number of encoder blocks.
    n_heads: attention heads of each.
    d_ff: width of the dense layer between, of each.
    max_len: tokens of a text that are read, from its start.
    dropout: share of embeddings, of attention, of what each part adds and of
      the features of a text that training drops.
    mode: 'train' or 'eval'.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.

  Raises:
    UserError: d_feature does not go with n_heads.
  """
  from trax import layers as tl

  step = math.lcm(2, n_heads)
  if d_feature % step:
    raise UserError(
      'transformer_classifier.d_feature must be even and a multiple of '
      f'n_heads, which is {n_heads}, not {d_feature}. Bind EMBEDDING_SIZE = '
      f'{d_feature + -d_feature % step}, or another n_heads.'
    )

  embedded = tl.Serial(
    layers.embedding(vocab_size, d_feature),
    # As large as the sines that are added to it (section 3.4 of the paper).
    tl.Fn('Scale', lambda x: x * math.sqrt(d_feature)),
    layers.dropout(dropout, mode),
    tl.PositionalEncoding(max_len=max_len),
  )
  return tl.Serial(
    tl.Fn('FirstTokens', lambda ids: ids[:, :max_len]),
    tl.Branch(embedded, tl.PaddingMask(), layers.padding_mask()),
    [
      layers.transformer_block(d_feature, n_heads, d_ff, dropout, mode)
      for _ in range(n_layers)
    ],
    tl.LayerNorm(),
    tl.Select([0, 2], n_in=3),
    layers.masked_mean(),
    layers.head(n_classes, dropout_rate=dropout, mode=mode),
  )
