"""trax's training loop: many steps a call, exact to resume, orderly to stop."""

import contextlib
import copy
import io
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from experiments.backend import trax_model_file, trax_repairs
from experiments.batching import batches
from experiments.foundation.directory import File
from experiments.foundation.errors import EndOfRun, UserError
from experiments.foundation.signals import Interrupted
from experiments.rundir import run_dir
from experiments.rundir.checkpoints import Checkpoints
from experiments.rundir.metric_log import Record, Records
from experiments.training import histograms, loop_state, update
from experiments.training.context import RunContext
from experiments.training.progress import Progress

trax_repairs.import_trax()
from trax import fastmath  # noqa: E402
from trax.supervised import training  # noqa: E402 (only once it is repaired)

TrainTask = training.TrainTask
EvalTask = training.EvalTask

# Shapes of batches; more than a plan has, unless its longest texts have no
# bucket.
_MOST_COMPILED_AHEAD = 8


class Diverged(EndOfRun, UserError):
  """The loss is not finite."""

  run_status = run_dir.DIVERGED

  def __init__(self, step: int, loss: float):
    super().__init__(
      f'The loss of step {step} is {loss}. Lower LEARNING_RATE, or clip the '
      'gradients, e.g. CLIP_GRAD_NORM = 1.0.'
    )
    self.step = step


