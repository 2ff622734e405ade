"""Reads gin files and bindings into statements that know where they stand.

The syntax is gin-config's, read by its own parser. What gin accepts in silence
and is never meant (the same name bound twice in one file, an included file that
takes back what the including file bound) is refused here.
"""

import dataclasses
import os
import re
import tokenize
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.config.gin_values import Macro, Reference, render, shortened
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean
from gin import config_parser


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a statement stands: a line of a file, or a flag."""

  file: str = ''
  line: int = 0
  flag: str = ''

  def __str__(self) -> str:
    if not self.flag:
      return f'{self.file}:{self.line}'
    text = self.flag if len(self.flag) <= 60 else f'{self.flag[:59]}…'
    quote = '"' if "'" in text else "'"
    return f'--gin_bindings={quote}{text}{quote}'


@dataclasses.dataclass(frozen=True)
class Binding:
  """A statement `scope/selector.parameter = value`, or `NAME = value`.

  Attributes:
    scope: '' or names joined by '/'; always '' for a macro.
    selector: the configurable as written; the name (scope included) of a macro.
    parameter: '' for a macro.
    value: literals, `Reference` and `Macro`.
    place: where it stands.
    depth: 0 in a file of --gin_file or a flag, 1 in what that includes, ...
    source: which --gin_file, from 0; flags have the number of files.
  """

  scope: str
  selector: str
  parameter: str
  value: Any
  place: Place
  depth: int = 0
  source: int = 0

  @property
  def key(self) -> tuple[str, str, str]:
    """What it binds."""
    return self.scope, self.selector, self.parameter

  @property
  def is_macro(self) -> bool:
    """Whether it binds a macro."""
    return not self.parameter

  @property
  def name(self) -> str:
    """What it binds, as gin writes it."""
    if self.is_macro:
      return self.selector
    name = f'{self.selector}.{self.parameter}'
    return f'{self.scope}/{name}' if self.scope else name


@dataclasses.dataclass(frozen=True)
class Import:
  """A statement `import module`; `text` is the whole of it."""

  text: str
  module: str
  place: Place


@dataclasses.dataclass
class Statements:
  """What files and flags say, in the order in which it takes effect."""

  bindings: list[Binding] = dataclasses.field(default_factory=list)
  imports: list[Import] = dataclasses.field(default_factory=list)
  n_files: int = 0


def read(
  gin_files: Sequence[str],
  gin_bindings: Sequence[str] = (),
  gin_search_paths: Sequence[str] = (),
) -> Statements:
  """Reads files, then flags.

  Args:
    gin_files: paths; later ones win.
    gin_bindings: statements, one or several lines each; later ones win.
    gin_search_paths: directories in which to look for a file that is not found
      as it is given, nor (an included one) beside the file that includes it.

  Raises:
    UserError: a file is missing, is no gin, includes itself, or binds a name
      twice; an included file binds again what the including one has bound.
  """
  statements = Statements(n_files=len(gin_files))
  for source, path in enumerate(gin_files):
    found = _find(path, ['', *gin_search_paths])
    if found is None:
      raise UserError(f'--gin_file={path}: {_missing(path)}')
    reader = _Reader(statements, source, gin_search_paths)
    reader.read_file(found, f'--gin_file={path}: ', [])
  for text in gin_bindings:
    text = text.replace('\r\n', '\n')
    reader = _Reader(statements, len(gin_files), gin_search_paths)
    reader.read_statements(text, '', [])
  _refuse_taken_back(statements.bindings)
  return statements


def read_text(text: str, name: str) -> Statements:
  """Reads the text of one file without includes; `name` is for messages."""
  statements = Statements(n_files=1)
  _Reader(statements, 0, ()).read_statements(text, name, [name])
  return statements


class _Reader:
  """Reads one file with what it includes, or one flag."""

  def __init__(self, statements: Statements, source: int, search_paths):
    self._statements = statements
    self._source = source
    self._search_paths = search_paths

  def read_file(self, path: str, blame: str, including: list[str]) -> None:
    """Reads a file; `including` are the paths of those that lead to it."""
    known = [os.path.realpath(file) for file in including]
    if os.path.realpath(path) in known:
      chain = ' -> '.join([*including, path])
      raise UserError(f'{blame}include cycle: {chain}. Remove one include.')
    try:
      with open(path, encoding='utf-8-sig') as file:
        text = file.read()
    except IsADirectoryError:
      raise UserError(
        f'{blame}{path} is a directory, not a gin file.'
      ) from None
    except UnicodeDecodeError:
      raise UserError(
        f'{blame}{path} is no gin file: it is not UTF-8 text.'
      ) from None
    except OSError as error:
      raise UserError(
        f'{blame}{path} cannot be read: {error.strerror}.'
      ) from error
    if '\0' in text:
      raise UserError(f'{blame}{path} is no gin file: it holds a zero byte.')
    self.read_statements(text, path, [*including, path])

  def read_statements(self, text: str, path: str, including: list[str]) -> None:
    """Reads text; `path` is '' for a flag."""
    first: dict[tuple[str, str, str], Binding] = {}
    for statement, place in _parse(text, path):
      if isinstance(statement, config_parser.BindingStatement):
        binding = self._binding(statement, place, len(including))
        self._statements.bindings.append(binding)
        earlier = first.setdefault(binding.key, binding)
        if path and earlier is not binding:
          kind = 'macro ' if binding.is_macro else ''
          raise UserError(
            f'{place}: {kind}{binding.name} is bound twice, first on line '
            f'{earlier.place.line}. Keep one.'
          )
      elif isinstance(statement, config_parser.ImportStatement):
        if statement.module.split('.')[0] == '__gin__':
          raise UserError(
            f'{place}: `{statement.format()}` is not supported here. Import '
            'the module and use the names that it registers with gin.'
          )
        self._statements.imports.append(
          Import(statement.format(), statement.module, place)
        )
      elif isinstance(statement, config_parser.IncludeStatement):
        self._include(statement.filename, place, including)

  def _include(self, filename: str, place: Place, including: list[str]) -> None:
    if not including:
      raise UserError(
        f'{place}: include is for gin files. Give the file by '
        f'--gin_file={filename} instead.'
      )
    beside = os.path.dirname(including[-1])
    path = _find(filename, [beside, *self._search_paths, ''])
    if path is None:
      missing = _missing(os.path.join(beside, filename), filename)
      raise UserError(f'{place}: included file {missing}')
    self.read_file(path, f'{place}: ', including)

  def _binding(self, statement, place: Place, n_files: int) -> Binding:
    scope, selector, parameter = statement[:3]
    if selector in ('macro', 'gin.macro') and parameter == 'value' and scope:
      scope, selector, parameter = '', scope, ''
    elif not parameter and scope:
      scope, selector = '', f'{scope}/{selector}'
    return Binding(
      scope=scope,
      selector=selector,
      parameter=parameter,
      value=statement.value,
      place=place,
      depth=max(n_files - 1, 0),
      source=self._source,
    )


def _refuse_taken_back(bindings: Iterable[Binding]) -> None:
  winners: dict[tuple[str, str, str], Binding] = {}
  for binding in bindings:
    loser = winners.get(binding.key)
    if (
      loser is not None
      and loser.depth < binding.depth
      and render(loser.value) != render(binding.value)
    ):
      raise UserError(
        f'{loser.place}: {loser.name} = {shortened(loser.value)} has no effect:'
        f' {binding.place}, included after it, binds {binding.name} again. Put '
        'the include first.'
      )
    winners[binding.key] = binding


def _find(path: str, directories: Iterable[str]) -> str | None:
  for directory in directories:
    candidate = os.path.normpath(os.path.join(directory, path))
    if os.path.exists(candidate):
      return candidate
  return None


def _missing(path: str, shown: str = '') -> str:
  """Says that a file does not exist, and names one like it."""
  directory, name = os.path.split(path)
  try:
    names = [
      file
      for file in sorted(os.listdir(directory or '.'))
      if file.endswith('.gin')
    ]
  except OSError:
    names = []
  return f'{shown or path} does not exist.' + did_you_mean(
    name, names, os.path.join(directory, '')
  )


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
    # gin drops a minus sign before what is no number: it reads `-%X` as `%X`.
    has_minus = self._current_token.string == '-'
    success, value = super()._maybe_parse_basic_type()
    if has_minus and not success:
      self._raise_syntax_error('Expected a number after the minus sign.')
    return success, value


def _parse(text: str, path: str) -> Iterable[tuple[Any, Place]]:
  """Yields gin's statements with their places."""
  lines = text.split('\n')
  line = 1

  def place(line: int) -> Place:
    shown = lines[line - 1].strip() if line <= len(lines) else ''
    return Place(path, line) if path else Place(flag=shown)

  def source(line: int) -> str:
    shown = lines[line - 1].strip() if path and line <= len(lines) else 'it'
    return f'{shown if len(shown) <= 60 else shown[:59] + "…"}: '

  parser = None
  try:
    parser = _Parser(text if text.endswith('\n') else text + '\n', _Delegate())
    while (statement := parser.parse_statement()) is not None:
      line = statement.location.line_num
      yield statement, place(line)
  except tokenize.TokenError:
    line = parser.statement_line if parser else 1
    raise UserError(
      f'{place(line)}: cannot read {source(line)}a bracket or a string is not '
      'closed.'
    ) from None
  except StopIteration:
    line = parser.statement_line if parser else 1
    raise UserError(
      f'{place(line)}: cannot read {source(line)}it ends too early.'
    ) from None
  except SyntaxError as error:
    line = error.lineno or line
    reason = _reason(error.msg)
    raise UserError(
      f'{place(line)}: cannot read {source(line)}{reason}'
    ) from None
  except (TypeError, ValueError, RecursionError) as error:
    line = parser.statement_line if parser else 1
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise UserError(
      f'{place(line)}: cannot read {source(line)}{reason}.'
    ) from None


def _reason(message: str) -> str:
  """Says in other words what gin's parser says about Python's internals."""
  match = re.search(r"Failed to parse token '(.*)'", message, re.DOTALL)
  if match:
    token = match[1]
    if re.fullmatch(r'\w+', token) and not token[0].isdigit():
      return (
        f"{token} is no value. A string needs quotes, '{token}'; a "
        f'configurable an @, @{token}.'
      )
    return f'{token} is no value.'
  if message == 'Unable to parse value.':
    return 'expected a number, a quoted string, a list, @name or %MACRO.'
  message = message.removeprefix("Couldn't parse statement, ").rstrip('.')
  message = message.replace('Expected newline', 'expected the end of the line')
  message = re.sub(r'\s+', ' ', message)
  return f'{message[:1].lower()}{message[1:]}.'
