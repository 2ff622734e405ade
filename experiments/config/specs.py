"""What a value can be: of the right kind, and one that can be computed with.

A bound is where int32, float32 or any machine's memory ends. It is part of the
spec, so that what is beyond is refused before anything is read or made.
"""

import dataclasses
import itertools
import math
import struct
import typing
from collections.abc import Callable, Mapping
from typing import Any

from experiments.config.gin_values import Reference, leaves
from experiments.foundation import data_paths, paths

LARGEST_INT32 = 2**31 - 1
_LARGEST_FLOAT32 = float.fromhex('0x1.fffffep+127')
# Of those that are not rounded to 0 by what computes with them.
_LEAST_FLOAT32 = 2.0**-126
# Of trax's multifactor.
_FACTORS = (
  'constant',
  'two_constants',
  'linear_warmup',
  'rsqrt_decay',
  'rsqrt_normalized_decay',
  'decay_every',
  'cosine_decay',
)


class WrongValueError(ValueError):
  """A value that its `Spec` refuses; the message goes after 'must be'."""


@dataclasses.dataclass(frozen=True)
class Spec:
  """What a value must be.

  Attributes:
    expected: a phrase for after 'must be'.
    normalize: returns the value in its one form (1 becomes 1.0 where a float
      is meant, a list becomes a tuple); raises WrongValueError.
    is_path: whether the value names a file or a directory.
  """

  expected: str
  normalize: Callable[[Any], Any]
  is_path: bool = False


def _spec(
  expected: str,
  accepts: Callable[[Any], bool],
  form: Callable[[Any], Any] | None = None,
  *refusals: Callable[[Any], None],
) -> Spec:
  """Makes a spec.

  Args:
    expected: what a value must be.
    accepts: tells whether one is.
    form: returns it in its one form.
    *refusals: raise a WrongValueError for one that is, and does not fit.
  """

  def normalize(value):
    if not accepts(value):
      raise WrongValueError(expected)
    for refuse in refusals:
      refuse(value)
    return form(value) if form else value

  return Spec(expected, normalize)


def _is_whole(value) -> bool:
  return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value) -> bool:
  return _is_whole(value) or isinstance(value, float)


def _is_finite(value) -> bool:
  try:
    return _is_number(value) and math.isfinite(value)
  except OverflowError:
    return False


def _refuse_beyond_float32(value: float) -> None:
  """Refuses a number that is infinite, or 0, where it is computed with."""
  if abs(value) > _LARGEST_FLOAT32:
    raise WrongValueError(
      f'at most {_LARGEST_FLOAT32:.7g}, the largest float32'
    )
  if 0 < abs(value) < _LEAST_FLOAT32:
    raise WrongValueError(
      f'at least {_LEAST_FLOAT32:.8g}, for a float32 below it is 0'
    )


def _refuse_one(value: float) -> None:
  """Refuses a number that is 1 where it is computed with."""
  if struct.unpack('f', struct.pack('f', value))[0] == 1:
    raise WrongValueError('below 1 as a float32, which it rounds to')


def _is_string(value) -> bool:
  return isinstance(value, str) and bool(value.strip())


def _is_reference(value) -> bool:
  return isinstance(value, Reference)


def _are_strings(value) -> bool:
  return isinstance(value, list | tuple) and all(map(_is_string, value))


def _are_sizes(value) -> bool:
  return (
    isinstance(value, list | tuple)
    and bool(value)
    and all(_is_whole(item) and item >= 1 for item in value)
  )


def _increases(value) -> bool:
  return all(a < b for a, b in itertools.pairwise(value))


def optional(spec: Spec) -> Spec:
  """Returns a spec that accepts None too."""

  def normalize(value):
    if value is None:
      return None
    try:
      return spec.normalize(value)
    except WrongValueError as error:
      raise WrongValueError(f'{error}, or None') from None

  return Spec(f'{spec.expected}, or None', normalize, spec.is_path)


def _at_most(maximum: int, reason: str) -> Callable[[Any], None]:
  """Returns what refuses a number, or a list with one, above a bound."""

  def refuse(value):
    if max(value if isinstance(value, list | tuple) else [value]) > maximum:
      raise WrongValueError(f'at most {maximum}, {reason}')

  return refuse


def whole(
  minimum: int,
  maximum: int = LARGEST_INT32,
  reason: str = 'the largest int32',
) -> Spec:
  """Returns the spec of an int from `minimum` to `maximum`.

  Args:
    minimum: the least that has a meaning.
    maximum: the largest that can be computed with.
    reason: why it is that, to go after it in a message.
  """
  return _spec(
    f'a whole number of at least {minimum}',
    lambda value: _is_whole(value) and value >= minimum,
    None,
    _at_most(maximum, reason),
  )


def _path(form: Callable[[str], str]) -> Spec:
  """Returns the spec of a path; `form` returns it in its one form."""

  def normalize(value):
    try:
      return form(STRING.normalize(value))
    except paths.BadPathError as error:
      raise WrongValueError(str(error)) from None

  return Spec(STRING.expected, normalize, is_path=True)


