"""Reads gin's syntax by its own parser, and says plainly what is wrong with it.

References and macros become values of `gin_values`; the statements are gin's.
"""

import dataclasses
import re
import tokenize
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from experiments.config.gin_values import Macro, Reference
from experiments.foundation.errors import UserError
from gin import config_parser

_ERRORS = (
  tokenize.TokenError,
  StopIteration,
  SyntaxError,
  TypeError,
  ValueError,
  RecursionError,
)
# What other languages call Python's constants.
_LITERALS: Mapping[str, str] = {
  **dict.fromkeys(('true', 'yes', 'on'), 'True'),
  **dict.fromkeys(('false', 'no', 'off'), 'False'),
  **dict.fromkeys(('none', 'null', 'nil'), 'None'),
}
# What a word processor makes of quotes and minus signs.
_PLAIN: Mapping[str, str] = {
  **dict.fromkeys('\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb', "'"),
  **dict.fromkeys('\u2010\u2011\u2012\u2013\u2014\u2212', '-'),
}
_WORTH_A_LOOK = re.compile(
  r"""
    \#[^\n]*
  | (?P<prefix>\b[A-Za-z]{1,2})?
    (?:
      (?P<quotes>\"{3}|\'{3}) (?:\\.|.)*? (?P=quotes)
    | " (?:\\.|[^"\\\n])* "
    | ' (?:\\.|[^'\\\n])* '
    | (?P<unclosed>["\'])
    )
  | (?P<number>(?<![\w.]) \.?[0-9] (?:(?<!0[xX])[eE][+-]|[\w.])*+
    (?![^\x00-\x7f]))
  | (?P<bracket>[][(){}])
  | (?P<strange>[^\x20-\x7e\n\r\t]|\\(?!\n))
  """,
  re.ASCII | re.DOTALL | re.VERBOSE,
)
# Of strings that are values.
_PREFIXES = ('b', 'r', 'u', 'br', 'rb')
_MAX_DEPTH = 100
_TOO_DEEP = 'its brackets are nested too deeply.'


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a statement stands: a line of a file, or a flag."""

  file: str = ''
  line: int = 0
  flag: str = ''

  def __str__(self) -> str:
    if not self.flag:
      return f'{self.file}:{self.line}'
    text = _cut(self.flag)
    quote = '"' if "'" in text else "'"
    return f'--gin_bindings={quote}{text}{quote}'


class _Delegate(config_parser.ParserDelegate):
  """Makes the values that stand for references and macros."""

  def configurable_reference(self, scoped_configurable_name, evaluate):
    scope, _, selector = scoped_configurable_name.rpartition('/')
    return Reference(scope, selector, evaluate)

  def macro(self, macro_name):
    return Macro(macro_name)


class _Parser(config_parser.ConfigParser):
  """gin's parser, which also remembers on which line a statement begins."""

  statement_line = 1

  def _current_location(self, ignore_char_num=False):
    location = super()._current_location(ignore_char_num)
    if ignore_char_num:
      self.statement_line = location.line_num
    return location

  def _maybe_parse_basic_type(self):
    # gin drops a minus sign unless a number follows: it reads `-%X` as `%X`.
    has_minus = self._current_token.string == '-'
    success, value = super()._maybe_parse_basic_type()
    if has_minus and not success:
      self._raise_syntax_error('Expected a number after the minus sign.')
    if isinstance(value, int):
      try:
        str(value)
      except ValueError:
        # Of 0x…, Python reads more digits than it writes.
        self._raise_syntax_error('Expected a shorter number.')
    return success, value


def parse(text: str, path: str) -> Iterable[tuple[Any, Place]]:
  """Yields gin's statements with their places."""
  lines = text.split('\n')
  line = 1

  def place(line: int) -> Place:
    shown = lines[line - 1].strip() if line <= len(lines) else ''
    return Place(path, line) if path else Place(flag=shown)

  def source(line: int) -> str:
    shown = lines[line - 1].strip() if path and line <= len(lines) else 'it'
    return f'{_cut(shown)}: '

  parser = None
  try:
    parser = _Parser(text if text.endswith('\n') else text + '\n', _Delegate())
    while (statement := parser.parse_statement()) is not None:
      line = statement.location.line_num
      yield statement, place(line)
  except _ERRORS as error:
    first = parser.statement_line if parser else 1
    line, reason = first, _reason(error)
    if isinstance(error, SyntaxError):
      line = error.lineno or line
    # Where Python's tokenizer stopped; it may have read on from there.
    last = error.args[1][0] if isinstance(error, tokenize.TokenError) else line
    mistake = _find_mistake('\n'.join(lines[first - 1 : max(first, last)]))
    if mistake:
      line, reason = first + mistake[0], mistake[1]
    raise UserError(
      f'{place(line)}: cannot read {source(line)}{reason}'
    ) from None


