"""What a training loop is at a step, and as a checkpoint holds it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from experiments.foundation import json_types
from experiments.foundation.errors import UserError
from experiments.rundir.checkpoints import Checkpoint
from experiments.rundir.metric_log import Record
from experiments.training.histograms import Histogram
from experiments.training.segment import Segment
from experiments.training.update import TrainState


class LoopState(NamedTuple):
  """What the rest of a run depends on, beside what was measured before.

  Attributes:
    step: the number of training steps done.
    train_state: what a step changes.
    segment: the steps since the last evaluation.
    eval_position: the number of the next batch of the sampled evaluation.
    evaluated_step: the step of the last evaluation; None: there is none.
  """

  step: int
  train_state: TrainState
  segment: Segment = Segment()
  eval_position: int = 0
  evaluated_step: int | None = None


class Restored(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    state: of the loop.
    records: all that was measured.
    histograms: `histograms.Histograms.to_json` of all that were counted.
  """

  state: LoopState
  records: Sequence[Record]
  histograms: list[Any]


def to_checkpoint(
  state: LoopState,
  *,
  records: Sequence[Record],
  histograms: list[Any],
  is_evaluation_due: bool,
) -> Checkpoint:
  """Returns a checkpoint of a loop.

  Args:
    state: of the loop.
    records: see `Restored`.
    histograms: see `Restored`.
    is_evaluation_due: whether a signal has put off the evaluation of this step.
  """
  import jax

  tree_leaves = jax.tree_util.tree_leaves
  train_state = state.train_state
  leaves = [np.asarray(leaf) for leaf in tree_leaves(train_state)]
  record = {
    'n_weights': len(tree_leaves(train_state.weights)),
    'n_slots': len(tree_leaves(train_state.slots)),
    'n_average': len(tree_leaves(train_state.average)),
    'eval_position': state.eval_position,
    'records': [list(record) for record in records],
    'histograms': histograms,
  }
  if is_evaluation_due:
    # What it will record besides.
    record['segment'] = state.segment.to_json()
  return Checkpoint(
    step=state.step,
    leaves=[*leaves, state.segment.all_losses()],
    record=record,
    metrics={
      record.metric: record.value
      for record in records
      if (record.step, record.split) == (state.step, 'eval')
    },
  )


class _Segment(TypedDict):
  norms: dict[str, float]
  n_steps: int
  n_examples: int
  seconds: float


class _Record(TypedDict):
  n_weights: int
  n_slots: int
  n_average: int
  eval_position: int
  records: list[list[Any]]
  histograms: list[list[Any]]
  segment: NotRequired[_Segment | None]


def check(checkpoint: Checkpoint) -> None:
  """Checks what has been read for a checkpoint of a loop.

  Args:
    checkpoint: perhaps from `to_checkpoint`.

  Raises:
    ValueError: it holds something else, or a weight that is not finite.
  """
  record = checkpoint.record
  json_types.check(record, _Record)
  for values in record['records']:
    _check_row(values, Record)
  for values in record['histograms']:
    _check_row(values, Histogram)
  sizes = [record[f'n_{name}'] for name in ('weights', 'slots', 'average')]
  # There are the random key and the losses besides, and perhaps a state.
  if (
    min(*sizes, record['eval_position']) < 0
    or len(checkpoint.leaves) < sum(sizes) + 2
    or sizes[2] not in (0, sizes[0])
  ):
    raise ValueError(f'{len(checkpoint.leaves)} leaves, {sizes} of them named')
  losses = checkpoint.leaves[-1]
  if losses.dtype != np.float32 or losses.ndim != 1:
    raise ValueError(f'losses of {losses.dtype}{list(losses.shape)}')
  if not has_finite_weights(checkpoint):
    raise ValueError('a weight is not finite')


def _check_row(values: list[Any], kind: type[NamedTuple]) -> None:
  hints = kind.__annotations__
  if len(values) != len(hints):
    raise ValueError(f'{len(values)} values for a {kind.__name__}')
  for value, (name, hint) in zip(values, hints.items(), strict=True):
    hint = list[int] if hint == tuple[int, ...] else hint
    json_types.check(value, hint, f'{kind.__name__}.{name}')


def has_finite_weights(checkpoint: Checkpoint) -> bool:
  """Tells whether no weight, and none of their average, is NaN or infinite.

  Args:
    checkpoint: from `to_checkpoint`.
  """
  n_weights = checkpoint.record['n_weights']
  n_average = checkpoint.record['n_average']
  leaves = checkpoint.leaves
  weights = leaves[:n_weights] + leaves[len(leaves) - 1 - n_average : -1]
  return all(np.isfinite(leaf).all() for leaf in weights if leaf.size)


def find_leaves(
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


def from_checkpoint(checkpoint: Checkpoint, fresh: TrainState) -> Restored:
  """Returns what a checkpoint was made of.

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
  if list(map(_kind, leaves)) != list(map(_kind, saved)):
    raise UserError(
      f'The checkpoint of step {checkpoint.step} does not fit the model: '
      'the code of the model has changed since. Choose another --output_dir.'
    )
  records = [Record(*values) for values in record['records']]
  state = LoopState(
    step=checkpoint.step,
    train_state=jax.tree_util.tree_unflatten(tree, saved),
    segment=Segment.from_json(losses, record.get('segment')),
    eval_position=record['eval_position'],
    evaluated_step=max((record.step for record in records), default=None),
  )
  return Restored(state, records, record['histograms'])


def _kind(leaf: Any) -> tuple[tuple[int, ...], np.dtype]:
  leaf = leaf if hasattr(leaf, 'dtype') else np.asarray(leaf)
  return leaf.shape, np.dtype(leaf.dtype)
