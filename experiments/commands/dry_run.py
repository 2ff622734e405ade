"""Shows what a run would do, and does none of it."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
from absl import flags

from experiments.commands.experiment_flags import read_experiment
from experiments.config.experiment import Experiment
from experiments.datasets import source as datasets
from experiments.foundation import cache, plain_text
from experiments.pipeline import (
  batch_plans,
  data,
  more_steps,
  pretrained_encoder,
  runs,
  vocabularies,
)
from experiments.pipeline.models import Models
from experiments.reporting import text_plot
from experiments.rundir import run_dir
from experiments.text import tokenization as texts

_MOST_LABELS = 20


def run(values: flags.FlagValues) -> None:
  """Prints the config, the data, the buckets and the size of the model.

  Trains nothing and leaves nothing on disk: what a run would compute and keep
  is computed in a temporary directory.

  Args:
    values: the flags.

  Raises:
    UserError: as a run would.
  """
  experiment, output_dir = read_experiment(values)
  state = _state(experiment, output_dir)
  print(experiment.config.text)
  with _temporary_directory() as aside:
    source = data.find_source(
      experiment.data, cache_dir=cache.cache_dir(), aside=aside
    )
    if source is None:
      print(
        f'{experiment.data.name} is not prepared: a run makes or downloads it. '
        'Its size, labels and buckets are known then.'
      )
    else:
      fold = _find_fold(experiment, source, aside)
      _show_source(source, fold)
      _show_buckets(experiment, source, aside, fold)
      _show_model(experiment, len(source.label_names))
      _show_schedule(experiment)
  print(f'Output directory: {output_dir} ({state})')


def _state(experiment: Experiment, output_dir: pathlib.Path) -> str:
  """Tells what a run would do in the directory, unless it would refuse it."""
  directory = run_dir.RunDir(output_dir)
  if runs.is_finished(directory, experiment.config):
    return 'finished before, so there is nothing to do'
  run_dir.check_writable(output_dir)
  steps = more_steps.usable_steps(directory, experiment)
  return f'goes on from step {steps[-1]}' if steps else 'new'


@contextlib.contextmanager
def _temporary_directory() -> Iterator[pathlib.Path]:
  """Yields a directory that takes all temporary files, and removes it.

  TFDS leaves one behind for each data set that is not prepared.
  """
  before = tempfile.tempdir
  with tempfile.TemporaryDirectory() as directory:
    tempfile.tempdir = directory
    try:
      yield pathlib.Path(directory)
    finally:
      tempfile.tempdir = before


def _find_fold(
  experiment: Experiment, source: datasets.Source, aside: pathlib.Path
) -> data.HeldOut | None:
  """Returns what is held out in place of the test split, if that is so."""
  if experiment.folds is None:
    return None
  held_out = data.find_fold(
    experiment.data, source, experiment.folds, cache_dir=aside
  )
  return data.HeldOut(experiment.evaluated_split, np.flatnonzero(held_out))


def _show_source(source: datasets.Source, fold: data.HeldOut | None) -> None:
  print(f'Data set: {source.full_name}')
  for split in source.splits:
    name, n = source.splits[split], source.n_examples[split]
    if fold and split == 'train':
      n -= len(fold.rows)
    elif fold and split == 'test':
      name, n = fold.name, len(fold.rows)
    print(f'  {split}: {n:,} ({name})')
  labels = [plain_text.one_line(name) for name in source.label_names]
  if len(labels) > _MOST_LABELS:
    labels[_MOST_LABELS:] = [f'… {len(labels):,} in all']
  print(f'  labels: {", ".join(labels)}\n')


def _show_buckets(
  experiment: Experiment,
  source: datasets.Source,
  aside: pathlib.Path,
  fold: data.HeldOut | None,
) -> None:
  vocabulary = _vocabulary(experiment, source, aside)
  print(f'Vocabulary: {vocabulary.size:,} pieces, {vocabulary.path.name}')
  if vocabulary.coverage:
    print(f'Word vectors: {vocabulary.coverage}')
  print()
  for split in source.splits:
    stored = 'train' if fold and split == 'test' else split
    tokens = texts.find_tokens(
      source=source,
      split=stored,
      vocabulary=vocabulary,
      cache_dir=cache.cache_dir(),
    )
    if tokens is None:
      tokens = texts.tokenize_split(
        source=source, split=stored, vocabulary=vocabulary, cache_dir=aside
      )
    if fold and split == 'test':
      tokens = tokens.take(fold.rows)
    elif fold and split == 'train':
      rest = np.setdiff1d(np.arange(len(tokens)), fold.rows)
      tokens = tokens.take(rest)
    plan = batch_plans.plan_batches(
      experiment, tokens.lengths, seed=0, is_trained=split == 'train'
    )
    print(
      f'Buckets of {split}: {plan.batches_per_epoch:.1f} batches an epoch, '
      f'{plan.n_dropped} examples left out for their length'
    )
    print('  length  batch size  examples  padding')
    length = ''
    for bucket in plan.summary():
      length = f'>{length}' if bucket.boundary is None else str(bucket.boundary)
      print(
        f'  {length:>6}  {bucket.batch_size:>10}  {bucket.n_examples:>8,}  '
        f'{bucket.padding:>6.1%}'
      )
    print()


def _vocabulary(
  experiment: Experiment, source: datasets.Source, aside: pathlib.Path
) -> texts.Vocabulary:
  text, vocab_size = experiment.text, experiment.model.vocab_size
  vectors = vocabularies.open_vectors(text, cache_dir=aside)
  is_built = not experiment.model.encoder and not (
    vectors and vectors.tokenizer
  )
  if text.vocab_file is None and is_built:
    found = texts.find_vocabulary(
      source=source,
      vocab_size=vocab_size,
      vocab_type=text.vocab_type,
      lower_case=text.lower_case,
      vectors=vectors,
      cache_dir=cache.cache_dir(),
    )
    if found is not None:
      return found
  return vocabularies.open_vocabulary(
    text,
    source=source,
    encoder=experiment.model.encoder,
    vectors=vectors,
    vocab_size=vocab_size,
    cache_dir=aside,
  )


def _show_model(experiment: Experiment, n_classes: int) -> None:
  import jax

  models = Models(
    experiment,
    n_classes=n_classes,
    encoder=pretrained_encoder.read_config(experiment),
  )
  weights, _ = models.signatures('train')
  n_weights = sum(
    int(np.prod(leaf.shape)) for leaf in jax.tree_util.tree_leaves(weights)
  )
  print(f'Model: {n_weights:,} weights')


def _show_schedule(experiment: Experiment) -> None:
  """Draws the learning rate of all steps, unless it is the same."""
  rate = experiment.make_schedule()
  if rate is None:
    return
  n_steps = experiment.optimization.n_steps
  # No more than a plot has columns: some schedules take long to ask.
  steps = np.unique(np.linspace(1, n_steps, 60).round().astype(int))
  rates = [float(rate(int(step))) for step in steps]
  if min(rates) == max(rates):
    print(f'Learning rate: {rates[0]:.4g}')
    return
  print(f'Learning rate, steps 1 to {n_steps:,}:')
  print(text_plot.bars(rates, ends=('1', str(n_steps))))
