"""What --sweep says: axes of values, groups that go together, distributions.

A definition knows nothing of trax: it turns text into lists of gin bindings.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.config import gin_search
from experiments.config.gin_statements import read_text
from experiments.config.gin_syntax import Place
from experiments.config.gin_values import render, shorten
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean
from experiments.sweeps import sweep_yaml

# Kinds of distributions, and what each holds.
DISTRIBUTIONS: Mapping[str, str] = {
  'uniform': 'two numbers, the lower first',
  'log_uniform': 'two numbers above 0, the lower first',
  'int': 'two whole numbers, the lower first',
  'log_int': 'two whole numbers above 0, the lower first',
  'choice': 'a list of values',
}
_EXAMPLE = "--sweep='LEARNING_RATE=[0.003, 0.01]'"
_ZIP = 'zip'
_SETTINGS = 'sweep.'


@dataclasses.dataclass(frozen=True)
class Axis:
  """Names that take their values together.

  Attributes:
    names: macros or 'configurable.parameter'; more than one in a zip group.
    values: a tuple of as many gin values for each point.
    place: where it was said, for messages.
  """

  names: tuple[str, ...]
  values: tuple[tuple[Any, ...], ...]
  place: str


@dataclasses.dataclass(frozen=True)
class Distribution:
  """Values of one name to be sampled.

  Attributes:
    name: a macro or 'configurable.parameter'.
    kind: a key of `DISTRIBUTIONS`.
    values: two bounds, both possible; of 'choice' all values.
    place: where it was said, for messages.
  """

  name: str
  kind: str
  values: tuple[Any, ...]
  place: str


@dataclasses.dataclass(frozen=True)
class Grid:
  """The product of axes, and of distributions if there are any."""

  axes: tuple[Axis, ...] = ()
  distributions: tuple[Distribution, ...] = ()

  @property
  def n_points(self) -> int:
    """The number of points."""
    return math.prod(len(axis.values) for axis in self.axes)

  def points(self) -> Iterator[dict[str, Any]]:
    """Yields a gin value by name for each point; the last axis goes fastest."""
    for point in itertools.product(*(axis.values for axis in self.axes)):
      yield {
        name: value
        for axis, values in zip(self.axes, point, strict=True)
        for name, value in zip(axis.names, values, strict=True)
      }


@dataclasses.dataclass(frozen=True)
class Definition:
  """What is to be tried.

  Attributes:
    grids: one, or several where a file holds named sub-sweeps.
    settings: literals by name, such as 'objective' for `sweep.objective`.
  """

  grids: tuple[Grid, ...]
  settings: Mapping[str, Any]

  @property
  def distributions(self) -> tuple[Distribution, ...]:
    """All distributions, in order."""
    return tuple(d for grid in self.grids for d in grid.distributions)

  def places(self) -> dict[str, str]:
    """Returns where each name was said."""
    found = {}
    for grid in self.grids:
      for axis in grid.axes:
        found.update(dict.fromkeys(axis.names, axis.place))
      for distribution in grid.distributions:
        found[distribution.name] = distribution.place
    return found

  def to_json(self) -> list[dict[str, Any]]:
    """Returns the grids as JSON can hold them, values in gin's notation."""
    grids = []
    for grid in self.grids:
      lines: dict[str, Any] = {}
      for axis in grid.axes:
        for name, values in zip(
          axis.names, zip(*axis.values, strict=True), strict=True
        ):
          lines[name] = [render(value) for value in values]
      for each in grid.distributions:
        lines[each.name] = {each.kind: [render(value) for value in each.values]}
      grids.append(lines)
    return grids