class Loop(training.Loop):
  """`trax.supervised.training.Loop` over a batch plan.

  It trains by the same update, evaluates and keeps history as trax's does, with
  these differences: a run of steps of one shape is one compiled call; what is
  measured goes to `Records`; a checkpoint holds everything that the next step
  depends on, so that going on from one gives the weights of an undisturbed run.
  """

  def __init__(
    self,
    model,
    train_task: training.TrainTask,
    *,
    eval_model,
    eval_task: training.EvalTask,
    n_steps: int,
    random_seed: int,
    checkpoints: Checkpoints,
    records: Records,
    ema_decay: float | None = None,
    patience: int | None = None,
    start: update.Start | None = None,
    counted: histograms.Histograms | None = None,
    context: RunContext | None = None,
    tracing: Callable[
      [], contextlib.AbstractContextManager
    ] = contextlib.nullcontext,
  ):
    """Initializes weights, or takes them from the newest checkpoint.

    Args:
      model: trax layer from inputs to log-probabilities, in training mode.
      train_task: its `labeled_data` is a `batches.BatchStream`.
      eval_model: the same layers in evaluation mode.
      eval_task: the sampled evaluation; likewise over a `BatchStream`.
      n_steps: the total number of steps, where the last checkpoint and the last
        evaluation fall whatever their period.
      random_seed: seeds weights, dropout and sampling.
      checkpoints: where to save, and to go on from.
      records: what was measured, replaced by the checkpoint's at the start.
      ema_decay: evaluate the moving average of the weights, which keeps this
        much of itself at each step; None: evaluate the weights.
      patience: how many evaluations in a row may fail to improve the metric
        that `checkpoints` keep the best by, before training ends; None: any.
      start: weights and state of `model` at step 0; None: random ones.
      counted: gets the histograms of each evaluation; None: none are made.
      context: what the run may reuse, where it reports, when it stops; None: it
        is alone.
      tracing: entered while code of layers, optimizer or schedule runs.
    """
    context = context or RunContext()
    # What the initialization calls.
    self._keep = context.keep
    self._tracing = tracing
    # Without an output_dir trax itself reads and writes no file. That it then
    # writes no metrics, as it prints, is not so here.
    with contextlib.redirect_stdout(io.StringIO()):
      super().__init__(
        model,
        [train_task],
        eval_model=eval_model,
        eval_tasks=[eval_task],
        output_dir=None,
        random_seed=random_seed,
      )
    self._n_steps = n_steps
    self._patience = patience
    self._counted = counted
    self._checkpoints = checkpoints
    self._records = records
    checkpoints.check_metric(
      f'metrics/{name}' for name in eval_task.metric_names
    )
    self._context = context
    self._new_records: list[Record] = []
    self._trainer = self._trainer_per_task[0]
    self._update_many = context.keep(
      'update_many',
      lambda: update.UpdateMany(
        update.make_update(
          self._trainer.model_with_loss,
          self._trainer.optimizer,
          ema_decay=ema_decay,
          tracing=tracing,
        )
      ),
    )
    if counted is not None:
      self._gradients = context.keep(
        'gradients',
        lambda: histograms.gradients_fn(
          self._trainer.model_with_loss, tracing=tracing
        ),
      )
    layer = self._trainer.accelerated_model_with_loss
    if start is not None:
      layer.weights = (start.weights, *layer.weights[1:])
      layer.state = (start.state, *layer.state[1:])
    # The average starts as the weights themselves.
    self._average = () if ema_decay is None else layer.weights
    # Of each step since the last evaluation, and of the last step.
    self._losses: list[np.ndarray] = []
    self._norms: dict[str, Any] = {}
    self._restore()

  def _init_evaluator(self, eval_task):
    # It holds metrics, which have no weights, and the program of the model.
    return self._keep(
      'evaluator', lambda: training.Loop._init_evaluator(self, eval_task)
    )

  def run(self, n_steps: int | None = None) -> None:
    """Trains.

    Args:
      n_steps: how many steps more; None goes on to the last, or until the
        evaluations have not improved for too long.

    Raises:
      Diverged: the loss of a step is not finite; the last checkpoint is good.
      Interrupted: `stop_signal` said so; there is a checkpoint of this step.
    """
    last = self._n_steps if n_steps is None else self.step + n_steps
    self._compile(last)
    progress = Progress(
      n_steps=last, step=self.step, on_progress=self._context.on_progress
    )
    try:
      while not self._is_done(last):
        event = self._next_event(last)
        self._train_to(event, progress)
        if self.step == event:
          if self._eval_at(event) or event == self._n_steps:
            self._evaluate()
          if self._checkpoint_at(event) or self._is_done(self._n_steps):
            self._save()
        signal_number = self._context.stop_signal()
        if signal_number is not None and not self._is_done(last):
          self._save()
          raise Interrupted(signal_number, self.step)
    finally:
      progress.close()
    if self.step < last:
      logging.info(
        'Ended early at step %d: %d evaluations in a row without a better %s',
        self.step,
        self._patience,
        self._checkpoints.best_metric,
      )

  def _is_done(self, last: int) -> bool:
    """Tells whether step `last` is reached, or patience is at its end."""
    if self.step >= last or self._patience is None:
      return self.step >= last
    values = [
      record.value
      for record in self._records
      if (record.split, record.metric)
      == ('eval', self._checkpoints.best_metric)
    ]
    return self._checkpoints.n_since_best(values) >= self._patience

  def _next_event(self, last: int) -> int:
    """Returns the next step that ends with an evaluation or a checkpoint."""
    step = self.step + 1
    while step < last and not (
      self._eval_at(step) or self._checkpoint_at(step)
    ):
      step += 1
    return step

  def _learning_rate(self, step: int) -> float:
    # By NumPy: on the device, trax's multifactor takes half as long as a step.
    with fastmath.use_backend(fastmath.Backend.NUMPY):
      return float(self._tasks[0].learning_rate(step))

  def _train_to(self, stop: int, progress: Progress) -> None:
    """Trains up to a step, or until a signal."""
    import jax
    from jax import numpy as jnp

    task, opt_params = self._tasks[0], self._opt_params()
    # Copies: the originals stay valid where trax's layers refer to them.
    train_state = jax.tree_util.tree_map(
      lambda x: jnp.array(x, copy=True), self._train_state()
    )
    self._segment_start = time.perf_counter()
    self._segment_examples, first_step = 0, self.step
    pending = None
    for first, n, size, arrays in batches.stacked_runs(
      task.labeled_data, self.step, stop
    ):
      learning_rates = np.zeros(len(arrays[0]), np.float32)
      learning_rates[:n] = [
        self._learning_rate(step) for step in range(first + 1, first + n + 1)
      ]
      train_state, losses, self._norms = self._update_many(
        train_state, first + 1, n, opt_params, learning_rates, arrays
      )
      # The device works on this call while the one before is looked at.
      if pending:
        self._take_losses(*pending, progress)
      pending = (first, n, size, losses)
      self._step = task.labeled_data.position = first + n
      if self._context.stop_signal() is not None:
        break
    self._store(train_state)
    if pending:
      self._take_losses(*pending, progress)
    self._segment_steps = self.step - first_step

  def _take_losses(self, first, n, size, losses, progress: Progress) -> None:
    """Keeps the losses of a call, which are finite."""
    losses = np.asarray(losses)[:n]
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
      raise Diverged(first + 1 + int(bad[0]), float(losses[bad[0]]))
    self._losses.append(losses)
    self._segment_examples += n * size
    progress.update(first + n, n_examples=n * size, loss=float(losses[-1]))

  def _opt_params(self) -> dict[str, float]:
    """Returns the optimizer's numbers but for the learning rate."""
    return {
      name: float(value)
      for name, value in self._trainer._opt_params.items()
      if name != 'learning_rate'
    }

  def _compile(self, last: int) -> None:
    """Compiles what the steps of the next epoch need."""
    stream = self._tasks[0].labeled_data
    stop = min(last, self.step + 1 + int(stream.plan.batches_per_epoch))
    shapes = batches.stacked_shapes(stream, self.step, stop)
    self._update_many.compile(
      self._train_state(),
      self._opt_params(),
      itertools.islice(shapes, _MOST_COMPILED_AHEAD),
    )

  def _train_state(self) -> update.TrainState:
    layer = self._trainer.accelerated_model_with_loss
    return update.TrainState(
      layer.weights,
      self._trainer.slots,
      layer.state,
      self._rng,
      self._average,
    )

  def _store(self, train_state: update.TrainState) -> None:
    """Gives trax's objects what a call returned."""
    layer = self._trainer.accelerated_model_with_loss
    layer.weights = train_state.weights
    layer.state = train_state.state
    self._trainer.slots = train_state.slots
    self._rng = train_state.rng
    self._average = train_state.average

  @contextlib.contextmanager
  def _evaluated_weights(self) -> Iterator[None]:
    """Puts the average, if there is one, in the place of the weights."""
    layer = self._trainer.accelerated_model_with_loss
    weights = layer.weights
    if self._average:
      layer.weights = self._average
    try:
      yield
    finally:
      layer.weights = weights

  # Evaluations -------------------------------------------------------------

  def _evaluate(self) -> None:
    """Records the averages of training and a sampled evaluation."""
    task = self._tasks[0]
    seconds = time.perf_counter() - self._segment_start
    loss = float(np.mean(np.concatenate(self._losses), dtype=np.float64))
    self.log_summary({task.loss_name: loss}, None, 'metrics/', 'train')
    self.log_summary(
      {
        'learning_rate': self._learning_rate(self.step),
        'steps per second': self._segment_steps / seconds,
        'examples per second': self._segment_examples / seconds,
        **self._norms,
        'loss': loss,
      },
      None,
      'training/',
      'train',
    )
    with self._evaluated_weights(), self._tracing():
      self.run_evals()
    self._losses = []
    new, self._new_records = self._new_records, []
    for record in new:
      if not np.isfinite(record.value):
        raise Diverged(self.step, record.value)
    self._count()
    self._records.append(new)
    self._context.on_records(new)
    logging.info(
      'step %d of %d, %s',
      self.step,
      self._n_steps,
      ', '.join(
        f'{record.split} {record.metric.removeprefix("metrics/")} '
        f'{record.value:.4f}'
        for record in new
        if record.metric.startswith('metrics/')
      ),
    )

  def _count(self) -> None:
    """Counts the weights, and the gradients that the next step will compute."""
    if self._counted is None:
      return
    state = self._train_state()
    batch = next(copy.copy(self._tasks[0].labeled_data))
    gradients = self._gradients(state.weights, state.state, state.rng, batch)
    # Of model and loss, which has no weights.
    self._counted.add(
      self.step, self.model, weights=state.weights[0], gradients=gradients[0]
    )

  def log_summary(
    self, values, summary_writer, value_prefix, log_prefix, stdout=True
  ):
    """Keeps measured values; see `trax.supervised.training.Loop.log_summary`.

    Values that are no scalars are left out.
    """
    del summary_writer, stdout
    for name, value in values.items():
      if np.ndim(value):
        continue
      metric, value = value_prefix + name, float(value)
      self._history.append(log_prefix, metric, self.step, value)
      self._new_records.append(
        Record(self.step, log_prefix, metric, value, time.time())
      )

  # Checkpoints -------------------------------------------------------------

  def _save(self) -> None:
    state = loop_state.LoopState(
      self.step,
      self._train_state(),
      np.concatenate([np.zeros(0, np.float32), *self._losses]),
      self._eval_tasks[0].labeled_data.position,
      list(self._records),
      self._counted.to_json() if self._counted else [],
    )
    self._checkpoints.save(loop_state.to_checkpoint(state))

  def take_best(self) -> None:
    """Goes back to the weights of the best checkpoint, to be exported.

    Nothing if the newest is meant. Training does not go on from there.
    """
    if self._checkpoints.best_metric is None:
      return
    best = self._checkpoints.load_best()
    if best is not None:
      fresh = self._train_state()
      self._store(loop_state.from_checkpoint(best, fresh).train_state)

  def export(self, file: File) -> None:
    """Writes the model in trax's own format, for `Layer.init_from_file`.

    Args:
      file: model.pkl.gz; model.weights.npy.gz is written beside it.
    """
    with self._evaluated_weights():
      trax_model_file.write(
        file, self.model, self._batch_signature[: self.model.n_in]
      )

  def _restore(self) -> None:
    """Goes on from the newest checkpoint, or from the beginning."""
    checkpoint = self._checkpoints.resume()
    if checkpoint is None:
      self._records.replace([])
      self._context.on_records([])
      return
    state = loop_state.from_checkpoint(checkpoint, self._train_state())
    self._store(state.train_state)
    self._step = self._tasks[0].labeled_data.position = state.step
    self._eval_tasks[0].labeled_data.position = state.eval_position
    self._losses = [state.losses]
    self._records.replace(state.records)
    if self._counted is not None:
      self._counted.restore(state.histograms)
    for old in state.records:
      self._history.append(old.split, old.metric, old.step, old.value)
    self._context.on_records(list(state.records))
    logging.info('Going on from the checkpoint of step %d', state.step)
