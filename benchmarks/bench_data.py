"""Measures the way from texts to batches: building, opening, batching.

Usage:
  python -m benchmarks.bench_data [--csv=train.csv] [--vocab=en_8k.subword]
      [--texts=120000] [--json=FILE]

The rows of the CSV file (class, title, description, as AG News is published)
are repeated up to the number of texts; without one, texts of as many tokens are
made up from the vocabulary. Run it on a quiet machine: every figure is the
median of five, but the cold build, which is one.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments import batches, text

BUCKETS: dict[str, Any] = {
  'boundaries': [32, 128, 512, 2048],
  'batch_sizes': [512, 128, 32, 8, 1],
}
N_STEPS = 2000
N_REPEATS = 5
TARGETS = {
  'build_seconds': '<= 15 for 120,000 texts',
  'open_seconds': '<= 0.2',
  'stream_examples_per_second': '>= 500,000',
  'runs_examples_per_second': '>= 500,000',
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


def made_up(n: int, words: list[str]) -> list[str]:
  """Returns n texts, as long in words as AG News's descriptions."""
  rng = np.random.default_rng(0)
  ranks = np.minimum(rng.zipf(1.2, (n, 120)), len(words)) - 1
  lengths = np.clip(rng.normal(32, 10, n), 5, 120).astype(int)
  return [
    ' '.join(words[r] for r in row[:length])
    for row, length in zip(ranks, lengths, strict=True)
  ]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
  """Returns the seconds that a call took, and its result."""
  start = time.perf_counter()
  result = function()
  return time.perf_counter() - start, result


def median_rate(function: Callable[[], int]) -> float:
  """Returns the median of the examples per second that a function handles."""
  rates = []
  for _ in range(N_REPEATS):
    seconds, n = timed(function)
    rates.append(n / seconds)
  return statistics.median(rates)


def measure(source: Texts, vocabulary: text.Vocabulary) -> dict[str, float]:
  """Returns the figures by name."""

  def tokenize(cache_dir):
    return text.tokenize_split(
      source=source, split='train', vocabulary=vocabulary, cache_dir=cache_dir
    )

  vocabulary.encode('imports trax')
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  with tempfile.TemporaryDirectory() as folder:
    cache_dir = pathlib.Path(folder)
    build_seconds, _ = timed(lambda: tokenize(cache_dir))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened = [timed(lambda: tokenize(cache_dir)) for _ in range(N_REPEATS)]
    tokens = opened[0][1]
    lengths = tokens.lengths
    plan_seconds, plan = timed(
      lambda: batches.BatchPlan(lengths=lengths, seed=0, **BUCKETS)
    )
    first_seconds, _ = timed(lambda: plan.batch(0))
    far_seconds, _ = timed(lambda: plan.batch(10**6))

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
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--csv', type=pathlib.Path)
  parser.add_argument('--vocab', default='en_8k.subword')
  parser.add_argument('--texts', type=int, default=120_000)
  parser.add_argument('--json', type=pathlib.Path)
  args = parser.parse_args()

  vocabulary = text.load_vocabulary(vocab_file=args.vocab)
  if args.csv:
    with args.csv.open(encoding='utf-8', newline='') as file:
      rows = [row[2] for row in csv.reader(file)]
  else:
    pieces = map(vocabulary.piece, range(vocabulary.size))
    words = [p[:-1] for p in pieces if p.endswith('_') and p[:-1].isalpha()]
    rows = made_up(10_000, words)
  figures = measure(Texts(rows, args.texts), vocabulary)
  for name, value in figures.items():
    shown = f'{value:,.0f}' if value >= 100 else f'{value:.4f}'
    print(f'{name:34}{shown:>14}  {TARGETS.get(name, "")}')
  if args.json:
    args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
  main()
