"""How fast the parts of a model learn: embedding, encoder and the rest."""

import re

from experiments.backend import layer_weights
from experiments.config.experiment import Experiment
from experiments.foundation.errors import UserError
from experiments.models import encoder_layers
from experiments.models.encoder_config import EncoderConfig
from experiments.pipeline.models import Models
from experiments.training.update import Rate

_BLOCK = re.compile(rf'(?:^|[_/]){encoder_layers.BLOCK}_(\d+)/')


def find_rates(
  experiment: Experiment, models: Models, encoder: EncoderConfig | None
) -> list[Rate]:
  """Returns how much of each update the arrays of weights of a model take.

  Layer-wise decay is that of Howard and Ruder 2018, arXiv:1801.06146, section
  3.2 (discriminative fine-tuning).

  Args:
    experiment: what will be trained.
    models: its models.
    encoder: what the models are made of, if it is a pretrained encoder.

  Returns:
    The rates, in the order of the tree; []: all take each as it is.

  Raises:
    UserError: a rate is of a part that the model has not.
  """
  optimization = experiment.optimization
  if encoder is not None:
    return _of_encoder(experiment, models, encoder)
  if (
    optimization.encoder_rate,
    optimization.layer_decay,
    optimization.n_frozen_layers,
  ) != (1.0, 1.0, 0):
    raise UserError(
      'ENCODER_RATE, LAYER_DECAY and N_FROZEN_LAYERS are of a pretrained '
      'encoder, and there is none. Leave them at 1.0, 1.0 and 0, or bind '
      'ENCODER.'
    )
  rate = Rate(optimization.embedding_rate, optimization.n_frozen_steps)
  if rate == Rate():
    return []
  shapes = models.weight_shapes()
  found = layer_weights.find_token_rows(shapes, experiment.model.vocab_size)
  if not found:
    raise UserError(
      'EMBEDDING_RATE and N_FROZEN_STEPS are of an embedding, and MODEL has '
      'none. Leave them at 1.0 and 0.'
    )
  return [rate if name in found else Rate() for name in shapes]


def _of_encoder(
  experiment: Experiment, models: Models, encoder: EncoderConfig
) -> list[Rate]:
  config, n_layers = experiment.optimization, encoder.n_layers
  n_frozen = config.n_frozen_layers
  if n_frozen > n_layers:
    raise UserError(
      f'N_FROZEN_LAYERS is {n_frozen}, and the encoder has {n_layers} layers.'
    )

  def rate_of(name: str) -> Rate:
    block = _BLOCK.search(name)
    if block:
      depth = int(block[1]) + 1
    elif encoder_layers.EMBEDDING in name:
      depth = 0
    else:
      return Rate()
    # As the layers are frozen from below, the embedding is with the first.
    if n_frozen and depth <= n_frozen:
      return Rate(0.0)
    factor = config.encoder_rate * config.layer_decay ** (n_layers - depth)
    factor *= 1.0 if depth else config.embedding_rate
    return Rate(factor, config.n_frozen_steps)

  return [rate_of(name) for name in models.weight_shapes()]
