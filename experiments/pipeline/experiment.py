"""From a checked config to the parts of an experiment."""

import logging
import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.backend import tensorflow_start
from experiments.batching import batches
from experiments.batching.buckets import extend_buckets
from experiments.config import gin_config
from experiments.datasets import known_datasets
from experiments.datasets import source as datasets
from experiments.foundation.directory import Directory, File
from experiments.foundation.errors import UserError
from experiments.rundir import checkpoints
from experiments.text import tokenization, vocabulary_files
from experiments.training import histograms, programs

if TYPE_CHECKING:
  from experiments.training import loop


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


def source_parameters() -> dict[str, Any]:
  """Returns the applied config's arguments of `open_source`."""
  tfds = gin_config.parameters('TFDS')
  return {
    'name': tfds['dataset_name'],
    'keys': tuple(tfds['keys']),
    'data_dir': tfds.get('data_dir'),
    'splits': tuple(gin_config.parameters('experiment')['splits']),
  }


@programs.keeping
def open_source(cache_dir: pathlib.Path) -> datasets.Source:
  """Opens the applied config's data set; makes or downloads a missing one.

  Args:
    cache_dir: where it is kept what is known of data sets.

  Raises:
    UserError: it cannot be had, or lacks a key or a split.
  """
  parameters = source_parameters()
  source = known_datasets.recall(parameters, cache_dir)
  if source is None:
    tensorflow_start.import_tensorflow()
    source = datasets.open_source(**parameters)
    known_datasets.remember(parameters, source, cache_dir)
  return source


def vocabulary_parameters() -> dict[str, Any]:
  """Returns the applied config's arguments for building a vocabulary.

  Returns:
    'vocab_size', 'vocab_type' and 'lower_case'.
  """
  parameters = gin_config.parameters('experiment')
  return {
    'vocab_size': parameters['vocab_size'],
    'vocab_type': gin_config.parameters('Tokenize')['vocab_type'],
    'lower_case': parameters['lower_case'],
  }


@programs.keeping
def open_vocabulary(
  source: datasets.Source, cache_dir: pathlib.Path
) -> tokenization.Vocabulary:
  """Opens the applied config's vocabulary, or builds it.

  Args:
    source: the data set, from whose train split one is built.
    cache_dir: where a built one is kept.

  Raises:
    UserError: it cannot be had, is of another kind than VOCAB_TYPE, or has more
      pieces than the embedding has rows.
  """
  tokenize = gin_config.parameters('Tokenize')
  built = vocabulary_parameters()
  vocab_size, vocab_type = built['vocab_size'], built['vocab_type']
  if tokenize['vocab_file'] is None:
    return tokenization.build_vocabulary(
      source=source, cache_dir=cache_dir, **built
    )
  vocabulary = tokenization.load_vocabulary(
    vocab_file=tokenize['vocab_file'],
    vocab_dir=tokenize.get('vocab_dir'),
    lower_case=built['lower_case'],
  )
  if vocab_type == 'word' and vocabulary.kind != 'word':
    raise UserError(
      f'VOCAB_TYPE is {vocab_type!r}, but {vocabulary.path} is a '
      f'{vocabulary.kind} vocabulary. Bind VOCAB_FILE = None to build one of '
      "words, or leave VOCAB_TYPE = 'subword'."
    )
  if vocabulary.size > vocab_size:
    raise UserError(
      f'{vocabulary.path} has {vocabulary.size} pieces, the embedding has '
      f'{vocab_size} rows. Bind VOCAB_SIZE = {vocabulary.size} or more.'
    )
  return vocabulary


@programs.keeping
def open_data(
  source: datasets.Source,
  vocabulary: tokenization.Vocabulary,
  cache_dir: pathlib.Path,
) -> Data:
  """Tokenizes a data set, or opens what is in the cache.

  Args:
    source: the data set.
    vocabulary: its vocabulary.
    cache_dir: where token ids are kept.

  Raises:
    UserError: the data set is damaged, or the cache cannot be written.
  """
  tokens = {
    split: cut(
      tokenization.tokenize_split(
        source=source, split=split, vocabulary=vocabulary, cache_dir=cache_dir
      )
    )
    for split in source.splits
  }
  for split, each in tokens.items():
    if each.n_cut:
      logging.info(
        '%d of %d %s examples are cut to their first %d tokens',
        each.n_cut,
        len(each),
        split,
        each.max_length,
      )
  tokens.setdefault('validation', tokens['test'])
  return Data(source, vocabulary, **tokens)


def cut(tokens: tokenization.Tokens) -> tokenization.Tokens:
  """Returns tokens as the applied config has them: whole, or cut to a length.

  Args:
    tokens: of whole texts.
  """
  if not gin_config.parameters('experiment')['truncate']:
    return tokens
  return tokens.cut(gin_config.parameters('FilterByLength')['max_length'])


def run_vocabulary(file: File) -> tokenization.Vocabulary:
  """Reads the vocabulary of a run, whose config is applied.

  Args:
    file: it, in the run directory.

  Raises:
    UserError: it cannot be read.
  """
  return vocabulary_files.read_vocabulary(
    file, lower_case=vocabulary_parameters()['lower_case']
  )


def buckets() -> dict[str, Any]:
  """Returns the applied config's buckets and length limits.

  Returns:
    'boundaries', 'batch_sizes', 'min_length' and 'max_length'.
  """
  bucket = gin_config.parameters('BucketByLength')
  lengths = gin_config.parameters('FilterByLength')
  return {
    'boundaries': list(bucket['boundaries']),
    'batch_sizes': list(bucket['batch_sizes']),
    'min_length': lengths.get('min_length'),
    'max_length': lengths.get('max_length'),
  }


