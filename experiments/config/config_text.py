"""The text of a checked config, read without gin: one binding a line.

`gin_config.Config.text`, and so the config.gin of a run, has each value on one
line in one form. So equal values are equal texts, and a thousand configs are
read in a moment. What a user wrote is for `gin_statements` to read.
"""

import re
from collections.abc import Mapping

from experiments.foundation.errors import UserError

# More than a checked config has.
_DEEPEST = 200
_MOST_CHARACTERS = 2**24
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

  Raises:
    UserError: as `resolve_all`.
  """
  return _Resolver(bindings).resolve(value)


def resolve_all(bindings: Mapping[str, str]) -> dict[str, str]:
  """Returns all bindings with macros replaced by what they are bound to.

  Raises:
    UserError: the text is not that of a checked config: its macros go round in
      a circle, or stand for too much.
  """
  resolver = _Resolver(bindings)
  return {name: resolver.resolve(value) for name, value in bindings.items()}


class _Resolver:
  """Resolves each macro once."""

  def __init__(self, bindings: Mapping[str, str]):
    self._bindings = bindings
    self._resolved: dict[str, str] = {}
    self._n_characters = 0
    self._depth = 0

  def resolve(self, value: str) -> str:
    if '%' not in value:
      return value
    self._depth += 1
    if self._depth > _DEEPEST:
      raise UserError('macros refer to each other without an end')
    text = _MACROS.sub(self._replace, value)
    self._depth -= 1
    return text

  def _replace(self, match: re.Match[str]) -> str:
    name = match['name']
    if name not in self._bindings:
      return match[0]
    if name not in self._resolved:
      self._resolved[name] = self.resolve(self._bindings[name])
    text = self._resolved[name]
    self._n_characters += len(text)
    if self._n_characters > _MOST_CHARACTERS:
      raise UserError(
        f'macros stand for more than {_MOST_CHARACTERS // 2**20} million '
        'characters'
      )
    return text
