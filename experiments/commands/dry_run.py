"""Shows what a run would do, and does none of it."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np

from experiments.backend import tensorflow_start
from experiments.config import gin_config
from experiments.datasets import known_datasets
from experiments.datasets import source as datasets
from experiments.foundation import cache
from experiments.pipeline import experiment, runs
from experiments.reporting import text_plot
from experiments.rundir import checkpoints, run_dir
from experiments.text import tokenization as texts


def show(checked: gin_config.Config, output_dir: pathlib.Path) -> None:
  """Prints the config, the data, the buckets and the size of the model.

  Trains nothing and leaves nothing on disk: what a run would compute and keep
  is computed in a temporary directory.

  Args:
    checked: the experiment.
    output_dir: where a run would write.

  Raises:
    UserError: as a run would.
  """
  state = _state(checked, output_dir)
  gin_config.apply(checked)
  print(checked.text)
  with _temporary_directory() as aside:
    source = _find_source()
    if source is None:
      name = experiment.source_parameters()['name']
      print(
        f'{name} is not prepared: a run makes or downloads it. Its size, '
        'labels and buckets are known then.'
      )
    else:
      _show_source(source)
      _show_buckets(source, aside)
      _show_model(len(source.label_names))
      _show_schedule()
  print(f'Output directory: {output_dir} ({state})')


def _state(checked: gin_config.Config, output_dir: pathlib.Path) -> str:
  """Tells what a run would do in the directory, unless it would refuse it."""
  directory = run_dir.RunDir(output_dir)
  if runs.is_finished(directory, checked):
    return 'finished before, so there is nothing to do'
  run_dir.check_writable(output_dir)
  steps = checkpoints.Checkpoints(directory.checkpoints).steps()
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


def _find_source() -> datasets.Source | None:
  parameters = experiment.source_parameters()
  source = known_datasets.recall(parameters, cache.cache_dir())
  if source is None:
    tensorflow_start.import_tensorflow()
    source = datasets.find_source(**parameters)
  return source


def _show_source(source: datasets.Source) -> None:
  print(f'Data set: {source.full_name}')
  for split in source.splits:
    print(f'  {split}: {source.n_examples[split]:,} ({source.splits[split]})')
  print(f'  labels: {", ".join(source.label_names)}\n')


def _show_buckets(source: datasets.Source, aside: pathlib.Path) -> None:
  vocabulary = _vocabulary(source, aside)
  print(f'Vocabulary: {vocabulary.size:,} pieces, {vocabulary.path.name}\n')
  for split in source.splits:
    arguments = {'source': source, 'split': split, 'vocabulary': vocabulary}
    tokens = texts.find_tokens(**arguments, cache_dir=cache.cache_dir())
    if tokens is None:
      tokens = texts.tokenize_split(**arguments, cache_dir=aside)
    plan = experiment.batch_plan(
      tokens.lengths, seed=0, is_trained=split == 'train'
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


def _vocabulary(source: datasets.Source, aside: pathlib.Path):
  if gin_config.parameters('Tokenize')['vocab_file'] is None:
    found = texts.find_vocabulary(
      source=source,
      cache_dir=cache.cache_dir(),
      **experiment.vocabulary_parameters(),
    )
    if found is not None:
      return found
  return experiment.open_vocabulary(source, aside)


def _show_model(n_classes: int) -> None:
  import jax

  from experiments.backend import trax_repairs

  trax_repairs.import_trax()
  model = experiment.make_model(n_classes=n_classes, mode='train')
  weights, _ = experiment.signatures(model)
  n_weights = sum(
    int(np.prod(leaf.shape)) for leaf in jax.tree_util.tree_leaves(weights)
  )
  print(f'Model: {n_weights:,} weights')


def _show_schedule() -> None:
  """Draws the learning rate of all steps, unless it is the same."""
  schedule = gin_config.parameters('TrainTask').get('lr_schedule')
  if schedule is None:
    return
  n_steps = gin_config.parameters('experiment')['n_steps']
  rate = experiment.instance(schedule)
  # No more than a plot has columns: some schedules take long to ask.
  steps = np.unique(np.linspace(1, n_steps, 60).round().astype(int))
  rates = [float(rate(int(step))) for step in steps]
  if min(rates) == max(rates):
    print(f'Learning rate: {rates[0]:.4g}')
    return
  print(f'Learning rate, steps 1 to {n_steps:,}:')
  print(text_plot.bars(rates, last=n_steps))
