"""Trials that a sampler proposes, by Optuna.

The study is `study.journal` beside the runs, in Optuna's own format. What trial
n of a random search is depends on the seed and n alone; of TPE, also on the
results that were known when it was proposed.
"""

import hashlib
import json
import logging
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from experiments.config.gin_values import render
from experiments.foundation.errors import UserError
from experiments.rundir import metric_log, run_dir
from experiments.rundir.metric_log import Record
from experiments.sweeps import (
  study,
  sweep_objective,
  sweep_plan,
  sweep_settings,
)
from experiments.sweeps.sweep_definition import Axis, Definition, Distribution
from experiments.sweeps.sweep_plan import Choose, Planner, Trial

_JOURNAL = 'study.journal'
# Of a sampled float: enough to tell trials apart, few enough to read.
_DIGITS = 5
_DECIDED = ('COMPLETE', 'PRUNED', 'FAIL')


def require_optuna() -> None:
  """Checks that Optuna is there.

  Raises:
    UserError: it is not.
  """
  try:
    import optuna
  except ImportError as error:
    raise UserError(
      '--search needs the package optuna. Install it: '
      "pip install 'trax-experiments[search]', or pip install optuna."
    ) from error
  optuna.logging.set_verbosity(optuna.logging.WARNING)


class Search:
  """Proposes trials, and learns how they came out; see `TrialSupply`."""

  def __init__(
    self,
    planner: Planner,
    definition: Definition,
    *,
    directory: pathlib.Path,
    search: str,
    n_trials: int,
    settings: sweep_settings.Settings,
    is_parallel: bool,
  ):
    """Opens the study of the same definition, or begins one.

    Args:
      planner: makes trials.
      definition: the space; lists are choices, too.
      directory: that of the sweep, which this process has locked.
      search: 'random' or 'tpe'.
      n_trials: number of trials of the study in total.
      settings: of the sweep.
      is_parallel: whether several trials run at once.
    """
    self._planner = planner
    self._dimensions = dimensions(definition)
    self._search = search
    self._n_trials = n_trials
    self._settings = settings
    self._is_parallel = is_parallel
    self._path = directory / _JOURNAL
    self._open: list[int] = []
    self._by_key: dict[str, Trial] = {}
    self._numbers: dict[str, list[int]] = {}
    with study.explaining_damage(self._path):
      self._read_study(definition)

  def _read_study(self, definition: Definition) -> None:
    """Opens the study, and finds its trials."""
    settings, search = self._settings, self._search
    self._study = study.open_study(
      self._path,
      settings=settings,
      name=_study_name(definition, self._planner.describe(), settings, search),
    )
    # Those of an earlier process that have no result yet.
    self._open = [
      trial.number
      for trial in self._study.get_trials(deepcopy=False)
      if trial.state.name not in _DECIDED
    ]
    for frozen in self._study.get_trials(deepcopy=False):
      if frozen.state.name in _DECIDED and frozen.params:
        self._remember(frozen.number)

  @property
  def n_trials(self) -> int:
    """The number of different trials that are known to be coming."""
    n_asked = len(self._study.get_trials(deepcopy=False))
    return len(self._by_key) + max(0, self._n_trials - n_asked)

  def trials(self) -> list[Trial]:
    """Returns the trials that have been proposed so far."""
    return list(self._by_key.values())

  def next(self, choose: Choose | None = None) -> Trial | None:
    """Returns the next trial that is not yet known; None after the last."""
    del choose
    with study.explaining_damage(self._path):
      return self._next()

  def _next(self) -> Trial | None:
    while True:
      if self._open:
        number = self._open.pop(0)
      elif len(self._study.get_trials(deepcopy=False)) < self._n_trials:
        self._study.sampler = self._sampler(
          len(self._study.get_trials(deepcopy=False))
        )
        number = self._study.ask().number
      else:
        return None
      known = len(self._by_key)
      trial = self._remember(number)
      if len(self._by_key) > known:
        return trial
      logging.info('%s was proposed before', trial.label)
      status = sweep_plan.status(trial)
      if status in sweep_plan.FINAL:
        self._tell(number, trial, status)

  def take_records(self, trial: Trial, records: Iterable[Record]) -> bool:
    """Takes sampled evaluations; tells whether the trial should go on."""
    with study.explaining_damage(self._path):
      return self._take_records(trial, records)

  def _take_records(self, trial: Trial, records: Iterable[Record]) -> bool:
    if self._settings.pruner == 'none':
      return True
    metric = self._settings.pruning_metric or metric_log.SAMPLED.get(
      self._settings.objective,
      'metrics/CrossEntropyLoss'
      if self._settings.is_minimized
      else 'metrics/Accuracy',
    )
    measured = {record.metric for record in records if record.split == 'eval'}
    if measured and metric not in measured:
      raise UserError(
        f'sweep.pruning_metric: {metric!r} is not measured while a trial '
        f'trains. Choose one of {", ".join(map(repr, sorted(measured)))}.'
      )
    # That of step 1 is luck.
    values = [
      record
      for record in records
      if (record.split, record.metric) == ('eval', metric) and record.step > 1
    ]
    last = trial.config.macros.get('N_STEPS')
    go_on = True
    if values and self._settings.pruner == 'hyperband':
      self._study.pruner = study.make_hyperband(values[0].step, last)
    for number in self._numbers[trial.key]:
      asked = self._trial(number)
      reported = self._look_at(number).intermediate_values
      for record in values:
        if record.step not in reported:
          asked.report(record.value, record.step)
      if values and values[-1].step != last and asked.should_prune():
        go_on = False
    return go_on

  def take_status(self, trial: Trial, status: str) -> None:
    """Takes the status of a trial that will not be tried again."""
    with study.explaining_damage(self._path):
      for number in self._numbers[trial.key]:
        if self._look_at(number).state.name not in _DECIDED:
          self._tell(number, trial, status)

  def _tell(self, number: int, trial: Trial, status: str) -> None:
    from optuna.trial import TrialState

    run = sweep_plan.read_run(trial)
    values = sweep_objective.values(trial, run, self._settings)
    if status == run_dir.FINISHED and values:
      self._study.tell(number, values)
    elif status in (run_dir.FAILED, run_dir.FINISHED):
      self._study.tell(number, state=TrialState.FAIL)
    else:
      # To the sampler a diverged trial is one of the worst, too.
      self._study.tell(number, state=TrialState.PRUNED)

  def _remember(self, number: int) -> Trial:
    """Makes the trial of a number, drawing what is not drawn yet."""
    drawn = self._trial(number)
    point: dict[str, Any] = {}
    for dimension in self._dimensions:
      point.update(_draw(drawn, dimension))
    trial = self._planner.trial(point)
    known = self._by_key.setdefault(trial.key, trial)
    numbers = self._numbers.setdefault(trial.key, [])
    if number not in numbers:
      numbers.append(number)
    return known

  def _trial(self, number: int):
    import optuna

    return optuna.trial.Trial(self._study, self._look_at(number)._trial_id)

  def _look_at(self, number: int):
    return self._study.get_trials(deepcopy=False)[number]

  def _sampler(self, number: int):
    """Returns a trial's own sampler: what came before changes nothing."""
    import optuna

    text = f'{self._settings.seed} {number}'
    seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    if self._search == 'random':
      return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(
      seed=seed, constant_liar=self._is_parallel
    )


