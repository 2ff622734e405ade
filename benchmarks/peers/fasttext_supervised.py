"""fastText on the same texts.

Usage, in an environment with fasttext:
  python fasttext_supervised.py DIR [--published] [--predictions=FILE]

DIR is what benchmarks.peers.export wrote. 5 epochs, 2 threads; the other values
are fastText's own, or with --published those of the script for AG News in its
repository (bigrams, 10 dimensions, a rate of 0.25). It prints one JSON line.
FILE gets the probabilities of the classes for each line of the test split, as
JSON: a list of lists, in the order of the labels' numbers.
"""

import argparse
import json
import pathlib
import time

START = time.perf_counter()

PUBLISHED = {'dim': 10, 'lr': 0.25, 'wordNgrams': 2, 'bucket': 10_000_000}


def predict(model, directory: pathlib.Path) -> list[list[float]]:
  """Returns the probabilities of the classes, by line of the test split."""
  with open(directory / 'test.txt', encoding='utf-8-sig') as file:
    lines = [line.rstrip('\n').partition(' ')[2] for line in file]
  found = []
  for names, values in zip(*model.predict(lines, k=-1), strict=True):
    by_name = dict(zip(names, map(float, values), strict=True))
    found.append([by_name[f'__label__{i}'] for i in range(len(by_name))])
  return found


def main() -> None:
  """Trains, evaluates, prints what it took."""
  parser = argparse.ArgumentParser()
  parser.add_argument('directory', type=pathlib.Path)
  parser.add_argument('--published', action='store_true')
  parser.add_argument('--predictions', type=pathlib.Path)
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
  if args.predictions:
    args.predictions.write_text(
      json.dumps(predict(model, args.directory)), encoding='utf-8'
    )
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