SIZE = whole(1)
COUNT = whole(0)
# As the numbers of folds are kept, int16.
FOLDS = whole(2, 2**15 - 1, 'which no data set needs')
STEPS = whole(1, reason='since steps are counted in int32')
TOKENS = whole(1, reason='since token ids and lengths are int32')
# 1,048,576 floats for each token of a text are 4 MiB.
WIDTH = whole(1, 2**20, 'beyond which no layer fits into memory')
DEPTH = whole(1, 1000, 'beyond which no model can be made in useful time')
STRING = _spec('a quoted string', _is_string)
# It may be empty, or nothing but spaces.
TEXT = _spec('a quoted string', lambda value: isinstance(value, str))
# Where the working directory is another, such as in --mode=eval, it must still
# mean the same: so it is resolved once, when a config is checked.
DIRECTORY = _path(paths.absolute)
# A data file is a path, and as such resolved; a name of TFDS stays as it is.
DATASET = _path(
  lambda name: paths.absolute(name) if data_paths.is_data_path(name) else name
)
# A name that is looked for in several directories stays a name.
FILE = _path(paths.expand)
POSITIVE = _spec(
  'a finite number above 0',
  lambda v: _is_finite(v) and v > 0,
  float,
  _refuse_beyond_float32,
)
NOT_NEGATIVE = _spec(
  'a finite number of at least 0',
  lambda v: _is_finite(v) and v >= 0,
  float,
  _refuse_beyond_float32,
)
FRACTION = _spec(
  'a number from 0 to below 1',
  lambda v: _is_finite(v) and 0 <= v < 1,
  float,
  _refuse_beyond_float32,
  _refuse_one,
)
SHARE = _spec(
  'a number above 0 and at most 1',
  lambda v: _is_finite(v) and 0 < v <= 1,
  float,
  _refuse_beyond_float32,
)
BOOLEAN = _spec('True or False', lambda value: isinstance(value, bool))
SEED = _spec(
  'a whole number from 0 to 4294967295',
  lambda value: _is_whole(value) and 0 <= value < 2**32,
)
KEYS = _spec(
  'two or more quoted strings, text first and label last, such as '
  "('text', 'label')",
  lambda value: _are_strings(value) and len(value) >= 2,
  tuple,
)
SPLITS = _spec(
  'two or three quoted strings, what to train on and what to evaluate on, such '
  "as ('train', 'test')",
  lambda value: _are_strings(value) and len(value) in (2, 3),
  tuple,
)
BOUNDARIES = _spec(
  'increasing whole numbers of at least 1, such as [32, 128]',
  lambda value: _are_sizes(value) and _increases(value),
  list,
  _at_most(LARGEST_INT32, 'since lengths are int32'),
)
SIZES = _spec(
  'whole numbers of at least 1, such as [64, 32, 8]',
  _are_sizes,
  list,
  _at_most(2**20, 'beyond which no batch fits into memory'),
)
VOCAB_TYPE = _spec(
  "'subword' or 'word'", lambda value: value in ('subword', 'word')
)
COMBINER = _spec("'mean' or 'sqrtn'", lambda value: value in ('mean', 'sqrtn'))
POOLING = _spec(
  "'first', 'mean' or 'max'", lambda value: value in ('first', 'mean', 'max')
)
CALIBRATION = _spec("'temperature'", lambda value: value == 'temperature')
DIRECTION = _spec(
  "'maximize' or 'minimize'", lambda value: value in ('maximize', 'minimize')
)
WIDTHS = _spec(
  'whole numbers of at least 1, such as (3, 4, 5)',
  _are_sizes,
  tuple,
  _at_most(1000, 'beyond which no filter fits into memory'),
)
MOMENTUM_TYPE = _spec(
  '1 (an average), 2 (heavy ball) or 3 (Nesterov)',
  lambda value: _is_whole(value) and value in (1, 2, 3),
)
FACTORS = _spec(
  f"a product of {', '.join(_FACTORS)}, such as 'constant * linear_warmup'",
  lambda value: (
    _is_string(value)
    and all(factor.strip() in _FACTORS for factor in value.split('*'))
  ),
)
FUNCTION = _spec(
  'a reference without brackets, such as @mean_embedding',
  lambda value: isinstance(value, Reference) and not value.evaluate,
)
OPTIMIZER = _spec('a reference, such as @Adam', _is_reference)
SCHEDULE = _spec('a reference, such as @warmup', _is_reference)
LOSS = _spec('a reference, such as @CrossEntropyLoss', _is_reference)
REFERENCES = _spec(
  'a list of references, such as [@CrossEntropyLoss, @Accuracy]',
  lambda value: (
    isinstance(value, list | tuple)
    and bool(value)
    and all(isinstance(item, Reference) for item in value)
  ),
  list,
)


def spec_of_default(default: Any) -> Spec | None:
  """Derives what a parameter must be from its default; None: anything."""
  if isinstance(default, bool):
    return BOOLEAN
  if _is_whole(default) and default != 0:
    return _spec('a whole number', _is_whole)
  if _is_number(default):
    form = float if isinstance(default, float) else None
    return _spec('a number', _is_finite, form)
  if isinstance(default, str):
    return _spec('a quoted string', lambda value: isinstance(value, str))
  if isinstance(default, list | tuple):
    return _spec(
      'a list or a tuple',
      lambda value: isinstance(value, list | tuple),
      type(default),
    )
  if callable(default):
    return _spec(
      'a reference, such as @Relu, or None',
      lambda value: value is None or isinstance(value, Reference),
    )
  return None


def spec_of_annotation(annotation: Any) -> Spec | None:
  """Derives what a parameter must be from its annotation; None: anything."""
  members = set(typing.get_args(annotation)) or {annotation}
  is_optional = type(None) in members
  members -= {type(None)}
  spec = None
  if len(members) == 1:
    # Of each type one value stands for all.
    samples: Mapping[Any, Any] = {bool: True, int: 1, float: 1.0, str: ''}
    member = members.pop()
    if member in samples and (is_optional or member is annotation):
      spec = spec_of_default(samples[member])
  return optional(spec) if spec and is_optional else spec


def is_unevaluated(value: Any) -> bool:
  """Tells whether only a call at run time would give the value."""
  return any(
    isinstance(leaf, Reference) and leaf.evaluate for leaf in leaves(value)
  )
