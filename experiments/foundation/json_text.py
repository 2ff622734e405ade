"""JSON that every parser reads and no terminal minds."""

import json
import math
from typing import Any

from experiments.foundation import plain_text

# Made once: making it takes as long as a short answer.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def to_json(value: Any, *, indent: int | None = None) -> str:
  """Returns a value as JSON, in the letters of its language.

  Args:
    value: what `json.dumps` takes. A number that JSON cannot say (NaN, an
      infinity) becomes null.
    indent: spaces of a level; None puts all on one line. Lists of single
      values, such as the rows of a matrix, stay on a line of their own.

  Returns:
    Text that is valid UTF-8. Within its strings, half characters and what
    would steer a terminal are escaped.
  """
  try:
    text = _encode(value, indent)
  except ValueError:
    text = _encode(_finite(value), indent)
  return escape(text)


def escape(text: str) -> str:
  """Returns JSON with the control characters in its strings escaped."""
  return plain_text.CONTROLS.sub(lambda match: f'\\u{ord(match[0]):04x}', text)


def _encode(value: Any, indent: int | None, depth: int = 0) -> str:
  """Returns JSON whose lines after the first are `depth` levels in."""
  if indent is None or not value or not isinstance(value, dict | list | tuple):
    return _ENCODER.encode(value)
  if isinstance(value, dict):
    opening, closing = '{', '}'
    parts = [
      f'{_ENCODER.encode(str(key))}: {_encode(each, indent, depth + 1)}'
      for key, each in value.items()
    ]
  elif not any(isinstance(each, dict | list | tuple) for each in value):
    return _ENCODER.encode(value)
  else:
    opening, closing = '[', ']'
    parts = [_encode(each, indent, depth + 1) for each in value]
  margin = '\n' + ' ' * indent * depth
  inner = margin + ' ' * indent
  return f'{opening}{inner}{f",{inner}".join(parts)}{margin}{closing}'


def _finite(value: Any) -> Any:
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  if isinstance(value, dict):
    return {key: _finite(each) for key, each in value.items()}
  if isinstance(value, (list, tuple)):
    return [_finite(each) for each in value]
  return value
