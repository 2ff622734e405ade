"""The batches of an experiment, planned."""

import numpy as np

from experiments.batching import batches
from experiments.batching.buckets import extend_buckets
from experiments.config.experiment import Experiment


def plan_batches(
  experiment: Experiment,
  lengths: np.ndarray,
  *,
  seed: int,
  is_trained: bool,
) -> batches.BatchPlan:
  """Plans the batches of an experiment.

  Args:
    experiment: whose buckets they fall into.
    lengths: int [n], of the examples in tokens.
    seed: seeds their order.
    is_trained: whether it is for training. An evaluation always pads a text by
      its own length alone; training can do as trax does by default.

  Raises:
    UserError: no example is within the length limits.
  """
  arguments = experiment.buckets.as_arguments()
  strict = experiment.buckets.strict_pad_on_len or not is_trained
  if strict:
    arguments['boundaries'], arguments['batch_sizes'] = extend_buckets(
      arguments['boundaries'],
      arguments['batch_sizes'],
      arguments['max_length'],
    )
  return batches.BatchPlan(
    lengths=lengths, seed=seed, strict_pad_on_len=strict, **arguments
  )