def batch_plan(
  lengths: np.ndarray, *, seed: int, is_trained: bool
) -> batches.BatchPlan:
  """Plans the applied config's batches.

  Args:
    lengths: int [n], of the examples in tokens.
    seed: seeds their order.
    is_trained: whether it is for training. An evaluation always pads a text by
      its own length alone; training can do as trax does by default.

  Raises:
    UserError: no example is within the length limits.
  """
  bucket = buckets()
  bound = gin_config.parameters('BucketByLength')['strict_pad_on_len']
  strict = bool(bound) or not is_trained
  if strict:
    bucket['boundaries'], bucket['batch_sizes'] = extend_buckets(
      bucket['boundaries'], bucket['batch_sizes'], bucket['max_length']
    )
  return batches.BatchPlan(
    lengths=lengths, seed=seed, strict_pad_on_len=strict, **bucket
  )


def open_checkpoints(directory: Directory) -> checkpoints.Checkpoints:
  """Opens the checkpoints of a run, to keep them as the applied config says.

  Args:
    directory: where they are.
  """
  parameters = gin_config.parameters('experiment')
  return checkpoints.Checkpoints(
    directory,
    keep=parameters['keep_checkpoints'],
    best_metric=parameters['best_metric'],
    best_direction=parameters['best_direction'],
  )


def make_model(*, n_classes: int, mode: str):
  """Makes the applied config's model.

  Args:
    n_classes: number of classes of the data set.
    mode: 'train' or 'eval'.

  Returns:
    A trax layer without weights.

  Raises:
    UserError: its parameters do not go together.
  """
  experiment = gin_config.parameters('experiment')
  try:
    return experiment['model'](
      vocab_size=experiment['vocab_size'], n_classes=n_classes, mode=mode
    )
  except UserError as error:
    # gin adds where in its own calls that was.
    message = str(error).partition('\n  In call to configurable')[0]
    raise UserError(message) from None


def sample_batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns an empty batch of the first bucket's shape, for initializing."""
  bucket = buckets()
  size, length = bucket['batch_sizes'][0], bucket['boundaries'][0]
  return (
    np.zeros((size, length), np.int32),
    np.zeros(size, np.int32),
    np.ones(size, np.float32),
  )


def signatures(model) -> tuple[Any, Any]:
  """Returns the shapes and dtypes of a model's weights and of its state.

  Args:
    model: a trax layer over token ids, without weights.
  """
  import jax

  inputs = sample_batch()[0]
  return model.weights_and_state_signature(
    jax.ShapeDtypeStruct(inputs.shape, inputs.dtype)
  )


def instance(configurable_or_instance):
  """Returns an object for what a config may name or make: @Adam, @Adam()."""
  value = configurable_or_instance
  is_function = isinstance(value, type) or (
    callable(value) and hasattr(value, '__wrapped__')
  )
  return value() if is_function else value


def make_loop(
  data: Data, *, counted: histograms.Histograms, **options
) -> 'loop.Loop':
  """Makes the loop of the applied config.

  Args:
    data: the tokenized data set.
    counted: gets the histograms, if the config wants them.
    **options: `checkpoints`, `records`, `start`, `stop_signal` and `on_records`
      of Loop.

  Raises:
    UserError: no example of a split is within the length limits, or the
      checkpoint does not fit the model.
  """
  from experiments.training import loop

  parameters = gin_config.parameters('experiment')
  seed, n_classes = parameters['seed'], len(data.source.label_names)
  train_stream, eval_stream = (
    batches.BatchStream(
      tokens, batch_plan(tokens.lengths, seed=seed, is_trained=is_trained)
    )
    for tokens, is_trained in ((data.train, True), (data.validation, False))
  )
  evaluated = 'validation' if 'validation' in data.source.splits else 'test'
  for split, stream in (('train', train_stream), (evaluated, eval_stream)):
    if stream.plan.n_dropped:
      logging.info(
        '%d of %d %s examples are outside of the length limits and left out',
        stream.plan.n_dropped,
        stream.plan.n_dropped + stream.plan.n_kept,
        split,
      )
  sample = sample_batch()
  task = gin_config.parameters('TrainTask')
  task['optimizer'] = instance(task['optimizer'])
  if parameters['clip_grad_norm'] is not None:
    # Of every optimizer of trax; not each takes it as an argument.
    task['optimizer']._clip_grad_norm = parameters['clip_grad_norm']
  task['loss_layer'] = instance(task['loss_layer'])
  if task.get('lr_schedule') is not None:
    task['lr_schedule'] = instance(task['lr_schedule'])
  evaluation = gin_config.parameters('EvalTask')
  evaluation['metrics'] = [instance(metric) for metric in evaluation['metrics']]
  return loop.Loop(
    make_model(n_classes=n_classes, mode='train'),
    loop.TrainTask(train_stream, sample_batch=sample, **task),
    eval_model=make_model(n_classes=n_classes, mode='eval'),
    eval_task=loop.EvalTask(eval_stream, sample_batch=sample, **evaluation),
    n_steps=parameters['n_steps'],
    random_seed=seed,
    ema_decay=parameters['ema_decay'],
    patience=parameters['patience'],
    counted=counted if parameters['histograms'] else None,
    **options,
  )
