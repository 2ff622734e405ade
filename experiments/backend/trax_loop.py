"""trax's own loop, opened: what of it has no public name, by one that is."""

import contextlib
import io
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from experiments.backend import trax_repairs
from experiments.backend.compilation import Program, Tracing

trax_repairs.import_trax()
from trax import fastmath  # noqa: E402
from trax.supervised import training  # noqa: E402 (only once it is repaired)

TrainTask = training.TrainTask
EvalTask = training.EvalTask


class _SilentThread(io.TextIOBase):
  """Drops what this thread writes, and passes on what others do."""

  def __init__(self, stream: TextIO):
    """Takes the stream to write to."""
    self._stream = stream
    self._thread = threading.get_ident()

  def write(self, text: str) -> int:
    if threading.get_ident() == self._thread:
      return len(text)
    return self._stream.write(text)

  def flush(self) -> None:
    self._stream.flush()


class TraxLoop(training.Loop):
  """`trax.supervised.training.Loop`, to be driven from outside.

  It initializes weights, holds the layers, evaluates and keeps history as
  trax's does. It takes no step by itself, and reads and writes no file.
  """

  def __init__(
    self,
    model,
    train_task: training.TrainTask,
    *,
    eval_model,
    eval_task: training.EvalTask,
    random_seed: int,
    keep: Callable[[str, Callable[[], Any]], Any],
    tracing: Tracing = contextlib.nullcontext,
  ):
    """Initializes the weights.

    Args:
      model: trax layer from inputs to log-probabilities, in training mode.
      train_task: what to train on and how.
      eval_model: the same layers in evaluation mode.
      eval_task: the sampled evaluation.
      random_seed: seeds weights, dropout and sampling.
      keep: returns what was made under a name before, or makes it.
      tracing: entered while code of layers and metrics, or the schedule, runs.
    """
    self._keep = keep
    self._tracing = tracing
    self._measured: dict[str, float] = {}
    # It prints that without an output_dir it will not write metrics: others do.
    with tracing(), contextlib.redirect_stdout(_SilentThread(sys.stdout)):
      super().__init__(
        model,
        [train_task],
        eval_model=eval_model,
        eval_tasks=[eval_task],
        output_dir=None,
        random_seed=random_seed,
      )

  def _init_evaluator(self, eval_task):
    def make():
      evaluator = super(TraxLoop, self)._init_evaluator(eval_task)
      program = Program(
        evaluator.metrics_fn, kind=_shape_of_batch, tracing=self._tracing
      )
      return evaluator._replace(metrics_fn=program)

    # It holds metrics, which have no weights, and the program of the model.
    return self._keep('evaluator', make)

  @property
  def train_task(self) -> training.TrainTask:
    """What to train on and how."""
    return self._tasks[0]

  @property
  def eval_task(self) -> training.EvalTask:
    """The sampled evaluation."""
    return self._eval_tasks[0]

  @property
  def model_with_loss(self):
    """The trax layer from batches to the loss."""
    return self._trainer.model_with_loss

  @property
  def optimizer(self):
    """The optimizer, with initialized slots."""
    return self._trainer.optimizer

  @property
  def input_signature(self) -> Any:
    """Shapes and dtypes of the inputs of the model."""
    return self._batch_signature[: self.model.n_in]

  @property
  def _trainer(self):
    return self._trainer_per_task[0]

  def train_state(self) -> tuple[Any, Any, Any, Any]:
    """Returns the trees of weights, slots and state, and the key."""
    layer = self._trainer.accelerated_model_with_loss
    return layer.weights, self._trainer.slots, layer.state, self._rng

  def set_train_state(self, weights, slots, state, rng) -> None:
    """Gives the layers and the optimizer what `train_state` will return.

    Args:
      weights: the tree of weights of model and loss.
      slots: the tree of optimizer slots.
      state: the tree of non-trainable state of model and loss.
      rng: the key that the next key is split from.
    """
    layer = self._trainer.accelerated_model_with_loss
    layer.weights = weights
    layer.state = state
    self._trainer.slots = slots
    self._rng = rng

  def optimizer_numbers(self) -> dict[str, float]:
    """Returns the optimizer's numbers but for the learning rate."""
    return {
      name: float(value)
      for name, value in self._trainer._opt_params.items()
      if name != 'learning_rate'
    }

  def learning_rates(self, steps: range) -> list[float]:
    """Returns the learning rate of each step.

    Args:
      steps: numbers of steps, counting from 1.
    """
    task = self.train_task
    # By NumPy: on the device, trax's multifactor takes half as long as a step.
    # trax's backend is the whole process's: within what lets one thread in.
    with self._tracing(), fastmath.use_backend(fastmath.Backend.NUMPY):
      return [float(task.learning_rate(step)) for step in steps]

  def measure(self) -> dict[str, float]:
    """Makes a sampled evaluation, and draws the keys that it takes.

    Returns:
      Averages by name, such as 'metrics/Accuracy'.
    """
    self._measured = {}
    self.run_evals()
    return self._measured

  def log_summary(
    self, values, summary_writer, value_prefix, log_prefix, stdout=True
  ):
    """Takes measured values; see `trax.supervised.training.Loop.log_summary`.

    Values that are no scalars are left out.
    """
    del summary_writer, log_prefix, stdout
    for name, value in values.items():
      if not np.ndim(value):
        self._measured[value_prefix + name] = float(value)


def _shape_of_batch(batch, weights, state, rng) -> tuple[int, ...]:
  del weights, state, rng
  return batch[0].shape
