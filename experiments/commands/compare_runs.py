"""What --mode=compare does."""

import logging
import pathlib
from typing import Any

from absl import flags

from experiments.commands import page_file
from experiments.comparison import compare, compare_tables, run_reader
from experiments.foundation import terminal
from experiments.foundation.errors import UserError

NOTHING_KEPT = (
  'No intervals: no run has kept its predictions, as --mode=eval does'
)


def run(values: flags.FlagValues) -> None:
  """Prints the table of the runs in a directory; draws it, and writes a page.

  Args:
    values: the flags.

  Raises:
    UserError: there is no run, none has the objective, the baseline cannot be
      compared with, or the pictures cannot be written.
  """
  page = None if values.html is None else page_file.check(values.html)
  comparison = compare.compare(
    values.output_dir, values.objective, values.baseline, values.split
  )
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
  # CSV has neither intervals nor differences, JSON and a page those of all
  # configs.
  is_whole = values.format == 'json' or not values.top or page is not None
  evidence = weigh(comparison, None if is_whole else values.top)
  if page is not None:
    from experiments.comparison import compare_page

    page_file.write(
      page, compare_page.render(comparison, evidence, values.output_dir)
    )
  table = compare_tables.render(
    comparison,
    values.format,
    width=terminal.width(),
    n_rows=values.top or None,
    evidence=evidence,
  )
  terminal.print_data(f'{table}\n')


def weigh(comparison: compare.Comparison, n_full: int | None) -> list[Any]:
  """Weighs what of a table is more than luck.

  Args:
    comparison: the runs.
    n_full: how many configs of a section get intervals of all metrics; all of
      them if None.

  Returns:
    The evidence of each section; none where no run has kept predictions.

  Raises:
    UserError: the baseline cannot be compared with.
  """
  keeps = any(map(run_reader.keeps_predictions, comparison.runs))
  if not keeps and not comparison.baseline:
    if any(run.n_examples for run in comparison.runs):
      logging.info('%s', NOTHING_KEPT)
    return []
  # NumPy and SciPy, for who has something to count.
  from experiments.comparison import evidence

  return evidence.weigh(comparison, n_full=n_full)
