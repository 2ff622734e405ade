"""The text of a checked config, read without gin: one binding a line.

`gin_config.Config.text`, and so the config.gin of a run, has each value on one
line in one form. So equal values are equal texts, and a thousand configs are
read in a moment. What a user wrote is for `gin_statements` to read.
"""

import re
from collections.abc import Mapping

# Macros, and strings, in which a % means nothing.
_MACROS = re.compile(
  r"""'(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | %(?P<name>[\w./]+)""", re.VERBOSE
)


def read_bindings(text: str) -> dict[str, str]:
  """Returns the value of each macro and parameter, as gin writes it.

  Args:
    text: of a checked config.
  """
  pairs = (line.partition(' = ') for line in text.splitlines())
  return {name: value for name, equals, value in pairs if equals}


def read_imports(text: str) -> list[str]:
  """Returns the import statements.

  Args:
    text: of a checked config.
  """
  return [line for line in text.splitlines() if line and ' = ' not in line]


def resolve(value: str, bindings: Mapping[str, str]) -> str:
  """Returns a value with macros replaced by what they are bound to.

  Args:
    value: as gin writes it.
    bindings: of the config.
  """
  if '%' not in value:
    return value

  def replaced(match: re.Match[str]) -> str:
    name = match['name']
    return resolve(bindings[name], bindings) if name in bindings else match[0]

  return _MACROS.sub(replaced, value)
