"""What a run has measured: kept, and told to whom it concerns."""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from experiments.rundir.metric_log import Record, Records
from experiments.training.context import RunContext
from experiments.training.diverged import Diverged
from experiments.training.histograms import Histograms
from experiments.training.loop_state import LoopState
from experiments.training.sampled_evaluation import Measured
from experiments.training.segment import Segment

if TYPE_CHECKING:
  from experiments.backend.trax_loop import TraxLoop


class Recorder:
  """Keeps what was measured: on disk, in trax's history, in histograms.

  Attributes:
    records: all of it, in order.
  """

  def __init__(
    self,
    trax_loop: 'TraxLoop',
    *,
    records: Records,
    counted: Histograms | None,
    n_steps: int,
    context: RunContext,
  ):
    """Records nothing yet.

    Args:
      trax_loop: has the history, the schedule and the name of the loss.
      records: what is on disk.
      counted: gets the histograms; None: none are made.
      n_steps: the total number of steps.
      context: of the run.
    """
    self.records = records
    self._trax = trax_loop
    self._counted = counted
    self._n_steps = n_steps
    self._context = context

  def record(self, state: LoopState, measured: Measured) -> LoopState:
    """Keeps what was measured at a step, and reports it.

    Args:
      state: what the loop is at this step.
      measured: its sampled evaluation.

    Returns:
      What the loop is then, with nothing left to be measured at this step.

    Raises:
      Diverged: a value is not finite.
    """
    loss = state.segment.loss()
    [rate] = self._trax.learning_rates(range(state.step, state.step + 1))
    training = {'learning_rate': rate, **state.segment.summary(), 'loss': loss}
    values = [
      ('train', f'metrics/{self._trax.train_task.loss_name}', loss),
      *(('train', f'training/{name}', v) for name, v in training.items()),
      *(('eval', name, value) for name, value in measured.metrics.items()),
    ]
    new = [Record(state.step, *each, time.time()) for each in values]
    for record in new:
      if not np.isfinite(record.value):
        raise Diverged(state.step, record.value)
    if self._counted is not None:
      self._counted.extend(measured.histograms)
    self.records.append(new)
    self._tell(new)
    logging.info(
      'step %d of %d, %s',
      state.step,
      self._n_steps,
      ', '.join(
        f'{record.split} {record.metric.removeprefix("metrics/")} '
        f'{record.value:.4f}'
        for record in new
        if record.metric.startswith('metrics/')
      ),
    )
    return state._replace(
      train_state=state.train_state._replace(rng=measured.rng),
      segment=Segment(),
      eval_position=measured.eval_position,
      evaluated_step=state.step,
    )

  def restore(self, records: Iterable[Record], counted: list) -> None:
    """Makes what was measured that of a checkpoint, and reports it.

    Args:
      records: all records up to it.
      counted: `histograms.Histograms.to_json` of all histograms up to it.
    """
    self.records.replace(records)
    if self._counted is not None:
      self._counted.restore(counted)
    self._tell(list(self.records))

  def histograms_to_json(self) -> list:
    """Returns all histograms as JSON can hold them, for a checkpoint."""
    return [] if self._counted is None else self._counted.to_json()

  def _tell(self, records: list[Record]) -> None:
    for each in records:
      self._trax.history.append(each.split, each.metric, each.step, each.value)
    self._context.on_records(records)
