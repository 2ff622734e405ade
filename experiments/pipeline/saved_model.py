"""The model of a run, as its checkpoints hold it."""

from typing import Any, NamedTuple

import numpy as np

from experiments.foundation.errors import UserError
from experiments.rundir import checkpoints, run_dir
from experiments.training import loop_state


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


def load(directory: run_dir.RunDir) -> SavedModel:
  """Loads the best checkpoint of a run if a best is kept, or the newest.

  Args:
    directory: a run directory.

  Raises:
    UserError: there is no checkpoint.
  """
  saved = checkpoints.Checkpoints(directory.checkpoints)
  newest = saved.load_newest()
  checkpoint = (saved.load_best() if saved.best else None) or newest
  if checkpoint is None:
    raise UserError(
      f'{directory.checkpoints} holds no checkpoint. Train first: '
      f'python launcher.py --gin_file={directory.config} '
      f'--output_dir={directory.path}'
    )
  return SavedModel(checkpoint.step, *loop_state.evaluated_leaves(checkpoint))


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
  if [leaf.shape for leaf in leaves] != [s.shape for s in signatures]:
    return None
  return jax.tree_util.tree_unflatten(structure, leaves)
