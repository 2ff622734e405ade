"""The post's experiment as one plain trax script: what speed is measured by.

Usage:
  python benchmarks/plain_trax.py --data_dir=TFDS_DIR --vocab_dir=DIR
      [--dataset=bbc_news] [--keys=text,label] [--vocab_file=bbc.subword]
      [--steps=2000] [--seed=0] [--output_dir=DIR] [--exact] [--in_memory]
      [--learning_rate=0.01] [--embedding_size=50]

What the post writes, in trax's own words: nothing of this project but the
builder of the embedded data set. It prints one JSON line; its seconds count
from the first line of the script.
"""

import argparse
import itertools
import json
import random
import resource
import sys
import time

START = time.perf_counter()

BOUNDARIES = [32, 128, 512, 2048]
BATCH_SIZES = [512, 128, 32, 8, 1]
MAX_LENGTH = 2048
N_IN_MEMORY = 500


def main():
  """Trains, and prints what it took."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--dataset', default='bbc_news')
  parser.add_argument('--keys', default='text,label')
  parser.add_argument('--data_dir', required=True)
  parser.add_argument('--vocab_dir', required=True)
  parser.add_argument('--vocab_file', default='bbc.subword')
  parser.add_argument('--steps', type=int, default=2000)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--learning_rate', type=float, default=0.01)
  parser.add_argument('--embedding_size', type=int, default=50)
  parser.add_argument('--output_dir')
  parser.add_argument(
    '--exact', action='store_true', help='evaluate on the whole test split'
  )
  parser.add_argument(
    '--in_memory', action='store_true', help='form the batches beforehand'
  )
  args = parser.parse_args()

  import numpy as np
  import tensorflow as tf
  import tensorflow_datasets as tfds
  import trax
  from trax import data
  from trax import layers as tl
  from trax.supervised import training

  if args.dataset == 'bbc_news':
    from experiments.datasets import bbc_news  # noqa: F401 (registers it)
  imported = time.perf_counter()

  # Before the first batch is drawn, which Loop's own seeding is not.
  random.seed(args.seed)
  np.random.seed(args.seed)
  tf.random.set_seed(args.seed)
  keys = tuple(args.keys.split(','))

  def batches(train):
    examples = data.TFDS(
      args.dataset, keys=keys, data_dir=args.data_dir, train=train
    )()
    return data.Serial(
      data.Tokenize(
        vocab_file=args.vocab_file, vocab_dir=args.vocab_dir, keys=[0]
      ),
      data.Shuffle(),
      data.FilterByLength(max_length=MAX_LENGTH, length_keys=[0]),
      data.BucketByLength(
        boundaries=BOUNDARIES, batch_sizes=BATCH_SIZES, length_keys=[0]
      ),
      data.AddLossWeights(),
    )(examples)

  train_batches = batches(train=True)
  if args.in_memory:
    train_batches = itertools.cycle(
      list(itertools.islice(train_batches, N_IN_MEMORY))
    )
  features = tfds.builder(args.dataset, data_dir=args.data_dir).info.features
  n_classes = features[keys[1]].num_classes
  model = tl.Serial(
    tl.Embedding(vocab_size=8192, d_feature=args.embedding_size),
    tl.Mean(axis=1),
    tl.Dense(n_classes),
    tl.LogSoftmax(),
  )
  step_ends = []

  class Clock:
    """Notes when the first step has ended."""

    def __init__(self, loop):
      del loop

    def call_at(self, step):
      return step == 1

    def on_step_begin(self, step):
      del step

    def on_step_end(self, step):
      del step
      step_ends.append(time.perf_counter())

  loop = training.Loop(
    model,
    training.TrainTask(
      labeled_data=train_batches,
      loss_layer=tl.CrossEntropyLoss(),
      optimizer=trax.optimizers.Adam(args.learning_rate),
      n_steps_per_checkpoint=500,
    ),
    eval_tasks=[
      training.EvalTask(
        labeled_data=batches(train=False),
        metrics=[tl.CrossEntropyLoss(), tl.Accuracy()],
        n_eval_batches=20,
      )
    ],
    output_dir=args.output_dir,
    random_seed=args.seed,
    callbacks=[Clock],
  )
  ready = time.perf_counter()
  loop.run(1)
  first = time.perf_counter()
  loop.run(args.steps - 1)
  done = time.perf_counter()

  figures = {
    'import_seconds': imported - START,
    'setup_seconds': ready - imported,
    'first_step_seconds': first - ready,
    'first_step_done_after_seconds': step_ends[0] - START,
    'remaining_seconds': done - first,
    'steps_per_second': (args.steps - 1) / (done - first),
    'steps_per_second_between_evals': [
      float(value)
      for _, value in loop.history.get('train', 'training/steps per second')
    ],
    'total_seconds': done - START,
    'peak_rss_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
  }
  if args.exact:
    figures['test_accuracy'] = exact_accuracy(args, keys, loop)
  print(json.dumps(figures))


def exact_accuracy(args, keys, loop):
  """Returns the share of the test split that the trained model gets right."""
  import numpy as np
  import tensorflow_datasets as tfds
  from trax import data

  examples = tfds.as_numpy(
    tfds.load(args.dataset, split='test', data_dir=args.data_dir)
  )
  texts_and_labels = [(e[keys[0]], int(e[keys[1]])) for e in examples]
  tokens = data.tokenize(
    (text for text, _ in texts_and_labels),
    vocab_file=args.vocab_file,
    vocab_dir=args.vocab_dir,
  )
  by_length: dict = {}
  for ids, (_, label) in zip(tokens, texts_and_labels, strict=True):
    if len(ids) <= MAX_LENGTH:
      # As in training, the mean runs over the padding of the bucket, too.
      length = next(b for b in BOUNDARIES if len(ids) <= b)
      by_length.setdefault(length, []).append((ids, label))
  n_right = 0
  for length, rows in by_length.items():
    inputs = np.zeros((len(rows), length), np.int32)
    for row, (ids, _) in zip(inputs, rows, strict=True):
      row[: len(ids)] = ids
    labels = np.array([label for _, label in rows])
    for start in range(0, len(rows), 64):
      part = slice(start, start + 64)
      predicted = np.argmax(loop.eval_model(inputs[part]), axis=-1)
      n_right += int((predicted == labels[part]).sum())
  return n_right / sum(map(len, by_length.values()))


if __name__ == '__main__':
  sys.exit(main())
