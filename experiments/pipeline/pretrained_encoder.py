"""The pretrained encoder of an experiment: read, started from, remembered."""

import dataclasses
import pathlib
from typing import Any, TypedDict

from experiments.config.experiment import Experiment
from experiments.foundation import json_text, json_types
from experiments.foundation.errors import UserError
from experiments.models import encoder_directory
from experiments.models.encoder_config import EncoderConfig
from experiments.rundir import run_dir
from experiments.training.update import Start

_FORMAT = 1


class _Fields(TypedDict):
  """What the file holds: an `EncoderConfig`."""

  format: int
  family: str
  n_tokens: int
  d_model: int
  n_layers: int
  n_heads: int
  d_ff: int
  activation: str
  n_positions: int
  first_position: int
  n_types: int
  epsilon: float
  pooling: str
  start: list[int]
  end: list[int]


def read_config(experiment: Experiment) -> EncoderConfig | None:
  """Reads what the encoder of an experiment is, if it has one.

  Args:
    experiment: of which.

  Raises:
    UserError: it cannot be read, is not known, or reads less than MAX_LENGTH.
  """
  path = experiment.model.encoder
  if path is None:
    return None
  config = encoder_directory.read_config(pathlib.Path(path))
  longest = experiment.buckets.max_length
  if longest > config.max_length:
    raise UserError(
      f'MAX_LENGTH is {longest}, and ENCODER = {path!r} reads '
      f'{config.max_length} tokens of a text. Bind MAX_LENGTH = '
      f'{config.max_length}; with TRUNCATE = True longer texts keep so many.'
    )
  return config


def start_of(experiment: Experiment, config: EncoderConfig) -> Start:
  """Returns what puts the weights of an encoder into its model.

  Args:
    experiment: what will be trained.
    config: what its encoder is.

  Raises:
    UserError: the weights cannot be read, or do not fit.
  """
  assert experiment.model.encoder is not None
  arrays = encoder_directory.read_weights(
    pathlib.Path(experiment.model.encoder), config
  )

  def start(weights: Any, state: Any) -> tuple[Any, Any]:
    import jax

    leaves, tree = jax.tree_util.tree_flatten(weights)
    # The head comes after the encoder.
    leaves[: len(arrays)] = arrays
    return jax.tree_util.tree_unflatten(tree, leaves), state

  return start


def store(directory: run_dir.RunDir, config: EncoderConfig | None) -> None:
  """Writes what an encoder is to a run directory.

  Args:
    directory: of the run.
    config: what it is; None: there is none, and nothing is written.
  """
  if config is not None:
    fields = {**dataclasses.asdict(config), 'format': _FORMAT}
    directory.encoder.write(json_text.to_json(fields, indent=2) + '\n')


def load(directory: run_dir.RunDir) -> EncoderConfig | None:
  """Reads what the encoder of a run is, if it has one.

  Args:
    directory: of the run.

  Raises:
    UserError: the file is damaged.
  """
  try:
    content = directory.encoder.read_bytes()
  except (FileNotFoundError, NotADirectoryError):
    return None
  try:
    fields: dict[str, Any] = {**json_types.loads(content, _Fields)}
    if fields.pop('format') != _FORMAT:
      raise ValueError('its format is not known')
    for name in ('start', 'end'):
      fields[name] = tuple(fields[name])
    return EncoderConfig(**fields)
  except (ValueError, TypeError) as error:
    raise UserError(f'{directory.encoder} is damaged: {error}.') from error
