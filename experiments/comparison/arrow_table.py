"""A comparison as an Arrow table, which pandas and polars read."""

import ast
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from experiments.comparison.compare import Comparison

if TYPE_CHECKING:
  import pyarrow


def to_arrow(comparison: Comparison) -> 'pyarrow.Table':
  """Returns a row a run, best first within each data set.

  Args:
    comparison: of the runs.

  Returns:
    The columns 'run', 'dataset' and 'split', those of the bindings that differ,
    by name, of the metrics, the objective first, and 'steps', 'status',
    'seconds' and 'error'. What a run does not have is null. A binding has the
    type of its values where all are numbers, booleans or strings; else it is
    text, as gin writes it.
  """
  import pyarrow as pa

  rows = [
    (section, run) for section in comparison.sections for run in section.runs
  ]
  columns: dict[str, pa.Array] = {
    'run': pa.array([run.name for _, run in rows], pa.string()),
    'dataset': pa.array([each.dataset for each, _ in rows], pa.string()),
    'split': pa.array(
      [each.split if run.fold is None else run.split for each, run in rows],
      pa.string(),
    ),
  }
  for name in comparison.columns:
    columns[name] = _make_column(run.show_binding(name) for _, run in rows)
  for name in comparison.metrics:
    columns[name] = pa.array(
      [_number(run.metrics.get(name)) for _, run in rows], pa.float64()
    )
  columns['steps'] = pa.array([run.steps for _, run in rows], pa.int64())
  columns['status'] = pa.array([run.status for _, run in rows], pa.string())
  columns['seconds'] = pa.array([run.seconds for _, run in rows], pa.float64())
  columns['error'] = pa.array([run.error for _, run in rows], pa.string())
  return pa.table(columns)


def _number(value: float | None) -> float | None:
  return None if value is None or math.isnan(value) else value


def _make_column(texts: Iterable[str | None]) -> Any:
  """Returns gin texts as a column of numbers, booleans or strings."""
  import pyarrow as pa

  texts = list(texts)
  values = [None if text is None else _literal(text) for text in texts]
  types = {type(value) for value in values if value is not None}
  for type_, allowed in (
    (pa.bool_(), {bool}),
    (pa.int64(), {int}),
    (pa.float64(), {int, float}),
    (pa.string(), {str}),
  ):
    if types <= allowed:
      try:
        return pa.array(values, type_)
      except (pa.ArrowInvalid, OverflowError):
        break  # A whole number of more than 64 bits.
  return pa.array(texts, pa.string())


def _literal(text: str) -> Any:
  """Returns what a gin text says; a list where it is no literal, or None."""
  try:
    value = ast.literal_eval(text)
    return [text] if value is None else value
  except (ValueError, SyntaxError, MemoryError, RecursionError):
    return [text]
