"""Sampled evaluations: some batches, as trax makes them during training."""

import contextlib
import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.backend.compilation import Tracing
from experiments.training import histograms
from experiments.training.context import RunContext
from experiments.training.loop_state import LoopState

if TYPE_CHECKING:
  from experiments.backend.trax_loop import TraxLoop


class Measured(NamedTuple):
  """What a sampled evaluation found, and what of it later steps depend on.

  Attributes:
    metrics: averages by name, such as 'metrics/Accuracy'.
    histograms: of weights and gradients, if they are counted.
    rng: uint32 [2], the key that the next step's key is split from.
    eval_position: the number of the next batch to evaluate.
  """

  metrics: dict[str, float]
  histograms: list[histograms.Histogram]
  rng: Any
  eval_position: int


class MoreMetrics(NamedTuple):
  """Metrics that are no means over batches, and so none of trax's.

  Attributes:
    names: such as 'metrics/macro_f1'.
    measure: from weights and state of the model, and a list of batches, to
      values by name; what is not defined on these batches is left out.
  """

  names: tuple[str, ...]
  measure: Callable[[Any, Any, list[Any]], dict[str, float]]


class SampledEvaluation:
  """Measures the weights of a run on some batches."""

  def __init__(
    self,
    trax_loop: 'TraxLoop',
    *,
    has_histograms: bool,
    context: RunContext,
    more: MoreMetrics | None = None,
    tracing: Tracing = contextlib.nullcontext,
  ):
    """Compiles nothing yet.

    Args:
      trax_loop: has the layers and the data; its `eval_task` is over a
        `batches.BatchStream`.
      has_histograms: whether weights and gradients are counted.
      context: of the run.
      more: what is measured beside trax's metrics, on the same batches.
      tracing: entered while code of layers runs.
    """
    self._trax = trax_loop
    self._more = more
    self._gradients = None
    if has_histograms:
      self._gradients = context.keep(
        'gradients',
        lambda: histograms.gradients_program(
          trax_loop.model_with_loss, tracing=tracing
        ),
      )

  def measure(self, state: LoopState) -> Measured:
    """Measures, and changes nothing that is not measured anew the next time.

    Args:
      state: what the loop is.
    """
    weights, now = state.train_state.evaluated_weights, state.train_state
    self._trax.set_train_state(weights, now.slots, now.state, now.rng)
    stream = self._trax.eval_task.labeled_data
    stream.position = state.eval_position
    metrics = self._trax.measure()
    if self._more is not None:
      again = copy.copy(stream)
      again.position = state.eval_position
      n_batches = stream.position - state.eval_position
      batches = [next(again) for _ in range(n_batches)]
      metrics |= self._more.measure(weights[0], now.state[0], batches)
    *_, rng = self._trax.train_state()
    return Measured(metrics, self._count(state, rng), rng, stream.position)

  def _count(self, state: LoopState, rng) -> list[histograms.Histogram]:
    """Counts the weights, and the gradients that the next step will compute."""
    if self._gradients is None:
      return []
    weights = state.train_state.weights
    stream = copy.copy(self._trax.train_task.labeled_data)
    stream.position = state.step
    batch = next(stream)
    gradients = self._gradients(weights, state.train_state.state, rng, batch)
    # Of model and loss, which has no weights.
    return histograms.count_all(
      self._trax.model, weights[0], gradients[0], step=state.step
    )
