"""The checks of several values together."""

import dataclasses
from collections.abc import Callable, Mapping

from experiments.config import configurables
from experiments.config.configurables import short
from experiments.config.consumption import Key, winners
from experiments.config.gin_statements import Binding
from experiments.config.gin_values import Reference, shorten
from experiments.config.macro_checks import (
  check_bucket_sizes,
  last_of,
  origin,
  resolve_value,
)
from experiments.config.naming import shorten_references, subject_of
from experiments.foundation.errors import UserError

_MODEL = ('', 'experiments.experiment', 'model')
_N_FOLDS = ('', 'experiments.experiment', 'n_folds')
_FOLD = ('', 'experiments.experiment', 'fold')
_SPLITS = ('', 'experiments.experiment', 'splits')
_CALIBRATION = ('', 'experiments.experiment', 'calibration')
_ENCODER = ('', 'experiments.experiment', 'encoder')
_EMBEDDING_FILE = ('', 'experiments.experiment', 'embedding_file')
_INIT_FROM = ('', 'experiments.experiment', 'init_from')
_VOCAB_FILE = ('', 'trax.data.Tokenize', 'vocab_file')
_PATIENCE = ('', 'experiments.experiment', 'patience')
_BEST_METRIC = ('', 'experiments.experiment', 'best_metric')
_BOUNDARIES = ('', 'trax.data.BucketByLength', 'boundaries')
_BATCH_SIZES = ('', 'trax.data.BucketByLength', 'batch_sizes')
_VOCAB_SIZE = ('', 'experiments.experiment', 'vocab_size')
_MIN_LENGTH = ('', 'trax.data.FilterByLength', 'min_length')
_MAX_LENGTH = ('', 'trax.data.FilterByLength', 'max_length')
# Ids of a batch: 1 GiB in int32, and more with each layer above them.
_MOST_TOKENS = 2**28
# Weights of an embedding: 8 GiB in float32, of which Adam keeps four copies.
_MOST_WEIGHTS = 2**31 - 1


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
    _with_short_selector(bindings[_BOUNDARIES]),
    _with_short_selector(bindings[_BATCH_SIZES]),
    bindings,
  )


def _check_patience(bindings: Mapping[Key, Binding]) -> None:
  patience, best = (bindings.get(key) for key in (_PATIENCE, _BEST_METRIC))
  if (
    patience
    and resolve_value(patience.value, bindings) is not None
    and (best is None or resolve_value(best.value, bindings) is None)
  ):
    raise UserError(
      f'{origin(patience, bindings).place}: experiment.patience needs a metric '
      "to improve. Bind it, e.g. experiment.best_metric = 'metrics/Accuracy'."
    )


def _check_folds(bindings: Mapping[Key, Binding]) -> None:
  """Refuses one of N_FOLDS and FOLD without the other, and no such fold."""
  pair = [bindings.get(key) for key in (_N_FOLDS, _FOLD)]
  n_folds, fold = (
    each and resolve_value(each.value, bindings) for each in pair
  )
  if fold is None and isinstance(n_folds, int):
    asked = pair[0]
    rest = (
      f'holds one of {n_folds} folds out. Bind FOLD, from 0 to {n_folds - 1}, '
      f'or try all: --folds={n_folds}, without N_FOLDS'
    )
  elif isinstance(fold, int) and n_folds is None:
    asked = pair[1]
    rest = (
      'is the number of a fold, and there are none. Bind N_FOLDS, too, e.g. '
      f'N_FOLDS = {max(5, fold + 1)}'
    )
  elif isinstance(fold, int) and isinstance(n_folds, int) and fold >= n_folds:
    asked = pair[1]
    rest = (
      f'must be from 0 to {n_folds - 1}, since N_FOLDS is {n_folds}, not {fold}'
    )
  else:
    return
  assert asked is not None
  source = origin(asked, bindings)
  raise UserError(f'{source.place}: {subject_of(source)} {rest}.')


def _check_calibration(bindings: Mapping[Key, Binding]) -> None:
  """Refuses to calibrate where there is no validation split."""
  calibration = bindings.get(_CALIBRATION)
  if not calibration or resolve_value(calibration.value, bindings) is None:
    return
  splits = resolve_value(bindings[_SPLITS].value, bindings)
  if isinstance(splits, list | tuple) and len(splits) < 3:
    source = origin(calibration, bindings)
    raise UserError(
      f'{source.place}: {subject_of(source)} is fitted on a validation split, '
      f'and SPLITS = {shorten(splits)} has none. Name three, e.g. '
      "SPLITS = ('train[:90%]', 'train[90%:]', 'test')."
    )


def _check_vectors(bindings: Mapping[Key, Binding]) -> None:
  """Refuses word vectors where the vocabulary or the weights are others'."""
  vectors = bindings.get(_EMBEDDING_FILE)
  if not vectors or resolve_value(vectors.value, bindings) is None:
    return
  _refuse_both(
    vectors,
    bindings,
    (_VOCAB_FILE, 'the vocabulary', 'VOCAB_FILE = None'),
    (_INIT_FROM, 'weights', 'experiment.init_from = None'),
    (_ENCODER, 'the vocabulary', 'ENCODER = None'),
  )


