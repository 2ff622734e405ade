"""How messages and config.gin name bindings and what they refer to."""

import dataclasses
from typing import Any

from experiments.config.configurables import short
from experiments.config.gin_statements import Binding
from experiments.config.gin_values import Reference, map_leaves


def name_of(binding: Binding) -> str:
  """Returns the name of a binding with the shortest selector."""
  if binding.is_macro:
    return binding.name
  return dataclasses.replace(binding, selector=short(binding.selector)).name


def subject_of(binding: Binding) -> str:
  """Returns what a message calls a binding at its beginning."""
  return f'macro {binding.name}' if binding.is_macro else name_of(binding)


def shorten_references(value: Any) -> Any:
  """Returns a value whose references have the shortest selectors."""

  def with_short_selector(leaf):
    if isinstance(leaf, Reference):
      return dataclasses.replace(leaf, selector=short(leaf.selector))
    return leaf

  return map_leaves(value, with_short_selector)
