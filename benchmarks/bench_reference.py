"""Exact test accuracy of what is not trax, on the rows that the launcher reads.

Usage:
  python -m benchmarks.bench_reference [--repeats=5]
      [--gin_file=gin/agnews_best.gin]

A linear SVM on TF-IDF of words and pairs of them, by scikit-learn; and fastText
with its defaults and with the settings of its own script for AG News. Both read
the texts that the gin file names, title and description for AG News. fastText's
two threads race, so it is run several times.
"""

import statistics
import sys
import time
from typing import Any

import numpy as np

from benchmarks import bench_peers, measuring, workload


def svm_accuracy(train: Any, test: Any) -> tuple[float, float]:
  """Trains the SVM.

  Args:
    train: the texts, and their labels int32 [n].
    test: likewise.

  Returns:
    Its accuracy on test, and the seconds that training took.
  """
  from sklearn.feature_extraction.text import TfidfVectorizer
  from sklearn.pipeline import make_pipeline
  from sklearn.svm import LinearSVC

  start = time.perf_counter()
  model = make_pipeline(
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC()
  ).fit(*train)
  return float(model.score(*test)), time.perf_counter() - start


def rows(gin_flags: list[str], cache: Any) -> dict[str, Any]:
  """Returns texts and labels of 'train' and 'test'."""
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
  return found


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--gin_file', default='gin/agnews_best.gin')
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('What is not trax, on the same rows')
  work = workload.open_workload(args)
  flags = [
    f'--gin_file={args.gin_file}',
    *(flag for flag in work.gin_flags if 'DATA_DIR' in flag),
  ]
  data = workload.WORK_DIR / work.name / 'reference'
  measuring.run(
    [
      sys.executable,
      *('-m', 'benchmarks.peers.export'),
      data,
      *flags,
    ],
    env={'TRAX_EXPERIMENTS_CACHE': str(work.cache)},
  )
  both = rows(flags, work.cache)
  accuracy, seconds = svm_accuracy(both['train'], both['test'])
  found: dict[str, dict[str, list[float]]] = {
    'linear SVM, TF-IDF of bigrams': {
      'accuracies': [accuracy],
      'train_seconds': [seconds],
    }
  }
  for name, more in (
    ('fastText, defaults', ()),
    ('fastText, bigrams', ('--published',)),
  ):
    runs = [
      measuring.run(
        [
          bench_peers.python_with('fasttext'),
          'benchmarks/peers/fasttext_supervised.py',
          data,
          *more,
        ]
      ).last_json()
      for _ in range(args.repeats)
    ]
    found[name] = {
      'accuracies': [run['test_accuracy'] for run in runs],
      'train_seconds': [run['train_seconds'] for run in runs],
    }
  measuring.print_table(
    ('', 'accuracy', 'standard error', 'training (s)'),
    [
      (
        name,
        f'{statistics.mean(values["accuracies"]):.4f}',
        f'{measuring.standard_error(values["accuracies"]):.4f}'
        if len(values['accuracies']) > 1
        else '',
        measuring.median(values['train_seconds']),
      )
      for name, values in found.items()
    ],
  )
  n_rows = {split: len(labels) for split, (_, labels) in both.items()}
  measuring.write_results(
    f'reference_{work.name}',
    where,
    {'data': work.name, 'rows': n_rows, 'results': found},
  )


if __name__ == '__main__':
  main()