def _find_mistake(text: str) -> tuple[int, str] | None:
  """Finds the first of the mistakes that need no parser to be told.

  Python's tokenizer, which gin's parser asks, calls each of them by another
  name in each version, if it does not read over it.

  Args:
    text: of a statement that cannot be read.

  Returns:
    Before how many lines it stands, and what to do about it.
  """
  depth = 0
  for match in _WORTH_A_LOOK.finditer(text):
    reason = ''
    if match['strange']:
      column = match.start() - text.rfind('\n', 0, match.start())
      reason = _describe(match[0], column)
    elif match['unclosed']:
      reason = 'a string is not closed.'
    elif match['prefix'] and match['prefix'].lower() not in _PREFIXES:
      reason = f'{_cut(match[0])} is no value.'
    elif match['number'] and not _is_number(match[0]):
      reason = f'{_cut(match[0])} is no number.'
    elif match['bracket']:
      depth += 1 if match[0] in '([{' else -1
      if depth > _MAX_DEPTH:
        reason = _TOO_DEEP
    if reason:
      return text.count('\n', 0, match.start()), reason
  return None


def _is_number(text: str) -> bool:
  """Tells whether Python has a number of that spelling."""
  is_whole = text[:2] in ('0x', '0X') or not re.search(r'[.eEjJ]', text)
  try:
    str(int(text, 0) if is_whole else complex(text))
  except ValueError:
    return False
  return True


def _describe(char: str, column: int) -> str:
  name = unicodedata.name(char, 'a control character')
  code = f'U+{ord(char):04X}'
  if not char.isprintable():
    return (
      f'column {column} holds what cannot be seen, {name} ({code}). Remove it, '
      'or write a space.'
    )
  plain = _PLAIN.get(char) or unicodedata.normalize('NFKC', char)
  way_out = (
    f'write {plain} instead'
    if plain.isascii() and plain != char
    else 'it goes into strings and comments only'
  )
  return f'column {column} holds {char}, {name} ({code}): {way_out}.'


def _reason(error: Exception) -> str:
  """Says in other words what gin's parser says about Python's internals."""
  if isinstance(error, tokenize.TokenError):
    return 'a bracket or a string is not closed.'
  if isinstance(error, StopIteration):
    return 'it ends too early.'
  if isinstance(error, RecursionError):
    return _TOO_DEEP
  if isinstance(error, UnicodeError):
    return 'it is not UTF-8 text.'
  if not isinstance(error, SyntaxError):
    lines = str(error).splitlines() or [type(error).__name__]
    return f'{lines[0]}.'
  message = error.msg
  match = re.search(r"Failed to parse token '(.*)'", message, re.DOTALL)
  if match:
    return _reason_of_token(match[1])
  if message == 'Unable to parse value.':
    return 'expected a number, a quoted string, a list, @name or %MACRO.'
  message = message.removeprefix("Couldn't parse statement, ").rstrip('.')
  message = message.replace('Expected newline', 'expected the end of the line')
  message = re.sub(r'\s+', ' ', message)
  return f'{message[:1].lower()}{message[1:]}.'


def _reason_of_token(token: str) -> str:
  token = _cut(token)
  literal = _LITERALS.get(token.lower())
  if literal:
    return (
      f"{token} is no value. Write {literal}; a string needs quotes, '{token}'."
    )
  if re.fullmatch(r'\w+', token) and not token[0].isdigit():
    return (
      f"{token} is no value. A string needs quotes, '{token}'; a "
      f'configurable an @, @{token}.'
    )
  return f'{token} is no value.'


def _cut(text: str) -> str:
  return text if len(text) <= 60 else f'{text[:59]}…'
