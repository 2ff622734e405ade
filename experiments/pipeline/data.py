"""The data of an experiment: opened, downloaded, tokenized or kept."""

import dataclasses
import logging
import pathlib
from typing import Any, NamedTuple

import numpy as np

from experiments.config.experiment import (
  DataConfig,
  Experiment,
  FoldConfig,
)
from experiments.datasets import (
  file_import,
  fold_rows,
  known_datasets,
  text_digests,
)
from experiments.datasets import source as datasets
from experiments.datasets.file_survey import ImportOptions
from experiments.foundation import data_paths
from experiments.models.encoder_config import EncoderConfig
from experiments.pipeline import (
  missing_classes,
  pretrained_encoder,
  vocabularies,
)
from experiments.text import tokenization
from experiments.text.word_vectors import WordVectors
from experiments.training.context import Keep, keep_nothing


class HeldOut(NamedTuple):
  """A fold that is held out.

  Attributes:
    name: such as 'train[fold_0_of_5]'.
    rows: int64 [n], their numbers in the train split.
  """

  name: str
  rows: np.ndarray


class Data(NamedTuple):
  """What an experiment learns from.

  Attributes:
    source: the data set.
    vocabulary: its vocabulary.
    train: token ids and labels of what is trained on.
    test: those of what the exact evaluation is of.
    validation: those of what the sampled evaluations are of: a part of its own
      or `test`.
    test_digests: S16 [n], of the texts of `test`; see `text_digests`.
    validation_digests: S16 [n], of those of `validation`.
    held_out: what `test` is where a fold of the train split takes its place.
    vectors: the word vectors that the vocabulary is of, if it is.
    encoder: the pretrained encoder that it is of, if it is.
  """

  source: datasets.Source
  vocabulary: tokenization.Vocabulary
  train: tokenization.Tokens
  test: tokenization.Tokens
  validation: tokenization.Tokens
  test_digests: np.ndarray
  validation_digests: np.ndarray
  held_out: HeldOut | None = None
  vectors: WordVectors | None = None
  encoder: EncoderConfig | None = None

  @property
  def splits(self) -> dict[str, str]:
    """The splits to train on, sample and evaluate, by the user's names."""
    if self.held_out is None:
      return dict(self.source.splits)
    return {**self.source.splits, 'test': self.held_out.name}

  @property
  def n_examples(self) -> dict[str, int]:
    """The number of rows of each of `splits`."""
    if self.held_out is None:
      return dict(self.source.n_examples)
    sizes = {'train': len(self.train), 'test': len(self.test)}
    return {**self.source.n_examples, **sizes}

  @property
  def n_classes(self) -> int:
    """The number of classes."""
    return len(self.source.label_names)


def open_data(
  experiment: Experiment,
  *,
  cache_dir: pathlib.Path,
  vocabulary: tokenization.Vocabulary | None = None,
  keep: Keep = keep_nothing,
) -> Data:
  """Opens data set and vocabulary, and tokenizes what is not in the cache.

  Args:
    experiment: what to open.
    cache_dir: where what is known of data sets, built vocabularies and token
      ids are kept.
    vocabulary: that of a run directory; None: the experiment's.
    keep: gives what an earlier run has opened.

  Raises:
    UserError: the data set or the vocabulary cannot be loaded or used, or the
      cache cannot be written.
  """
  text = experiment.text
  source = keep(
    ('source', experiment.data, cache_dir),
    lambda: open_source(experiment.data, cache_dir=cache_dir),
  )
  vectors = encoder = None
  if vocabulary is None:
    encoder = keep(
      ('encoder', experiment.model.encoder),
      lambda: pretrained_encoder.read_config(experiment),
    )
    vocab_size = experiment.model.vocab_size
    vectors = keep(
      ('vectors', text.embedding_file, cache_dir),
      lambda: vocabularies.open_vectors(text, cache_dir=cache_dir),
    )
    vocabulary = keep(
      (
        *('vocabulary', source.fingerprint, text, vocab_size, cache_dir),
        experiment.model.encoder,
      ),
      lambda: vocabularies.open_vocabulary(
        text,
        source=source,
        encoder=experiment.model.encoder,
        vectors=vectors,
        vocab_size=vocab_size,
        cache_dir=cache_dir,
      ),
    )
  data = keep(
    (
      *('data', source.fingerprint, vocabulary.identity, vocabulary.path),
      *(text.max_tokens, experiment.folds, cache_dir),
    ),
    lambda: _tokenize(source, vocabulary, experiment, cache_dir),
  )
  return data._replace(vectors=vectors, encoder=encoder)


def source_arguments(config: DataConfig) -> dict:
  """Returns the arguments of `datasets.source.open_source`."""
  return {
    'name': config.name,
    'keys': config.keys,
    'data_dir': config.data_dir,
    'splits': config.splits,
    'text_separator': config.text_separator,
  }


