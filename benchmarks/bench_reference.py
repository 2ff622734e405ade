"""Exact test accuracy of what is not trax, on the rows that the launcher reads.

Usage:
  python -m benchmarks.bench_reference [--repeats=5]
      [--gin_file=gin/agnews_best.gin] [--predictions=DIR]

A linear SVM on TF-IDF of words and pairs of them, by scikit-learn; and fastText
with its defaults and with the settings of its own script for AG News. Both read
the texts that the gin file names, title and description for AG News. fastText's
two threads race, so it is run several times. DIR, such as that of the
launcher's own runs, gets what each said of every row, for --mode=compare.
"""

import csv
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import bench_peers, measuring, workload


def train_svm(train: Any, test: Any) -> tuple[np.ndarray, float]:
  """Trains the SVM.

  Args:
    train: the texts, and their labels int32 [n].
    test: likewise.

  Returns:
    What it says of test, int [n], and the seconds that training took.
  """
  from sklearn.feature_extraction.text import TfidfVectorizer
  from sklearn.pipeline import make_pipeline
  from sklearn.svm import LinearSVC

  start = time.perf_counter()
  model = make_pipeline(
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC()
  ).fit(*train)
  seconds = time.perf_counter() - start
  return model.predict(test[0]), seconds


def write_predictions(
  path: pathlib.Path,
  *,
  names: Sequence[str],
  expected: np.ndarray,
  predicted: np.ndarray,
  probabilities: Sequence[Sequence[float]] | None = None,
) -> None:
  """Writes what a system says of a split, as --mode=compare reads it.

  Args:
    path: a CSV file; its directory is made if need be.
    names: of the classes.
    expected: int [n], of each row its class.
    predicted: int [n].
    probabilities: of each row, those of all classes; None if it has none.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  with open(path, 'w', newline='', encoding='utf-8') as file:
    writer = csv.writer(file)
    writer.writerow(
      ['row', 'expected', 'predicted', *(names if probabilities else ())]
    )
    for i, (own, other) in enumerate(zip(expected, predicted, strict=True)):
      more = probabilities[i] if probabilities else ()
      writer.writerow([i, names[own], names[other], *more])


def read_rows(
  gin_flags: list[str], cache: Any
) -> tuple[dict[str, Any], list[str]]:
  """Returns texts and labels of 'train' and 'test', and the classes' names."""
  from experiments.config import experiment, gin_config
  from experiments.pipeline.data import open_source

  gin_files = [flag.removeprefix('--gin_file=') for flag in gin_flags[:1]]
  values = [flag.removeprefix('--gin_bindings=') for flag in gin_flags[1:]]
  resolved = experiment.resolve(
    gin_config.check(gin_config.parse(gin_files, values))
  )
  source = open_source(resolved.data, cache_dir=cache)
  found = {}
  for split in ('train', 'test'):
    batches = list(source.read(split))
    texts = [text for some, _ in batches for text in some]
    found[split] = (texts, np.concatenate([labels for _, labels in batches]))
  return found, list(source.label_names)


def measure_others(
  gin_flags: list[str],
  *,
  cache: pathlib.Path,
  data: pathlib.Path,
  repeats: int,
  predictions: pathlib.Path | None = None,
) -> tuple[dict[str, int], dict[str, dict[str, list[float]]]]:
  """Trains the SVM and fastText on the rows that a gin file names.

  Args:
    gin_flags: --gin_file first, then --gin_bindings.
    cache: directory of the launcher's caches.
    data: where the rows are written for fastText.
    repeats: how often fastText is run.
    predictions: where what each said of every row is written, if anywhere.

  Returns:
    The number of rows by split; and by name the accuracies on test and the
    seconds of training of each run.
  """
  measuring.run(
    [
      sys.executable,
      *('-m', 'benchmarks.peers.export'),
      data,
      *gin_flags,
    ],
    env={'TRAX_EXPERIMENTS_CACHE': str(cache)},
  )
  both, names = read_rows(gin_flags, cache)
  expected = both['test'][1]
  predicted, seconds = train_svm(both['train'], both['test'])
  accuracy = float(np.mean(predicted == expected))
  if predictions:
    write_predictions(
      predictions / 'svm.csv',
      names=names,
      expected=expected,
      predicted=predicted,
    )
  found: dict[str, dict[str, list[float]]] = {
    'linear SVM, TF-IDF of bigrams': {
      'accuracies': [accuracy],
      'train_seconds': [seconds],
    }
  }
  said = data / 'predictions.json'
  for name, directory, more in (
    ('fastText, defaults', 'fasttext', ()),
    ('fastText, bigrams', 'fasttext_bigrams', ('--published',)),
  ):
    runs = []
    for repeat in range(repeats):
      runs.append(
        measuring.run(
          [
            bench_peers.python_with('fasttext'),
            'benchmarks/peers/fasttext_supervised.py',
            *(data, f'--predictions={said}', *more),
          ]
        ).last_json()
      )
      if predictions:
        probabilities = json.loads(said.read_text(encoding='utf-8-sig'))
        write_predictions(
          predictions / directory / f'SEED={repeat}.csv',
          names=names,
          expected=expected,
          predicted=np.argmax(probabilities, axis=1),
          probabilities=probabilities,
        )
    found[name] = {
      'accuracies': [run['test_accuracy'] for run in runs],
      'train_seconds': [run['train_seconds'] for run in runs],
    }
  return {split: len(labels) for split, (_, labels) in both.items()}, found


def summarize(
  found: dict[str, dict[str, list[float]]],
) -> list[tuple[str, str, str, float]]:
  """Returns a line of a table for each: name, mean, standard error, seconds."""
  return [
    (
      name,
      f'{statistics.mean(values["accuracies"]):.4f}',
      f'{measuring.standard_error(values["accuracies"]):.4f}'
      if len(values['accuracies']) > 1
      else '',
      measuring.median(values['train_seconds']),
    )
    for name, values in found.items()
  ]


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--gin_file', default='gin/agnews_best.gin')
  parser.add_argument('--predictions', type=pathlib.Path)
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('What is not trax, on the same rows')
  work = workload.open_workload(args)
  flags = [
    f'--gin_file={args.gin_file}',
    *(flag for flag in work.gin_flags if 'DATA_DIR' in flag),
  ]
  data = workload.WORK_DIR / work.name / 'reference'
  n_rows, found = measure_others(
    flags,
    cache=work.cache,
    data=data,
    repeats=args.repeats,
    predictions=args.predictions,
  )
  measuring.print_table(
    ('', 'accuracy', 'standard error', 'training (s)'), summarize(found)
  )
  measuring.write_results(
    f'reference_{work.name}',
    where,
    {'data': work.name, 'rows': n_rows, 'results': found},
  )


if __name__ == '__main__':
  main()
