"""Training steps: many a call of a compiled program, few enough to be heard."""

import contextlib
import itertools
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.backend import compilation
from experiments.backend.compilation import Tracing
from experiments.batching import batches
from experiments.training import update
from experiments.training.context import RunContext
from experiments.training.diverged import Diverged
from experiments.training.loop_state import LoopState
from experiments.training.pace import Pace
from experiments.training.progress import Progress
from experiments.training.segment import Segment

if TYPE_CHECKING:
  from experiments.backend.trax_loop import TraxLoop

# Shapes of batches; more than a plan has, unless its longest texts have no
# bucket.
_MOST_COMPILED_AHEAD = 8
# If a step takes longer, a signal is told that it waits for it.
_LONG_SECONDS = 1.0


class _Call(NamedTuple):
  """A call of a compiled program.

  Attributes:
    first: training steps done before it.
    n: how many it does.
    shape: of the inputs of each.
    start: when it was made, in seconds.
    losses: float32 [n or more], of its steps.
  """

  first: int
  n: int
  shape: tuple[int, ...]
  start: float
  losses: Any


class Stepper:
  """Takes the steps of a run."""

  def __init__(
    self,
    trax_loop: 'TraxLoop',
    *,
    ema_decay: float | None,
    rates: Sequence[update.Rate],
    context: RunContext,
    tracing: Tracing = contextlib.nullcontext,
  ):
    """Compiles nothing yet.

    Args:
      trax_loop: has the layers, the optimizer and the data; its `train_task` is
        over a `batches.BatchStream`.
      ema_decay: as of `update.make_update`.
      rates: as of `update.make_update`.
      context: of the run.
      tracing: entered while code of layers and optimizer runs.
    """
    self._trax = trax_loop
    self._stop_signal = context.stop_signal
    self._update_many = context.keep(
      'update_many',
      lambda: update.UpdateMany(
        update.make_update(
          trax_loop.model_with_loss,
          trax_loop.optimizer,
          ema_decay=ema_decay,
          rates=rates,
        ),
        tracing=tracing,
      ),
    )
    self._numbers = trax_loop.optimizer_numbers()
    self._pace = Pace()
    self._call_ended = 0.0
    self._has_said_that_it_ends = False

  def compile(self, state: LoopState, last: int) -> None:
    """Compiles what the steps of the next epoch need.

    Args:
      state: before them.
      last: the number of the last step that will be taken.
    """
    stream = self._trax.train_task.labeled_data
    stop = min(last, state.step + 1 + int(stream.plan.batches_per_epoch))
    shapes = batches.stack_shapes(stream, state.step, stop)
    self._update_many.compile(
      state.train_state,
      self._numbers,
      itertools.islice(shapes, _MOST_COMPILED_AHEAD),
    )

  def advance(
    self, state: LoopState, stop: int, progress: Progress
  ) -> LoopState:
    """Trains up to a step, or until a signal.

    Args:
      state: what the loop is.
      stop: the number of the last step.
      progress: told of steps done.

    Returns:
      What the loop is after those steps.

    Raises:
      Diverged: the loss of a step is not finite.
    """
    import jax
    from jax import numpy as jnp

    stream, segment = self._trax.train_task.labeled_data, state.segment
    step, norms = state.step, segment.norms
    # Copies: the originals stay valid where trax's layers refer to them.
    train_state = jax.tree_util.tree_map(
      lambda x: jnp.array(x, copy=True), state.train_state
    )
    start, pending = time.perf_counter(), None
    for first, n, arrays in batches.stack_runs(
      stream, step, stop, most_steps=self._pace.n_steps
    ):
      rates = np.zeros(len(arrays[0]), np.float32)
      rates[:n] = self._trax.learning_rates(range(first + 1, first + n + 1))
      called = time.perf_counter()
      train_state, losses, norms = self._update_many(
        train_state, first + 1, n, self._numbers, rates, arrays
      )
      # The device works on this call while the one before is looked at.
      if pending:
        segment = self._end_call(pending, segment, progress)
      pending = _Call(first, n, arrays[0].shape[1:], called, losses)
      step = first + n
      if self._stop_signal() is not None:
        break
    if pending:
      segment = self._end_call(pending, segment, progress)
    seconds = segment.seconds + time.perf_counter() - start
    return state._replace(
      step=step,
      train_state=train_state,
      segment=segment._replace(norms=norms, seconds=seconds),
    )

  def _say_once_that_it_ends(self, seconds: float) -> None:
    """Answers a signal where what is being computed takes long."""
    is_worth_saying = (
      seconds > _LONG_SECONDS and not self._has_said_that_it_ends
    )
    if is_worth_saying and self._stop_signal() is not None:
      self._has_said_that_it_ends = True
      logging.info(
        'Stopping when the steps that are being computed are done. A second '
        'signal gives them up'
      )

  def _end_call(
    self, call: _Call, segment: Segment, progress: Progress
  ) -> Segment:
    """Waits for the losses of a call, and adds them to a segment."""
    compilation.wait_for(call.losses, self._say_once_that_it_ends)
    losses = np.asarray(call.losses)[: call.n]
    began = max(call.start, self._call_ended)
    self._call_ended = time.perf_counter()
    self._pace.note(
      call.shape, n_steps=call.n, seconds=self._call_ended - began
    )
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
      raise Diverged(call.first + 1 + int(bad[0]), float(losses[bad[0]]))
    n_examples = call.n * call.shape[0]
    progress.update(
      call.first + call.n, n_examples=n_examples, loss=float(losses[-1])
    )
    return segment.extend(losses, n_examples=n_examples)
