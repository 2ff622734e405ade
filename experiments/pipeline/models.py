"""The models of a run, each made once."""

import functools
from typing import Any

import numpy as np

from experiments.backend import layer_weights
from experiments.config.experiment import BucketConfig, Experiment
from experiments.models.encoder_config import EncoderConfig
from experiments.training.context import Keep, keep_nothing


class Models:
  """The models of an experiment on a data set, made when first asked for."""

  def __init__(
    self,
    experiment: Experiment,
    *,
    n_classes: int,
    encoder: EncoderConfig | None = None,
    keep: Keep = keep_nothing,
  ):
    """Makes nothing yet.

    Args:
      experiment: what to make.
      n_classes: number of classes of the data set.
      encoder: what the models are made of, if it is a pretrained encoder.
      keep: gives what an earlier run has made.
    """
    self._experiment = experiment
    self._n_classes = n_classes
    self._encoder = encoder
    self._keep = keep

  @functools.cached_property
  def train(self):
    """The trax layer in training mode.

    Raises:
      UserError: its parameters do not go together.
    """
    return self._make('train')

  @functools.cached_property
  def eval(self):
    """The trax layer in evaluation mode; as `train`."""
    return self._make('eval')

  def _make(self, mode: str):
    return self._experiment.make_model(
      n_classes=self._n_classes, mode=mode, encoder=self._encoder
    )

  def signatures(self, mode: str) -> tuple[Any, Any]:
    """Returns shapes and dtypes of the weights and of the state of a model.

    Args:
      mode: 'train' or 'eval'.
    """

    def find() -> tuple[Any, Any]:
      import jax

      inputs = empty_batch(self._experiment.buckets)[0]
      model = self.train if mode == 'train' else self.eval
      with self._experiment.bound():
        return model.weights_and_state_signature(
          jax.ShapeDtypeStruct(inputs.shape, inputs.dtype)
        )

    return self._keep(('signatures', mode, self._n_classes), find)

  def weight_shapes(self) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the weights by name, in the order of the tree."""
    weights, _ = self.signatures('train')
    leaves = layer_weights.name_leaves(self.train, weights)
    return {name: leaf.shape for name, leaf in leaves.items()}


def empty_batch(
  buckets: BucketConfig,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns a batch of the first bucket's shape without texts, to initialize.

  Args:
    buckets: of the experiment.

  Returns:
    Inputs int32 [batch, length], targets int32 [batch], weights float32
    [batch].
  """
  size, length = buckets.batch_sizes[0], buckets.boundaries[0]
  return (
    np.zeros((size, length), np.int32),
    np.zeros(size, np.int32),
    np.ones(size, np.float32),
  )
