"""Weights to start from: another run's, a file's of trax, or word vectors."""

import os
import pathlib

from experiments.config.experiment import Experiment
from experiments.foundation.errors import UserError
from experiments.pipeline import (
  pretrained_embedding,
  pretrained_encoder,
  saved_model,
)
from experiments.pipeline.data import Data
from experiments.pipeline.models import Models
from experiments.rundir import run_dir
from experiments.training.update import Start


def load(
  experiment: Experiment, *, data: Data, models: Models, trust: bool
) -> Start | None:
  """Loads what the experiment's `init_from` or `embedding_file` names.

  Args:
    experiment: what will be trained.
    data: what it will be trained on.
    models: its models.
    trust: whether a file that can run code when it is read may be read.

  Returns:
    The start, or None for random weights.

  Raises:
    UserError: there is no such run or file, it is not trusted, it is of another
      vocabulary, or it does not fit the model.
  """
  path = experiment.model.init_from
  if path is None:
    if data.encoder is not None:
      return pretrained_encoder.start_of(experiment, data.encoder)
    return pretrained_embedding.start_of(experiment, data=data, models=models)
  where = f'experiment.init_from = {path!r}'
  if os.path.isdir(path):
    found = _of_run(pathlib.Path(path), data, models, where)
  elif not os.path.isfile(path):
    raise UserError(
      f'{where}: there is no such file or directory. Name a run directory, or '
      'a model.pkl.gz of trax.'
    )
  elif not trust:
    raise UserError(
      f'{where}: reading such a file can run any code that it holds. If you '
      'trust who made it, add --trust_init_from; a run directory needs no '
      'trust.'
    )
  else:
    with experiment.bound():
      found = _of_file(path, models, where)
  if found is None:
    raise UserError(
      f'{where}: its weights do not fit this model. Bind MODEL, its sizes and '
      'VOCAB_SIZE as they were there; the number of classes counts, too.'
    )
  return found


def _of_run(
  path: pathlib.Path, data: Data, models: Models, where: str
) -> Start | None:
  directory = run_dir.RunDir(path)
  if not directory.config.is_file():
    raise UserError(f'{where}: no run directory (it has no config.gin).')
  if directory.read_run().get('vocabulary') != data.vocabulary.fingerprint:
    raise UserError(
      f'{where}: that run has another vocabulary, whose pieces have other ids. '
      f'Bind VOCAB_FILE = {str(directory.vocabulary)!r}.'
    )
  saved = saved_model.load(
    directory, {'vocabulary': data.vocabulary.fingerprint}
  )
  return _fill(models, saved.weights, saved.state)


def _of_file(path: str, models: Models, where: str) -> Start | None:
  import jax

  # Found first: reading the file gives the model weights.
  models.signatures('train')
  try:
    models.train.init_from_file(path)
  # A file that is not trax's raises whatever gzip, pickle or trax happen on.
  except Exception as error:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    raise UserError(f'{where}: not a model of trax: {reason}') from error
  return _fill(
    models,
    *map(jax.tree_util.tree_leaves, (models.train.weights, models.train.state)),
  )


def _fill(models: Models, weights: list, state: list) -> Start | None:
  filled = tuple(
    map(saved_model.fill, models.signatures('train'), (weights, state))
  )
  return None if None in filled else lambda weights, state: filled
