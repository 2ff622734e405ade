"""What --mode=compare does."""

import logging
import pathlib

from experiments.comparison import compare, compare_tables
from experiments.foundation import terminal
from experiments.foundation.errors import UserError


def show(
  output_dir: str,
  objective: str | None,
  format_: str,
  plots: str | None,
  top: int,
) -> None:
  """Prints the table of the runs in a directory, and draws it.

  Args:
    output_dir: e.g. runs/agnews.
    objective: the metric to sort by; None takes the sweep's, or the accuracy.
    format_: of `choices.FORMATS`.
    plots: a directory for pictures, or None.
    top: how many configs of each data set are shown; 0 for all.

  Raises:
    UserError: there is no run, none has the objective, or the pictures cannot
      be written.
  """
  comparison = compare.compare(output_dir, objective)
  if plots:
    from experiments.comparison import compare_plots

    try:
      paths = compare_plots.write_plots(comparison, pathlib.Path(plots))
    except OSError as error:
      raise UserError(
        f'--plots={plots}: cannot be written: {error.strerror}.'
      ) from error
    for path in paths:
      logging.info('Drawn: %s', path)
  table = compare_tables.render(
    comparison, format_, width=terminal.width(), n_rows=top or None
  )
  terminal.print_data(f'{table}\n')
