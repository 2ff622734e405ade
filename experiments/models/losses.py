"""Losses: functions that return trax layers.

Every public function here is a gin configurable, for `TrainTask.loss_layer`.
"""


def cross_entropy_loss(label_smoothing=0.0):
  """Returns trax's cross-entropy, with smoothed labels if asked for.

  Args:
    label_smoothing: the probability mass, from 0 to below 1, that is taken from
      the label and shared out among all classes (Szegedy et al. 2016,
      arXiv:1512.00567). 0 gives `tl.CrossEntropyLoss`, anything else
      `tl.WeightedCategoryCrossEntropy`, whose value is another quantity and has
      its own name in TensorBoard.

  Returns:
    A layer: log-probabilities float32 [batch, n_classes], targets int32
    [batch], weights float32 [batch] -> float32 [], the weighted mean.
  """
  from trax import layers as tl

  if not label_smoothing:
    return tl.CrossEntropyLoss()
  # Its own log-softmax leaves log-probabilities as they are.
  return tl.WeightedCategoryCrossEntropy(label_smoothing=label_smoothing)
