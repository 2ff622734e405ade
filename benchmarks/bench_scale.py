"""What grows with trials, files, pauses and threads, and what must not.

Usage:
  python -m benchmarks.bench_scale [--repeats=3]

A dry run of 2 and of 10,000 trials; how soon Ctrl-C is answered where a program
or the way to the next checkpoint is long; the same rows in one file and in a
thousand, beside TFDS; and steps a second by the number of XLA's threads, which
is fixed so that a result does not depend on the cores.
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

from benchmarks import measuring, workload

WORK_DIR = workload.WORK_DIR / 'scale'
TRANSFORMER = '--gin_file=gin/models/transformer_classifier.gin'
N_ROWS, FILES = 20_000, (1, 1000)
# A sweep of the first is the same command, and plans next to nothing.
TRIALS = (2, 10_000)

# Reads all rows once to import what reading needs, and then as often as asked.
_READ = """
import json, statistics, sys, time
data_dir, repeats = sys.argv[1], int(sys.argv[2])

def ours():
  from experiments.datasets import source
  found = source.find_source(
    name='made_up_rows', keys=('text', 'label'), data_dir=data_dir
  )
  return sum(len(labels) for _, labels in found.read('train', 1024))

def theirs():
  import tensorflow_datasets as tfds
  rows = tfds.load('made_up_rows', split='train', data_dir=data_dir)
  return sum(len(x['label']) for x in tfds.as_numpy(rows.batch(1024)))

read = {'ours': ours, 'tfds': theirs}[sys.argv[3]]
seconds = []
for _ in range(repeats + 1):
  start = time.perf_counter()
  n = read()
  seconds.append(time.perf_counter() - start)
print(json.dumps({'rows': n, 'seconds': statistics.median(seconds[1:])}))
"""

_WRITE = """
import sys
import tensorflow_datasets as tfds

