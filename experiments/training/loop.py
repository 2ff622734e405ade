"""trax's training loop: many steps a call, exact to resume, orderly to stop."""

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence

from experiments.backend import trax_model_file
from experiments.backend.compilation import Tracing
from experiments.backend.trax_loop import EvalTask, TrainTask, TraxLoop
from experiments.foundation.directory import File
from experiments.foundation.signals import Interrupted
from experiments.rundir.checkpoints import Checkpoints
from experiments.rundir.metric_log import Records
from experiments.training import histograms, loop_state, update
from experiments.training.context import RunContext
from experiments.training.diverged import Diverged
from experiments.training.events import Events
from experiments.training.loop_state import LoopState
from experiments.training.progress import Progress
from experiments.training.recording import Recorder
from experiments.training.sampled_evaluation import (
  MoreMetrics,
  SampledEvaluation,
)
from experiments.training.stepping import Stepper

__all__ = ['Diverged', 'EvalTask', 'Loop', 'TrainTask']


class Loop:
  """`trax.supervised.training.Loop` over a batch plan.

  It trains by the same update, evaluates and keeps history as trax's does, with
  these differences: a run of steps of one shape is one compiled call; what is
  measured goes to `Records`; a checkpoint holds everything that the next step
  depends on, so that going on from one gives the weights of an undisturbed run.

  Attributes:
    state: what the loop is after the steps done.
    trax: the parts that are trax's own.
  """

  def __init__(
    self,
    model,
    train_task: TrainTask,
    *,
    eval_model,
    eval_task: EvalTask,
    n_steps: int,
    random_seed: int,
    checkpoints: Checkpoints,
    records: Records,
    ema_decay: float | None = None,
    patience: int | None = None,
    rates: Sequence[update.Rate] = (),
    start: update.Start | None = None,
    counted: histograms.Histograms | None = None,
    more_metrics: MoreMetrics | None = None,
    context: RunContext | None = None,
    tracing: Tracing = contextlib.nullcontext,
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
      rates: of the arrays of weights, as of `update.make_update`.
      start: gives weights and state of `model` at step 0; None: random ones.
      counted: gets the histograms of each evaluation; None: none are made.
      more_metrics: what an evaluation measures beside the task's metrics.
      context: what the run may reuse, where it reports, when it stops; None: it
        is alone.
      tracing: entered while code of layers, optimizer or schedule runs.

    Raises:
      UserError: what decides on the best is not measured, or the checkpoint is
        of another model.
    """
    names = [f'metrics/{name}' for name in eval_task.metric_names]
    checkpoints.check_metric(
      [*names, *(more_metrics.names if more_metrics else ())]
    )
    context = context or RunContext()
    self._events = Events(n_steps, train_task.n_steps_per_checkpoint)
    self._patience = patience
    self._checkpoints = checkpoints
    self._context = context
    with context.stop_signal.raising():
      self.trax = TraxLoop(
        model,
        train_task,
        eval_model=eval_model,
        eval_task=eval_task,
        random_seed=random_seed,
        keep=context.keep,
        tracing=tracing,
      )
    self._stepper = Stepper(
      self.trax,
      ema_decay=ema_decay,
      rates=rates,
      context=context,
      tracing=tracing,
    )
    self._evaluation = SampledEvaluation(
      self.trax,
      has_histograms=counted is not None,
      more=more_metrics,
      context=context,
      tracing=tracing,
    )
    self._recorder = Recorder(
      self.trax,
      records=records,
      counted=counted,
      n_steps=n_steps,
      context=context,
    )
    fresh = update.fresh_state(
      *self.trax.train_state(), start=start, has_average=ema_decay is not None
    )
    self.state = LoopState(step=0, train_state=fresh)
    self._restore()

  @property
  def step(self) -> int:
    """The number of training steps done."""
    return self.state.step

  @property
  def model(self):
    """The model in training mode, with the weights of the last step."""
    return self.trax.model

  @property
  def eval_model(self):
    """The model in evaluation mode."""
    return self.trax.eval_model

  @property
  def history(self):
    """Trax's own history of what was measured."""
    return self.trax.history

  def run(self, n_steps: int | None = None) -> None:
    """Trains.

    Args:
      n_steps: how many steps more; None goes on to the last, or until the
        evaluations have not improved for too long.

    Raises:
      Diverged: the loss of a step is not finite; the last checkpoint is good.
      Interrupted: Ctrl-C or SIGTERM; there is a checkpoint of this step.
    """
    last = self._events.last if n_steps is None else self.step + n_steps
    with self._heeding_signals():
      self._stepper.compile(self.state, last)
    with self._progress(last) as progress:
      while True:
        if self._is_evaluation_due():
          with self._heeding_signals():
            measured = self._evaluation.measure(self.state)
          self.state = self._recorder.record(self.state, measured)
          self._save()
        if self._is_done(last):
          break
        self._stop_if_asked()
        stop = min(self._events.after(self.step), last)
        self.state = self._stepper.advance(self.state, stop, progress)
    self._give_to_trax(self.state.train_state.weights)
    if self.step < last:
      logging.info(
        'Ended early at step %d: %d evaluations in a row without a better %s',
        self.step,
        self._patience,
        self._checkpoints.best_metric,
      )

  def _is_evaluation_due(self) -> bool:
    """Tells whether this step is to be evaluated and has not been."""
    is_event = self._events.is_at(self.step)
    return is_event and self.state.evaluated_step != self.step

  def _is_done(self, last: int) -> bool:
    """Tells whether step `last` is reached, or patience is at its end."""
    if self.step >= last or self._patience is None:
      return self.step >= last
    values = [
      record.value
      for record in self._recorder.records
      if (record.split, record.metric)
      == ('eval', self._checkpoints.best_metric)
    ]
    return self._checkpoints.n_since_best(values) >= self._patience

  def _stop_if_asked(self) -> None:
    """Saves and ends the run, if a signal has come."""
    number = self._context.stop_signal()
    if number is not None:
      self._save()
      raise Interrupted(number, self.step)

  @contextlib.contextmanager
  def _heeding_signals(self) -> Iterator[None]:
    """Gives up what is done within when a signal comes, and ends the run."""
    try:
      with self._context.stop_signal.raising():
        yield
    except BaseException:
      if self._context.stop_signal.has_raised:
        self._stop_if_asked()
      raise

  @contextlib.contextmanager
  def _progress(self, last: int) -> Iterator[Progress]:
    progress = Progress(
      n_steps=last, step=self.step, on_progress=self._context.on_progress
    )
    try:
      yield progress
    finally:
      progress.close()

  def _save(self) -> None:
    checkpoint = loop_state.to_checkpoint(
      self.state,
      records=list(self._recorder.records),
      histograms=self._recorder.histograms_to_json(),
      is_evaluation_due=self._is_evaluation_due(),
    )
    # The loss of a step is that of the weights before it.
    if not loop_state.has_finite_weights(checkpoint):
      raise Diverged(self.step + 1, math.nan)
    self._checkpoints.save(checkpoint)

  def _restore(self) -> None:
    """Goes on from the newest checkpoint, or from the beginning."""
    checkpoint = self._checkpoints.resume()
    if checkpoint is None:
      self._recorder.restore([], [])
      return
    restored = loop_state.from_checkpoint(checkpoint, self.state.train_state)
    self.state = restored.state
    self._give_to_trax(self.state.train_state.weights)
    self._recorder.restore(restored.records, restored.histograms)
    logging.info('Going on from the checkpoint of step %d', self.step)

  def take_best(self) -> None:
    """Goes back to the weights of the best checkpoint, to be exported.

    Nothing if the newest is meant. Training does not go on from there.
    """
    if self._checkpoints.best_metric is None:
      return
    checkpoint = self._checkpoints.load_best()
    if checkpoint is not None:
      best = loop_state.from_checkpoint(checkpoint, self.state.train_state)
      self.state = self.state._replace(train_state=best.state.train_state)
      self._give_to_trax(self.state.train_state.weights)

  def export(self, file: File) -> None:
    """Writes the model in trax's own format, for `Layer.init_from_file`.

    Args:
      file: model.pkl.gz; model.weights.npy.gz is written beside it.
    """
    self._give_to_trax(self.state.train_state.evaluated_weights)
    trax_model_file.write(file, self.model, self.trax.input_signature)

  def _give_to_trax(self, weights) -> None:
    """Puts weights, and the rest of the state, into trax's layers."""
    state = self.state.train_state
    self.trax.set_train_state(weights, state.slots, state.state, state.rng)
