"""The training loop of an experiment, with all its parts."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.batching import batches
from experiments.config.experiment import Experiment
from experiments.evaluation import inference, metric_names
from experiments.foundation.errors import UserError
from experiments.pipeline import run_identity, saved_model
from experiments.pipeline.batch_plans import plan_batches
from experiments.pipeline.data import Data
from experiments.pipeline.models import Models, empty_batch
from experiments.rundir import checkpoints, metric_log, run_dir
from experiments.training import histograms
from experiments.training.context import Keep, RunContext
from experiments.training.sampled_evaluation import MoreMetrics
from experiments.training.update import Rate, Start

if TYPE_CHECKING:
  from experiments.backend.trax_loop import EvalTask, TrainTask


def make_loop(
  experiment: Experiment,
  *,
  data: Data,
  models: Models,
  directory: run_dir.RunDir,
  start: Start | None,
  rates: Sequence[Rate],
  counted: histograms.Histograms,
  context: RunContext,
):
  """Makes the loop of an experiment.

  Args:
    experiment: what to train.
    data: the tokenized data set.
    models: its models.
    directory: where checkpoints and measured values go, and come from.
    start: weights to start from; None: random ones.
    rates: how much of each update the arrays of weights take; (): all of it.
    counted: gets the histograms, if the experiment wants them.
    context: of the run.

  Returns:
    A `training.loop.Loop`.

  Raises:
    UserError: no example of a split is within the length limits, or the
      checkpoint does not fit the model.
  """
  from experiments.training import loop

  optimization = experiment.optimization
  train_task, eval_task = make_tasks(experiment, data)
  return loop.Loop(
    models.train,
    train_task,
    eval_model=models.eval,
    eval_task=eval_task,
    n_steps=optimization.n_steps,
    random_seed=optimization.seed,
    checkpoints=open_checkpoints(experiment, data, directory),
    records=metric_log.Records(directory.metrics),
    ema_decay=optimization.ema_decay,
    patience=optimization.patience,
    rates=rates,
    start=start,
    counted=counted if experiment.run.histograms else None,
    more_metrics=_find_more_metrics(
      experiment, data=data, models=models, keep=context.keep
    ),
    context=context,
    tracing=experiment.bound,
  )


def make_tasks(
  experiment: Experiment, data: Data
) -> tuple['TrainTask', 'EvalTask']:
  """Makes what trax calls tasks: batches, and what is done with them.

  Args:
    experiment: what to train.
    data: the tokenized data set.

  Returns:
    What to train on and how, and the sampled evaluation.

  Raises:
    UserError: no example of a split is within the length limits.
  """
  from experiments.backend import trax_loop

  evaluation = experiment.evaluation
  train_stream, eval_stream = (
    batches.BatchStream(
      tokens,
      plan_batches(
        experiment,
        tokens.lengths,
        seed=experiment.optimization.seed,
        is_trained=is_trained,
      ),
    )
    for tokens, is_trained in ((data.train, True), (data.validation, False))
  )
  evaluated = 'validation' if 'validation' in data.source.splits else 'test'
  for split, stream in (('train', train_stream), (evaluated, eval_stream)):
    if stream.plan.n_dropped:
      logging.info(
        '%d of %d %s examples are outside of the length limits and left out',
        stream.plan.n_dropped,
        stream.plan.n_dropped + stream.plan.n_kept,
        data.splits[split],
      )
  sample = empty_batch(experiment.buckets)
  return trax_loop.TrainTask(
    train_stream,
    loss_layer=experiment.make_loss(),
    optimizer=experiment.make_optimizer(),
    lr_schedule=experiment.make_schedule(),
    n_steps_per_checkpoint=evaluation.every_n_steps,
    sample_batch=sample,
  ), trax_loop.EvalTask(
    eval_stream,
    metrics=experiment.make_metrics(),
    n_eval_batches=evaluation.n_batches,
    sample_batch=sample,
  )


def _record_name(best_metric: str | None) -> str | None:
  """Returns by what record of the sampled evaluation the best is chosen."""
  if best_metric is None or not metric_names.is_known(best_metric):
    return best_metric
  return metric_log.name_sampled(best_metric)


def check_best_metric(experiment: Experiment, data: Data) -> None:
  """Checks what the best checkpoint is chosen by, before there is a directory.

  Raises:
    UserError: there is no such class, or the worst would be chosen.
  """
  config = experiment.evaluation
  name = config.best_metric
  if name is None or not metric_names.is_known(name):
    return
  metric_names.check_class(
    name,
    setting='experiment.best_metric',
    labels=data.source.label_names,
    dataset=data.source.full_name,
  )
  is_minimized = metric_names.is_minimized(name)
  if is_minimized != (config.best_direction == 'minimize'):
    right = 'minimize' if is_minimized else 'maximize'
    raise UserError(
      f'experiment.best_metric is {name!r}, of which '
      f'{"less" if is_minimized else "more"} is better. Bind '
      f'experiment.best_direction = {right!r}.'
    )


def _find_more_metrics(
  experiment: Experiment, *, data: Data, models: Models, keep: Keep
) -> MoreMetrics | None:
  """Returns what the best checkpoint is chosen by, unless trax measures it."""
  name, labels = experiment.evaluation.best_metric, data.source.label_names
  if (
    name is None
    or not metric_names.is_known(name)
    or name in metric_log.SAMPLED
  ):
    return None
  forward = keep(
    ('forward', len(labels)),
    lambda: inference.compile_forward(models.eval, tracing=experiment.bound),
  )
  record_name = metric_log.name_sampled(name)

  def measure(weights, state, batches) -> dict[str, float]:
    value = metric_names.measure(
      name,
      log_probs=np.concatenate(
        [np.asarray(forward(weights, state, inputs)) for inputs, *_ in batches]
      ),
      targets=np.concatenate([targets for _, targets, _ in batches]),
      label_names=labels,
    )
    return {} if value is None else {record_name: value}

  return MoreMetrics((record_name,), measure)


def open_checkpoints(
  experiment: Experiment, data: Data, directory: run_dir.RunDir
) -> checkpoints.Checkpoints:
  """Opens the checkpoints of a run, to keep them as its config says.

  Args:
    experiment: of the run.
    data: of the run.
    directory: of the run.
  """
  identity = {
    **run_identity.identity(
      config_text=experiment.config.text,
      vocabulary=data.vocabulary.fingerprint,
      labels=data.source.label_names,
      encoder=data.encoder,
    ),
    run_identity.DATA: data.source.fingerprint,
  }
  return checkpoints.Checkpoints(
    directory.checkpoints,
    keep=experiment.run.keep_checkpoints,
    best_metric=_record_name(experiment.evaluation.best_metric),
    best_direction=experiment.evaluation.best_direction,
    identity=identity,
    check=lambda found: saved_model.check(found, identity),
  )
