"""config.gin: all that a run consumes, written as gin reads it."""

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.config import configurables, macro_checks, naming, schema
from experiments.config.consumption import Key, Reached, winners
from experiments.config.gin_statements import Binding, Import
from experiments.config.gin_values import is_representable, render


def write(value: Any) -> str:
  """Writes a value as config.gin has it."""
  return render(naming.shorten_references(value))


def order_macros(consumed: Reached) -> list[str]:
  """Returns the macros that are used, in the order of gin/base.gin."""
  used = {name for _, name, parameter in consumed.keys if not parameter}
  order = [name for name in schema.MACROS if name in used]
  return order + sorted(used.difference(order))


def render_consumed(
  imports: Iterable[Import],
  bindings: Mapping[Key, Binding],
  consumed: Reached,
) -> str:
  """Writes all that is consumed, with the defaults of what is not bound.

  Args:
    imports: of modules.
    bindings: of all files and flags.
    consumed: which of them take effect.
  """
  macros = [
    f'{name} = {write(bindings["", name, ""].value)}'
    for name in order_macros(consumed)
  ]
  values = _defaults(bindings, consumed)
  for key in consumed.keys:
    if key[2]:
      values[naming.name_of(bindings[key])] = bindings[key].value
  parts = [
    sorted({statement.text for statement in imports}),
    macros,
    [f'{name} = {write(values[name])}' for name in sorted(values)],
  ]
  return '\n'.join('\n'.join([*lines, '']) for lines in parts if lines)


def _defaults(
  bindings: Mapping[Key, Binding], consumed: Reached
) -> dict[str, Any]:
  """Returns the defaults that take effect and that gin can express."""
  model = macro_checks.resolve_value(
    bindings['', 'experiments.experiment', 'model'].value, bindings
  )
  found = {}
  for scope, selector in consumed.used:
    if selector not in consumed.selectors:
      continue
    is_model = configurables.is_model(selector) or selector == model.selector
    bound = winners(bindings, scope, selector)
    for name, default in configurables.signature(selector).defaults.items():
      if (
        # An overridden binding does not count, unless both say the same.
        bound.get(name) not in consumed.keys
        and name in schema.ROOTS.get(selector, [name])
        and not (is_model and name in schema.SET_FOR_MODELS)
        and is_representable(default)
      ):
        found[f'{configurables.short(selector)}.{name}'] = default
  return found
