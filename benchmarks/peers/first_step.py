"""Finds the first checkpoint of a run that is good enough.

Usage:
  python -m benchmarks.peers.first_step RUN_DIR TEST_NPZ ACCURACY…

The run is one of `mean_embedding`, or with --masked of `masked_mean_embedding`,
with a checkpoint at every step that may be the one. It prints one JSON line:
the step for each accuracy, or null.
"""

import argparse
import json
import pathlib

import numpy as np

from experiments.batching import buckets
from experiments.rundir import checkpoints

BOUNDARIES = [32, 128, 512, 2048]


def accuracy_of(
  leaves: list[np.ndarray], test: dict[str, np.ndarray], *, masked: bool
) -> float:
  """Computes the test accuracy with NumPy alone.

  Args:
    leaves: the embedding, then weights and bias of the dense layer, and
      anything else.
    test: 'ids', 'offsets' and 'labels' as in the token cache.
    masked: whether the mean leaves padding out.
  """
  embedding, weights, bias = leaves[:3]
  lengths = np.diff(test['offsets'])
  bucket = buckets.bucket_of(lengths, BOUNDARIES)
  padded = np.array(BOUNDARIES)[bucket][:, None]
  if masked:
    padded = lengths[:, None]
  sums = np.add.reduceat(embedding[test['ids']], test['offsets'][:-1], axis=0)
  means = (sums + (padded - lengths[:, None]) * embedding[0]) / padded
  predicted = np.argmax(means @ weights + bias, axis=1)
  return float(np.mean(predicted == test['labels']))


def main() -> None:
  """Parses flags, looks, prints."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('run_dir', type=pathlib.Path)
  parser.add_argument('test', type=pathlib.Path)
  parser.add_argument('accuracy', type=float, nargs='+')
  parser.add_argument('--masked', action='store_true')
  args = parser.parse_args()

  with np.load(args.test) as arrays:
    test = dict(arrays)
  saved = checkpoints.Checkpoints(args.run_dir / 'checkpoints')
  accuracies = {
    step: accuracy_of(saved.load(step).leaves, test, masked=args.masked)
    for step in saved.steps()
  }
  found = [
    next((s for s, value in accuracies.items() if value >= wanted), None)
    for wanted in args.accuracy
  ]
  print(json.dumps({'found': found, 'best': max(accuracies.values())}))


if __name__ == '__main__':
  main()