class MadeUpRows(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    features = tfds.features.FeaturesDict({
      'text': tfds.features.Text(),
      'label': tfds.features.ClassLabel(names=['a', 'b']),
    })
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    return {name: self._generate_examples() for name in ('train', 'test')}

  def _generate_examples(self):
    for i in range(int(sys.argv[2])):
      yield i, {'text': f'row {i} ' + 'of many words ' * 12, 'label': i % 2}

MadeUpRows(data_dir=sys.argv[1]).download_and_prepare(
  download_config=tfds.download.DownloadConfig(num_shards=int(sys.argv[3])))
"""


def plan(n_trials: int, repeats: int) -> dict[str, Any]:
  """Measures a dry run of a sweep."""
  side = round(n_trials**0.5)
  axes = (side, side) if side**2 == n_trials else (n_trials, 1)
  sweep = WORK_DIR / f'{n_trials}.yaml'
  sweep.write_text(
    f'SEED: {list(range(axes[0]))}\n'
    f'LEARNING_RATE: {[0.001 + i / 1000 for i in range(axes[1])]}\n',
    encoding='utf-8',
  )
  runs = [
    measuring.launch(
      '--gin_file=gin/bbc_news.gin',
      f'--sweep={sweep}',
      '--dry_run',
      f'--output_dir={WORK_DIR / "planned"}',
      cache=WORK_DIR / 'cache',
    )
    for _ in range(repeats)
  ]
  return {
    'trials': n_trials,
    'seconds': measuring.median(run.seconds for run in runs),
    'peak_rss_mib': measuring.median(run.peak_rss_mib for run in runs),
  }


def interrupt(what: str, repeats: int, *flags: str) -> dict[str, Any]:
  """Measures how soon Ctrl-C ends a run, once it has evaluated at step 1."""
  seconds = []
  for _ in range(repeats):
    output_dir = WORK_DIR / 'interrupted'
    shutil.rmtree(output_dir, ignore_errors=True)
    process = subprocess.Popen(
      [sys.executable, 'launcher.py', *flags, f'--output_dir={output_dir}'],
      cwd=measuring.ROOT,
      env={**os.environ, 'TRAX_EXPERIMENTS_CACHE': str(WORK_DIR / 'cache')},
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    try:
      while not is_at_work(output_dir):
        if process.poll() is not None:
          raise RuntimeError(f'{what}: ended with {process.returncode}')
        time.sleep(0.05)
      time.sleep(1)
      start = time.perf_counter()
      process.send_signal(signal.SIGINT)
      process.wait()
      seconds.append(time.perf_counter() - start)
    finally:
      process.kill()
      process.wait()
    if process.returncode != 128 + signal.SIGINT:
      raise RuntimeError(f'{what}: ended with {process.returncode}')
  return {
    'what': what,
    'seconds': measuring.median(seconds),
    'slowest': max(seconds),
  }


def is_at_work(output_dir: pathlib.Path) -> bool:
  """Tells whether a run has recorded its first evaluation."""
  path = output_dir / 'metrics.jsonl'
  return path.exists() and path.stat().st_size > 0


def read(n_files: int, repeats: int) -> dict[str, Any]:
  """Measures all rows being read, by turns by us and by TFDS."""
  data_dir = WORK_DIR / 'rows' / str(n_files)
  if not data_dir.is_dir():
    measuring.run([sys.executable, '-c', _WRITE, data_dir, N_ROWS, n_files])
  line: dict[str, Any] = {'files': n_files}
  for who in ('ours', 'tfds'):
    done = measuring.run(
      [sys.executable, '-c', _READ, data_dir, repeats, who]
    ).last_json()
    if done['rows'] != N_ROWS:
      raise RuntimeError(f'{who} read {done["rows"]} of {N_ROWS} rows')
    line[f'{who}_seconds'] = done['seconds']
  return line


def train(
  name: str, threads: int, work: workload.Workload, *flags: str
) -> float:
  """Returns the steps a second of a run with so many threads."""
  output_dir = work.output_dir(f'threads_{name}')
  measuring.run(
    [
      sys.executable,
      'launcher.py',
      *work.gin_flags,
      *flags,
      f'--output_dir={output_dir}',
    ],
    env={
      'PJRT_NPROC': str(threads),
      'TRAX_EXPERIMENTS_CACHE': str(work.cache),
    },
  )
  rates = measuring.records(output_dir, 'train', 'training/steps per second')
  return measuring.median(record['value'] for record in rates[1:])


def main() -> None:
  """Parses flags, measures, prints tables."""
  parser = measuring.flag_parser(__doc__)
  workload.add_flags(parser)
  parser.add_argument('--repeats', type=int, default=3)
  args = parser.parse_args()
  where = measuring.begin('What grows with trials, files, pauses and threads')
  WORK_DIR.mkdir(parents=True, exist_ok=True)
  plans = [plan(n, args.repeats) for n in TRIALS]
  measuring.print_table(
    ('trials', 'dry run (s)', 'peak (MiB)'),
    [(f'{x["trials"]:,}', x['seconds'], x['peak_rss_mib']) for x in plans],
  )
  reads = [read(n, args.repeats) for n in FILES]
  measuring.print_table(
    (f'files of {N_ROWS:,} rows', 'read (s)', 'by TFDS (s)'),
    [(x['files'], x['ours_seconds'], x['tfds_seconds']) for x in reads],
  )
  answers = [
    interrupt(
      'a Transformer that evaluates 500 batches at a time',
      args.repeats,
      '--gin_file=gin/bbc_news.gin',
      TRANSFORMER,
      *workload.bindings({'N_EVAL_BATCHES': 500, 'N_STEPS_PER_CHECKPOINT': 1}),
    ),
    interrupt(
      'a billion steps to the next checkpoint',
      args.repeats,
      '--gin_file=gin/bbc_news.gin',
      *workload.bindings({'N_STEPS': 10**9, 'N_STEPS_PER_CHECKPOINT': 10**9}),
    ),
  ]
  measuring.print_table(
    ('Ctrl-C at', 'ends after (s)', 'slowest (s)'),
    [(x['what'], x['seconds'], x['slowest']) for x in answers],
  )
  threads = measure_threads(args)
  measuring.print_table(
    ('model', 'threads', 'steps/s'),
    [(x['model'], x['threads'], x['steps_per_second']) for x in threads],
  )
  measuring.write_results(
    'scale',
    where,
    {'plans': plans, 'reads': reads, 'interrupts': answers, 'threads': threads},
  )


def measure_threads(args: argparse.Namespace) -> list[dict[str, Any]]:
  """Measures the post's model and a Transformer, by turns."""
  work = workload.open_workload(args)
  models = {
    'the post': workload.bindings(
      {'N_STEPS': 1500, 'N_STEPS_PER_CHECKPOINT': 250}
    ),
    'Transformer': [
      TRANSFORMER,
      *workload.bindings({'N_STEPS': 60, 'N_STEPS_PER_CHECKPOINT': 15}),
    ],
  }
  counts = [n for n in (1, 2, 4) if n <= len(os.sched_getaffinity(0))]
  rates: dict[tuple[str, int], list[float]] = {}
  for _ in range(args.repeats):
    for model, flags in models.items():
      for n in counts:
        rate = train(f'{model.split()[-1]}_{n}', n, work, *flags)
        rates.setdefault((model, n), []).append(rate)
  return [
    {
      'model': model,
      'threads': n,
      'steps_per_second': measuring.median(values),
      'all': values,
    }
    for (model, n), values in rates.items()
  ]


if __name__ == '__main__':
  main()
