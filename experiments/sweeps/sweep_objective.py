"""What a sweep chooses by: a metric, and the split that it is measured on."""

import pathlib
import re
from collections.abc import Sequence

from experiments.comparison import run_reader
from experiments.config import experiment, gin_config, macro_checks
from experiments.config.gin_statements import read_text
from experiments.evaluation import metric_names
from experiments.pipeline.data import open_source
from experiments.rundir import metric_log, run_dir
from experiments.sweeps.sweep_plan import Trial
from experiments.sweeps.sweep_settings import Settings

# Of values as gin has them: what may name data.
_IS_TEXT = re.compile(r'[\'"(\[{]')
# What tells samples of one config apart.
_SAMPLES = {'SEED', 'FOLD', 'N_FOLDS'}
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
  splits = read_splits(trials[0].config)
  n_folds = _parameter(trials[0].config, 'n_folds')
  # With a validation split that, else test.
  split = f'{splits[0]}[{n_folds}_folds]' if n_folds else splits[1]
  line = f'Ranked by:       {settings.objective} of {split}'
  if settings.second_objective is not None:
    line += f', and by {settings.second_objective}'
  names = {name for trial in trials for name in trial.values} - _SAMPLES
  if names and is_test(trials[0].config):
    line += (
      ', the test split: it flatters the best. To choose on a part of train: '
      + _ON_A_PART
    )
  return line


def is_test(config: gin_config.Config) -> bool:
  """Tells whether trials are ranked by a test split, as its name says."""
  if _parameter(config, 'n_folds'):
    return False
  splits = read_splits(config)
  return len(splits) == 2 and bool(re.match(r'\w*test', splits[1], re.I))


def check_class(
  trials: Sequence[Trial], settings: Settings, *, cache_dir: pathlib.Path
) -> None:
  """Checks that the data of each trial have the class of the objective.

  Args:
    trials: of a sweep.
    settings: of the sweep.
    cache_dir: of what is known of data sets, which are made if need be.

  Raises:
    UserError: one has not, or its data cannot be loaded.
  """
  objectives = [settings.objective, settings.second_objective or '']
  objectives = [name for name in objectives if metric_names.class_of(name)]
  if not objectives:
    return
  by_texts = {
    tuple(filter(_IS_TEXT.match, trial.values.values())): trial
    for trial in trials
  }
  configs = [trial.config for trial in by_texts.values()]
  for data in dict.fromkeys(experiment.resolve(each).data for each in configs):
    source = open_source(data, cache_dir=cache_dir)
    for name in objectives:
      metric_names.check_class(
        name,
        setting='sweep.objective',
        labels=source.label_names,
        dataset=source.full_name,
      )


def values(
  trial: Trial, run: run_reader.Run, settings: Settings
) -> list[float]:
  """Returns what a search is told of a finished trial, of each objective.

  Args:
    trial: the trial.
    run: what its directory says.
    settings: of the sweep.

  Returns:
    Nothing if one of them is not known.
  """
  found = [value(trial, run, settings)]
  if settings.second_objective is not None:
    found.append(run.find_metric(settings.second_objective))
  return [] if None in found else [x for x in found if x is not None]


def value(
  trial: Trial, run: run_reader.Run, settings: Settings
) -> float | None:
  """Returns the objective of a finished trial; None if it is not known.

  Args:
    trial: the trial.
    run: what its directory says.
    settings: of the sweep.

  Returns:
    The exact metric, with a validation split of that. Of a trial that an
    earlier version has finished, which did not measure it so, the sampled one:
    of the checkpoint that is kept as the best, or of the last step.
  """
  config = trial.config
  if (
    len(read_splits(config)) < 3 or run.test is not None or run.fold is not None
  ):
    return run.find_metric(settings.objective)
  name = metric_log.name_sampled(settings.objective)
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
  return binding and macro_checks.resolve_value(binding.value, bindings)
