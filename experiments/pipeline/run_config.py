"""The config of a run directory, which may come from a stranger.

A gin file can import Python modules, and so run whatever they hold. To train,
the user names the file; to evaluate and to predict, only the directory that it
is in. Then nothing is imported but what the framework itself needs and what the
user allows by name, wherever a module would be found.
"""

import sys
from collections.abc import Collection, Iterable

from experiments.config import configurables, experiment, gin_config
from experiments.config.gin_statements import Binding, Import, read_text
from experiments.config.gin_values import Reference, leaves
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir

# What layers, optimizers and schedules are made of. Of trax's other
# configurables some read, write or download what a config names.
HARMLESS = (
  'experiments.',
  'trax.fastmath.',
  'trax.layers.',
  'trax.models.',
  'trax.optimizers.',
  'trax.supervised.lr_schedules.',
)


def load_experiment(
  directory: run_dir.RunDir, allow_import: Collection[str] = ()
) -> experiment.Experiment:
  """Reads the experiment of a run.

  Args:
    directory: a run directory.
    allow_import: modules that the config may import, with what is in them.

  Raises:
    UserError: the config cannot be read, does not pass the checks, or imports
      or refers to what it must not.
  """
  name = str(directory.config)
  try:
    text = directory.config.read_text(encoding='utf-8-sig')
  except UnicodeDecodeError as error:
    raise UserError(
      f'{name} is damaged: it is not UTF-8 text (byte {error.start}).'
    ) from error
  parsed = gin_config.parse_statements(read_text(text, name), name=name)
  configurables.register()
  ours = frozenset(configurables.names())
  _check_imports(parsed.imports, allow_import)
  configurables.import_modules(parsed.imports)
  _check_references(parsed.bindings, ours, allow_import)
  return experiment.resolve(gin_config.check(parsed))


def _check_imports(
  imports: Iterable[Import], allow_import: Collection[str]
) -> None:
  for statement in imports:
    # What this process has imported already is not run again.
    if statement.module in sys.modules:
      continue
    if not _is_in(statement.module, allow_import):
      raise UserError(
        f'{statement.place}: the config of a run directory is to import '
        f'{statement.module}, which can run any code. If you trust it, add '
        f'--allow_import={statement.module}'
      )


def _check_references(
  bindings: Iterable[Binding],
  ours: Collection[str],
  allow_import: Collection[str],
) -> None:
  """Refuses what a classifier is not made of, and the user did not allow.

  Args:
    bindings: of the config.
    ours: selectors of what was there before anything was imported for it.
    allow_import: as of `load_experiment`.
  """
  for binding in bindings:
    for leaf in leaves(binding.value):
      if not isinstance(leaf, Reference):
        continue
      try:
        selector = configurables.complete(leaf.selector)
      except UserError:
        # Another check says so, with the place.
        continue
      module = selector.rpartition('.')[0]
      if (
        selector in ours
        and not selector.startswith(HARMLESS)
        and not _is_in(module, allow_import)
      ):
        raise UserError(
          f'{binding.place}: the config of a run directory refers to {leaf}, '
          'of which no classifier is made, and which can do anything else. If '
          f'you trust it, add --allow_import={module}'
        )


def _is_in(module: str, packages: Collection[str]) -> bool:
  """Tells whether a module is one of some packages or in one of them."""
  return any(f'{module}.'.startswith(f'{package}.') for package in packages)
