"""The way from texts to batches: building, opening, batching.

Usage:
  python -m benchmarks.bench_data [--texts=120000]

The descriptions of AG News are repeated up to the number of texts; without
them, texts are made up. Every figure is the median of five, but the cold build,
which is one.
"""

import argparse
import csv
import dataclasses
import pathlib
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import made_up, measuring, workload
from experiments.batching import batches
from experiments.text import tokenization

BUCKETS: dict[str, Any] = {
  'boundaries': [32, 128, 512, 2048],
  'batch_sizes': [512, 128, 32, 8, 1],
}
N_STEPS = 2000
N_REPEATS = 5
# Whether more (1) or less (-1) is better, and the bound.
TARGETS = {
  'build_seconds': (-1, 15.0),  # For 120,000 texts.
  'open_seconds': (-1, 0.2),
  'stream_examples_per_second': (1, 500_000.0),
  'runs_examples_per_second': (1, 500_000.0),
}


@dataclasses.dataclass
class Texts:
  """A `datasets.source.Source` that repeats a list of texts."""

  texts: list[str]
  n: int
  full_name: str = 'bench:1.0.0'
  keys: tuple[str, ...] = ('description', 'label')
  fingerprint: str = 'bench'

  def __post_init__(self):
    self.splits = {'train': 'train'}
    self.n_examples = {'train': self.n}

  def read(self, split: str, batch_size: int = 1024):
    """Yields texts and labels as a source does, in constant memory."""
    del split
    for start in range(0, self.n, batch_size):
      indices = range(start, min(start + batch_size, self.n))
      labels = np.array([i % 4 for i in indices], np.int32)
      yield [self.texts[i % len(self.texts)] for i in indices], labels


def time_call(function: Callable[[], Any]) -> tuple[float, Any]:
  """Returns the seconds that a call took, and its result."""
  start = time.perf_counter()
  result = function()
  return time.perf_counter() - start, result


def median_rate(function: Callable[[], int]) -> float:
  """Returns the median of the examples per second that a function handles."""
  rates = []
  for _ in range(N_REPEATS):
    seconds, n = time_call(function)
    rates.append(n / seconds)
  return statistics.median(rates)


def measure(
  source: Texts, vocabulary: tokenization.Vocabulary
) -> dict[str, float]:
  """Returns the figures by name."""

  def tokenize(cache_dir):
    return tokenization.tokenize_split(
      source=source, split='train', vocabulary=vocabulary, cache_dir=cache_dir
    )

  vocabulary.encode('imports trax')
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  with tempfile.TemporaryDirectory() as folder:
    cache_dir = pathlib.Path(folder)
    build_seconds, _ = time_call(lambda: tokenize(cache_dir))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened = [time_call(lambda: tokenize(cache_dir)) for _ in range(N_REPEATS)]
    tokens = opened[0][1]
    lengths = tokens.lengths
    plan_seconds, plan = time_call(
      lambda: batches.BatchPlan(lengths=lengths, seed=0, **BUCKETS)
    )
    first_seconds, _ = time_call(lambda: plan.batch(0))
    far_seconds, _ = time_call(lambda: plan.batch(10**6))

    def stream() -> int:
      some = batches.BatchStream(tokens, plan)
      return sum(next(some)[1].size for _ in range(N_STEPS))

    def runs() -> int:
      return sum(
        batches.gather_many(tokens, plan, first, count)[1].size
        for _, first, count in plan.runs(0, N_STEPS)
      )

    def once() -> int:
      passed = batches.single_pass(tokens, **BUCKETS)
      return sum(int(np.count_nonzero(some)) for _, _, some, _ in passed)

    return {
      'texts': len(tokens),
      'tokens_per_text': len(tokens.ids) / len(tokens),
      'build_seconds': build_seconds,
      'build_texts_per_second': len(tokens) / build_seconds,
      'build_rss_growth_mib': (after - before) / 1024,
      'open_seconds': statistics.median(seconds for seconds, _ in opened),
      'plan_seconds': plan_seconds,
      'first_batch_seconds': first_seconds,
      'far_batch_seconds': far_seconds,
      'stream_examples_per_second': median_rate(stream),
      'runs_examples_per_second': median_rate(runs),
      'single_pass_examples_per_second': median_rate(once),
    }


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--texts', type=int, default=120_000)
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('From texts to batches')
  rows, vocab_file = texts_at_hand(args)
  vocabulary = tokenization.load_vocabulary(vocab_file=str(vocab_file))
  figures = measure(Texts(rows, args.texts), vocabulary)
  rows_shown = []
  for name, value in figures.items():
    sign, target = TARGETS.get(name, (1, None))
    verdict = (
      '' if target is None else measuring.judge(sign * value, sign * target)
    )
    rows_shown.append((name.replace('_', ' '), value, target, verdict))
  measuring.print_table(('', 'value', 'target', ''), rows_shown)
  measuring.write_results('data', where, figures)


def texts_at_hand(args: argparse.Namespace) -> tuple[list[str], pathlib.Path]:
  """Returns texts and a vocabulary file: AG News's, or made up ones.

  Args:
    args: parsed flags, those of `workload.add_flags` among them.
  """
  if workload.has_ag_news(args):
    path = args.ag_news / 'train.csv'
    with path.open(newline='', encoding='utf-8-sig') as file:
      rows = [row[2] for row in csv.reader(file)]
    return rows, args.vocab_dir / workload.VOCAB_FILE
  path = workload.WORK_DIR / 'made_up.subword'
  words = made_up.write_vocabulary(path, 8192)
  return made_up.texts(10_000, words, seed=0), path


if __name__ == '__main__':
  main()
