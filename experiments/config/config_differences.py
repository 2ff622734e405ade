"""What differs between the config of a run directory and another."""

from collections.abc import Mapping
from typing import Any

from experiments.config import configurables, specs
from experiments.config.gin_config import path_spec
from experiments.config.gin_statements import Binding, read_text
from experiments.config.gin_values import render
from experiments.config.overrides import FEEDING
from experiments.foundation.errors import UserError


def find_differences(old_text: str, new_text: str) -> list[str]:
  """Names what differs between the text of a run directory and another.

  Args:
    old_text: `Config.text` of the run directory.
    new_text: `Config.text` of now.

  Returns:
    A line for each import, macro and parameter that differs, such as
    'LEARNING_RATE: 0.01 in the run directory, 0.003 now'.
  """
  if old_text == new_text:
    return []
  old, new = _entries(old_text), _entries(new_text)
  for macro in FEEDING.intersection(old).difference(new):
    # Nothing takes it but what is overridden: it was written nevertheless.
    del old[macro]
    for name in [name for name in old if old[name] == f'%{macro}']:
      del old[name]
      new.pop(name, None)
  for name in _find_implied(old, new):
    del new[name]
  lines = []
  for name in [*new, *(name for name in old if name not in new)]:
    before, after = old.get(name, 'not bound'), new.get(name, 'not bound')
    if before != after:
      lines.append(f'{name}: {before} in the run directory, {after} now')
  return lines


def _find_implied(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
  """Returns what an old text says by leaving it out: defaults came later.

  Args:
    old: of `_entries`.
    new: of `_entries`.
  """
  implied = set()
  for name in new:
    selector, dot, parameter = name.rpartition('.')
    if name in old or not dot:
      continue
    try:
      selector = configurables.complete(selector.rpartition('/')[2])
    except UserError:
      continue
    default = configurables.signature(selector).defaults.get(parameter)
    value = new[name]
    if new.get(value.removeprefix('%'), value) == render(default):
      implied.add(name)
  for name in new:
    if name not in old and '.' not in name:
      takers = {other for other in new if new[other] == f'%{name}'}
      if takers and takers <= implied:
        implied.add(name)
  return implied


def _entries(text: str) -> dict[str, str]:
  statements = read_text(text, 'config.gin')
  entries = {statement.text: 'there' for statement in statements.imports}
  for binding in statements.bindings:
    entries[binding.name] = render(_locate(binding))
  return entries


def _locate(binding: Binding) -> Any:
  """Returns a value; directories, which old texts have as written, in full."""
  spec = path_spec(binding, {})
  try:
    return spec.normalize(binding.value) if spec else binding.value
  except specs.WrongValueError:
    return binding.value
