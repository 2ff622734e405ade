"""Predictions: many lines at a time, beside one at a time and plain trax.

Usage:
  python -m benchmarks.bench_predict [--texts=4096]

One model, one process, the same texts: descriptions of AG News, or the first 40
words of articles of BBC News. 'one at a time' calls what --mode=predict calls,
for a line each; 'plain trax' tokenizes a text and calls the model on it, as the
post does. 'beyond the model' is what `predict_proba` of one text takes in
Python, less what the compiled model takes of the same token ids.
"""

import csv
import json
import pathlib
import time
from collections.abc import Callable, Sequence
from unittest import mock

from benchmarks import measuring, workload

N_REPEATS = 5
# Of the texts, for what is slow.
N_SINGLE = 200
TARGET = 20.0
BEYOND_MODEL_MS = 1.0


def read_texts(args, n: int) -> list[str]:
  """Returns texts, repeated up to a number."""
  if workload.has_ag_news(args):
    with open(
      args.ag_news / 'test.csv', newline='', encoding='utf-8-sig'
    ) as file:
      texts = [row[2] for row in csv.reader(file)]
  else:
    from experiments.datasets import bbc_news_corpus

    articles = bbc_news_corpus.read_splits()['test']
    texts = [' '.join(article.text.split()[:40]) for article in articles]
  return [texts[i % len(texts)] for i in range(n)]


def rate(
  n: int, classify: Callable[[], object], n_repeats: int = N_REPEATS
) -> float:
  """Returns texts per second, the median of some repeats after a first one."""
  classify()
  seconds = []
  for _ in range(n_repeats):
    start = time.perf_counter()
    classify()
    seconds.append(time.perf_counter() - start)
  return n / measuring.median(seconds)


def measure(
  output_dir: pathlib.Path, texts: Sequence[str], cache_dir: pathlib.Path
) -> dict[str, float]:
  """Returns texts per second of each way.

  Args:
    output_dir: a finished run.
    texts: what to classify.
    cache_dir: of compiled programs.
  """
  from experiments.backend import trax_repairs
  from experiments.commands import predict, questions
  from experiments.pipeline import run_config, saved_model
  from experiments.rundir import run_dir

  directory = run_dir.RunDir(output_dir)
  experiment = run_config.load_experiment(directory)
  loaded = saved_model.load_run(experiment, directory, cache_dir=cache_dir)
  trax = trax_repairs.import_trax()

  def classify(some: Sequence[str]) -> None:
    asked = [questions.Question(None, each, '') for each in some]
    predict.answer(asked, loaded)

  def classify_singly() -> None:
    for each in texts[:N_SINGLE]:
      classify([each])

  model = experiment.make_model(n_classes=len(loaded.labels), mode='eval')
  model.init_from_file(str(directory.model))

  def plain() -> None:
    from trax import data

    for each in texts[:N_SINGLE]:
      [ids] = data.tokenize(
        [each],
        vocab_file=directory.vocabulary.name,
        vocab_dir=str(directory.path),
      )
      trax.fastmath.numpy.exp(model(ids[None, :])).block_until_ready()

  return {
    'in batches': rate(len(texts), lambda: classify(texts)),
    'one at a time': rate(N_SINGLE, classify_singly),
    'plain trax': rate(N_SINGLE, plain),
  }


def beyond_the_model(output_dir: pathlib.Path, text: str) -> float:
  """Returns milliseconds of a text in Python, less those of the model alone.

  Args:
    output_dir: a finished run.
    text: what to classify.
  """
  import experiments

  classifier = experiments.load_classifier(output_dir)
  loaded = classifier._loaded
  given = []

  def remember(inputs):
    given.append(inputs)
    return type(loaded.classifier).answer(loaded.classifier, inputs)

  with mock.patch.object(loaded.classifier, 'answer', remember):
    classifier.predict_proba([text])
  whole = rate(1, lambda: classifier.predict_proba([text]), n_repeats=500)
  model = rate(1, lambda: loaded.classifier.answer(given[0]), n_repeats=500)
  return 1000 / whole - 1000 / model


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--texts', type=int, default=4096)
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('Predictions: texts per second')
  experiment = workload.open_workload(args)
  output_dir = experiment.output_dir('predict')
  experiment.train(output_dir, N_STEPS=20)
  texts = read_texts(args, args.texts)
  rates = measure(output_dir, texts, experiment.cache)
  lines = output_dir.parent / 'predict.jsonl'
  lines.write_text(
    ''.join(json.dumps({'text': t}) + '\n' for t in texts), encoding='utf-8'
  )
  process = measuring.launch(
    '--mode=predict',
    f'--output_dir={output_dir}',
    f'--input={lines}',
    cache=experiment.cache,
  )
  fast = rates['in batches']
  rows = [
    (way, value, fast / value, _verdict(way, fast / value))
    for way, value in rates.items()
  ]
  measuring.print_table((experiment.name, 'texts/s', 'times slower', ''), rows)
  print(f'--mode=predict of {len(texts):,} lines: {process.seconds:.1f} s')
  milliseconds = beyond_the_model(output_dir, texts[0])
  print(
    f'A text in Python, beyond the model: {milliseconds:.2f} ms '
    f'({measuring.judge(BEYOND_MODEL_MS / milliseconds, 1.0)})'
  )
  measuring.write_results(
    'predict',
    where,
    {
      'workload': experiment.name,
      'texts_per_second': rates,
      'n_lines': len(texts),
      'process_seconds': process.seconds,
      'milliseconds_beyond_the_model': milliseconds,
      'target': TARGET,
    },
  )


def _verdict(way: str, ratio: float) -> str:
  return measuring.judge(ratio, TARGET if way == 'one at a time' else None)


if __name__ == '__main__':
  main()
