"""Reads gin files and bindings into statements that know where they stand.

The syntax is gin-config's, read by its own parser. What gin accepts in silence
and is never meant (the same name bound twice in one file, an included file that
takes back what the including file bound) is refused here.
"""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.config import gin_search
from experiments.config.gin_syntax import Place, parse
from experiments.config.gin_values import render, shorten
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import WrongKindError, read_regular
from gin import config_parser

# Of one file.
_MAX_BYTES = 2**24


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

  A file that several others include is read once, where it is included first.

  Args:
    gin_files: paths; later ones win.
    gin_bindings: statements, one or several lines each; later ones win.
    gin_search_paths: directories in which to look for a file that is not found
      as it is given, nor (an included one) beside the file that includes it.
      Where the files of this project are is looked last.

  Raises:
    UserError: a file is missing, is not gin, includes itself, or binds a name
      twice; an included file binds again what the including one has bound.
  """
  statements = Statements(n_files=len(gin_files))
  done: set[str] = set()
  for source, path in enumerate(gin_files):
    reader = _Reader(statements, source, gin_search_paths, done)
    found = reader.find(path, ['', *gin_search_paths], f'--gin_file={path}: ')
    reader.read_file(found, f'--gin_file={path}: ', [])
  for text in gin_bindings:
    text = text.replace('\r\n', '\n')
    reader = _Reader(statements, len(gin_files), gin_search_paths, done)
    reader.read_statements(text, '', [])
  _refuse_taken_back(statements.bindings)
  return statements


def read_text(text: str, name: str) -> Statements:
  """Reads the text of one file, as a run directory has it.

  Args:
    text: the text.
    name: of the file, for messages.

  Raises:
    UserError: it is not gin, binds a name twice, or includes a file.
  """
  statements = Statements(n_files=1)
  _Reader(statements, 0, None, set()).read_statements(text, name, [name])
  return statements


class _Reader:
  """Reads one file with what it includes, or one flag."""

  def __init__(
    self,
    statements: Statements,
    source: int,
    search_paths: Sequence[str] | None,
    done: set[str],
  ):
    """Reads nothing yet.

    Args:
      statements: what is read is added to them.
      source: see `Binding`.
      search_paths: where to look for included files; None refuses them.
      done: real paths of the files that have been read.
    """
    self._statements = statements
    self._source = source
    self._search_paths = search_paths
    self._done = done

  def find(self, path: str, directories: Sequence[str], blame: str) -> str:
    """Returns the path of a file that exists, or refuses what was written."""
    try:
      found = gin_search.find(path, directories)
    except UserError as error:
      raise UserError(f'{blame}{error}') from None
    if found is None:
      raise UserError(blame + gin_search.missing(path, directories))
    return found

  def read_file(self, path: str, blame: str, including: list[str]) -> None:
    """Reads a file; `including` are the paths of those that lead to it."""
    identity = os.path.realpath(path)
    if identity in map(os.path.realpath, including):
      chain = ' -> '.join([*including, path])
      raise UserError(f'{blame}include cycle: {chain}. Remove one include.')
    try:
      text = read_regular(path, _MAX_BYTES).decode('utf-8-sig')
    except WrongKindError as error:
      raise UserError(f'{blame}{error}') from None
    except UnicodeDecodeError:
      raise UserError(
        f'{blame}{path} is no gin file: it is not UTF-8 text.'
      ) from None
    except OSError as error:
      raise UserError(
        f'{blame}{path} cannot be read: {error.strerror}.'
      ) from error
    text = text.replace('\r\n', '\n').replace('\r', '\n')
    if '\0' in text:
      raise UserError(f'{blame}{path} is no gin file: it holds a zero byte.')
    self._done.add(identity)
    self.read_statements(text, path, [*including, path])

  def read_statements(self, text: str, path: str, including: list[str]) -> None:
    """Reads text; `path` is '' for a flag."""
    first: dict[tuple[str, str, str], Binding] = {}
    for statement, place in parse(text, path):
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
    if self._search_paths is None:
      raise UserError(
        f'{place}: include {filename!r} is not followed here. Put what it '
        'holds in its place.'
      )
    beside = os.path.dirname(including[-1])
    path = self.find(
      filename, [beside, *self._search_paths, ''], f'{place}: included file '
    )
    identity = os.path.realpath(path)
    is_cycle = identity in map(os.path.realpath, including)
    # What several files share, such as base.gin, takes effect where it comes
    # first: a second time it would take back what was bound since.
    if is_cycle or identity not in self._done:
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
        f'{loser.place}: {loser.name} = {shorten(loser.value)} has no effect:'
        f' {binding.place}, included after it, binds {binding.name} again. Put '
        'the include first.'
      )
    winners[binding.key] = binding
