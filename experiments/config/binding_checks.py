"""The checks of a config that need trax's registry of configurables."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from experiments.config import configurables, schema, specs
from experiments.config.configurables import MISSING, short
from experiments.config.consumption import Key, Reached, winners
from experiments.config.gin_statements import Binding
from experiments.config.gin_values import (
  Macro,
  Reference,
  leaves,
  mapped,
  shortened,
)
from experiments.config.macro_checks import (
  check_bucket_sizes,
  last_of,
  origin,
  resolved,
)
from experiments.config.overrides import Overridden
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import did_you_mean

_MODEL = ('', 'experiments.experiment', 'model')
_OPTIMIZER = ('', 'trax.supervised.training.TrainTask', 'optimizer')
_SCHEDULE = ('', 'trax.supervised.training.TrainTask', 'lr_schedule')
_LOSS = ('', 'trax.supervised.training.TrainTask', 'loss_layer')
_METRICS = ('', 'trax.supervised.training.EvalTask', 'metrics')
_PATIENCE = ('', 'experiments.experiment', 'patience')
_BEST_METRIC = ('', 'experiments.experiment', 'best_metric')
_BOUNDARIES = ('', 'trax.data.BucketByLength', 'boundaries')
_BATCH_SIZES = ('', 'trax.data.BucketByLength', 'batch_sizes')
_VOCAB_SIZE = ('', 'experiments.experiment', 'vocab_size')
# Ids of a batch: 1 GiB in int32, and more with each layer above them.
_MOST_TOKENS = 2**28
# Weights of an embedding: 8 GiB in float32, of which Adam keeps four copies.
_MOST_WEIGHTS = 2**31 - 1
_MIN_LENGTH = ('', 'trax.data.FilterByLength', 'min_length')
_MAX_LENGTH = ('', 'trax.data.FilterByLength', 'max_length')


def completed(bindings: Sequence[Binding]) -> list[Binding]:
  """Returns the bindings with full selectors, as the registry knows them.

  Raises:
    UserError: a configurable is unknown or ambiguous, or has no such parameter,
      or the framework sets it; one file binds a parameter by two names.
  """
  done = [_completed(binding) for binding in bindings]
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


def _completed(binding: Binding) -> Binding:
  def with_full_selector(leaf):
    if not isinstance(leaf, Reference):
      return leaf
    selector = configurables.complete(leaf.selector)
    return dataclasses.replace(leaf, selector=selector)

  try:
    selector = binding.selector
    if not binding.is_macro:
      selector = configurables.complete(selector)
    value = mapped(binding.value, with_full_selector)
  except UserError as error:
    raise UserError(f'{binding.place}: {error}') from None
  return dataclasses.replace(binding, selector=selector, value=value)


def _check_parameter(binding: Binding) -> None:
  selector, parameter = binding.selector, binding.parameter
  name = shown(binding)
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


def shown(binding: Binding) -> str:
  """Returns the name of a binding with the shortest selector."""
  if binding.is_macro:
    return binding.name
  return dataclasses.replace(binding, selector=short(binding.selector)).name


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
      f'{binding.place}: {kind}{shown(binding)} is bound but nothing uses it: '
      f'{_why_unused(binding, bindings, reached[-1])}.'
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
        f'it would give {shown(each)}, which is '
        f'{shortened(shortened_references(winner.value))} by {winner.place}'
      )
  for each in given:
    if each.key in reached.overridden:
      scope = reached.overridden[each.key]
      return (
        f'it gives {shown(each)} alone, and '
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
      checked(binding, resolved(binding.value, bindings), bindings)
  _check_roles(bindings)
  _check_other_roles(bindings)
  for key, binding in bindings.items():
    if key in reached.keys:
      _refuse_incomplete_calls(binding, bindings)
  for relation in RELATIONS:
    relation.check(bindings)


@dataclasses.dataclass(frozen=True)
class Relation:
  """A check of several parameters together.

  Attributes:
    keys: the parameters whose values it looks at, and no others.
    check: raises a UserError; its argument is all bindings, by key.
    of_model: names of parameters of the model that it looks at, too.
  """

  keys: tuple[Key, ...]
  check: Callable[[Mapping[Key, Binding]], None]
  of_model: tuple[str, ...] = ()

  def concerns(self, key: Key) -> bool:
    """Tells whether it looks at a value."""
    return key in self.keys or key[2] in self.of_model


def _check_sizes(bindings: Mapping[Key, Binding]) -> None:
  check_bucket_sizes(
    _shown_binding(bindings[_BOUNDARIES]),
    _shown_binding(bindings[_BATCH_SIZES]),
    bindings,
  )


def _check_patience(bindings: Mapping[Key, Binding]) -> None:
  patience, best = (bindings.get(key) for key in (_PATIENCE, _BEST_METRIC))
  if (
    patience
    and resolved(patience.value, bindings) is not None
    and (best is None or resolved(best.value, bindings) is None)
  ):
    raise UserError(
      f'{origin(patience, bindings).place}: experiment.patience needs a metric '
      "to improve. Bind it, e.g. experiment.best_metric = 'metrics/Accuracy'."
    )


def _check_lengths(bindings: Mapping[Key, Binding]) -> None:
  shortest = bindings.get(_MIN_LENGTH)
  longest = resolved(bindings[_MAX_LENGTH].value, bindings)
  if (
    shortest
    and isinstance(longest, int)
    and isinstance(resolved(shortest.value, bindings), int)
    and resolved(shortest.value, bindings) > longest
  ):
    raise UserError(
      f'{shortest.place}: FilterByLength.min_length must be at most '
      f'FilterByLength.max_length, which is {longest}, not '
      f'{shortened(resolved(shortest.value, bindings))}.'
    )


def _check_batches(bindings: Mapping[Key, Binding]) -> None:
  """Refuses batches that no memory holds."""
  pair = [
    resolved(bindings[key].value, bindings)
    for key in (_BOUNDARIES, _BATCH_SIZES)
  ]
  if not all(isinstance(value, list | tuple) for value in pair):
    return
  for boundary, size in zip(*pair, strict=False):
    if boundary * size > _MOST_TOKENS:
      source = origin(bindings[_BATCH_SIZES], bindings)
      raise UserError(
        f'{source.place}: {_subject(source)} asks for a batch of {size} rows '
        f'of {boundary} tokens, more than {_MOST_TOKENS} in all, which do not '
        'fit into memory. Give long texts smaller batches.'
      )


def _check_embedding(bindings: Mapping[Key, Binding]) -> None:
  """Refuses an embedding that no memory holds."""
  model = resolved(bindings[_MODEL].value, bindings)
  if not isinstance(model, Reference):
    return
  given = winners(bindings, model.scope, model.selector)
  defaults = configurables.signature(model.selector).defaults

  involved = [bindings[_VOCAB_SIZE]]

  def value(parameter, absent):
    if parameter not in given:
      return defaults.get(parameter, absent)
    involved.append(bindings[given[parameter]])
    return resolved(involved[-1].value, bindings)

  rows = [
    resolved(bindings[_VOCAB_SIZE].value, bindings),
    value('n_buckets', 0),
  ]
  width = value('d_feature', value('d_model', 1))
  if not all(isinstance(each, int) for each in [*rows, width]):
    return
  if sum(rows) * width > _MOST_WEIGHTS:
    source = last_of(origin(each, bindings) for each in involved)
    raise UserError(
      f'{source.place}: the embedding of {shortened_references(model)} would '
      f'have {sum(rows)} rows of {width} numbers, more than {_MOST_WEIGHTS} in '
      'all, which do not fit into memory. Bind VOCAB_SIZE or EMBEDDING_SIZE to '
      'less.'
    )


# Each check of values together has a line here: of a sweep's trials only those
# are checked again whose parameters the sweep changes.
RELATIONS = (
  Relation((_BOUNDARIES, _BATCH_SIZES), _check_sizes),
  Relation((_BOUNDARIES, _BATCH_SIZES), _check_batches),
  Relation(
    (_VOCAB_SIZE,), _check_embedding, ('d_feature', 'd_model', 'n_buckets')
  ),
  Relation((_PATIENCE, _BEST_METRIC), _check_patience),
  Relation((_MIN_LENGTH, _MAX_LENGTH), _check_lengths),
)


def checked(
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
    return spec.normalised(value)
  except specs.WrongValueError as error:
    source = origin(binding, bindings)
    subject = shown(binding)
    if source.is_macro:
      subject = f'macro {source.name}, which gives {subject},'
    raise UserError(
      f'{source.place}: {subject} must be {error}, not '
      f'{shortened(shortened_references(value))}.'
    ) from None


def shortened_references(value: Any) -> Any:
  """Returns a value whose references have the shortest selectors."""

  def with_short_selector(leaf):
    if isinstance(leaf, Reference):
      return dataclasses.replace(leaf, selector=short(leaf.selector))
    return leaf

  return mapped(value, with_short_selector)


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
      # trax gives keys None, which is no data set's.
      is_required = defaults[parameter] is MISSING or parameter == 'keys'
      if is_required and ('', selector, parameter) not in bindings:
        raise UserError(
          f'{config_name}: {short(selector)}.{parameter} is not bound. Include '
          'gin/base.gin, which binds all that is needed, or bind it.'
        )


def _check_roles(bindings: Mapping[Key, Binding]) -> None:
  optimizer = bindings[_OPTIMIZER]
  target = resolved(optimizer.value, bindings)
  if not isinstance(target, Reference) or not configurables.is_optimizer(
    target.selector
  ):
    known = filter(configurables.is_optimizer, configurables.names())
    source = origin(optimizer, bindings)
    raise UserError(
      f'{source.place}: {_subject(source)} must be an optimizer, not '
      f'{shortened_references(target)}. There are '
      f'{", ".join(f"@{short(name)}" for name in sorted(known))}.'
    )
  model = bindings[_MODEL]
  target = resolved(model.value, bindings)
  source = origin(model, bindings)
  if not isinstance(target, Reference):
    raise UserError(
      f'{source.place}: {_subject(source)} must be {specs.FUNCTION.expected}, '
      f'not {shortened(target)}.'
    )
  signature = configurables.signature(target.selector)
  is_layer = target.selector.startswith('trax.layers.')
  missing = [
    name for name in schema.SET_FOR_MODELS if name not in signature.defaults
  ]
  # Layers of trax take any name, and are no models.
  if missing and (is_layer or not signature.is_open):
    raise UserError(
      f'{source.place}: {_subject(source)} must be a function of vocab_size, '
      f'n_classes and mode; {shortened_references(target)} does not take '
      f'{" and ".join(missing)}.'
    )
  for parameter, key in winners(
    bindings, target.scope, target.selector
  ).items():
    if parameter in schema.SET_FOR_MODELS:
      raise UserError(
        f'{bindings[key].place}: {shown(bindings[key])} cannot be bound: '
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
    for leaf in leaves(resolved(binding.value, bindings)):
      if isinstance(leaf, Reference) and not fits(leaf.selector):
        source = origin(binding, bindings)
        known = sorted(map(short, filter(fits, configurables.names())))
        raise UserError(
          f'{source.place}: {_subject(source)} must be {role}, not '
          f'{shortened_references(leaf)}. There are '
          f'{", ".join(f"@{name}" for name in known)}.'
        )


def _subject(binding: Binding) -> str:
  return f'macro {binding.name}' if binding.is_macro else shown(binding)


def _refuse_incomplete_calls(
  binding: Binding, bindings: Mapping[Key, Binding]
) -> None:
  """Refuses a reference that is sure to be called without what it needs."""
  is_called = binding.selector in schema.ROOTS
  given = schema.SET_FOR_MODELS if binding.key == _MODEL else {}
  for leaf in leaves(resolved(binding.value, bindings)):
    if not isinstance(leaf, Reference) or not (is_called or leaf.evaluate):
      continue
    bound = winners(bindings, leaf.scope or binding.scope, leaf.selector)
    for name, default in configurables.signature(
      leaf.selector
    ).defaults.items():
      if default is MISSING and name not in bound and name not in given:
        raise UserError(
          f'{origin(binding, bindings).place}: {shortened_references(leaf)} '
          f'needs {name}. Bind {short(leaf.selector)}.{name}.'
        )


def _shown_binding(binding: Binding) -> Binding:
  return dataclasses.replace(binding, selector=short(binding.selector))
