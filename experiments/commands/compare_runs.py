"""What --mode=compare does."""

import logging
import pathlib

from absl import flags

from experiments.comparison import compare, compare_tables
from experiments.foundation import terminal
from experiments.foundation.errors import UserError


def run(values: flags.FlagValues) -> None:
  """Prints the table of the runs in a directory, and draws it.

  Args:
    values: the flags.

  Raises:
    UserError: there is no run, none has the objective, or the pictures cannot
      be written.
  """
  comparison = compare.compare(values.output_dir, values.objective)
  if values.plots:
    from experiments.comparison import compare_plots

    try:
      paths = compare_plots.write_plots(comparison, pathlib.Path(values.plots))
    except OSError as error:
      raise UserError(
        f'--plots={values.plots}: cannot be written: {error.strerror}.'
      ) from error
    for path in paths:
      logging.info('Drawn: %s', path)
  table = compare_tables.render(
    comparison,
    values.format,
    width=terminal.width(),
    n_rows=values.top or None,
  )
  terminal.print_data(f'{table}\n')
