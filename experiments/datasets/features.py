"""Which features of a TFDS data set are texts, and which is a class."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import kind_of, read_regular
from experiments.foundation.suggestions import nearest, suggest

# By which features.json names a class, in TFDS's formats old and new.
_CLASS_KEYS = ('type', 'pythonClassName', 'python_class_name')


def check_keys(
  keys: tuple[str, ...], *, features: Any, dataset: str
) -> tuple[str, ...]:
  """Returns the class names of the label, which is the last of `keys`.

  Args:
    keys: what `KEYS` binds: TFDS keys, text first, label last.
    features: a TFDS data set's `info.features`.
    dataset: the data set's name, for messages.

  Raises:
    UserError: a key does not exist, or is not the text or the class that it
      should be.
  """
  import tensorflow_datasets as tfds

  if (
    not isinstance(keys, tuple | list)
    or len(keys) < 2
    or not all(isinstance(key, str) for key in keys)
  ):
    raise UserError(
      f'KEYS is {keys!r}; expected TFDS keys, text first, label last, e.g. '
      "('text', 'label')."
    )
  if not isinstance(features, tfds.features.FeaturesDict):
    raise UserError(f'DATASET: {dataset!r} has no keys.')
  texts = [key for key in sorted(features) if _is_text(features[key])]
  classes = [key for key in sorted(features) if _is_class(features[key])]
  has = (
    f'Its texts are {_quote(texts)}, its classes {_quote(classes)}'
    f'{_rest(features, texts, classes)}.'
  )
  for key in keys:
    if key not in features:
      hint = suggest(map(repr, nearest(key, features)))
      raise UserError(f'KEYS: {dataset!r} has no key {key!r}.{hint}\n{has}')
  for key in keys[:-1]:
    if key not in texts:
      raise UserError(
        f'KEYS: {key!r} of {dataset!r} is {_kind(features[key])}, not one '
        f'text (the label comes last).\n{has}'
      )
  label = keys[-1]
  if label not in classes:
    kind, task = _kind(features[label]), _other_task(features[label])
    reason = f': {task} is not supported' if task else ''
    raise UserError(
      f'KEYS: the label {label!r} of {dataset!r} is {kind}{reason}; expected '
      f'one class of a fixed set (a TFDS ClassLabel).\n{has}'
    )
  names = tuple(features[label].names)
  if len(names) < 2:
    raise UserError(
      f'KEYS: the label {label!r} of {dataset!r} has {len(names)} class; '
      'expected at least 2.'
    )
  return names


def check_classes(directory: pathlib.Path) -> None:
  """Refuses a prepared data set that names other classes than TFDS's features.

  TFDS imports the module of whatever class `features.json` names, and so runs
  its code. Nothing of TFDS may read the directory before.

  Args:
    directory: of the data set, or one that holds it or its configs.

  Raises:
    UserError: a class is named that `tfds.features` does not have.
  """
  import tensorflow_datasets as tfds

  known = {
    f'{each.__module__}.{each.__qualname__}'
    for each in vars(tfds.features).values()
    if isinstance(each, type)
    and issubclass(each, tfds.features.FeatureConnector)
  }
  # A data set, its versions, or the versions of its configs.
  for pattern in ('', '*/', '*/*/'):
    for path in directory.glob(f'{pattern}*'):
      if path.exists() and not (path.is_file() or path.is_dir()):
        # TFDS would wait for ever for what is in a FIFO.
        raise UserError(
          f'{str(path)!r} is {kind_of(path.stat().st_mode)}, and a data set is '
          'of regular files.\nPrepare it again, or delete its directory.'
        )
    for path in directory.glob(f'{pattern}features.json'):
      try:
        content = read_regular(path).decode('utf-8-sig')
        unknown = sorted(set(_find_classes(content)) - known)
      # TFDS says what is wrong with it.
      except (OSError, ValueError, RecursionError):
        continue
      if unknown:
        raise UserError(
          f'{str(path)!r} names {unknown[0]!r}, which is no feature of TFDS; '
          'to read it would run code.\nPrepare the data set with features of '
          'tfds.features alone, or delete its directory.'
        )


def _find_classes(text: str) -> Iterator[str]:
  """Yields the classes that JSON names, also in JSON within its strings."""
  pairs: list[tuple[str, Any]] = []
  json.loads(text, object_pairs_hook=pairs.extend)
  for key, value in pairs:
    if isinstance(value, str):
      if key in _CLASS_KEYS:
        yield value
      else:
        # A text is none, and TFDS then takes it for no JSON either.
        with contextlib.suppress(ValueError):
          yield from _find_classes(value)


def _is_text(feature: Any) -> bool:
  return feature.shape == () and feature.np_dtype in (np.object_, np.str_, str)


def _is_class(feature: Any) -> bool:
  import tensorflow_datasets as tfds

  return (
    isinstance(feature, tfds.features.ClassLabel)
    and feature.num_classes is not None
  )


def _kind(feature: Any) -> str:
  """Says what a feature is, in the words of somebody who classifies texts."""
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.ClassLabel):
    return 'a class' if feature.num_classes else 'a class without a known set'
  if isinstance(feature, tfds.features.Sequence):
    if _is_class(feature.feature):
      return 'several classes for each text'
    return 'a sequence'
  if isinstance(feature, tfds.features.FeaturesDict):
    return 'a group of features'
  if _is_text(feature):
    return 'a text'
  if feature.shape != ():
    return f'an array of shape {feature.shape}'
  if np.issubdtype(feature.np_dtype, np.floating):
    return f'a {np.dtype(feature.np_dtype).name}'
  return f'an {np.dtype(feature.np_dtype).name} without class names'


def _other_task(feature: Any) -> str | None:
  """Names the task that a label is for, if it is not one of ours."""
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.FeaturesDict) or _is_text(feature):
    return None
  if isinstance(feature, tfds.features.Sequence) or feature.shape != ():
    return 'multi-label classification'
  if np.issubdtype(feature.np_dtype, np.floating):
    return 'regression'
  return None


def _quote(names: Iterable[str]) -> str:
  return ', '.join(map(repr, names)) or 'none'


def _rest(features: Any, texts: list[str], classes: list[str]) -> str:
  rest = [key for key in sorted(features) if key not in texts + classes]
  return f'; other keys: {_quote(rest)}' if rest else ''
