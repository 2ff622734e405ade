"""What run directories say of their runs.

Reads only what runs have recorded, so that it needs neither JAX nor trax, and
is quick for a thousand runs.
"""

import dataclasses
import logging
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from experiments.config import config_text
from experiments.evaluation import metric_names
from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir

SEED = 'SEED'
_TABLES = ('.csv', '.parquet')
# Of a run whose record or config cannot be read.
DAMAGED = 'damaged'
# The first of these that is bound is what a run was seeded with.
_SEEDS = ('experiment.seed', SEED)
FOLD = 'FOLD'
_FOLD = 'experiment.fold'
_N_FOLDS = 'experiment.n_folds'
_NONE = 'None'
_DATASET = 'TFDS.dataset_name'
_SPLITS = 'experiment.splits'
_MACRO = re.compile(r'%([\w./]+)')


@dataclasses.dataclass(frozen=True)
class Run:
  """What a run directory says.

  Attributes:
    name: its path below the directory that is compared.
    path: its directory.
    bindings: gin text by name, e.g. 'LEARNING_RATE' to '0.003': all that the
      run consumed, macros replaced by their values.
    macros: of what is bound to a macro, the name of that macro.
    settings: the parameters, but for the seed and the fold. What macros do is
      seen in what is bound to them, so that it is the same whether a value came
      by a macro or by itself.
    overrides: names of those that the command line bound.
    status: as in run.json; 'interrupted' for a run whose process has gone,
      'damaged' for one that cannot be read.
    steps: training steps done.
    seconds: time taken; None if it is not known.
    metrics: exact metrics that are single numbers, by name: of the validation
      split, which is there to choose by, else of the test split.
    error: what went wrong, or None.
    dataset: what the metrics are of, such as 'bbc_news:1.0.0'; '' if unknown.
    split: and which of its splits, such as 'test' or 'train[80%:]'.
    n_examples: how many examples of it; None where nothing is measured.
    lists: of what is measured, what `metric_names` needs besides.
    test: where the metrics are of a validation split, the same run with those
      of the test split.
    system: of a file of predictions of another system, what it is called
      whatever its seed; '' for a run of this program.
  """

  name: str
  path: pathlib.Path
  bindings: Mapping[str, str]
  overrides: tuple[str, ...]
  status: str
  steps: int
  seconds: float | None
  metrics: Mapping[str, float]
  error: str | None
  macros: Mapping[str, str] = dataclasses.field(default_factory=dict)
  settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
  dataset: str = ''
  split: str = ''
  n_examples: int | None = None
  lists: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  test: 'Run | None' = None
  system: str = ''

  def find_metric(self, name: str) -> float | None:
    """Returns a metric, also of one class; None if it is not known."""
    if name in self.metrics:
      return self.metrics[name]
    return metric_names.find_value(self.lists, name)

  def with_metric(self, name: str) -> 'Run':
    """Returns the run with a metric among its `metrics`, if it is known."""
    test = self.test and self.test.with_metric(name)
    value = self.find_metric(name)
    metrics = self.metrics
    if value is not None and name not in metrics:
      metrics = {**metrics, name: value}
    return dataclasses.replace(self, metrics=metrics, test=test)

  def on_split(self, split: str) -> 'Run | None':
    """Returns the run as a split measured it; None if none did."""
    if split in (self.split, self.pooled_split):
      return self
    return self.test and self.test.on_split(split)

  @property
  def seed(self) -> str | None:
    """What the run was seeded with."""
    return next((self.bindings[x] for x in _SEEDS if x in self.bindings), None)

  @property
  def fold(self) -> int | None:
    """The number of the fold that the run is measured on; None: of no fold."""
    fold = self.bindings.get(_FOLD, _NONE)
    return None if fold == _NONE else int(fold)

  @property
  def n_folds(self) -> int:
    """Of how many folds it is one; 1 for no folds."""
    return 1 if self.fold is None else int(self.bindings[_N_FOLDS])

  @property
  def pooled_split(self) -> str:
    """What the folds make together, e.g. 'train[5_folds]'; else the split."""
    if self.fold is None:
      return self.split
    whole = self.split.removesuffix(f'[fold_{self.fold}_of_{self.n_folds}]')
    return f'{whole}[{self.n_folds}_folds]'

  def show_binding(self, name: str) -> str | None:
    """Returns a binding, seed and fold by whatever name they were bound."""
    if name == FOLD:
      return None if self.fold is None else str(self.fold)
    return self.seed if name == SEED else self.bindings.get(name)


def find_runs(directory: str | os.PathLike[str]) -> list[pathlib.Path]:
  """Returns the run directories in and below a directory, sorted by path."""
  return find_runs_and_tables(directory)[0]


