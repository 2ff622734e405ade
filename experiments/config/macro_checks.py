"""The checks of a config that need no registry: those of its macros.

They run before trax is imported, so that a misspelt macro is refused at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.config import schema, specs
from experiments.config.consumption import Key, Reached, prefixes, reach
from experiments.config.gin_statements import Binding
from experiments.config.gin_values import (
  REQUIRED,
  Macro,
  Reference,
  leaves,
  map_leaves,
  shorten,
)
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

# Limits of a value with its macros expanded: its parts, and their nesting.
_MOST_VALUES = 100_000
_DEEPEST = 100


def check_macros(bindings: Sequence[Binding], *, has_imports: bool) -> None:
  """Refuses what is wrong with macros and scopes.

  Args:
    bindings: in the order in which they take effect.
    has_imports: whether the config imports modules; these may define constants
      of gin, so that an unknown `%NAME` is not yet an error.

  Raises:
    UserError: a macro or scope that nothing uses, a macro that is not bound, is
      bound to itself, has no value yet, or has one that it cannot have.
  """
  final = {binding.key: binding for binding in bindings}
  _refuse_unknown(bindings)
  _refuse_unknown_scopes(bindings)
  if not has_imports:
    refuse_undefined(bindings, constants=())
  _refuse_endless(final)
  refuse_required(final, _reach_by_last_part(bindings))
  for binding in bindings:
    if binding.is_macro and not _macros_in(binding.value):
      check_macro(binding, binding.value)
  for binding in final.values():
    if binding.is_macro:
      check_macro(binding, resolve_value(binding.value, final))
  sizes = final.get(('', 'BUCKET_BATCH_SIZES', ''))
  boundaries = final.get(('', 'BUCKET_BOUNDARIES', ''))
  if sizes and boundaries:
    check_bucket_sizes(boundaries, sizes, final)


def check_macro(binding: Binding, value: Any) -> Any:
  """Returns the value of a macro in its one form, or refuses it.

  Args:
    binding: the macro's; one that is not in `schema.MACROS` may be anything.
    value: its value; one with a macro that is not bound is left alone.
  """
  entry = schema.MACROS.get(binding.selector)
  if entry is None or _macros_in(value):
    return value
  try:
    return entry.spec.normalize(value)
  except specs.WrongValueError as error:
    raise UserError(
      f'{binding.place}: macro {binding.name} must be {error}, not '
      f'{shorten(value)}.'
    ) from None


def resolve_value(value: Any, bindings: Mapping[Key, Binding]) -> Any:
  """Returns a value with the macros that are bound replaced by their values."""

  def replace(leaf):
    if isinstance(leaf, Macro) and ('', leaf.name, '') in bindings:
      return resolve_value(bindings[('', leaf.name, '')].value, bindings)
    return leaf

  return map_leaves(value, replace)


def origin(binding: Binding, bindings: Mapping[Key, Binding]) -> Binding:
  """Returns the binding that gives a binding its value, through macros."""
  while isinstance(binding.value, Macro):
    macro = bindings.get(('', binding.value.name, ''))
    if macro is None:
      break
    binding = macro
  return binding


def last_of(bindings: Iterable[Binding]) -> Binding:
  """Returns the one to blame of several that do not go together."""
  return max(bindings, key=lambda b: (bool(b.place.flag), b.source, -b.depth))


def refuse_undefined(
  bindings: Iterable[Binding], constants: Iterable[str]
) -> None:
  """Refuses a `%NAME` that is neither bound nor a constant of gin.

  Args:
    bindings: all that files and flags bind.
    constants: names of constants beside `gin.REQUIRED`.
  """
  bindings = list(bindings)
  bound = {binding.selector for binding in bindings if binding.is_macro}
  for binding in bindings:
    for name in _macros_in(binding.value):
      if name not in bound and name not in constants and name != REQUIRED:
        known = bound | set(constants)
        raise UserError(
          f'{binding.place}: %{name} refers to a macro that is not bound.'
          + did_you_mean(name, sorted(known), '%')
        )


def refuse_required(bindings: Mapping[Key, Binding], reached: Reached) -> None:
  """Refuses what is consumed and has no value but `%gin.REQUIRED`."""
  for key, binding in bindings.items():
    if key in reached.keys and Macro(REQUIRED) in leaves(binding.value):
      kind = 'macro ' if binding.is_macro else ''
      raise UserError(
        f'{binding.place}: {kind}{binding.name} has no value yet. Bind it in '
        f"your gin file, or with --gin_bindings='{binding.name}=…'."
      )


def check_bucket_sizes(
  boundaries: Binding, sizes: Binding, bindings: Mapping[Key, Binding]
) -> None:
  """Refuses batch sizes that are not one more than the boundaries."""
  boundaries_value = resolve_value(boundaries.value, bindings)
  sizes_value = resolve_value(sizes.value, bindings)
  if not all(
    isinstance(v, list | tuple) for v in (boundaries_value, sizes_value)
  ):
    return
  n_boundaries, n_sizes = len(boundaries_value), len(sizes_value)
  if n_sizes != n_boundaries + 1:
    pair = [origin(sizes, bindings), origin(boundaries, bindings)]
    raise UserError(
      f'{last_of(pair).place}: {pair[0].name} must have one value more than '
      f'{pair[1].name}, for what is longer than the last boundary; there are '
      f'{n_sizes} and {n_boundaries}.'
    )


def _macros_in(value: Any) -> list[str]:
  return [leaf.name for leaf in leaves(value) if isinstance(leaf, Macro)]


def _refuse_unknown(bindings: Iterable[Binding]) -> None:
  bindings = list(bindings)
  referred = {name for b in bindings for name in _macros_in(b.value)}
  known = set(schema.MACROS) | referred
  for binding in bindings:
    if binding.is_macro and binding.selector not in known:
      raise UserError(
        f'{binding.place}: macro {binding.name} is bound but nothing uses it.'
        + did_you_mean(binding.name, sorted(known))
      )


def _refuse_unknown_scopes(bindings: Iterable[Binding]) -> None:
  bindings = list(bindings)
  known = {
    scope
    for binding in bindings
    for leaf in leaves(binding.value)
    if isinstance(leaf, Reference)
    for scope in prefixes(leaf.scope)
  }
  for binding in bindings:
    if binding.scope not in known | {''}:
      raise UserError(
        f'{binding.place}: {binding.name} is bound but nothing uses the scope '
        f'{binding.scope}: nothing refers to '
        f'@{binding.scope}/{binding.selector}.'
        + did_you_mean(binding.scope, sorted(known - {''}))
      )


def _refuse_endless(bindings: Mapping[Key, Binding]) -> None:
  """Refuses macros that go round in a circle, or stand for too much."""
  known: dict[str, tuple[int, int]] = {}

  def look(binding: Binding, path: list[str]) -> tuple[int, int]:
    """Returns how many values it is, and how many macros deep."""
    size = depth = 0
    for leaf in leaves(binding.value):
      more, below = (
        visit(leaf.name, path) if isinstance(leaf, Macro) else (1, 0)
      )
      size, depth = size + more, max(depth, below)
    if max(depth, len(path)) > _DEEPEST:
      raise UserError(
        f'{binding.place}: {binding.name} is a macro of a macro, and so on '
        f'more than {_DEEPEST} times. Bind it to its value.'
      )
    if size > _MOST_VALUES:
      raise UserError(
        f'{binding.place}: {binding.name} is more than {_MOST_VALUES:,} '
        'values, with all that its macros stand for.'
      )
    return size, depth + 1

  def visit(name: str, path: list[str]) -> tuple[int, int]:
    binding = bindings.get(('', name, ''))
    if name in path:
      chain = ' = '.join(
        f'%{step}' for step in [*path[path.index(name) :], name]
      )
      place = bindings[('', path[-1], '')].place
      raise UserError(f'{place}: macros go round in a circle: {chain}.')
    if binding is None:
      return 1, 0
    if len(path) > _DEEPEST:
      return 1, len(path)
    if name not in known:
      known[name] = look(binding, [*path, name])
    return known[name]

  for binding in bindings.values():
    if binding.is_macro:
      visit(binding.selector, [])
    else:
      look(binding, [])


def _reach_by_last_part(bindings: Iterable[Binding]) -> Reached:
  """Follows references by the last part of the names of configurables."""

  def last(selector: str) -> str:
    return selector.rpartition('.')[2]

  def with_last_part(leaf):
    if isinstance(leaf, Reference):
      return Reference(leaf.scope, last(leaf.selector), leaf.evaluate)
    return leaf

  by_key = {}
  for binding in bindings:
    selector = binding.selector if binding.is_macro else last(binding.selector)
    key = (binding.scope, selector, binding.parameter)
    by_key[key] = Binding(
      *key, map_leaves(binding.value, with_last_part), binding.place
    )
  roots = {last(selector): names for selector, names in schema.ROOTS.items()}
  return reach(by_key, roots)
