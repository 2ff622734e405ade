"""What the configs of a comparison are called in a sentence."""

import os

from experiments.comparison.compare import Group, Section
from experiments.foundation import plain_text
from experiments.rundir import run_names

# Longer bindings are no name; of runs, names may be as long as a directory's.
_LONGEST_BINDINGS = 48
_LONGEST = 60


def name_configs(section: Section) -> list[str]:
  """Returns a name for each config, no two the same.

  Of another system, its name. What they bind, if that is short; else the
  directory that holds their runs, the name of the runs without the seed, or the
  best run's name.

  Args:
    section: whose configs.
  """
  groups = section.groups
  names = [_system(group) or _bindings(group) for group in groups]
  if all(names) and len(set(names)) == len(groups):
    return names
  names = [''] * len(groups)
  for kind in (_system, _directory, _without_seed, _best_run):
    found = [_shorten(kind(group)) for group in groups]
    for i, name in enumerate(found):
      if not names[i] and name not in names and found.count(name) == 1:
        names[i] = name
  return [name or f'config {i}' for i, name in enumerate(names, 1)]


def _system(group: Group) -> str:
  return _shorten(group.runs[0].system)


def _bindings(group: Group) -> str:
  text = ', '.join(f'{name}={value}' for name, value in group.bindings.items())
  text = plain_text.escape_line(text)
  return text if len(text) <= _LONGEST_BINDINGS else ''


def _directory(group: Group) -> str:
  """Returns the directory that holds the runs and, of several, no others."""
  names = [run.name for run in group.runs]
  if len(names) == 1:
    return names[0]
  return os.path.commonpath(names)


def _without_seed(group: Group) -> str:
  names = {run_names.without_seed(run.name) for run in group.runs}
  return names.pop() if len(names) == 1 else ''


def _best_run(group: Group) -> str:
  return group.name


def _shorten(name: str) -> str:
  name = plain_text.escape_line(name)
  if len(name) <= _LONGEST:
    return name
  half = _LONGEST // 2
  return f'{name[:half]}…{name[-(half - 1) :]}'
