"""Models: functions that return trax layers.

Each takes what the framework knows (`vocab_size`, `n_classes`, `mode`) and its
own hyper-parameters, all keyword-only, and returns a layer that maps token ids,
int32 [batch, length] with 0 as padding, to log-probabilities, float32
[batch, n_classes]. Every public function here is a gin configurable.
"""


def mean_embedding(*, vocab_size, n_classes, d_feature=50, mode='train'):
  """Averages the embeddings of a text and classifies the average.

  The mean runs over all positions, padding included, as in the post. It is the
  bag of embeddings of fastText (Joulin et al. 2016, arXiv:1607.01759) with a
  full softmax and without n-grams.

  Args:
    vocab_size: number of rows of the embedding; token ids are below it.
    n_classes: number of classes.
    d_feature: width of the embedding.
    mode: 'train' or 'eval'; the model is the same in both.

  Returns:
    A layer: int32 [batch, length] -> float32 [batch, n_classes], log-softmax.
  """
  del mode
  from trax import layers as tl

  return tl.Serial(
    tl.Embedding(vocab_size=vocab_size, d_feature=d_feature),
    tl.Mean(axis=1),
    tl.Dense(n_classes),
    tl.LogSoftmax(),
  )
