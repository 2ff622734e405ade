"""Finds, parses, checks and renders the gin config of an experiment.

`parse` is quick and imports neither TensorFlow, JAX nor trax; `check` imports
trax, knows every configurable, and returns the whole config as one text, of
which `experiment.resolve` makes values. A config that passes trains what it
says.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.config import (
  binding_checks,
  config_writing,
  configurables,
  macro_checks,
  naming,
  schema,
  specs,
)
from experiments.config.consumption import Key, Reached, reach
from experiments.config.gin_statements import (
  Binding,
  Import,
  Statements,
  read,
)
from experiments.config.gin_values import (
  Macro,
  Reference,
  leaves,
  map_leaves,
)
from experiments.config.overrides import Overridden
from experiments.config.usage import Taken, find_taken
from experiments.foundation.errors import UserError


@dataclasses.dataclass(frozen=True)
class ParsedConfig:
  """What files and flags say, checked as far as it goes without trax.

  Attributes:
    bindings: in the order in which they take effect.
    imports: of Python modules, in order.
    n_files: number of --gin_file.
    name: names the whole in messages.
  """

  bindings: tuple[Binding, ...]
  imports: tuple[Import, ...]
  n_files: int
  name: str


@dataclasses.dataclass(frozen=True)
class Config:
  """A config that has passed every check.

  Attributes:
    text: gin, complete and canonical: equal experiments have equal texts, and
      checking a text gives the same text. Directories in it are paths from the
      root, so that they are the same ones wherever it is read.
    macros: the value of each macro in use; a reference is a string like
      '@Adam'.
    overrides: what --gin_bindings bound, as gin writes it: 'LEARNING_RATE' to
      '0.003', in the order of the flags; paths as they were written.
  """

  text: str
  macros: Mapping[str, Any]
  overrides: Mapping[str, str]


def parse(
  gin_files: Sequence[str],
  gin_bindings: Sequence[str] = (),
  gin_search_paths: Sequence[str] = (),
) -> ParsedConfig:
  """Reads gin files and bindings, and checks what can be checked at once.

  Args:
    gin_files: paths; later ones win.
    gin_bindings: gin statements; later ones win, and all win over files.
    gin_search_paths: directories in which to look for gin files.

  Raises:
    UserError: a file or statement cannot be read, or a macro is unknown, not
      bound, bound twice, or has a wrong value.
  """
  if not gin_files:
    raise UserError(
      'No gin file is given. Name one, such as --gin_file=gin/agnews.gin.'
    )
  return parse_statements(
    read(gin_files, gin_bindings, gin_search_paths), name=gin_files[-1]
  )


def parse_statements(statements: Statements, *, name: str) -> ParsedConfig:
  """Returns statements that have been read as a config, as `parse` does.

  Raises:
    UserError: a macro is unknown, not bound, or has a wrong value.
  """
  macro_checks.check_macros(
    statements.bindings, has_imports=bool(statements.imports)
  )
  return ParsedConfig(
    bindings=tuple(statements.bindings),
    imports=tuple(statements.imports),
    n_files=statements.n_files,
    name=name,
  )


@dataclasses.dataclass(frozen=True)
class Resolved:
  """What a config that has passed every check comes to.

  Attributes:
    imports: of Python modules, in order.
    given: the bindings that win, by key, with full selectors.
    bindings: the same, each literal in its one form.
    consumed: what takes effect.
    flags: keys of what --gin_bindings bound, in order.
  """

  imports: tuple[Import, ...]
  given: Mapping[Key, Binding]
  bindings: Mapping[Key, Binding]
  consumed: Reached
  flags: tuple[Key, ...]

  def config(self) -> Config:
    """Writes it as a config."""
    return Config(
      text=config_writing.render_consumed(
        self.imports, self.bindings, self.consumed
      ),
      macros={
        name: to_plain(macro_checks.resolve_value(Macro(name), self.bindings))
        for name in config_writing.order_macros(self.consumed)
      },
      overrides={
        naming.name_of(self.bindings[key]): write_override(
          self.given[key], self.bindings
        )
        for key in self.flags
      },
    )


def check(parsed: ParsedConfig, *, of_run: bool = False) -> Config:
  """Checks a parsed config against trax's configurables.

  Imports trax, and the modules that the config imports. Leaves gin's own state
  as it is.

  Args:
    parsed: what files and flags say.
    of_run: whether it is the config of a run directory. Earlier ones may hold
      what has no effect because of another value, which is refused elsewhere.

  Raises:
    UserError: as `resolve`.
  """
  return resolve(parsed, of_run=of_run).config()


def resolve(parsed: ParsedConfig, *, of_run: bool = False) -> Resolved:
  """Does what `check` does, up to the text of the config.

  Raises:
    UserError: a module cannot be imported; a configurable, parameter or
      constant is unknown; a value is wrong; something is bound that nothing
      consumes, or needed and not bound.
  """
  configurables.register()
  configurables.import_modules(parsed.imports)
  bindings = binding_checks.complete_selectors(parsed.bindings)
  macro_checks.refuse_undefined(bindings, configurables.constants())
  states = [
    {b.key: b for b in bindings if b.source <= source}
    for source in range(parsed.n_files + 1)
  ]
  reached = _reach_all(states, parsed)
  binding_checks.refuse_unused(bindings, reached, of_run=of_run)
  final, consumed = states[-1], reached[-1]
  macro_checks.refuse_required(final, consumed)
  binding_checks.check_values(final, consumed, parsed.name)
  return Resolved(
    imports=parsed.imports,
    given=final,
    bindings={key: normalize(binding, final) for key, binding in final.items()},
    consumed=consumed,
    flags=tuple(b.key for b in bindings if b.source == parsed.n_files),
  )


def _reach(bindings: Mapping[Key, Binding], taken: Taken) -> Reached:
  return reach(bindings, schema.ROOTS, taken, Overridden(bindings).excuse)


def _reach_all(
  states: Sequence[Mapping[Key, Binding]], parsed: ParsedConfig
) -> list[Reached]:
  """Finds what is consumed, by reference or by code.

  Args:
    states: the bindings after each file, and last after the flags.
    parsed: what they were parsed from.
  """
  reached = [_reach(state, {}) for state in states]
  wanted = {
    key
    for key, binding in states[-1].items()
    if not any(key in each.keys for each in reached[binding.source :])
    and _may_be_taken(binding, reached[-1], has_imports=bool(parsed.imports))
  }
  # The last first: what is used in the end need not be looked for before.
  for i in reversed(range(len(states))):
    candidates = wanted.intersection(states[i])
    if not candidates:
      break
    reached[i] = _reach_with_code(
      states[i], candidates, parsed, is_last=i == len(states) - 1
    )
    wanted -= reached[i].keys
  return reached


def _may_be_taken(
  binding: Binding, reached: Reached, *, has_imports: bool
) -> bool:
  """Tells whether code might take a parameter that no reference leads to."""
  if (
    binding.is_macro
    or binding.key in reached.overridden
    or binding.selector in schema.ROOTS
    or configurables.is_external(binding.selector)
  ):
    return False
  # A user's own code alone calls these, and gin/base.gin binds many.
  is_for_users = binding.selector.startswith(
    ('trax.optimizers.', 'trax.supervised.', 'trax.data.')
  )
  return not is_for_users or (has_imports and not binding.depth)


def _reach_with_code(
  bindings: Mapping[Key, Binding],
  candidates: Iterable[Key],
  parsed: ParsedConfig,
  *,
  is_last: bool,
) -> Reached:
  """Finds what is consumed where code may take some of it from gin.

  Args:
    bindings: all, by key.
    candidates: of those that no reference leads to, what is looked for.
    parsed: what they were parsed from.
    is_last: whether it is the whole config, which must do.

  Raises:
    UserError: the parts cannot be made, so it cannot be told.
  """
  without = _reach(bindings, {})
  right: dict[tuple[str, str], set[str]] = {}
  wrong: dict[Key, UserError] = {}
  for key in candidates:
    try:
      value = macro_checks.resolve_value(bindings[key].value, bindings)
      binding_checks.check_value(bindings[key], value, bindings)
      right.setdefault(key[:2], set()).add(key[2])
    except UserError as error:
      wrong[key] = error
  try:
    binding_checks.check_values(bindings, without, parsed.name)
    normalized = {
      key: normalize(binding, bindings) for key, binding in bindings.items()
    }
    text = config_writing.render_consumed(
      parsed.imports, normalized, _reach(bindings, right)
    )
    taken = find_taken(text)
  except UserError:
    if is_last:
      raise
    return without
  except Exception as error:
    if not is_last:
      return without
    key = min(candidates)
    reason = (str(error).splitlines() or [''])[0]
    raise UserError(
      f'{bindings[key].place}: whether anything uses '
      f'{naming.name_of(bindings[key])} cannot be told, for making the '
      f'model and what else is bound fails: {type(error).__name__}: {reason}'
    ) from error
  for key, refusal in wrong.items():
    if is_last and key[2] in taken.get(key[:2], ()):
      raise refusal
  return _reach(
    bindings,
    {
      key: parameters
      for key, parameters in taken.items()
      if any(key[1] == selector for _, selector, _ in candidates)
    },
  )


def normalize(binding: Binding, bindings: Mapping[Key, Binding]) -> Binding:
  """Returns the binding with its value in its one form, if it is literal."""
  value = binding.value
  if any(isinstance(leaf, Macro) for leaf in leaves(value)):
    return binding
  if binding.is_macro:
    value = macro_checks.check_macro(binding, value)
    path = path_spec(binding, bindings)
    value = path.normalize(value) if path else value
  else:
    try:
      value = binding_checks.check_value(binding, value, bindings)
    except UserError:
      # Not consumed, or it would have been refused before.
      return binding
  return dataclasses.replace(binding, value=value)


def path_spec(
  binding: Binding, bindings: Mapping[Key, Binding]
) -> specs.Spec | None:
  """Returns what a binding must be that gives a path, also a macro of a user's.

  Args:
    binding: with a full selector, or as config.gin has it.
    bindings: all of them, to see where a macro goes.
  """
  spec = schema.path_spec(binding.selector, binding.parameter)
  if spec is None and binding.is_macro:
    for key in schema.PATHS:
      reader = bindings.get(key)
      if reader and macro_checks.origin(reader, bindings).key == binding.key:
        spec = schema.path_spec(*key[1:])
  return spec


def write_override(given: Binding, bindings: Mapping[Key, Binding]) -> str:
  """Writes the value of a flag; a path as it was written: it names the run.

  Args:
    given: the flag's binding, with a full selector.
    bindings: all of them.
  """
  is_path = path_spec(given, bindings) is not None
  return config_writing.write(
    (given if is_path else normalize(given, bindings)).value
  )


def to_plain(value: Any) -> Any:
  """Returns a value with references written out, for hparams and JSON."""

  def as_text(leaf):
    return str(leaf) if isinstance(leaf, Reference | Macro) else leaf

  return map_leaves(naming.shorten_references(value), as_text)
