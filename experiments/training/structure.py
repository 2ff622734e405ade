"""What of a config the compiled programs depend on.

What a program takes as an array (the optimizer's numbers, the learning rate of
each step, the seed) can change without compiling again; sizes, layers and what
Python branches on cannot.
"""

import re
from collections.abc import Mapping

from experiments.config import configurables
from experiments.config.config_text import read_bindings, read_imports, resolve

# Of each of trax's optimizers what reaches its update as an array, and what
# nothing in its code branches on.
_OPTIMIZERS: Mapping[str, tuple[str, ...]] = {
  'trax.optimizers.Adam': (
    'learning_rate',
    'weight_decay_rate',
    'b1',
    'b2',
    'eps',
  ),
  'trax.optimizers.Adafactor': (
    'learning_rate',
    'beta1',
    'decay_rate',
    'clipping_threshold',
    'weight_decay_rate',
    'weight_decay_n_steps',
    'epsilon1',
    'epsilon2',
  ),
  'trax.optimizers.Momentum': ('learning_rate', 'mass', 'weight_decay_rate'),
  'trax.optimizers.RMSProp': ('learning_rate', 'gamma', 'eps'),
  'trax.optimizers.SGD': ('learning_rate',),
  'trax.optimizers.SM3': ('learning_rate', 'weight_decay'),
}
# A schedule's numbers come to the program as the rates of its steps.
_SCHEDULES = (
  'experiments.schedules.warmup_and_cosine_decay',
  'experiments.schedules.warmup_and_linear_decay',
  'trax.supervised.lr_schedules.constant',
  'trax.supervised.lr_schedules.multifactor',
  'trax.supervised.lr_schedules.warmup',
  'trax.supervised.lr_schedules.warmup_and_rsqrt_decay',
)
_TRAIN_TASK = 'trax.supervised.training.TrainTask'
_REFERENCE = re.compile(r'@(?:[\w.]+/)*([\w.]+)')
_HOST_ONLY: Mapping[str, tuple[str, ...]] = {
  'experiments.experiment': (
    'calibration',
    'embedding_file',
    'fold',
    'histograms',
    'init_from',
    'n_folds',
    'n_steps',
    'patience',
    'projector',
    'reject_below',
    'seed',
  ),
  'trax.supervised.training.EvalTask': ('n_eval_batches',),
  _TRAIN_TASK: ('lr_schedule', 'n_steps_per_checkpoint'),
}


def structure(config_text: str) -> str:
  """Returns what of a config the compiled programs depend on.

  Args:
    config_text: `gin_config.Config.text`, of a config that was checked or
      resolved in this process.

  Returns:
    Text that is equal for two configs if they can share their programs. It may
    differ where they still could.
  """
  written = read_bindings(config_text)
  values = {
    name: resolve(value, written)
    for name, value in written.items()
    if '.' in name
  }
  free = _free_names(values)
  return '\n'.join(
    read_imports(config_text)
    + [
      f'{name} = {value}'
      for name, value in values.items()
      # With a scope before it, it is a parameter of the same configurable.
      if name.rpartition('/')[2] not in free
    ]
  )


def _free_names(values: Mapping[str, str]) -> set[str]:
  """Returns the names of what can change and needs no other program.

  Args:
    values: of a config, as gin writes them, by name.
  """
  # By whole selectors, as the registry knows them: a user's own Adam is
  # another.
  short = {
    selector: configurables.short(selector)
    for selector in (*_OPTIMIZERS, *_SCHEDULES, *_HOST_ONLY)
  }
  free = {
    f'{short[selector]}.{parameter}'
    for selector, parameters in _HOST_ONLY.items()
    for parameter in parameters
  }
  task = short[_TRAIN_TASK]
  schedules = {
    selector: tuple(configurables.signature(selector).defaults)
    for selector in _SCHEDULES
  }
  for name, selectors in (
    (f'{task}.optimizer', _OPTIMIZERS),
    (f'{task}.lr_schedule', schedules),
  ):
    # Where anything else refers to it, its numbers may be part of a model.
    elsewhere = {
      reference
      for other, value in values.items()
      if other != name
      for reference in _REFERENCE.findall(value)
    }
    named = set(_REFERENCE.findall(values.get(name, ''))) - elsewhere
    for selector, parameters in selectors.items():
      if short[selector] in named:
        free |= {f'{short[selector]}.{each}' for each in parameters}
  return free