def _refuse_both(
  binding: Binding,
  bindings: Mapping[Key, Binding],
  *others: tuple[Key, str, str],
) -> None:
  """Refuses what gives the same as a binding; with what to bind instead."""
  source = origin(binding, bindings)
  for key, given, unbound in others:
    other = bindings.get(key)
    if other and resolve_value(other.value, bindings) is not None:
      value = shorten(resolve_value(other.value, bindings))
      raise UserError(
        f'{source.place}: {subject_of(source)} gives {given}, and so does '
        f'{subject_of(origin(other, bindings))} = {value}. Bind {unbound}, or '
        f'leave {source.parameter or source.selector}.'
      )


def _check_encoder(bindings: Mapping[Key, Binding]) -> None:
  """Refuses an encoder that no model takes, and a model without its own."""
  model = resolve_value(bindings[_MODEL].value, bindings)
  encoder = bindings.get(_ENCODER)
  is_given = encoder and resolve_value(encoder.value, bindings) is not None
  if not isinstance(model, Reference):
    return
  is_taken = configurables.takes_encoder(model.selector)
  name = shorten_references(model)
  if is_taken and not is_given:
    source = origin(bindings[_MODEL], bindings)
    raise UserError(
      f'{source.place}: {name} is made of a pretrained encoder. Bind ENCODER, '
      'the directory of one.'
    )
  if encoder and is_given and not is_taken:
    source = origin(encoder, bindings)
    raise UserError(
      f'{source.place}: {subject_of(source)} is of no use to MODEL = {name}. '
      'Bind MODEL = @pretrained_encoder, or leave it.'
    )
  if encoder and is_given:
    _refuse_both(
      encoder, bindings, (_VOCAB_FILE, 'the vocabulary', 'VOCAB_FILE = None')
    )


def _check_lengths(bindings: Mapping[Key, Binding]) -> None:
  shortest = bindings.get(_MIN_LENGTH)
  longest = resolve_value(bindings[_MAX_LENGTH].value, bindings)
  if (
    shortest
    and isinstance(longest, int)
    and isinstance(resolve_value(shortest.value, bindings), int)
    and resolve_value(shortest.value, bindings) > longest
  ):
    raise UserError(
      f'{shortest.place}: FilterByLength.min_length must be at most '
      f'FilterByLength.max_length, which is {longest}, not '
      f'{shorten(resolve_value(shortest.value, bindings))}.'
    )


def _check_batches(bindings: Mapping[Key, Binding]) -> None:
  """Refuses batches that no memory holds."""
  pair = [
    resolve_value(bindings[key].value, bindings)
    for key in (_BOUNDARIES, _BATCH_SIZES)
  ]
  if not all(isinstance(value, list | tuple) for value in pair):
    return
  for boundary, size in zip(*pair, strict=False):
    if boundary * size > _MOST_TOKENS:
      source = origin(bindings[_BATCH_SIZES], bindings)
      raise UserError(
        f'{source.place}: {subject_of(source)} asks for a batch of {size} rows '
        f'of {boundary} tokens, more than {_MOST_TOKENS} in all, which do not '
        'fit into memory. Give long texts smaller batches.'
      )


def _check_embedding(bindings: Mapping[Key, Binding]) -> None:
  """Refuses an embedding that no memory holds."""
  model = resolve_value(bindings[_MODEL].value, bindings)
  if not isinstance(model, Reference):
    return
  given = winners(bindings, model.scope, model.selector)
  defaults = configurables.signature(model.selector).defaults

  involved = [bindings[_VOCAB_SIZE]]

  def value(parameter, absent):
    if parameter not in given:
      return defaults.get(parameter, absent)
    involved.append(bindings[given[parameter]])
    return resolve_value(involved[-1].value, bindings)

  rows = [
    resolve_value(bindings[_VOCAB_SIZE].value, bindings),
    value('n_buckets', 0),
  ]
  width = value('d_feature', value('d_model', 1))
  if not all(isinstance(each, int) for each in [*rows, width]):
    return
  if sum(rows) * width > _MOST_WEIGHTS:
    source = last_of(origin(each, bindings) for each in involved)
    raise UserError(
      f'{source.place}: the embedding of {shorten_references(model)} would '
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
  Relation((_N_FOLDS, _FOLD), _check_folds),
  Relation((_PATIENCE, _BEST_METRIC), _check_patience),
  Relation((_CALIBRATION, _SPLITS), _check_calibration),
  Relation(
    (_EMBEDDING_FILE, _VOCAB_FILE, _INIT_FROM, _ENCODER), _check_vectors
  ),
  Relation((_MODEL, _ENCODER, _VOCAB_FILE), _check_encoder),
  Relation((_MIN_LENGTH, _MAX_LENGTH), _check_lengths),
)


def _with_short_selector(binding: Binding) -> Binding:
  return dataclasses.replace(binding, selector=short(binding.selector))
