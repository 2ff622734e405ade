"""The range test of the learning rate, for an experiment."""

import contextlib

import numpy as np

from experiments.backend import jax_setup
from experiments.config.experiment import Experiment
from experiments.foundation import cache
from experiments.pipeline import loops, warm_start
from experiments.pipeline.data import open_data
from experiments.pipeline.models import Models
from experiments.training.context import keep_nothing
from experiments.training.progress import Progress


def measure_losses(
  experiment: Experiment, *, trust_init_from: bool = False
) -> np.ndarray:
  """Trains for some steps with a rising rate, and keeps nothing.

  Args:
    experiment: whose data, model, optimizer and seed it is done with; its own
      rate and schedule are left out.
    trust_init_from: as of `runs.train`.

  Returns:
    Float64 [n], the training loss at each of `rate_range.RATES`, or up to where
    it is of no use.

  Raises:
    UserError: the data, the vocabulary or what to start from will not do.
  """
  cache_dir = cache.cache_dir()
  jax_setup.start_jax(cache_dir=cache_dir)
  from experiments.backend.trax_loop import TraxLoop
  from experiments.training import rate_range

  data = open_data(experiment, cache_dir=cache_dir)
  models = Models(experiment, n_classes=data.n_classes, encoder=data.encoder)
  start = warm_start.load(
    experiment, data=data, models=models, trust=trust_init_from
  )
  train_task, eval_task = loops.make_tasks(experiment, data)
  trax_loop = TraxLoop(
    models.train,
    train_task,
    eval_model=models.eval,
    eval_task=eval_task,
    random_seed=experiment.optimization.seed,
    keep=keep_nothing,
    tracing=experiment.bound,
  )
  with contextlib.closing(
    Progress(n_steps=rate_range.N_STEPS, step=0)
  ) as progress:
    return rate_range.measure_losses(
      trax_loop, start=start, progress=progress, tracing=experiment.bound
    )
