"""What flags may say, for who says it from Python."""

from collections.abc import Sequence

from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

# How a table is written.
FORMATS = ('text', 'markdown', 'csv', 'json')
# How a sweep goes through its values: all of them, or as a sampler draws.
SEARCHES = ('grid', 'random', 'tpe')
# Where the trials of a sweep run.
EXECUTORS = ('local', 'ray')


def check(name: str, value: str, choices: Sequence[str]) -> None:
  """Refuses what cannot be chosen.

  Args:
    name: of the argument.
    value: its value.
    choices: one of the tuples above.

  Raises:
    UserError: the value is none of them.
  """
  if value not in choices:
    raise UserError(
      f'{name} must be {", ".join(choices[:-1])} or {choices[-1]}, not '
      f'{value!r}.' + did_you_mean(str(value), choices)
    )


def check_count(name: str, value: int, least: int) -> None:
  """Refuses a value that is not a count.

  Args:
    name: of the argument.
    value: its value.
    least: the least that it may be.

  Raises:
    UserError: the value is less, or no whole number.
  """
  is_whole = isinstance(value, int) and not isinstance(value, bool)
  if not is_whole or value < least:
    raise UserError(
      f'{name} must be a whole number of at least {least}, not {value!r}.'
    )
