"""The model of a run, as its checkpoints hold it, ready to be asked."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.backend import jax_setup
from experiments.config.experiment import Experiment
from experiments.evaluation import inference
from experiments.foundation.errors import UserError
from experiments.pipeline import pretrained_encoder, run_answers, run_identity
from experiments.pipeline.models import Models
from experiments.pipeline.vocabularies import run_vocabulary
from experiments.rundir import checkpoints, run_dir
from experiments.text import tokenization
from experiments.training import loop_state
from experiments.training.context import Keep, keep_nothing


class SavedModel(NamedTuple):
  """What of a checkpoint is evaluated.

  Attributes:
    step: training steps that it has seen.
    weights: leaves of the weights or of their moving average, of the model and
      then of the loss.
    state: leaves of the state, likewise.
  """

  step: int
  weights: list[np.ndarray]
  state: list[np.ndarray]


def load(directory: run_dir.RunDir, identity: Mapping[str, str]) -> SavedModel:
  """Loads the best checkpoint of a run if a best is kept, or the newest.

  Args:
    directory: a run directory.
    identity: what the checkpoint must be of, see `run_identity`.

  Raises:
    UserError: there is no checkpoint, or it is of something else.
  """
  saved = checkpoints.Checkpoints(
    directory.checkpoints, check=lambda found: check(found, identity)
  )
  newest = saved.load_newest()
  checkpoint = (saved.load_best() if saved.best else None) or newest
  if checkpoint is None:
    raise UserError(
      f'{directory.checkpoints} holds no checkpoint. Train first: '
      f'python launcher.py --gin_file={directory.config} '
      f'--output_dir={directory.path}'
    )
  return SavedModel(checkpoint.step, *loop_state.find_leaves(checkpoint))


def check(checkpoint: checkpoints.Checkpoint, identity: Mapping[str, str]):
  """Checks what has been read for a checkpoint of a run.

  Args:
    checkpoint: perhaps one of the run.
    identity: what it must be of, see `run_identity`.

  Raises:
    ValueError: it is not a checkpoint of a loop.
    checkpoints.ForeignError: it is of something else.
  """
  loop_state.check(checkpoint)
  run_identity.check(checkpoint, identity)


class LoadedRun(NamedTuple):
  """A finished run, ready to be asked.

  Attributes:
    experiment: of the run.
    classifier: its model.
    step: training steps that the model has seen.
    vocabulary: of the run.
    labels: the classes by name, in the order of the model's outputs.
  """

  experiment: Experiment
  classifier: inference.Classifier
  step: int
  vocabulary: tokenization.Vocabulary
  labels: list[str]


def load_run(
  experiment: Experiment,
  directory: run_dir.RunDir,
  *,
  cache_dir: pathlib.Path,
  is_calibrated: bool = True,
) -> LoadedRun:
  """Starts JAX as the run had it, and loads what answers.

  Args:
    experiment: of the run.
    directory: of the run.
    cache_dir: of compiled programs.
    is_calibrated: whether it answers at the temperature of the run, if its
      config asks for one.

  Raises:
    UserError: see `load_classifier`; or the vocabulary or the temperature
      cannot be read.
  """
  jax_setup.start_jax(cache_dir=cache_dir, n_threads=directory.n_threads)
  vocabulary = run_vocabulary(experiment, directory)
  classifier, step = load_classifier(
    experiment, directory, vocabulary=vocabulary
  )
  if is_calibrated and experiment.evaluation.calibration:
    classifier = classifier.at_temperature(
      run_answers.load_temperature(directory, step)
    )
  return LoadedRun(
    experiment, classifier, step, vocabulary, directory.read_labels()
  )


def load_classifier(
  experiment: Experiment,
  directory: run_dir.RunDir,
  *,
  vocabulary: tokenization.Vocabulary,
  models: Models | None = None,
  keep: Keep = keep_nothing,
) -> tuple[inference.Classifier, int]:
  """Loads the model of a run.

  Args:
    experiment: of the run.
    directory: of the run.
    vocabulary: of the run.
    models: its models, if they are made already.
    keep: gives what an earlier run has compiled.

  Returns:
    The classifier, and the step of its checkpoint.

  Raises:
    UserError: there is no checkpoint, it does not fit the model, or it is of
      another config, vocabulary or list of classes than the directory has.
  """
  labels = directory.read_labels()
  n_classes = len(labels)
  encoder = pretrained_encoder.load(directory)
  saved = load(
    directory,
    run_identity.identity(
      config_text=directory.config.read_text(encoding='utf-8-sig'),
      vocabulary=vocabulary.fingerprint,
      labels=labels,
      encoder=encoder,
    ),
  )
  models = models or Models(
    experiment,
    n_classes=n_classes,
    encoder=encoder,
    keep=keep,
  )
  weights, state = map(
    fill, models.signatures('eval'), (saved.weights, saved.state)
  )
  if weights is None or state is None:
    raise UserError(
      f'The checkpoint in {directory.checkpoints} does not fit the model: the '
      'code of the model has changed since it was trained.'
    )
  forward = keep(
    ('forward', n_classes),
    lambda: inference.compile_forward(models.eval, tracing=experiment.bound),
  )
  classifier = inference.Classifier(
    models.eval,
    forward=forward,
    weights=weights,
    state=state,
    **experiment.buckets.as_arguments(),
  )
  return classifier, saved.step


def fill(tree: Any, leaves: list[np.ndarray]) -> Any:
  """Puts the first of some leaves into a tree of signatures.

  Args:
    tree: a tree of what has a shape.
    leaves: arrays; more than the tree has room for are left over.

  Returns:
    The tree with the arrays, or None if they do not fit.
  """
  import jax

  signatures, structure = jax.tree_util.tree_flatten(tree)
  leaves = leaves[: len(signatures)]
  if [(leaf.shape, leaf.dtype) for leaf in leaves] != [
    (each.shape, each.dtype) for each in signatures
  ]:
    return None
  return jax.tree_util.tree_unflatten(structure, leaves)
