"""JSON that may be damaged, or a stranger's, checked against types.

What is described are the values of `json.loads`: str, int, float, bool, None,
`Any`, `Literal[…]`, unions, `list[…]`, `dict[str, …]` and TypedDicts. A
TypedDict's required keys must be there; others than its own are let through,
since a later version may have written them.
"""

import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

_Value = TypeVar('_Value')

# What int64 holds; as a float, any int that Python reads could overflow.
_LARGEST = 2**63 - 1
_SHOWN = 40
_NAMES: Mapping[Any, str] = {
  str: 'a string',
  int: 'a whole number',
  float: 'a number',
  bool: 'true or false',
  None: 'null',
  types.NoneType: 'null',
}


def loads(content: bytes | str, hint: type[_Value]) -> _Value:
  """Reads JSON of a known type.

  Args:
    content: the JSON; bytes are UTF-8, maybe with a byte order mark.
    hint: its type.

  Raises:
    ValueError: it is not JSON, or not of this type; the message says where.
  """
  text = content.decode('utf-8-sig') if isinstance(content, bytes) else content
  try:
    value = json.loads(text)
  except RecursionError as error:
    raise ValueError('it is nested too deeply') from error
  check(value, hint)
  return value


def check(value: Any, hint: Any, place: str = '') -> None:
  """Checks what `json.loads` returned.

  Args:
    value: it.
    hint: its type.
    place: where it stands, for the message, e.g. 'metrics.f1'.

  Raises:
    ValueError: it is not of this type.
  """
  if not _is(value, hint, place):
    raise ValueError(f'{place or "it"} is {_show(value)}, not {_name(hint)}')


def _is(value: Any, hint: Any, place: str) -> bool:
  """Tells whether a value has a type; of what it holds, raises ValueError."""
  origin, inner = typing.get_origin(hint), typing.get_args(hint)
  if hint is Any:
    return True
  if hint is int:
    return type(value) is int and abs(value) <= _LARGEST
  if hint is float:
    return type(value) is float or _is(value, int, place)
  if hint is None:
    return value is None
  if isinstance(hint, type) and not typing.is_typeddict(hint):
    return type(value) is hint
  if origin in (typing.Union, types.UnionType):
    return any(_is_one(value, each, place) for each in inner)
  if origin is typing.Literal:
    return isinstance(value, str) and value in inner
  if origin is list:
    return isinstance(value, list) and _are(value, inner[0], place)
  if not isinstance(value, dict):
    return False
  before = f'{place}.' if place else ''
  if typing.is_typeddict(hint):
    for name in hint.__required_keys__:
      if name not in value:
        raise ValueError(f'it has no {before}{name}')
    for name, each in typing.get_type_hints(hint).items():
      if name in value:
        check(value[name], each, f'{before}{name}')
    return True
  assert origin in (dict, Mapping), hint
  for name, each in value.items():
    check(each, inner[1], f'{before}{name}'[: 2 * _SHOWN])
  return True


def _is_one(value: Any, hint: Any, place: str) -> bool:
  hint = None if hint is types.NoneType else hint
  # A message about what is inside says more than one about the whole.
  is_alone = isinstance(value, list | dict)
  try:
    return _is(value, hint, place)
  except ValueError:
    if is_alone:
      raise
    return False


def _are(values: list, hint: Any, place: str) -> bool:
  # A list of a million counts is checked as fast as it is read.
  if (
    hint in (int, float)
    and set(map(type, values)) <= {int, hint}
    and all(-_LARGEST <= value <= _LARGEST for value in values)
  ):
    return True
  for i, value in enumerate(values):
    check(value, hint, f'{place}[{i}]')
  return True


def _show(value: Any) -> str:
  text = ascii(value) if isinstance(value, str | int | float) else ''
  if value is None or isinstance(value, bool):
    return json.dumps(value)
  if not text:
    return 'an object' if isinstance(value, dict) else 'a list'
  return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 1]}…'


def _name(hint: Any) -> str:
  if hint in _NAMES:
    return _NAMES[hint]
  origin, inner = typing.get_origin(hint), typing.get_args(hint)
  if origin is typing.Literal:
    return ' or '.join(map(repr, inner))
  if origin in (typing.Union, types.UnionType):
    return ' or '.join(map(_name, inner))
  return 'a list' if origin is list else 'an object'
