"""fastText on the same texts.

Usage, in an environment with fasttext:
  python fasttext_supervised.py DIR [--published]

DIR is what benchmarks.peers.export wrote. 5 epochs, 2 threads; the other values
are fastText's own, or with --published those of the script for AG News in its
repository (bigrams, 10 dimensions, a rate of 0.25). It prints one JSON line.
"""

import argparse
import json
import pathlib
import time

START = time.perf_counter()

PUBLISHED = {'dim': 10, 'lr': 0.25, 'wordNgrams': 2, 'bucket': 10_000_000}


def main() -> None:
  """Trains, evaluates, prints what it took."""
  parser = argparse.ArgumentParser()
  parser.add_argument('directory', type=pathlib.Path)
  parser.add_argument('--published', action='store_true')
  args = parser.parse_args()

  import fasttext

  imported = time.perf_counter()
  model = fasttext.train_supervised(
    input=str(args.directory / 'train.txt'),
    epoch=5,
    thread=2,
    verbose=0,
    **(PUBLISHED if args.published else {}),
  )
  trained = time.perf_counter()
  _, accuracy, _ = model.test(str(args.directory / 'test.txt'))
  print(
    json.dumps(
      {
        'import_seconds': imported - START,
        'train_seconds': trained - imported,
        'test_accuracy': accuracy,
      }
    )
  )


if __name__ == '__main__':
  main()
