"""Which bindings a config consumes, found by following references.

gin itself knows only after the run. Here it is static: from what the framework
reads, through `@x`, `@scope/x`, `@x()` and `%MACRO`, at any depth of lists and
dicts, to the configurables and macros that these name.
"""

import dataclasses
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from experiments.config.gin_statements import Binding
from experiments.config.gin_values import Macro, Reference, leaves

Key = tuple[str, str, str]


@dataclasses.dataclass
class Reached:
  """What is consumed.

  Attributes:
    keys: (scope, selector, parameter) of bindings; macros as ('', name, '').
    overridden: keys of parameters that have no effect, each with the scope in
      which it was reached. Among `keys` are those of them that say nothing
      else than would be so without them.
    selectors: configurables that a reference or the framework names.
    used: (scope, selector) of the same, and of those that code alone calls.
    macros: names of macros referred to, bound or not.
    scopes: every scope that is active in some reference, and its parents.
  """

  keys: set[Key] = dataclasses.field(default_factory=set)
  overridden: dict[Key, str] = dataclasses.field(default_factory=dict)
  selectors: set[str] = dataclasses.field(default_factory=set)
  used: set[tuple[str, str]] = dataclasses.field(default_factory=set)
  macros: set[str] = dataclasses.field(default_factory=set)
  scopes: set[str] = dataclasses.field(default_factory=lambda: {''})


def prefixes(scope: str) -> list[str]:
  """Returns '' and each parent of a scope, outermost first, and itself."""
  parts = scope.split('/') if scope else []
  return ['/'.join(parts[:n]) for n in range(len(parts) + 1)]


def winners(
  bindings: Mapping[Key, Binding], scope: str, selector: str
) -> dict[str, Key]:
  """Returns the key that gives each bound parameter in an active scope."""
  found: dict[str, Key] = {}
  for prefix in prefixes(scope):
    for key in bindings:
      if key[:2] == (prefix, selector) and key[2]:
        found[key[2]] = key
  return found


def reach(
  bindings: Mapping[Key, Binding],
  roots: Mapping[str, Iterable[str]],
  taken: Mapping[tuple[str, str], Iterable[str]] = types.MappingProxyType({}),
  excuse: Callable[[str, Key], str | bool | None] = lambda scope, key: None,
) -> Reached:
  """Follows references from the roots.

  Args:
    bindings: by key; names of configurables are as the roots write them.
    roots: the parameters that the framework reads of each configurable.
    taken: by scope and configurable, the parameters that code takes from gin.
    excuse: told of the scope in which a binding is reached, and of its key:
      None if it has an effect; else whether it may stand nevertheless, or the
      name of a macro that has to have an effect elsewhere for that.
  """
  reached = Reached()
  followed: set[tuple[str, str]] = set()
  excused: list[tuple[Key, str]] = []
  effective: set[Key] = set()

  def follow(value: Any, scope: str) -> None:
    for leaf in leaves(value):
      if isinstance(leaf, Reference):
        visit(leaf.scope or scope, leaf.selector)
      elif isinstance(leaf, Macro) and (leaf.name, scope) not in followed:
        followed.add((leaf.name, scope))
        reached.macros.add(leaf.name)
        binding = bindings.get(('', leaf.name, ''))
        if binding is not None:
          reached.keys.add(binding.key)
          follow(binding.value, scope)

  def consume(scope: str, selector: str, parameters=None) -> None:
    for parameter, key in winners(bindings, scope, selector).items():
      if parameters is not None and parameter not in parameters:
        continue
      excuse_of = excuse(scope, key)
      if excuse_of is None:
        effective.add(key)
      else:
        reached.overridden[key] = scope
      if isinstance(excuse_of, str):
        excused.append((key, excuse_of))
      elif excuse_of is not False:
        reached.keys.add(key)
        follow(bindings[key].value, scope)

  def visit(scope: str, selector: str) -> None:
    reached.selectors.add(selector)
    if (scope, selector) in reached.used:
      return
    reached.used.add((scope, selector))
    reached.scopes.update(prefixes(scope))
    consume(scope, selector)

  for selector, parameters in roots.items():
    reached.selectors.add(selector)
    reached.used.add(('', selector))
    consume('', selector, parameters)
  for (scope, selector), parameters in taken.items():
    if (scope, selector) not in reached.used:
      reached.used.add((scope, selector))
      reached.scopes.update(prefixes(scope))
      consume(scope, selector, parameters)
  for key, macro in excused:
    if ('', macro, '') in reached.keys:
      reached.keys.add(key)
  for key in effective.intersection(reached.overridden):
    del reached.overridden[key]
  return reached
