"""Which runs stand together: by what they are measured on, and by config."""

import collections
from collections.abc import Sequence
from typing import Any

from experiments.comparison.run_reader import Run


def group_by_data(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
  """Returns runs by the data set and the split that they are measured on.

  A run that ended before its data were open knows the name of its data set
  alone, not the version, and one that never began not even that: they stand
  with the others.
  """
  known = collections.Counter(
    (run.dataset, run.pooled_split)
    for run in runs
    if run.n_examples and not run.system
  )
  names = {
    (data.partition(':')[0], split): (data, split) for data, split in known
  }
  most = max(known, key=known.__getitem__, default=('', ''))
  found: dict[tuple[str, str], list[Run]] = {}
  for run in runs:
    data = run.dataset, run.pooled_split
    if not run.dataset and not run.system:
      data = most
    elif data not in known:
      data = names.get((run.dataset.partition(':')[0], data[1]), data)
    found.setdefault(data, []).append(run)
  return found


def find_columns(runs: Sequence[Run]) -> list[str]:
  """Returns the names of bindings that tell runs apart.

  Where all runs bind a parameter to the same macro the macro is named, else the
  parameter. A name that some runs lack, such as a parameter of another model's,
  counts if its values differ, or if the command line bound it.
  """
  runs = [run for run in runs if not run.system]
  values: dict[str, set[str]] = {}
  macros: dict[str, set[str | None]] = {}
  for run in runs:
    for name, value in run.settings.items():
      values.setdefault(name, set()).add(value)
      macros.setdefault(name, set()).add(run.macros.get(name))
  named = [name for run in runs for name in run.bindings]
  overridden = {name for run in runs for name in run.overrides}
  found = set()
  for name, different in values.items():
    shown = name
    if len(macros[name]) == 1:
      shown = next(iter(macros[name])) or name
    is_missing = any(name not in run.bindings for run in runs)
    if len(different) > 1 or (is_missing and overridden & {name, shown}):
      found.add(shown)
  # In the order of config.gin.
  return [name for name in dict.fromkeys(named) if name in found]


def group_by_config(runs: Sequence[Run]) -> list[list[Run]]:
  """Returns runs that differ in seed or fold alone, a list for each config."""
  by_settings: dict[Any, dict[Any, Run]] = {}
  for run in runs:
    # Of a run without a config, nothing is known but its name.
    key: Any = run.name
    if run.system:
      key = ('system', run.system)
    elif run.bindings:
      key = tuple(sorted(run.settings.items()))
    # A seed that was run twice is one sample.
    sample = run.seed, run.fold
    by_settings.setdefault(key, {}).setdefault(sample, run)
  return [list(by_seed.values()) for by_seed in by_settings.values()]
