"""Configs that differ in a few bindings, such as the trials of a sweep.

Most of what a check finds out depends on which names are bound and on what
refers to what: the shape of a config. So the first config of each shape is
checked as any other. Of the next ones only those values are checked that differ
from it, and what is computed from them. A config that does not pass is checked
as a whole once more, which says why.
"""

import dataclasses
import functools
import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from experiments.config import (
  binding_checks,
  config_writing,
  gin_config,
  macro_checks,
  naming,
  overrides,
  relations,
)
from experiments.config.consumption import Key
from experiments.config.gin_statements import Binding, Statements, read
from experiments.config.gin_values import Macro, Reference, leaves
from experiments.foundation.errors import UserError


class Variants:
  """Checks configs that have files and all but their last bindings in common.

  The files are read once.
  """

  def __init__(
    self,
    gin_files: Sequence[str],
    gin_bindings: Sequence[str] = (),
    gin_search_paths: Sequence[str] = (),
  ):
    """Notes what the configs have in common.

    Args:
      gin_files: as `gin_config.parse`.
      gin_bindings: those of every config.
      gin_search_paths: as `gin_config.parse`.
    """
    self._gin_files = gin_files
    self._gin_bindings = gin_bindings
    self._gin_search_paths = gin_search_paths
    self._flags: dict[str, _Flag] = {}
    self._shapes: dict[tuple[Hashable, ...], _Shape] = {}

  def check(self, bindings: Sequence[str]) -> gin_config.Config:
    """Checks one of the configs.

    Args:
      bindings: gin statements that come after those of every config.

    Returns:
      What `gin_config.check` returns.

    Raises:
      UserError: as `gin_config.parse` and `gin_config.check`.
    """
    try:
      config = self._quick_check([self._flag(text) for text in bindings])
    except UserError:
      config = None
    return config or gin_config.check(
      gin_config.parse(
        self._gin_files,
        [*self._gin_bindings, *bindings],
        self._gin_search_paths,
      )
    )

  def _quick_check(self, flags: 'Sequence[_Flag]') -> gin_config.Config | None:
    """Checks a config; returns None, or raises a UserError, if in doubt."""
    key = tuple(flag.shape for flag in flags)
    shape = self._shapes.get(key)
    if shape is not None:
      return shape.config(flags)
    base = self._base
    resolved = gin_config.resolve(
      gin_config.parse_statements(
        Statements(
          bindings=[*base.bindings, *(flag.binding for flag in flags)],
          imports=base.imports,
          n_files=base.n_files,
        ),
        name=self._gin_files[-1],
      )
    )
    self._shapes[key] = _Shape(resolved, flags)
    return resolved.config()

  @functools.cached_property
  def _base(self) -> Statements:
    return read(self._gin_files, self._gin_bindings, self._gin_search_paths)

  def _flag(self, text: str) -> '_Flag':
    """Reads a binding, once.

    Raises:
      UserError: it is not exactly one.
    """
    if text not in self._flags:
      self._flags[text] = _read_flag(text, source=len(self._gin_files))
    return self._flags[text]


@dataclasses.dataclass(frozen=True)
class _Flag:
  """A binding that not every config has.

  Attributes:
    text: the statement.
    binding: what it says.
    shape: equal for two that differ in numbers and strings only.
  """

  text: str
  binding: Binding
  shape: Hashable


def _read_flag(text: str, source: int) -> _Flag:
  statements = read([], [text])
  if len(statements.bindings) != 1 or statements.imports:
    raise UserError(f'{text!r} is more than one binding.')
  binding = dataclasses.replace(statements.bindings[0], source=source)
  return _Flag(text, binding, (binding.key, _shape_of(binding.value)))


def _shape_of(value: Any) -> Hashable:
  """Describes a value without its numbers and strings."""
  if isinstance(value, list | tuple):
    return (type(value).__name__, *map(_shape_of, value))
  if value is None or isinstance(value, bool | dict | Reference | Macro):
    return repr(value)
  return type(value).__name__


@dataclasses.dataclass(frozen=True)
class _Value:
  """A value that has passed the checks that look at it alone.

  Attributes:
    binding: with a full selector.
    text: as config.gin has it.
    override: as `Config.overrides` has it.
    macros: what `Config.macros` has for the macros that only this decides.
  """

  binding: Binding
  text: str
  override: str
  macros: Mapping[str, Any]