def read_definition(
  sweeps: Sequence[str], gin_search_paths: Sequence[str] = ()
) -> Definition:
  """Reads the values of --sweep.

  Args:
    sweeps: each 'NAME=[value, …]' in gin's notation, or the path of a YAML
      file. Several are one product.
    gin_search_paths: where to look for such a file, as for gin files.

  Raises:
    UserError: one cannot be read, has no values, or names what another names.
  """
  grids = [Grid()]
  settings: dict[str, Any] = {}
  for text in sweeps:
    if text.lower().endswith(('.yaml', '.yml')):
      more, found = _read_file(text, gin_search_paths)
      settings.update(found)
    else:
      more = [_read_flag(text)]
    grids = [
      Grid(a.axes + b.axes, a.distributions + b.distributions)
      for a, b in itertools.product(grids, more)
    ]
  for grid in grids:
    _refuse_twice(grid)
    if not grid.axes and not grid.distributions:
      raise UserError(
        f'--sweep={", --sweep=".join(sweeps)}: there is nothing to try in it.'
      )
  return Definition(tuple(grids), settings)


def with_folds(definition: Definition, n_folds: int) -> Definition:
  """Returns a definition that tries each of several folds besides.

  Args:
    definition: what is tried on each.
    n_folds: how many there are.

  Raises:
    UserError: it names folds itself.
  """
  axis = Axis(
    ('N_FOLDS', 'FOLD'),
    tuple((n_folds, fold) for fold in range(n_folds)),
    f'--folds={n_folds}',
  )
  grids = tuple(
    Grid((*grid.axes, axis), grid.distributions) for grid in definition.grids
  )
  for grid in grids:
    _refuse_twice(grid)
  return dataclasses.replace(definition, grids=grids)


def binding(name: str, value: Any) -> str:
  """Returns the gin statement that gives a name a value."""
  return f'{name} = {render(value)}'


def in_words_of_the_user(
  message: str, bindings: Mapping[str, Any], places: Mapping[str, str]
) -> str:
  """Names --sweep, not --gin_bindings, where a message is about a trial.

  Args:
    message: of a `UserError` about the trial as a run of its own.
    bindings: gin value by name, those of the trial.
    places: where each name was said.
  """
  for name, value in bindings.items():
    text = binding(name, value)
    message = message.replace(str(Place(flag=text)), f'{places[name]}: {text}')
  return message


def _read_flag(text: str) -> Grid:
  place = f'--sweep={text!r}'
  if '=' not in text:
    raise UserError(
      f'{place}: neither NAME=[values] nor a .yaml file. For example, '
      f'{_EXAMPLE}.'
    )
  try:
    statements = read_text(text, place)
  except UserError as error:
    raise UserError(str(error).replace(f'{place}:1', place)) from None
  if len(statements.bindings) != 1 or statements.imports:
    raise UserError(f'{place}: one name a flag. For example, {_EXAMPLE}.')
  found = statements.bindings[0]
  return _read_entry(found.name, found.value, place)


def _read_file(
  name: str, gin_search_paths: Sequence[str]
) -> tuple[list[Grid], dict[str, Any]]:
  """Returns the grids of a YAML file, and its settings."""
  directories = ['', *gin_search_paths]
  try:
    path = gin_search.find(name, directories)
  except UserError as error:
    raise UserError(f'--sweep={name}: {error}') from None
  if path is None:
    raise UserError(f'--sweep={name}: {gin_search.missing(name, directories)}')
  content = sweep_yaml.load(path)
  if not isinstance(content, dict) or not content:
    raise UserError(
      f'--sweep={path}: no sweep. Each line is a gin name and its values, such '
      'as LEARNING_RATE: [0.003, 0.01].'
    )
  common = Grid()
  named: list[Grid] = []
  settings = {}
  for name, value in content.items():
    place = f'{path}: {name}'
    if not isinstance(name, str):
      raise UserError(f'{place}: a gin name was expected.')
    if name.startswith(_SETTINGS):
      settings[name.removeprefix(_SETTINGS)] = value
    elif re.fullmatch(r'sweep\w*', name) and isinstance(value, dict):
      grid = Grid()
      for inner, values in value.items():
        grid = _join(grid, _read_entry(str(inner), _gin(values, path), path))
      named.append(grid)
    elif name == _ZIP:
      for group in value if isinstance(value, list) else [value]:
        common = _join(common, Grid((_read_zip(group, path),)))
    else:
      common = _join(common, _read_entry(name, _gin(value, place), path))
  return [_join(common, grid) for grid in named or [Grid()]], settings


