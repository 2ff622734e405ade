"""The vocabulary of an experiment: a file's, an encoder's, or its own."""

import pathlib

from experiments.config.experiment import Experiment, TextConfig
from experiments.datasets import source as datasets
from experiments.foundation.errors import UserError
from experiments.models import encoder_directory
from experiments.rundir import run_dir
from experiments.text import tokenization, word_vectors
from experiments.text.vocabulary_files import read_vocabulary
from experiments.text.word_vectors import WordVectors


def run_vocabulary(
  experiment: Experiment, directory: run_dir.RunDir
) -> tokenization.Vocabulary:
  """Reads the vocabulary of a run directory.

  Args:
    experiment: of the run.
    directory: of the run.

  Raises:
    UserError: it cannot be read.
  """
  return read_vocabulary(
    directory.vocabulary, lower_case=experiment.text.lower_case
  )


def open_vectors(
  config: TextConfig, *, cache_dir: pathlib.Path
) -> WordVectors | None:
  """Opens the word vectors of an experiment, if it has any.

  Args:
    config: which.
    cache_dir: where what was read of them is kept.

  Raises:
    UserError: they cannot be read.
  """
  if config.embedding_file is None:
    return None
  return word_vectors.open_vectors(
    pathlib.Path(config.embedding_file), cache_dir
  )


def open_vocabulary(
  config: TextConfig,
  *,
  source: datasets.Source,
  encoder: str | None,
  vectors: WordVectors | None,
  vocab_size: int,
  cache_dir: pathlib.Path,
) -> tokenization.Vocabulary:
  """Opens a vocabulary, or builds it.

  Args:
    config: which.
    source: the data set, from whose train split one is built.
    encoder: the directory of one, whose vocabulary it is; None: there is none.
    vectors: of its words or pieces; None: there are none.
    vocab_size: the rows of the embedding.
    cache_dir: where a built one is kept.

  Raises:
    UserError: it cannot be loaded, is of another kind than VOCAB_TYPE, or has
      more pieces than the embedding has rows.
  """
  if encoder:
    # Its embedding is its own, however many rows others would have.
    return read_vocabulary(
      encoder_directory.tokenizer_of(pathlib.Path(encoder)),
      lower_case=config.lower_case,
    )
  if vectors and vectors.tokenizer:
    vocabulary = read_vocabulary(
      vectors.tokenizer, lower_case=config.lower_case
    )
  elif config.vocab_file is None:
    return tokenization.build_vocabulary(
      source=source,
      vocab_size=vocab_size,
      vocab_type=config.vocab_type,
      lower_case=config.lower_case,
      vectors=vectors,
      cache_dir=cache_dir,
    )
  else:
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