def find_runs_and_tables(
  directory: str | os.PathLike[str],
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Finds runs, and files that may hold predictions of other systems.

  Args:
    directory: in and below which.

  Returns:
    The run directories; and, outside of them, the CSV and Parquet files. Both
    are sorted by path.
  """
  found, tables, waiting = [], [], [os.fspath(directory)]
  while waiting:
    path = waiting.pop()
    try:
      with os.scandir(path) as entries:
        inside = list(entries)
    except NotADirectoryError:
      continue
    except OSError as error:
      logging.warning('%s is left out: %s', path, error.strerror)
      continue
    if any(entry.name in ('config.gin', 'run.json') for entry in inside):
      found.append(pathlib.Path(path))
      continue
    seen = [entry for entry in inside if entry.name[0] != '.']
    for entry in seen:
      if entry.is_dir(follow_symlinks=False):
        waiting.append(entry.path)
      elif entry.name.endswith(_TABLES) and entry.is_file():
        tables.append(pathlib.Path(entry.path))
  return sorted(found), sorted(tables)


def read_any_run(path: pathlib.Path, name: str) -> Run:
  """Does what `read_run` does, and says of a damaged run that it is."""
  try:
    return read_run(path, name)
  except (UserError, OSError) as error:
    reason = str(error)
    if isinstance(error, OSError):
      reason = f'{error.filename}: {error.strerror}.'
    return Run(
      name=name,
      path=path,
      bindings={},
      overrides=(),
      status=DAMAGED,
      steps=0,
      seconds=None,
      metrics={},
      error=reason,
    )


def read_run(path: pathlib.Path, name: str) -> Run:
  """Reads one run directory.

  Args:
    path: the directory.
    name: what to call it.

  Raises:
    UserError: its record is damaged, or no regular file.
    OSError: its record or its config cannot be read.
  """
  directory = run_dir.RunDir(path)
  run = directory.read_run()
  status = run.get('status', run_dir.INTERRUPTED)
  if status == run_dir.RUNNING and not directory.is_locked():
    status = run_dir.INTERRUPTED
  written = _read_config(directory.config)
  try:
    bindings = config_text.resolve_all(written)
  except UserError as error:
    raise UserError(f'{directory.config} is damaged ({error}).') from error
  dataset, splits = _find_data(run, bindings)
  size = {}
  if 'n_weights' in run:
    size[metric_names.N_WEIGHTS] = float(run['n_weights'])
  measured = {**(run.get('metrics') or {}), **size}
  found = Run(
    name=name,
    path=path,
    bindings=bindings,
    macros={
      key: match[1]
      for key, value in written.items()
      if (match := _MACRO.fullmatch(value)) and match[1] in written
    },
    settings={
      key: value
      for key, value in bindings.items()
      if '.' in key and key not in (*_SEEDS, _FOLD)
    },
    overrides=tuple(run.get('overrides', {})),
    status=status,
    steps=run.get('steps') or 0,
    seconds=run.get('seconds'),
    metrics={},
    error=run.get('error'),
    dataset=dataset,
  )
  on_test = _with_metrics(found, splits.get('test', ''), measured)
  # A fold is what cross-validation measures.
  if 'validation' not in splits or found.fold is not None:
    return on_test
  chosen_by = {**(run.get('validation_metrics') or {}), **size}
  if measured and 'validation_metrics' not in run:
    # A run of an earlier version measured the test split alone.
    return on_test
  return dataclasses.replace(
    _with_metrics(found, splits['validation'], chosen_by), test=on_test
  )


def _with_metrics(run: Run, split: str, measured: Mapping[str, Any]) -> Run:
  """Returns a run with the metrics that run.json has of a split."""
  return dataclasses.replace(
    run,
    split=split,
    metrics={
      key: value for key, value in measured.items() if isinstance(value, float)
    },
    n_examples=measured.get('n_examples'),
    lists={
      name: value
      for name, value in measured.items()
      if name in metric_names.LISTS
    },
  )


def keeps_predictions(run: Run) -> bool:
  """Tells whether a run has a file of what it said of its examples."""
  if run.system:
    return True
  directory = run_dir.RunDir(run.path)
  return bool(run.n_examples) and directory.predictions_of(run.split).is_file()


def _find_data(
  run: Mapping[str, Any], bindings: Mapping[str, str]
) -> tuple[str, Mapping[str, str]]:
  """Returns the data set of a run, and its splits as run.json has them."""
  splits = run.get('splits')
  dataset = run.get('dataset')
  if dataset is None:
    # The data were never opened: what the config asks for.
    dataset = bindings.get(_DATASET, bindings.get('DATASET', '')).strip('\'"')
  if splits is None:
    asked = bindings.get(_SPLITS, bindings.get('SPLITS', ''))
    quoted = re.findall(r"""'([^']*)'|"([^"]*)\"""", asked)
    names = ['train', 'validation', 'test']
    if len(quoted) < 3:
      names.remove('validation')
    splits = dict(zip(names, map(''.join, quoted), strict=False))
    fold, n_folds = bindings.get(_FOLD, _NONE), bindings.get(_N_FOLDS, _NONE)
    if fold != _NONE and splits:
      splits['test'] = f'{splits["train"]}[fold_{fold}_of_{n_folds}]'
  return dataset, splits


def _read_config(config: File) -> dict[str, str]:
  try:
    text = config.read_text(encoding='utf-8-sig', errors='replace')
  except FileNotFoundError:
    return {}
  return config_text.read_bindings(text)
