"""What a sweep chooses by: a metric, and the split that it is measured on."""

import re
from collections.abc import Sequence

from experiments.comparison import run_reader
from experiments.config import gin_config, macro_checks
from experiments.config.gin_statements import read_text
from experiments.foundation.errors import UserError
from experiments.rundir import metric_log, run_dir
from experiments.sweeps.sweep_plan import Trial
from experiments.sweeps.sweep_settings import Settings

_ON_A_PART = "--gin_bindings=\"SPLITS=('train[:80%]', 'train[80%:]')\""


def read_splits(config: gin_config.Config) -> tuple[str, ...]:
  """Returns what a run trains on and what it evaluates on, in TFDS's syntax."""
  return tuple(_parameter(config, 'splits'))


def describe(trials: Sequence[Trial], settings: Settings) -> str:
  """Says in a line by what trials are ranked, and warns of the test split.

  Args:
    trials: of a sweep; the first speaks for all.
    settings: of the sweep.
  """
  split = read_splits(trials[0].config)[-1]
  line = f'Ranked by:       {settings.objective} of {split}'
  names = {name for trial in trials for name in trial.values} - {'SEED'}
  if names and is_test(trials[0].config):
    line += (
      ', the test split: it flatters the best. To choose on a part of train: '
      + _ON_A_PART
    )
  return line


def is_test(config: gin_config.Config) -> bool:
  """Tells whether the exact evaluation of a run is that of a test split.

  It is with a validation split beside it, and where its name says so.
  """
  splits = read_splits(config)
  return len(splits) == 3 or bool(re.match(r'\w*test', splits[-1], re.I))


def check(config: gin_config.Config, settings: Settings) -> None:
  """Checks that a search has a metric to go by.

  Raises:
    UserError: the objective is not measured on the validation split.
  """
  if (
    len(read_splits(config)) == 3
    and settings.objective not in metric_log.SAMPLED
    and settings.objective != _parameter(config, 'best_metric')
  ):
    raise UserError(
      f'sweep.objective: a search goes by the validation split, the second of '
      f'three SPLITS, on which {settings.objective} is not measured. Choose '
      f'{" or ".join(map(repr, metric_log.SAMPLED))}, bind '
      f'experiment.best_metric = {settings.objective!r}, or evaluate on a part '
      f'of train: {_ON_A_PART}'
    )


def value(
  trial: Trial, run: run_reader.Run, settings: Settings
) -> float | None:
  """Returns what a search is told of a finished trial; None if nothing.

  Args:
    trial: the trial.
    run: what its directory says.
    settings: of the sweep.

  Returns:
    With a validation split, the sampled evaluation of it: of the checkpoint
    that is kept as the best, or of the last step. Else the exact metric.
  """
  config = trial.config
  if len(read_splits(config)) < 3:
    return run.measured(settings.objective)
  name = metric_log.sampled_name(settings.objective)
  records = metric_log.read_records(run_dir.RunDir(trial.path).metrics)
  values = [
    record.value
    for record in records
    if (record.split, record.metric) == ('eval', name)
  ]
  if not values:
    return None
  if _parameter(config, 'best_metric') is None:
    return values[-1]
  return min(values) if settings.is_minimized else max(values)


def _parameter(config: gin_config.Config, name: str):
  """Returns the value of a parameter of `experiment`."""
  bindings = {b.key: b for b in read_text(config.text, 'config.gin').bindings}
  binding = bindings.get(('', 'experiment', name))
  return binding and macro_checks.resolved(binding.value, bindings)
