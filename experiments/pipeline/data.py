"""The data of an experiment: opened, downloaded, tokenized or kept."""

import logging
import pathlib
from typing import NamedTuple

import numpy as np

from experiments.backend import tensorflow_start
from experiments.batching import batches
from experiments.batching.buckets import extend_buckets
from experiments.config.experiment import DataConfig, Experiment, TextConfig
from experiments.datasets import known_datasets
from experiments.datasets import source as datasets
from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.text import tokenization
from experiments.text.vocabulary_files import read_vocabulary
from experiments.training.context import Keep, keep_nothing


class Data(NamedTuple):
  """What an experiment learns from.

  Attributes:
    source: the data set.
    vocabulary: its vocabulary.
    train: token ids and labels of what is trained on.
    test: those of what the exact evaluation is of.
    validation: those of what the sampled evaluations are of: a part of its own
      or `test`.
  """

  source: datasets.Source
  vocabulary: tokenization.Vocabulary
  train: tokenization.Tokens
  test: tokenization.Tokens
  validation: tokenization.Tokens

  @property
  def n_classes(self) -> int:
    """The number of classes."""
    return len(self.source.label_names)


def open_data(
  experiment: Experiment,
  *,
  cache_dir: pathlib.Path,
  run_vocabulary: File | None = None,
  keep: Keep = keep_nothing,
) -> Data:
  """Opens data set and vocabulary, and tokenizes what is not in the cache.

  Args:
    experiment: what to open.
    cache_dir: where what is known of data sets, built vocabularies and token
      ids are kept.
    run_vocabulary: the vocabulary of a run directory; None: the experiment's.
    keep: gives what an earlier run has opened.

  Raises:
    UserError: the data set or the vocabulary cannot be had or used, or the
      cache cannot be written.
  """
  text = experiment.text
  source = keep(
    ('source', experiment.data, cache_dir),
    lambda: open_source(experiment.data, cache_dir=cache_dir),
  )
  if run_vocabulary:
    vocabulary = read_vocabulary(run_vocabulary, lower_case=text.lower_case)
  else:
    vocab_size = experiment.model.vocab_size
    vocabulary = keep(
      ('vocabulary', source.fingerprint, text, vocab_size, cache_dir),
      lambda: open_vocabulary(
        text, source=source, vocab_size=vocab_size, cache_dir=cache_dir
      ),
    )
  return keep(
    (
      *('data', source.fingerprint, vocabulary.identity, vocabulary.path),
      *(text.max_tokens, cache_dir),
    ),
    lambda: _tokenized(source, vocabulary, text.max_tokens, cache_dir),
  )


def source_arguments(config: DataConfig) -> dict:
  """Returns the arguments of `datasets.source.open_source`."""
  return {
    'name': config.name,
    'keys': config.keys,
    'data_dir': config.data_dir,
    'splits': config.splits,
  }


def open_source(
  config: DataConfig, *, cache_dir: pathlib.Path
) -> datasets.Source:
  """Opens a data set; makes or downloads a missing one.

  Args:
    config: which.
    cache_dir: where it is kept what is known of data sets.

  Raises:
    UserError: it cannot be had, or lacks a key or a split.
  """
  arguments = source_arguments(config)
  source = known_datasets.recall(arguments, cache_dir)
  if source is None:
    tensorflow_start.import_tensorflow()
    source = datasets.open_source(**arguments)
    # Before texts are read for a vocabulary, and then for their token ids.
    source.check_labels()
    known_datasets.remember(arguments, source, cache_dir)
  return source


def open_vocabulary(
  config: TextConfig,
  *,
  source: datasets.Source,
  vocab_size: int,
  cache_dir: pathlib.Path,
) -> tokenization.Vocabulary:
  """Opens a vocabulary, or builds it.

  Args:
    config: which.
    source: the data set, from whose train split one is built.
    vocab_size: the rows of the embedding.
    cache_dir: where a built one is kept.

  Raises:
    UserError: it cannot be had, is of another kind than VOCAB_TYPE, or has more
      pieces than the embedding has rows.
  """
  if config.vocab_file is None:
    return tokenization.build_vocabulary(
      source=source,
      vocab_size=vocab_size,
      vocab_type=config.vocab_type,
      lower_case=config.lower_case,
      cache_dir=cache_dir,
    )
  vocabulary = tokenization.load_vocabulary(
    vocab_file=config.vocab_file,
    vocab_dir=config.vocab_dir,
    lower_case=config.lower_case,
  )
  if config.vocab_type == 'word' and vocabulary.kind != 'word':
    raise UserError(
      f'VOCAB_TYPE is {config.vocab_type!r}, but {vocabulary.path} is a '
      f'{vocabulary.kind} vocabulary. Bind VOCAB_FILE = None to build one of '
      "words, or leave VOCAB_TYPE = 'subword'."
    )
  if vocabulary.size > vocab_size:
    raise UserError(
      f'{vocabulary.path} has {vocabulary.size} pieces, the embedding has '
      f'{vocab_size} rows. Bind VOCAB_SIZE = {vocabulary.size} or more.'
    )
  return vocabulary


def plan_batches(
  experiment: Experiment,
  lengths: np.ndarray,
  *,
  seed: int,
  is_trained: bool,
) -> batches.BatchPlan:
  """Plans the batches of an experiment.

  Args:
    experiment: whose buckets they fall into.
    lengths: int [n], of the examples in tokens.
    seed: seeds their order.
    is_trained: whether it is for training. An evaluation always pads a text by
      its own length alone; training can do as trax does by default.

  Raises:
    UserError: no example is within the length limits.
  """
  arguments = experiment.buckets.as_arguments()
  strict = experiment.buckets.strict_pad_on_len or not is_trained
  if strict:
    arguments['boundaries'], arguments['batch_sizes'] = extend_buckets(
      arguments['boundaries'],
      arguments['batch_sizes'],
      arguments['max_length'],
    )
  return batches.BatchPlan(
    lengths=lengths, seed=seed, strict_pad_on_len=strict, **arguments
  )


def cut(
  tokens: tokenization.Tokens, max_tokens: int | None
) -> tokenization.Tokens:
  """Returns tokens of which each text keeps at most the first ones.

  Args:
    tokens: of whole texts.
    max_tokens: how many; None: all.
  """
  return tokens if max_tokens is None else tokens.cut(max_tokens)


def _tokenized(
  source: datasets.Source,
  vocabulary: tokenization.Vocabulary,
  max_tokens: int | None,
  cache_dir: pathlib.Path,
) -> Data:
  tokens = {
    split: cut(
      tokenization.tokenize_split(
        source=source, split=split, vocabulary=vocabulary, cache_dir=cache_dir
      ),
      max_tokens,
    )
    for split in source.splits
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
  tokens.setdefault('validation', tokens['test'])
  return Data(source, vocabulary, **tokens)
