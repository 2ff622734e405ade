"""Hyper-parameters of a run, as the HParams dashboard can use them."""

import ast
import math
from collections.abc import Iterable, Mapping
from typing import Any

_USUAL_HPARAMS = ('LEARNING_RATE', 'MODEL', 'SEED')


def run_hparams(
  macros: Mapping[str, Any],
  overrides: Mapping[str, str],
  names: Iterable[str] | None = None,
) -> dict[str, Any]:
  """Returns the hyper-parameters of a run.

  For a trial these are the values that its sweep tries. For a run by itself
  they are its overrides and a few more, so that a run without an override has
  no empty cell beside runs with one. The rest of the config is the same in most
  runs and would crowd out the metrics; the text of the config shows it.

  An override's value must not stay text where another run's is a number: then
  TensorBoard cannot sort by it.

  Args:
    macros: every macro's value, overridden or not.
    overrides: bindings of the command line, as text by key.
    names: of what the sweep tries; None for a run by itself.

  Returns:
    Values by name, such as 'LEARNING_RATE' and 'Adam.b1'.
  """
  if names is None:
    names = {*_USUAL_HPARAMS, *overrides}
  shown = set(names)
  result = {name: value for name, value in macros.items() if name in shown}
  for key, text in overrides.items():
    if key in shown and key not in result:
      try:
        result[key] = ast.literal_eval(text)
      except (ValueError, SyntaxError):
        # '@Adam' or '%MACRO'.
        result[key] = text
  return result


def hparam_values(
  hparams: Mapping[str, Any],
) -> dict[str, bool | float | str]:
  """Returns hyper-parameters as TensorBoard can compare them.

  Numbers, bools and strings stay what they are; lists and the like become their
  Python text. None, NaN and infinity are left out: a string in their place
  would make a column of text of it, whose filter hides the runs with numbers.

  Args:
    hparams: values by name.

  Returns:
    The values by name, in the same order.
  """
  result: dict[str, bool | float | str] = {}
  for name, value in hparams.items():
    if isinstance(value, (bool, str)):
      result[name] = value
    elif isinstance(value, (int, float)):
      if math.isfinite(value):
        result[name] = float(value)
    elif value is not None:
      result[name] = repr(value)
  return result