def dimensions(definition: Definition) -> list[Axis | Distribution]:
  """Returns what a search chooses independently of each other.

  Raises:
    UserError: the definition holds several grids, or one dimension has no
      choice.
  """
  if len(definition.grids) > 1:
    raise UserError(
      '--search=random and tpe search one space, and the sweep file names '
      'several. Leave one, or use --search=grid.'
    )
  grid = definition.grids[0]
  return [*grid.axes, *grid.distributions]


def corners(definition: Definition) -> list[dict[str, Any]]:
  """Returns points that together hold every choice and every bound.

  They are checked before the first trial is drawn.
  """
  choices = [_extremes(dimension) for dimension in dimensions(definition)]
  longest = max(map(len, choices))
  return [
    {
      name: value
      for each in choices
      for name, value in each[min(i, len(each) - 1)].items()
    }
    for i in range(longest)
  ]


def _extremes(dimension: Axis | Distribution) -> list[dict[str, Any]]:
  if isinstance(dimension, Axis):
    return [
      dict(zip(dimension.names, values, strict=True))
      for values in dimension.values
    ]
  return [{dimension.name: value} for value in dimension.values]


def _draw(trial, dimension: Axis | Distribution) -> Mapping[str, Any]:
  """Draws a dimension of an Optuna trial, or looks at what was drawn."""
  if isinstance(dimension, Axis) or dimension.kind == 'choice':
    options = {
      ', '.join(map(render, option.values())): option
      for option in _extremes(dimension)
    }
    name = (
      ', '.join(dimension.names)
      if isinstance(dimension, Axis)
      else dimension.name
    )
    return options[trial.suggest_categorical(name, list(options))]
  low, high = dimension.values
  is_log = dimension.kind.startswith('log')
  if dimension.kind in ('int', 'log_int'):
    value = trial.suggest_int(dimension.name, low, high, log=is_log)
  else:
    value = trial.suggest_float(dimension.name, low, high, log=is_log)
    value = min(max(float(f'{value:.{_DIGITS}g}'), low), high)
  return {dimension.name: value}


def _study_name(
  definition: Definition,
  base: str,
  settings: sweep_settings.Settings,
  search: str,
) -> str:
  """Names a study by all that makes its results comparable."""
  parts = [definition.to_json(), base, settings.objective, settings.seed]
  if settings.second_objective is not None:
    parts.append(settings.second_objective)
  text = json.dumps([*parts, settings.is_minimized, search])
  return f'{search}-{hashlib.sha256(text.encode()).hexdigest()[:10]}'
