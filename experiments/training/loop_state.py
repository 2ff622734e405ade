"""What a training loop is at a step, as a checkpoint holds it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.foundation.errors import UserError
from experiments.rundir.checkpoints import Checkpoint
from experiments.rundir.metric_log import Record
from experiments.training.update import TrainState


class LoopState(NamedTuple):
  """Everything that the rest of a run depends on.

  Attributes:
    step: the number of training steps done.
    train_state: what a step changes.
    losses: float32 [n], of the steps since the last evaluation.
    eval_position: the number of the next batch of the sampled evaluation.
    records: all that was measured.
    histograms: `histograms.Histograms.to_json` of all that were counted.
  """

  step: int
  train_state: TrainState
  losses: np.ndarray
  eval_position: int
  records: Sequence[Record]
  histograms: list[Any]


def to_checkpoint(state: LoopState) -> Checkpoint:
  """Returns a checkpoint of a state."""
  import jax

  tree_leaves = jax.tree_util.tree_leaves
  leaves = [np.asarray(leaf) for leaf in tree_leaves(state.train_state)]
  return Checkpoint(
    step=state.step,
    leaves=[*leaves, state.losses],
    record={
      'n_weights': len(tree_leaves(state.train_state.weights)),
      'n_slots': len(tree_leaves(state.train_state.slots)),
      'n_average': len(tree_leaves(state.train_state.average)),
      'eval_position': state.eval_position,
      'records': [list(record) for record in state.records],
      'histograms': state.histograms,
    },
    metrics={
      record.metric: record.value
      for record in state.records
      if (record.step, record.split) == (state.step, 'eval')
    },
  )


def evaluated_leaves(
  checkpoint: Checkpoint,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
  """Returns what of a checkpoint an evaluation needs.

  Args:
    checkpoint: from `to_checkpoint`.

  Returns:
    Leaves of the weights, or of their moving average if there is one, and then
    of the state; each of the model and then of the loss.
  """
  *leaves, _ = checkpoint.leaves
  n_weights, n_slots, n_average = (
    checkpoint.record[name] for name in ('n_weights', 'n_slots', 'n_average')
  )
  state = leaves[n_weights + n_slots : len(leaves) - n_average - 1]
  return leaves[-n_average:] if n_average else leaves[:n_weights], state


def from_checkpoint(checkpoint: Checkpoint, fresh: TrainState) -> LoopState:
  """Returns the state that a checkpoint was made of.

  Args:
    checkpoint: from `to_checkpoint`.
    fresh: a train state of the same model.

  Raises:
    UserError: the checkpoint is of another model.
  """
  import jax

  record = checkpoint.record
  *saved, losses = checkpoint.leaves
  leaves, tree = jax.tree_util.tree_flatten(fresh)
  if [np.shape(leaf) for leaf in leaves] != [leaf.shape for leaf in saved]:
    raise UserError(
      f'The checkpoint of step {checkpoint.step} does not fit the model: '
      'the code of the model has changed since. Choose another --output_dir.'
    )
  return LoopState(
    checkpoint.step,
    jax.tree_util.tree_unflatten(tree, saved),
    losses,
    record['eval_position'],
    [Record(*values) for values in record['records']],
    record['histograms'],
  )
