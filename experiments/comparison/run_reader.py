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
# Of a run whose record or config cannot be read.
DAMAGED = 'damaged'
# The first of these that is bound is what a run was seeded with.
_SEEDS = ('experiment.seed', SEED)
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
    settings: the parameters, but for the seed. What macros do is seen in what
      is bound to them, so that it is the same whether a value came by a macro
      or by itself.
    overrides: names of those that the command line bound.
    status: as in run.json; 'interrupted' for a run whose process has gone,
      'damaged' for one that cannot be read.
    steps: training steps done.
    seconds: time taken; None if it is not known.
    metrics: exact metrics that are single numbers, by name.
    error: what went wrong, or None.
    dataset: what the metrics are of, such as 'bbc_news:1.0.0'; '' if unknown.
    split: and which of its splits, such as 'test' or 'train[80%:]'.
    n_examples: how many examples of it; None where nothing is measured.
    lists: of what is measured, what `metric_names` needs besides.
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

  def measured(self, name: str) -> float | None:
    """Returns a metric, also of one class; None if it is not known."""
    if name in self.metrics:
      return self.metrics[name]
    return metric_names.find_value(self.lists, name)

  def with_metric(self, name: str) -> 'Run':
    """Returns the run with a metric among its `metrics`, if it is known."""
    value = self.measured(name)
    if value is None or name in self.metrics:
      return self
    return dataclasses.replace(self, metrics={**self.metrics, name: value})

  @property
  def seed(self) -> str | None:
    """What the run was seeded with."""
    return next((self.bindings[x] for x in _SEEDS if x in self.bindings), None)

  def shown_binding(self, name: str) -> str | None:
    """Returns a binding, the seed by whatever name it was bound."""
    return self.seed if name == SEED else self.bindings.get(name)


def find_runs(directory: str | os.PathLike[str]) -> list[pathlib.Path]:
  """Returns the run directories in and below a directory, sorted by path."""
  found, waiting = [], [os.fspath(directory)]
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
    waiting += [
      entry.path
      for entry in inside
      if entry.is_dir(follow_symlinks=False) and entry.name[0] != '.'
    ]
  return sorted(found)


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
  bindings = {
    key: config_text.resolve(value, written) for key, value in written.items()
  }
  metrics = run.get('metrics') or {}
  dataset, split = _evaluated(run, bindings)
  return Run(
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
      if '.' in key and key not in _SEEDS
    },
    overrides=tuple(run.get('overrides', {})),
    status=status,
    steps=run.get('steps') or 0,
    seconds=run.get('seconds'),
    metrics={
      key: value for key, value in metrics.items() if isinstance(value, float)
    },
    error=run.get('error'),
    dataset=dataset,
    split=split,
    n_examples=metrics.get('n_examples'),
    lists={
      name: value
      for name, value in metrics.items()
      if name in metric_names.LISTS
    },
  )


def _evaluated(
  run: Mapping[str, Any], bindings: Mapping[str, str]
) -> tuple[str, str]:
  """Returns the data set and the split that a run is measured on."""
  splits = run.get('splits') or {}
  dataset, split = run.get('dataset'), splits.get('test')
  if dataset is None:
    # The data were never opened: what the config asks for.
    dataset = bindings.get(_DATASET, bindings.get('DATASET', '')).strip('\'"')
  if split is None:
    asked = bindings.get(_SPLITS, bindings.get('SPLITS', ''))
    quoted = re.findall(r"""'([^']*)'|"([^"]*)\"""", asked)
    split = ''.join(quoted[-1]) if quoted else ''
  return dataset, split


def _read_config(config: File) -> dict[str, str]:
  try:
    text = config.read_text(encoding='utf-8-sig', errors='replace')
  except FileNotFoundError:
    return {}
  return config_text.read_bindings(text)