def open_source(
  config: DataConfig, *, cache_dir: pathlib.Path
) -> datasets.Source:
  """Opens a data set; makes or downloads a missing one.

  Args:
    config: which.
    cache_dir: where it is kept what is known of data sets.

  Raises:
    UserError: it cannot be loaded, or lacks a key or a split.
  """
  known = _identify(config)
  source = known_datasets.recall(known, cache_dir)
  if source is None:
    if data_paths.is_data_path(config.name):
      source = _import_files(config, cache_dir)
    else:
      source = datasets.open_source(**source_arguments(config))
      # Before texts are read for a vocabulary, and then for their token ids.
      source.check_labels()
    known_datasets.remember(known, source, cache_dir)
  return source


def find_source(
  config: DataConfig, *, cache_dir: pathlib.Path, aside: pathlib.Path
) -> datasets.Source | None:
  """Opens a data set, or returns None for one of TFDS that is not prepared.

  Args:
    config: which.
    cache_dir: where it is kept what is known of data sets; nothing is written.
    aside: where a user's own files are imported, if that was not done.

  Raises:
    UserError: as `open_source`.
  """
  source = known_datasets.recall(_identify(config), cache_dir)
  if source is not None:
    return source
  if data_paths.is_data_path(config.name):
    return _import_files(config, aside)
  return datasets.find_source(**source_arguments(config))


def _identify(config: DataConfig) -> dict[str, Any]:
  """Returns what tells a data set from all others, without opening it."""
  arguments = source_arguments(config)
  if data_paths.is_data_path(config.name):
    options = dataclasses.asdict(import_options(config))
    stamps = file_import.file_stamps(pathlib.Path(config.name))
    arguments['files'] = [options, stamps]
  return arguments


def import_options(config: DataConfig) -> ImportOptions:
  """Returns what of a user's own files is read, and how.

  Args:
    config: which data set.
  """
  return ImportOptions(
    keys=config.keys,
    split_by=config.split_by,
    skip_bad_rows=config.skip_bad_rows,
  )


def _import_files(
  config: DataConfig, cache_dir: pathlib.Path
) -> datasets.Source:
  path = pathlib.Path(config.name)
  return datasets.open_directory(
    file_import.import_files(path, import_options(config), cache_dir),
    name=path.name,
    keys=config.keys,
    splits=config.splits,
    text_separator=config.text_separator,
  )


def cut(
  tokens: tokenization.Tokens, max_tokens: int | None
) -> tokenization.Tokens:
  """Returns tokens, each text cut to its first ones.

  Args:
    tokens: of whole texts.
    max_tokens: how many; None: all.
  """
  return tokens if max_tokens is None else tokens.cut(max_tokens)


def _tokenize(
  source: datasets.Source,
  vocabulary: tokenization.Vocabulary,
  experiment: Experiment,
  cache_dir: pathlib.Path,
) -> Data:
  folds, max_tokens = experiment.folds, experiment.text.max_tokens
  tokens = {
    split: cut(
      tokenization.tokenize_split(
        source=source, split=split, vocabulary=vocabulary, cache_dir=cache_dir
      ),
      max_tokens,
    )
    for split in source.splits
    # Nobody looks at test before all folds have been.
    if not (folds and split == 'test')
  }
  for split, each in tokens.items():
    if each.n_cut:
      logging.info(
        '%d of %d %s examples are cut to their first %d tokens',
        each.n_cut,
        len(each),
        source.splits[split],
        each.max_length,
      )
  digests = {
    split: text_digests.open_digests(source, split, cache_dir)
    for split in tokens
    if folds or split != 'train'
  }
  held_out = None
  if folds:
    is_held_out = find_fold(experiment.data, source, folds, cache_dir)
    rows = np.flatnonzero(is_held_out)
    held_out = HeldOut(folds.name_of(source.splits['train']), rows)
    tokens['test'] = tokens['train'].take(rows)
    tokens['train'] = tokens['train'].take(np.flatnonzero(~is_held_out))
    digests['test'] = digests['train'][rows]
  for split in ('validation', 'test'):
    if split in tokens:
      missing_classes.warn(
        tokens['train'].labels,
        tokens[split].labels,
        label_names=source.label_names,
        splits=(source.splits['train'], source.splits.get(split, split)),
      )
  tokens.setdefault('validation', tokens['test'])
  digests.setdefault('validation', digests['test'])
  return Data(
    source,
    vocabulary,
    train=tokens['train'],
    test=tokens['test'],
    validation=tokens['validation'],
    test_digests=digests['test'],
    validation_digests=digests['validation'],
    held_out=held_out,
  )


def find_fold(
  config: DataConfig,
  source: datasets.Source,
  folds: FoldConfig,
  cache_dir: pathlib.Path,
) -> np.ndarray:
  """Returns which rows of the train split are held out.

  Args:
    config: which data set.
    source: the same, opened.
    folds: into how many folds the split is cut, and which is held out.
    cache_dir: where the folds are kept.

  Returns:
    bool [n].

  Raises:
    UserError: there are too many folds for a class, or a file is damaged.
  """
  own = data_paths.is_data_path(config.name)
  numbers = fold_rows.open_folds(
    source,
    folds.n_folds,
    cache_dir=cache_dir,
    files=pathlib.Path(config.name) if own else None,
    options=import_options(config) if own else None,
  )
  return numbers == folds.fold
