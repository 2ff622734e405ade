"""Values of gin files: literals, references and macros, without a registry.

gin's own reference objects look a configurable up as soon as they are made.
These only remember what was written, so that a config can be read, compared and
rendered before trax is imported.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

REQUIRED = 'gin.REQUIRED'


@dataclasses.dataclass(frozen=True)
class Reference:
  """`@scope/selector`, or the result of calling it: `@scope/selector()`."""

  scope: str
  selector: str
  evaluate: bool

  def __str__(self) -> str:
    name = f'{self.scope}/{self.selector}' if self.scope else self.selector
    return f'@{name}()' if self.evaluate else f'@{name}'


@dataclasses.dataclass(frozen=True)
class Macro:
  """`%NAME`: a macro, or a constant of gin such as `%gin.REQUIRED`."""

  name: str

  def __str__(self) -> str:
    return f'%{self.name}'


def leaves(value: Any) -> Iterator[Any]:
  """Yields what is in a value: each scalar, reference and macro, in order."""
  if isinstance(value, list | tuple):
    for item in value:
      yield from leaves(item)
  elif isinstance(value, dict):
    for key, item in value.items():
      yield from leaves(key)
      yield from leaves(item)
  else:
    yield value


def map_leaves(value: Any, function: Callable[[Any], Any]) -> Any:
  """Returns a copy of a value with each leaf replaced by `function(leaf)`."""
  if isinstance(value, list | tuple):
    return type(value)(map_leaves(item, function) for item in value)
  if isinstance(value, dict):
    return {
      map_leaves(key, function): map_leaves(item, function)
      for key, item in value.items()
    }
  return function(value)


def is_representable(value: Any) -> bool:
  """Tells whether gin can read the value back from what `render` writes."""
  if type(value) in (list, tuple):
    return all(map(is_representable, value))
  if type(value) is dict:
    return all(map(is_representable, value)) and all(
      map(is_representable, value.values())
    )
  if type(value) is float:
    return value == value  # NaN has no literal.
  return value is None or type(value) in (
    bool,
    int,
    str,
    bytes,
    Reference,
    Macro,
  )


def render(value: Any) -> str:
  """Writes a value in gin's notation, the same text for equal values."""
  if isinstance(value, Reference | Macro):
    return str(value)
  if isinstance(value, list):
    return f'[{", ".join(map(render, value))}]'
  if isinstance(value, tuple):
    comma = ',' if len(value) == 1 else ''
    return f'({", ".join(map(render, value))}{comma})'
  if isinstance(value, dict):
    items = (f'{render(key)}: {render(item)}' for key, item in value.items())
    return f'{{{", ".join(items)}}}'
  if isinstance(value, float) and value in (float('inf'), float('-inf')):
    return '1e999' if value > 0 else '-1e999'
  return repr(value)


def shorten(value: Any, width: int = 60) -> str:
  """Renders a value for a message, cut after `width` characters."""
  text = render(value)
  return text if len(text) <= width else f'{text[: width - 1]}…'
