"""What --mode=audit does."""

import pathlib

from absl import flags

from experiments.audit import (
  audit,
  audit_html,
  audit_json,
  audit_text,
  findings,
  opening,
)
from experiments.commands import page_file
from experiments.commands.experiment_flags import read_experiment
from experiments.foundation import cache, terminal
from experiments.foundation.errors import StrictFinding, UserError
from experiments.pipeline import data


def run(values: flags.FlagValues) -> None:
  """Prints what is to be known of a data set before it is believed.

  Args:
    values: the flags.

  Raises:
    UserError: the data set cannot be read, the run does not fit it, or the page
      cannot be written.
    StrictFinding: with --strict, a text stands in two splits.
  """
  if values.format not in ('text', 'json'):
    raise UserError(
      f'--format={values.format} is for --mode=compare; --mode=audit prints '
      'text or json. --format=json lists all rows that were found.'
    )
  opening.check_packages()
  page = None if values.html is None else page_file.check(values.html)
  experiment, _ = read_experiment(values)
  cache_dir = cache.cache_dir()
  source = data.open_source(experiment.data, cache_dir=cache_dir)
  rows = opening.read_rows(source)
  opinion = None
  if values.output_dir is not None:
    opinion = opening.read_opinion(pathlib.Path(values.output_dir), rows)
  n_tokens, limits = opening.count_tokens(experiment, source, cache_dir)
  found = audit.audit_rows(
    rows,
    dataset=source.full_name,
    n_tokens=n_tokens,
    limits=limits,
    opinion=opinion,
  )
  listed = findings.list_findings(found)
  shown = (
    [item for each in listed for item in each.items]
    if values.format == 'json'
    else audit_text.find_shown(listed)
  )
  if page is not None:
    shown += audit_html.find_shown(listed)
  places = opening.find_places(
    experiment, source, rows, {row for item in shown for row in item.rows}
  )
  if page is not None:
    page_file.write(page, audit_html.render(found, listed, places))
  render = audit_json.render if values.format == 'json' else audit_text.render
  terminal.print_data(render(found, listed, places))
  if values.strict and found.leaks:
    told = ', '.join(
      f'{len(leak.rows):,} {"row" if len(leak.rows) == 1 else "rows"} of '
      f'{rows.split_names[leak.target]} '
      f'{"stands" if len(leak.rows) == 1 else "stand"} in '
      f'{rows.split_names[leak.source]}'
      for leak in found.leaks
    )
    raise StrictFinding(f'--strict: {told}.')
