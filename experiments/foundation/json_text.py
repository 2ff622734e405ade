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
    indent: spaces of a level; None puts all on one line.

  Returns:
    Text that is valid UTF-8. Within its strings, half characters and what
    would steer a terminal are escaped.
  """
  encoder = _ENCODER
  if indent is not None:
    encoder = json.JSONEncoder(
      ensure_ascii=False, allow_nan=False, indent=indent
    )
  try:
    text = encoder.encode(value)
  except ValueError:
    text = encoder.encode(_finite(value))
  return escape(text)


def escape(text: str) -> str:
  """Returns JSON with the control characters in its strings escaped."""
  return plain_text.CONTROLS.sub(lambda match: f'\\u{ord(match[0]):04x}', text)


def _finite(value: Any) -> Any:
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  if isinstance(value, dict):
    return {key: _finite(each) for key, each in value.items()}
  if isinstance(value, (list, tuple)):
    return [_finite(each) for each in value]
  return value
