"""The checks of a config that need trax's registry of configurables."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.config import configurables, relations, schema, specs
from experiments.config.configurables import MISSING, short
from experiments.config.consumption import Key, Reached, winners
from experiments.config.gin_statements import Binding
from experiments.config.gin_values import (
  Macro,
  Reference,
  leaves,
  map_leaves,
  shorten,
)
from experiments.config.macro_checks import (
  origin,
  resolve_value,
)
from experiments.config.naming import name_of, shorten_references, subject_of
from experiments.config.overrides import Overridden
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

_MODEL = ('', 'experiments.experiment', 'model')
_OPTIMIZER = ('', 'trax.supervised.training.TrainTask', 'optimizer')
_SCHEDULE = ('', 'trax.supervised.training.TrainTask', 'lr_schedule')
_LOSS = ('', 'trax.supervised.training.TrainTask', 'loss_layer')
_METRICS = ('', 'trax.supervised.training.EvalTask', 'metrics')


def complete_selectors(bindings: Sequence[Binding]) -> list[Binding]:
  """Returns the bindings with full selectors, as the registry knows them.

  Raises:
    UserError: a configurable is unknown or ambiguous, or has no such parameter,
      or the framework sets it; one file binds a parameter by two names.
  """
  done = [_complete_selector(binding) for binding in bindings]
  first: dict[tuple[str, Key], Binding] = {}
  for written, binding in zip(bindings, done, strict=True):
    if not binding.is_macro:
      _check_parameter(binding)
    if binding.place.flag:
      continue
    earlier = first.setdefault((binding.place.file, binding.key), binding)
    if earlier.place != binding.place:
      raise UserError(
        f'{binding.place}: {written.name} is bound twice, first on line '
        f'{earlier.place.line}. Keep one.'
      )
  return done


def _complete_selector(binding: Binding) -> Binding:
  def with_full_selector(leaf):
    if not isinstance(leaf, Reference):
      return leaf
    selector = configurables.complete(leaf.selector)
    return dataclasses.replace(leaf, selector=selector)

  try:
    selector = binding.selector
    if not binding.is_macro:
      selector = configurables.complete(selector)
    value = map_leaves(binding.value, with_full_selector)
  except UserError as error:
    raise UserError(f'{binding.place}: {error}') from None
  return dataclasses.replace(binding, selector=selector, value=value)


def _check_parameter(binding: Binding) -> None:
  selector, parameter = binding.selector, binding.parameter
  name = name_of(binding)
  last = selector.rpartition('.')[2]
  reason = schema.SET_BY_FRAMEWORK.get((last, parameter))
  if configurables.is_model(selector):
    reason = reason or schema.SET_FOR_MODELS.get(parameter)
  signature = configurables.signature(selector)
  known = signature.defaults
  if parameter not in known and not signature.is_open:
    raise UserError(
      f'{binding.place}: {short(selector)} has no parameter {parameter}.'
      + (did_you_mean(parameter, known) or f' It has {", ".join(known)}.')
    )
  if reason:
    raise UserError(f'{binding.place}: {name} cannot be bound: {reason}.')
  root = schema.ROOTS.get(selector)
  if root is not None and parameter not in root:
    raise UserError(
      f'{binding.place}: {name} is bound but nothing uses it. Of '
      f'{short(selector)} the framework reads {", ".join(root)}.'
    )


def refuse_unused(
  bindings: Iterable[Binding], reached: Sequence[Reached], *, of_run: bool
) -> None:
  """Refuses what a file of --gin_file or a flag binds and nothing consumes.

  Args:
    bindings: all of them, with full selectors.
    reached: what is consumed after each file, and last after the flags. A file
      may bind what only a later file or flag puts out of use.
    of_run: whether they are those of a run directory, where what is overridden
      was written before it was refused.
  """
  bindings = list(bindings)
  for binding in bindings:
    is_used = any(
      binding.key in state.keys for state in reached[binding.source :]
    )
    if binding.depth or (is_used and not _is_idle_wish(binding, reached[-1])):
      continue
    if of_run and _is_overridden(binding, bindings, reached[-1]):
      continue
    kind = 'macro ' if binding.is_macro else ''
    raise UserError(
      f'{binding.place}: {kind}{name_of(binding)} is bound but nothing uses '
      f'it: {_why_unused(binding, bindings, reached[-1])}.'
    )


def _is_idle_wish(binding: Binding, reached: Reached) -> bool:
  """Tells whether a flag asks in vain for what would be so without it.

  A file may say what has no effect: config.gin does.
  """
  return (
    bool(binding.place.flag)
    and binding.key in reached.overridden
    and not isinstance(binding.value, Macro)
  )


def _readers(macro: Binding, bindings: Iterable[Binding]) -> list[Binding]:
  """Returns the bindings that refer to a macro."""
  return [each for each in bindings if Macro(macro.name) in leaves(each.value)]


def _is_overridden(
  binding: Binding, bindings: Iterable[Binding], reached: Reached
) -> bool:
  """Tells whether an override is what keeps a binding from an effect."""
  return binding.key in reached.overridden or (
    binding.is_macro
    and any(
      each.key in reached.overridden for each in _readers(binding, bindings)
    )
  )


def _why_unused(
  binding: Binding, bindings: Sequence[Binding], reached: Reached
) -> str:
  final = {each.key: each for each in bindings}
  overridden = Overridden(final)
  if binding.key in reached.overridden:
    return overridden.explain(reached.overridden[binding.key], binding.key)
  if not binding.is_macro:
    if (binding.scope, binding.selector) in reached.used:
      if binding.selector in reached.selectors:
        return 'a scope binds it again'
      return f'what calls {short(binding.selector)} gives it another value'
    scope = f'{binding.scope}/' if binding.scope else ''
    return f'nothing in use refers to @{scope}{short(binding.selector)}'
  given = _readers(binding, bindings)
  for each in given:
    winner = final[each.key]
    if winner is not each and each.key in reached.keys - {*reached.overridden}:
      return (
        f'it would give {name_of(each)}, which is '
        f'{shorten(shorten_references(winner.value))} by {winner.place}'
      )
  for each in given:
    if each.key in reached.overridden:
      scope = reached.overridden[each.key]
      return (
        f'it gives {name_of(each)} alone, and '
        f'{overridden.explain(scope, each.key)}'
      )
  return f'nothing in use refers to %{binding.name}'


def check_values(
  bindings: Mapping[Key, Binding], reached: Reached, config_name: str
) -> None:
  """Refuses wrong values of what is consumed, and what is not bound at all.

  Args:
    bindings: with full selectors.
    reached: what is consumed.
    config_name: names the whole config in messages.
  """
  _refuse_missing(bindings, config_name)
  for key, binding in bindings.items():
    if key in reached.keys and not binding.is_macro:
      check_value(binding, resolve_value(binding.value, bindings), bindings)
  _check_roles(bindings)
  _check_other_roles(bindings)
  for key, binding in bindings.items():
    if key in reached.keys:
      _refuse_incomplete_calls(binding, bindings)
  for relation in relations.RELATIONS:
    relation.check(bindings)


def check_value(
  binding: Binding, value: Any, bindings: Mapping[Key, Binding]
) -> Any:
  """Returns the value of a parameter in its one form, or refuses it.

  Args:
    binding: of a parameter, with a full selector.
    value: its value; one that only a call or a constant gives is left alone.
    bindings: in which to look for the macro to blame.
  """
  spec = _spec(binding.selector, binding.parameter)
  if spec is None or any(isinstance(leaf, Macro) for leaf in leaves(value)):
    return value
  if binding.selector not in schema.ROOTS and specs.is_unevaluated(value):
    return value
  try:
    return spec.normalize(value)
  except specs.WrongValueError as error:
    source = origin(binding, bindings)
    subject = name_of(binding)
    if source.is_macro:
      subject = f'macro {source.name}, which gives {subject},'
    raise UserError(
      f'{source.place}: {subject} must be {error}, not '
      f'{shorten(shorten_references(value))}.'
    ) from None


def _spec(selector: str, parameter: str) -> specs.Spec | None:
  if selector in schema.ROOTS:
    return schema.ROOTS[selector][parameter]
  signature = configurables.signature(selector)
  default = signature.defaults.get(parameter)
  if selector.startswith(('trax.', 'experiments.')):
    spec = schema.PARAMETERS.get(parameter)
    if spec:
      return specs.optional(spec) if default is None else spec
  if parameter in signature.annotations:
    return specs.spec_of_annotation(signature.annotations[parameter])
  return None if default is MISSING else specs.spec_of_default(default)


def _refuse_missing(bindings: Mapping[Key, Binding], config_name: str) -> None:
  for selector, parameters in schema.ROOTS.items():
    defaults = configurables.signature(selector).defaults
    for parameter in parameters:
      # The default of keys in trax is None, which fits no data set.
      is_required = defaults[parameter] is MISSING or parameter == 'keys'
      if is_required and ('', selector, parameter) not in bindings:
        raise UserError(
          f'{config_name}: {short(selector)}.{parameter} is not bound. Include '
          'gin/base.gin, which binds all that is needed, or bind it.'
        )


def _check_roles(bindings: Mapping[Key, Binding]) -> None:
  optimizer = bindings[_OPTIMIZER]
  target = resolve_value(optimizer.value, bindings)
  if not isinstance(target, Reference) or not configurables.is_optimizer(
    target.selector
  ):
    known = filter(configurables.is_optimizer, configurables.names())
    source = origin(optimizer, bindings)
    raise UserError(
      f'{source.place}: {subject_of(source)} must be an optimizer, not '
      f'{shorten_references(target)}. There are '
      f'{", ".join(f"@{short(name)}" for name in sorted(known))}.'
    )
  model = bindings[_MODEL]
  target = resolve_value(model.value, bindings)
  source = origin(model, bindings)
  if not isinstance(target, Reference):
    raise UserError(
      f'{source.place}: {subject_of(source)} must be '
      f'{specs.FUNCTION.expected}, not {shorten(target)}.'
    )
  signature = configurables.signature(target.selector)
  is_layer = target.selector.startswith('trax.layers.')
  missing = [
    name for name in schema.MODELS_TAKE if name not in signature.defaults
  ]
  # Layers of trax take any name, and are no models.
  if missing and (is_layer or not signature.is_open):
    raise UserError(
      f'{source.place}: {subject_of(source)} must be a function of vocab_size, '
      f'n_classes and mode; {shorten_references(target)} does not take '
      f'{" and ".join(missing)}.'
    )
  for parameter, key in winners(
    bindings, target.scope, target.selector
  ).items():
    if parameter in schema.SET_FOR_MODELS:
      raise UserError(
        f'{bindings[key].place}: {name_of(bindings[key])} cannot be bound: '
        f'{schema.SET_FOR_MODELS[parameter]}.'
      )


def _check_other_roles(bindings: Mapping[Key, Binding]) -> None:
  """Refuses what of trax can be no schedule, loss or metric."""
  for key, role, fits in (
    (_SCHEDULE, 'a learning rate schedule', configurables.is_schedule),
    (_LOSS, 'a loss', configurables.is_loss),
    (_METRICS, 'metrics', configurables.is_metric),
  ):
    binding = bindings.get(key)
    if binding is None:
      continue
    for leaf in leaves(resolve_value(binding.value, bindings)):
      if isinstance(leaf, Reference) and not fits(leaf.selector):
        source = origin(binding, bindings)
        known = sorted(map(short, filter(fits, configurables.names())))
        raise UserError(
          f'{source.place}: {subject_of(source)} must be {role}, not '
          f'{shorten_references(leaf)}. There are '
          f'{", ".join(f"@{name}" for name in known)}.'
        )


def _refuse_incomplete_calls(
  binding: Binding, bindings: Mapping[Key, Binding]
) -> None:
  """Refuses a reference that is sure to be called without what it needs."""
  is_called = binding.selector in schema.ROOTS
  given = schema.SET_FOR_MODELS if binding.key == _MODEL else {}
  for leaf in leaves(resolve_value(binding.value, bindings)):
    if not isinstance(leaf, Reference) or not (is_called or leaf.evaluate):
      continue
    bound = winners(bindings, leaf.scope or binding.scope, leaf.selector)
    for name, default in configurables.signature(
      leaf.selector
    ).defaults.items():
      if default is MISSING and name not in bound and name not in given:
        raise UserError(
          f'{origin(binding, bindings).place}: {shorten_references(leaf)} '
          f'needs {name}. Bind {short(leaf.selector)}.{name}.'
        )