def _join(a: Grid, b: Grid) -> Grid:
  return Grid(a.axes + b.axes, a.distributions + b.distributions)


def _read_entry(name: str, value: Any, place: str) -> Grid:
  if not place.startswith('--'):
    place = f'{place}: {name}'
  if isinstance(value, dict):
    return Grid(distributions=(_read_distribution(name, value, place),))
  return Grid(
    (Axis((name,), tuple((v,) for v in _values(value, place)), place),)
  )


def _values(value: Any, place: str) -> list[Any]:
  if not isinstance(value, list):
    raise UserError(
      f'{place}: a list of values was expected, not {shorten(value)}. Put it '
      'in square brackets.'
    )
  if not value:
    raise UserError(f'{place}: the list of values is empty.')
  return value


def _read_zip(group: Any, path: str) -> Axis:
  place = f'{path}: {_ZIP}'
  if not isinstance(group, dict) or not group:
    raise UserError(
      f'{place}: names with a list of values each were expected, such as '
      'EMBEDDING_SIZE: [50, 100].'
    )
  columns = {
    str(name): _values(_gin(values, place), f'{place}: {name}')
    for name, values in group.items()
  }
  lengths = {name: len(values) for name, values in columns.items()}
  if len(set(lengths.values())) > 1:
    shown = ', '.join(f'{name} has {n}' for name, n in lengths.items())
    raise UserError(f'{place}: as many values for each name: {shown}.')
  rows = tuple(zip(*columns.values(), strict=True))
  return Axis(tuple(columns), rows, place)


def _read_distribution(name: str, value: dict, place: str) -> Distribution:
  kind = str(next(iter(value), ''))
  if len(value) != 1 or kind not in DISTRIBUTIONS:
    raise UserError(
      f'{place}: a distribution is one of {", ".join(DISTRIBUTIONS)}, not '
      f'{shorten(value)}.' + did_you_mean(kind, DISTRIBUTIONS)
    )
  values = value[kind]
  if not _fits(kind, values):
    raise UserError(
      f'{place}: {kind} needs {DISTRIBUTIONS[kind]}, not {shorten(values)}.'
    )
  return Distribution(name, kind, tuple(values), place)


def _fits(kind: str, values: Any) -> bool:
  if not isinstance(values, list | tuple) or not values:
    return False
  if kind == 'choice':
    return True
  types = (int,) if kind in ('int', 'log_int') else (int, float)
  return (
    len(values) == 2
    and all(isinstance(v, types) and not isinstance(v, bool) for v in values)
    and values[0] < values[1]
    and (values[0] > 0 or not kind.startswith('log'))
    and abs(values[0]) < float('inf') > abs(values[1])
  )


def _refuse_twice(grid: Grid) -> None:
  first: dict[str, str] = {}
  entries = [(name, a.place) for a in grid.axes for name in a.names]
  entries += [(d.name, d.place) for d in grid.distributions]
  for name, place in entries:
    if name in first:
      raise UserError(
        f'{place}: {name} is swept twice, first by {first[name]}. Keep one.'
      )
    first[name] = place


def _gin(value: Any, place: str) -> Any:
  """Returns a YAML value as a gin value: '@x' and '%X' become references."""
  if isinstance(value, list):
    return [_gin(item, place) for item in value]
  if isinstance(value, dict):
    return {_gin(k, place): _gin(v, place) for k, v in value.items()}
  if isinstance(value, str) and value[:1] in ('@', '%'):
    try:
      return read_text(f'x = {value}', place).bindings[0].value
    except UserError:
      raise UserError(
        f'{place}: {value!r} is no gin reference, such as @gru or %NAME.'
      ) from None
  if value is None or (
    isinstance(value, bool | int | float | str) and value == value
  ):
    return value
  raise UserError(f'{place}: {value} is no gin value. Put it in quotes.')