class _Shape:
  """All configs of one shape, seen from one that has passed every check."""

  def __init__(self, resolved: gin_config.Resolved, flags: Sequence[_Flag]):
    """Finds out what depends on the flags.

    Args:
      resolved: the config that has passed.
      flags: its last bindings.
    """
    self._resolved = resolved
    self._keys = resolved.flags[len(resolved.flags) - len(flags) :]
    self._values: list[dict[str, _Value | None]] = [{} for _ in flags]
    config = resolved.config()
    self._macros, self._overrides = config.macros, config.overrides
    self._names = [naming.name_of(resolved.bindings[key]) for key in self._keys]
    self._find_dependents()
    self._cut(config.text)

  def config(self, flags: Sequence[_Flag]) -> gin_config.Config | None:
    """Returns the config of other flags of this shape; None if in doubt."""
    if not self._is_usable:
      return None
    values = []
    for i, flag in enumerate(flags):
      known = self._values[i]
      if flag.text not in known:
        known[flag.text] = self._check_value(i, flag)
      value = known[flag.text]
      if value is None:
        return None
      values.append(value)
    macros = dict(self._macros)
    for value in values:
      macros.update(value.macros)
    if self._joint or self._relations:
      bindings = {**self._resolved.given}
      bindings.update((value.binding.key, value.binding) for value in values)
      for binding in self._joint:
        self._check_binding(bindings[binding.key], bindings)
        if binding.name in macros:
          macros[binding.name] = self._macro(binding.name, values)
      for relation in self._relations:
        relation.check(bindings)
    pieces = [*self._pieces]
    for slot, value in zip(self._slots, values, strict=True):
      pieces[slot] = value.text
    given = dict(self._overrides)
    for name, value in zip(self._names, values, strict=True):
      given[name] = value.override
    return gin_config.Config(''.join(pieces), macros, given)

  def _find_dependents(self) -> None:
    """Sorts the bindings by the flags on which their values depend."""
    self._single: list[list[Binding]] = [[] for _ in self._keys]
    self._joint: list[Binding] = []
    given = self._resolved.given
    places = {key: i for i, key in enumerate(self._keys)}

    @functools.cache
    def sources(key: Key) -> frozenset[int]:
      """Returns the flags that have a part in a value, through macros."""
      if key not in given:
        return frozenset()
      found = {places[key]} if key in places else set()
      for leaf in leaves(given[key].value):
        if isinstance(leaf, Macro):
          found |= sources(('', leaf.name, ''))
      return frozenset(found)

    for key, binding in given.items():
      if not binding.is_macro and key not in self._resolved.consumed.keys:
        continue
      if len(sources(key)) == 1:
        self._single[next(iter(sources(key)))].append(binding)
      elif sources(key):
        self._joint.append(binding)
    self._relations = [
      relation
      for relation in relations.RELATIONS
      if any(sources(key) for key in given if relation.concerns(key))
    ]

  def _cut(self, text: str) -> None:
    """Cuts the text of a config where the values of the flags stand."""
    pieces = ['']
    slots = {}
    places = {name: i for i, name in enumerate(self._names)}
    for line in text.splitlines(keepends=True):
      name, equals, value = line.partition(' = ')
      if equals and name in places:
        slots[places[name]] = len(pieces)
        pieces[-1] += f'{name} = '
        pieces += [value.removesuffix('\n'), '\n']
      else:
        pieces[-1] += line
    self._pieces = pieces
    # Not where two flags bind one name, of which only the last takes effect.
    self._is_usable = len(slots) == len(self._keys) and not self._decides()
    self._slots = [slots[i] for i in sorted(slots)]

  def _decides(self) -> bool:
    """Tells whether what a flag says may leave a parameter without effect."""
    scopes = self._resolved.consumed.overridden
    overridden = overrides.Overridden(self._resolved.given)

    def is_excused_by_value(key: Key) -> bool:
      # A macro that has its effect elsewhere excuses every value.
      return key in scopes and not isinstance(
        overridden.excuse(scopes[key], key), str
      )

    return any(
      is_excused_by_value(binding.key)
      or overrides.decides_by_value(*binding.key[1:])
      for binding in [*self._joint, *itertools.chain(*self._single)]
    )

  def _check_value(self, i: int, flag: _Flag) -> _Value | None:
    """Checks a value of one flag, and what it alone decides."""
    try:
      [binding] = binding_checks.complete_selectors([flag.binding])
      bindings = {**self._resolved.given, self._keys[i]: binding}
      for dependent in self._single[i]:
        self._check_binding(bindings[dependent.key], bindings)
    except UserError:
      return None
    value = _Value(
      binding,
      config_writing.write(gin_config.normalize(binding, bindings).value),
      gin_config.write_override(binding, bindings),
      {},
    )
    macros = {
      dependent.name: self._macro(dependent.name, [value])
      for dependent in self._single[i]
      if dependent.is_macro and dependent.name in self._macros
    }
    return dataclasses.replace(value, macros=macros)

  def _check_binding(
    self, binding: Binding, bindings: Mapping[Key, Binding]
  ) -> None:
    value = macro_checks.resolve_value(binding.value, bindings)
    if binding.is_macro:
      macro_checks.check_macro(binding, value)
    else:
      binding_checks.check_value(binding, value, bindings)

  def _macro(self, name: str, values: Sequence[_Value]) -> Any:
    """Returns what `Config.macros` has for a macro."""
    bindings = {**self._resolved.bindings}
    for value in values:
      bindings[value.binding.key] = gin_config.normalize(
        value.binding, bindings
      )
    return gin_config.to_plain(
      macro_checks.resolve_value(Macro(name), bindings)
    )
