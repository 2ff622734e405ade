"""What a line of --mode=predict asks: a text, perhaps with an id."""

import codecs
import enum
import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, NoReturn

from experiments.commands import line_reader
from experiments.foundation import json_text

_WHITE_SPACE = re.compile(r'[ \t\n\r]*')
# How JSON objects begin, and no sentence does: with a key, or at once the end.
_OBJECT_START = re.compile(r'\{\s*(["}]|$)')
_ARRAY_START = re.compile(r'\[\s*(\{|$)')
# Errors of lines that may be meant in another format than the input's.
_MISREAD = ('not JSON', 'not a JSON object', 'a JSON array')


class Format(enum.Enum):
  """What the lines of an input are."""

  TEXT = 'a text'
  JSON = 'a JSON object'
  ARRAY = 'a part of a JSON array'


class Question(NamedTuple):
  """A line, read.

  Attributes:
    id: JSON that the answer repeats, or None.
    text: what to classify; '' if there is an error.
    error: why there is no text, or ''.
  """

  id: str | None
  text: str
  error: str

  @property
  def is_misread(self) -> bool:
    """Whether the line may have been meant as something else than JSON."""
    return self.error.startswith(_MISREAD)


class _Number(str):
  """As it is written: larger, or of more digits, than Python has them."""


def find_format(name: str, lines: Iterable[bytes | None]) -> Format | None:
  """Tells what the lines of an input are, by its name or its first line.

  Args:
    name: of the file.
    lines: the first of them.

  Returns:
    JSON for a name that ends in .jsonl or .ndjson, or where the first line that
    is not empty begins as an object does, with '{' and a key: a text may begin
    with '{', too. ARRAY where it is or begins an array. None if all are empty.
  """
  if name.endswith(('.jsonl', '.ndjson')):
    return Format.JSON
  for line in lines:
    if line is None:
      return Format.TEXT
    first = line.decode('utf-8-sig', errors='replace').strip()
    if _OBJECT_START.match(first):
      return Format.JSON
    if _ARRAY_START.match(first) or _is_array(first):
      return Format.ARRAY
    if first:
      return Format.TEXT
  return None


def read_question(
  line: bytes | None,
  format_: Format | None,
  text_keys: Sequence[str],
  text_separator: str = ' ',
) -> Question:
  """Reads a line, whatever it holds.

  Args:
    line: as `line_reader` gives it.
    format_: of the input.
    text_keys: which fields of a JSON object make up a text, if it has any of
      them; otherwise 'text' does.
    text_separator: what stands between them.
  """
  if line is None:
    return _refuse(f'more than {line_reader.MAX_LINE_MIB} MiB')
  try:
    decoded = line.removeprefix(codecs.BOM_UTF8).decode('utf-8').strip()
  except UnicodeDecodeError as error:
    return _refuse(f'not UTF-8: byte {error.start}')
  if not decoded:
    return _refuse('empty line')
  if format_ is Format.ARRAY:
    return _refuse("a JSON array; give an object a line, as jq -c '.[]' does")
  if format_ is Format.JSON:
    return _read_json(decoded, text_keys, text_separator)
  return Question(None, decoded, '')


def _read_json(
  line: str, text_keys: Sequence[str], text_separator: str
) -> Question:
  try:
    value = _DECODER.decode(line)
  except (ValueError, RecursionError) as error:
    return _refuse(f'not JSON: {error}')
  if not isinstance(value, dict):
    return _refuse('not a JSON object')
  id_ = _id(line, value['id']) if 'id' in value else None
  names = ('text',) if value.keys().isdisjoint(text_keys) else text_keys
  for name in names:
    if type(value.get(name)) is not str:
      return Question(id_, '', f'no {name!r} that is a string')
  text = text_separator.join([value[name] for name in names])
  if not text.strip():
    return Question(id_, '', 'empty text')
  return Question(id_, text, '')


def _refuse(error: str) -> Question:
  return Question(None, '', error)


def _id(line: str, value: object) -> str:
  """Returns the id of a JSON object, as JSON."""
  if isinstance(value, _Number):
    return value
  if isinstance(value, str):
    return json_text.to_json(value)
  return _member(line, 'id')


def _member(text: str, name: str) -> str:
  """Returns a member of a JSON object as it is written, on one line.

  Args:
    text: valid JSON of an object.
    name: of the member; the last of several counts, as for Python.
  """
  found = ''
  at = text.index('{') + 1
  while text[at - 1] != '}':
    key, at = _DECODER.raw_decode(text, _skip_white_space(text, at))
    at = text.index(':', at) + 1
    start = _skip_white_space(text, at)
    _, at = _DECODER.raw_decode(text, start)
    if key == name:
      found = text[start:at]
    at = _skip_white_space(text, at) + 1
  # Within a string there are none.
  return json_text.escape(re.sub(r'[\t\n\r]', ' ', found))


def _skip_white_space(text: str, at: int) -> int:
  match = _WHITE_SPACE.match(text, at)
  assert match
  return match.end()


def _is_array(text: str) -> bool:
  """Tells whether a text is a JSON array of what could be classified."""
  if not text.startswith('['):
    return False
  try:
    value = _DECODER.decode(text)
  except (ValueError, RecursionError):
    return False
  return all(type(each) in (str, dict) for each in value)


def _refuse_constant(name: str) -> NoReturn:
  raise ValueError(f'{name} is no number of JSON')


_DECODER = json.JSONDecoder(
  parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant
)
