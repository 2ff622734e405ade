"""Data that a finished model is asked about: another split, or other data."""

import collections
import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.config import gin_statements, macro_checks, overrides
from experiments.config.experiment import DataConfig, Experiment
from experiments.config.gin_statements import Binding
from experiments.config.gin_syntax import Place
from experiments.config.gin_values import Macro, leaves, shorten
from experiments.datasets import file_import, text_digests
from experiments.datasets.file_rows import Row
from experiments.datasets.file_survey import Bad, ImportOptions, Survey
from experiments.datasets.file_texts import FileTexts, Text
from experiments.foundation import data_paths, plain_text
from experiments.foundation.errors import UserError
from experiments.pipeline import data as experiment_data
from experiments.rundir import predictions_file
from experiments.text import tokenization

# What of a finished run can be bound, by its place in `DataConfig`.
_FIELDS: Mapping[str, str] = {
  'DATASET': 'name',
  'KEYS': 'keys',
  'TEXT_SEPARATOR': 'text_separator',
  'SKIP_BAD_ROWS': 'skip_bad_rows',
  'DATA_DIR': 'data_dir',
}
_TEXTS_AT_ONCE = 1024
_NOWHERE = Row(line=0, file=pathlib.Path(), values=None)
_UNKNOWN = 'a label that the model does not know'


@dataclasses.dataclass(frozen=True, kw_only=True)
class AskedData:
  """What a model is asked about.

  Attributes:
    config: where the texts are; its only split is what is asked about, or the
      one to take if there is no other.
    split: as --split; None: none was given.
    is_other: whether it is another data set than that of the run.
    is_reported: whether it is just what the run reports on.
  """

  config: DataConfig
  split: str | None
  is_other: bool
  is_reported: bool

  @property
  def is_file(self) -> bool:
    """Whether the rows of a file are read as they stand."""
    return self.is_other and data_paths.is_data_path(self.config.name)

  @property
  def name(self) -> str:
    """What it is called, for the name of a directory."""
    parts = []
    if self.is_other:
      name = self.config.name
      parts.append(pathlib.Path(name).name if self.is_file else name)
    if self.split is not None or not self.is_file:
      parts.append(self.config.splits[0])
    return ','.join(parts)


def read_asked(
  experiment: Experiment,
  *,
  split: str | None,
  gin_bindings: Sequence[str],
) -> AskedData:
  """Finds out what a model is asked about.

  Args:
    experiment: of the run.
    split: as --split: in TFDS's syntax; of a directory of the user's own, the
      name of a split.
    gin_bindings: as --gin_bindings.

  Raises:
    UserError: a binding cannot be read, is of something else, or is wrong.
  """
  statements = gin_statements.read([], gin_bindings)
  for statement in statements.imports:
    raise _refusal(statement.place)
  changes = {}
  for binding in statements.bindings:
    is_literal = not any(isinstance(x, Macro) for x in leaves(binding.value))
    if binding.name not in _FIELDS or not is_literal:
      raise _refusal(binding.place)
    changes[_FIELDS[binding.name]] = macro_checks.check_macro(
      binding, binding.value
    )
  own = experiment.data
  config = dataclasses.replace(own, split_by=None, **changes)
  for binding in statements.bindings:
    _refuse_without_effect(binding, config)
  splits = (split or own.splits[-1],)
  reported = split == experiment.evaluated_split
  if not experiment.folds:
    reported = splits[0] == own.splits[-1]
  is_other = config.name != own.name
  if not is_other:
    config = dataclasses.replace(config, split_by=own.split_by)
  return AskedData(
    config=dataclasses.replace(config, splits=splits),
    split=split,
    is_other=is_other,
    is_reported=config == own and (reported or split is None),
  )


def _refuse_without_effect(binding: Binding, config: DataConfig) -> None:
  """Refuses a binding that another value leaves without effect, as a run does.

  Args:
    binding: of one of `_FIELDS`.
    config: with all of them.
  """
  deciding = {
    'keys': f'KEYS = {shorten(config.keys)}',
    'dataset_name': f'DATASET = {shorten(config.name, 200)}',
  }
  values = {'keys': config.keys, 'dataset_name': config.name}
  for each in overrides.OVERRIDES:
    is_of_it = each.parameter == _FIELDS[binding.name]
    parameter = each.by[1]
    if is_of_it and parameter in deciding and each.when(values[parameter]):
      raise UserError(
        f'{binding.place}: {binding.name} has no effect: {deciding[parameter]} '
        f'{each.reason}.'
      )


