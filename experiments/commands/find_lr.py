"""What --mode=find_lr does."""

import logging
import pathlib
import shlex

import numpy as np
from absl import flags

from experiments.commands.experiment_flags import read_experiment
from experiments.foundation import files
from experiments.foundation.errors import UserError
from experiments.pipeline import learning_rates
from experiments.reporting import text_plot


def run(values: flags.FlagValues) -> None:
  """Prints the loss while the learning rate rises, and proposes one.

  Args:
    values: the flags.

  Raises:
    UserError: as a run would; or the picture cannot be written.
  """
  experiment, _ = read_experiment(values)
  losses = learning_rates.measure_losses(
    experiment, trust_init_from=values.trust_init_from
  )
  from experiments.training import rate_range

  if not len(losses):
    raise UserError(
      'The loss of the first step is not finite, whatever the learning rate. '
      'Look at the data, the model and the loss.'
    )
  rates, means = rate_range.RATES[: len(losses)], rate_range.smooth(losses)
  proposal = rate_range.propose(losses)
  print(f'Training loss, {len(losses)} steps with a rising learning rate:')
  print(
    text_plot.bars(means.tolist(), ends=(f'{rates[0]:.2g}', f'{rates[-1]:.2g}'))
  )
  if proposal is None:
    print('Proposed: none, since the loss falls at none of these rates.')
  else:
    binding = f'LEARNING_RATE={proposal:.2g}'
    given = [f'--gin_file={path}' for path in values.gin_file]
    given += [f'--gin_bindings={text}' for text in values.gin_bindings]
    print(f'Proposed: {binding}')
    print(
      'Next: python launcher.py '
      f'{shlex.join([*given, f"--gin_bindings={binding}"])}'
    )
  if values.plots:
    _draw(pathlib.Path(values.plots), rates, losses, means, proposal)


def _draw(
  directory: pathlib.Path,
  rates: np.ndarray,
  losses: np.ndarray,
  means: np.ndarray,
  proposal: float | None,
) -> None:
  from experiments.reporting import rate_plot

  path = directory / 'find_lr.png'
  try:
    directory.mkdir(parents=True, exist_ok=True)
    files.write_atomic(path, rate_plot.draw(rates, losses, means, proposal))
  except OSError as error:
    raise UserError(
      f'--plots={directory}: cannot be written: {error.strerror}.'
    ) from error
  logging.info('Drawn: %s', path)
