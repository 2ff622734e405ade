"""How the cost of a run grows with examples, vocabulary and embedding.

Usage:
  python -m benchmarks.bench_growth [--steps=300] [--examples 1000 10000 100000]

Texts are made up, as long as those of AG News, and go the user's way: a CSV,
`--mode=prepare`, and the launcher. A run is measured with no token ids in the
cache, and with all of them. The figure goes to benchmarks/growth.png.
"""

import itertools
import json
import pathlib
import shutil
from typing import Any

from benchmarks import made_up, measuring, workload

FIGURE = measuring.ROOT / 'benchmarks' / 'growth.png'
VOCAB_SIZES = (8192, 32768)
EMBEDDING_SIZES = (50, 300)
_N_TEST = 1000


def write_csv(path: pathlib.Path, words: list[str], n: int, seed: int) -> None:
  """Writes rows as AG News has them: class, title, description."""
  with open(path, 'w', encoding='utf-8') as file:
    for i, text in enumerate(made_up.texts(n, words, seed)):
      file.write(f'"{i % 4 + 1}","title","{text}"\n')


def prepare(n: int, vocab_size: int) -> tuple[list[str], pathlib.Path, float]:
  """Makes data and vocabulary.

  Args:
    n: number of training examples.
    vocab_size: number of pieces.

  Returns:
    The launcher's flags, the directory of its caches, and the seconds that
    `--mode=prepare` took.
  """
  directory = workload.WORK_DIR / 'growth' / f'{n}_{vocab_size}'
  vocabulary = directory / f'{vocab_size}.subword'
  words = made_up.write_vocabulary(vocabulary, vocab_size)
  flags = workload.bindings(
    {
      'DATA_DIR': str(directory / 'data'),
      'VOCAB_DIR': str(directory),
      'VOCAB_FILE': vocabulary.name,
      'VOCAB_SIZE': vocab_size,
    }
  )
  flags.insert(0, '--gin_file=gin/agnews.gin')
  shutil.rmtree(directory / 'data', ignore_errors=True)
  source = directory / 'csv'
  source.mkdir(exist_ok=True)
  write_csv(source / 'train.csv', words, n, seed=0)
  write_csv(source / 'test.csv', words, _N_TEST, seed=1)
  prepared = measuring.launch(
    '--mode=prepare', *flags, f'--source={source}', cache=directory / 'cache'
  )
  return flags, directory / 'cache', prepared.seconds


def measure(
  flags: list[str], cache: pathlib.Path, embedding_size: int, steps: int
) -> dict[str, float]:
  """Trains twice: without token ids in the cache, and with all of them."""
  runs = cache.parent / 'runs'

  def train(name: str) -> tuple[measuring.Finished, pathlib.Path]:
    output_dir = runs / name
    shutil.rmtree(output_dir, ignore_errors=True)
    bindings = workload.bindings(
      {
        'EMBEDDING_SIZE': embedding_size,
        'N_STEPS': steps,
        'N_STEPS_PER_CHECKPOINT': max(1, steps // 3),
      }
    )
    finished = measuring.launch(
      *flags, *bindings, f'--output_dir={output_dir}', cache=cache
    )
    return finished, output_dir

  def first_step_seconds(run: tuple[measuring.Finished, pathlib.Path]) -> float:
    finished, output_dir = run
    loss = measuring.records(output_dir, 'train', 'metrics/CrossEntropyLoss')
    return loss[0]['time'] - finished.started

  train('compile')
  shutil.rmtree(cache / 'tokens')
  cold = train('cold')
  warm = train('warm')
  rates = measuring.records(warm[1], 'train', 'training/steps per second')
  run = json.loads((warm[1] / 'run.json').read_text(encoding='utf-8-sig'))
  return {
    'seconds_per_step': 1 / measuring.median(r['value'] for r in rates[2:]),
    'first_step_seconds_cold': first_step_seconds(cold),
    'first_step_seconds_warm': first_step_seconds(warm),
    'process_seconds_warm': warm[0].seconds,
    'peak_rss_mib_cold': cold[0].peak_rss_mib,
    'peak_rss_mib_warm': warm[0].peak_rss_mib,
    'train_examples': run['n_examples']['train'],
  }


def plot(table: list[dict[str, Any]]) -> None:
  """Draws what was measured."""
  import matplotlib

  matplotlib.use('Agg')
  from matplotlib import pyplot

  figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout='constrained')
  for vocab_size, embedding_size in itertools.product(
    VOCAB_SIZES, EMBEDDING_SIZES
  ):
    lines = [
      line
      for line in table
      if (line['vocab_size'], line['embedding_size'])
      == (vocab_size, embedding_size)
    ]
    examples = [line['examples'] for line in lines]
    label = f'{vocab_size:,} x {embedding_size}'
    axes[0].plot(
      examples,
      [1000 * line['seconds_per_step'] for line in lines],
      marker='o',
      label=label,
    )
    for key, style in (('cold', '-'), ('warm', ':')):
      axes[1].plot(
        examples,
        [line[f'first_step_seconds_{key}'] for line in lines],
        style,
        marker='o',
        color=axes[0].lines[-1].get_color(),
        label=f'{label}, {key}',
      )
  axes[0].set(
    ylabel='ms a step',
    title='A step: embedding of pieces x width',
    yscale='log',
  )
  axes[1].set(ylabel='s', title='Start to first step: without, with token ids')
  for axis in axes:
    axis.set(xlabel='training examples', xscale='log')
    axis.grid(alpha=0.3)
    axis.set_ylim(bottom=None if axis is axes[0] else 0)
  axes[0].legend()
  axes[1].legend(fontsize='small', ncols=2)
  figure.savefig(FIGURE, dpi=110)
  pyplot.close(figure)


def main() -> None:
  """Parses flags, measures, prints a table, draws."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--steps', type=int, default=300)
  parser.add_argument(
    '--examples', type=int, nargs='+', default=[1000, 10_000, 100_000]
  )
  parser.add_argument('--no_figure', action='store_true')
  args = parser.parse_args()

  where = measuring.begin('How the cost of a run grows')
  table = []
  for n, vocab_size in itertools.product(args.examples, VOCAB_SIZES):
    flags, cache, prepare_seconds = prepare(n, vocab_size)
    for embedding_size in EMBEDDING_SIZES:
      table.append(
        {
          'examples': n,
          'vocab_size': vocab_size,
          'embedding_size': embedding_size,
          **measure(flags, cache, embedding_size, args.steps),
          'prepare_seconds': prepare_seconds,
        }
      )
      measuring.progress(f'{n} examples, {vocab_size} x {embedding_size}')
  measuring.print_table(
    (
      'examples, pieces x width',
      'ms a step',
      'first step, cold (s)',
      'warm (s)',
      'peak, cold (MiB)',
      'warm (MiB)',
    ),
    [
      (
        f'{line["examples"]:,}, {line["vocab_size"]:,} x '
        f'{line["embedding_size"]}',
        1000 * line['seconds_per_step'],
        line['first_step_seconds_cold'],
        line['first_step_seconds_warm'],
        line['peak_rss_mib_cold'],
        line['peak_rss_mib_warm'],
      )
      for line in table
    ],
  )
  measuring.write_results(
    'growth', where, {'steps': args.steps, 'table': table}
  )
  if not args.no_figure:
    plot(table)
    print(f'Drawn: {FIGURE.relative_to(measuring.ROOT)}')


if __name__ == '__main__':
  main()