def _refusal(place: Place) -> UserError:
  return UserError(
    f'{place}: of a finished run only {", ".join(_FIELDS)} can be given '
    'another value, to ask about other data.'
  )


class Rows(NamedTuple):
  """Rows that a model is asked about, in order.

  Attributes:
    dataset: what they are of.
    split: and which of its splits.
    batches: of rows; `Text.bad` tells why one will not do.
  """

  dataset: str
  split: str
  batches: Iterator[list[Text]]


def open_rows(
  asked: AskedData, *, cache_dir: pathlib.Path, needs_label: bool
) -> Rows:
  """Opens what a model is asked about.

  Args:
    asked: what that is.
    cache_dir: where it is kept what is known of data sets.
    needs_label: whether rows without a label will not do.

  Raises:
    UserError: it cannot be loaded, or lacks a key or the split.
  """
  config = asked.config
  if asked.is_file:
    path = pathlib.Path(config.name)
    texts = FileTexts(
      path,
      ImportOptions(keys=config.keys),
      split=asked.split,
      separator=config.text_separator,
      needs_label=needs_label,
    )
    return Rows(path.name, texts.split, _batch(texts.read()))
  try:
    source = experiment_data.open_source(config, cache_dir=cache_dir)
  except UserError as error:
    raise UserError(str(error).replace('SPLITS: ', '--split: ')) from error
  names = source.label_names
  return Rows(
    source.full_name,
    source.splits['test'],
    (
      [
        Text(_NOWHERE, text, names[label], None)
        for text, label in zip(texts, labels.tolist(), strict=True)
      ]
      for texts, labels in source.read('test', _TEXTS_AT_ONCE)
    ),
  )


def _batch(texts: Iterator[Text]) -> Iterator[list[Text]]:
  while batch := list(itertools.islice(texts, _TEXTS_AT_ONCE)):
    yield batch


def tokenize(
  rows: Rows,
  *,
  asked: AskedData,
  vocabulary: tokenization.Vocabulary,
  labels: Sequence[str],
  max_tokens: int | None,
) -> tuple[tokenization.Tokens, np.ndarray]:
  """Reads all rows, and returns their token ids and classes, and digests.

  Args:
    rows: to be read.
    asked: what they are of.
    vocabulary: of the model.
    labels: the classes that it knows, by name.
    max_tokens: how many tokens of a longer text count; None: all.

  Returns:
    The tokens, and S16 [rows], the digests of the texts.

  Raises:
    UserError: there is no row, or some will not do.
  """
  ids_of = {name: i for i, name in enumerate(labels)}
  survey = Survey({}, collections.Counter(), [], bytearray())
  parts, lengths = [], []
  classes: list[int] = []
  digests: list[str] = []
  for batch in rows.batches:
    good = []
    for each in batch:
      bad = each.bad
      if bad is None and each.label not in ids_of:
        shown = plain_text.one_line(each.label)
        bad = Bad(_UNKNOWN, f'the label {shown!r} is none of its classes')
      if bad is None:
        good.append(each)
      elif asked.is_file:
        survey.refuse(each.row, bad)
      else:
        raise UserError(
          f'{rows.dataset}, {rows.split!r} has rows of the class '
          f'{each.label!r}, and the model knows {", ".join(labels)[:200]}.'
        )
    ids, sizes = vocabulary.encode_batch([each.text for each in good])
    parts.append(ids)
    lengths.append(sizes)
    classes.extend(ids_of[each.label] for each in good)
    digests.extend(text_digests.digest(each.text) for each in good)
  path = pathlib.Path(asked.config.name)
  if survey.bad and not asked.config.skip_bad_rows:
    raise UserError(file_import.refusal(path, survey))
  if survey.bad:
    logging.warning('%s', file_import.tell_left_out(path, survey))
  if not classes:
    raise UserError(f'{rows.dataset}, {rows.split!r}: no row to evaluate.')
  tokens = tokenization.Tokens.from_sizes(
    np.concatenate(parts), np.concatenate(lengths), classes
  )
  return (
    experiment_data.cut(tokens, max_tokens),
    np.asarray(digests, predictions_file.DIGEST),
  )
