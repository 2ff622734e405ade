"""Exact test accuracy of what --mode=prepare writes, beside SVM and fastText.

Usage:
  python -m benchmarks.bench_own_data [--seeds=3] [--only=reuters_r8]
      [--sweep_only]

Each data set that `make data` fetched, the embedded BBC News written as CSV
files, and AG News where a copy is at hand: the launcher looks at it, writes its
gin file, and trains with nothing but that and a seed. The others read the same
rows, and the mean over seeds is to come within 2 points of the SVM. Then
gin/sweeps/own_data.yaml chooses on validation, or on a fold of train where
there is none (of a slice, where a class has too few rows), and its best is
trained with the same seeds. Figures that are not measured stay in
results/own_data.json as they are.
"""

import csv
import json
import pathlib
import shutil
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import bench_reference, measuring, real_data, workload

TARGET = 0.02
_WORK = workload.WORK_DIR / 'own_data'
_OURS = '--mode=prepare'
_SWEPT = 'after a sweep'
_SWEEP = measuring.ROOT / 'gin' / 'sweeps' / 'own_data.yaml'


def write_bbc_news(directory: pathlib.Path) -> None:
  """Writes the rows of gin/bbc_news.gin as train.csv and test.csv."""
  directory.mkdir(parents=True, exist_ok=True)
  rows, _ = bench_reference.read_rows(
    ['--gin_file=gin/bbc_news.gin'], _WORK / 'cache'
  )
  for split, (texts, labels) in rows.items():
    path = directory / f'{split}.csv'
    with open(path, 'w', encoding='utf-8', newline='') as file:
      writer = csv.writer(file)
      writer.writerow(('text', 'label'))
      writer.writerows(zip(texts, labels.tolist(), strict=True))


def prepare(source: pathlib.Path) -> pathlib.Path:
  """Lets the launcher write the gin file; returns its path."""
  # It is written into the working directory, and over none.
  gin_file = _WORK / 'gin' / f'{source.stem}.gin'
  gin_file.parent.mkdir(parents=True, exist_ok=True)
  gin_file.unlink(missing_ok=True)
  measuring.run(
    [
      'env',
      *('-C', gin_file.parent),
      sys.executable,
      measuring.ROOT / 'launcher.py',
      '--mode=prepare',
      f'--source={source}',
    ]
  )
  return gin_file


def sweep(gin_file: pathlib.Path) -> tuple[list[str], float]:
  """Tries what the sweep's file says, without a look at test.

  Returns:
    The bindings that were best, and the seconds that all trials took.
  """
  output_dir = _WORK / 'sweeps' / gin_file.stem
  shutil.rmtree(output_dir, ignore_errors=True)
  is_cut = "'validation'" in gin_file.read_text(encoding='utf-8-sig')

  def choose_on(**macros: object) -> measuring.Finished:
    return measuring.launch(
      f'--gin_file={gin_file}',
      *workload.bindings(macros),
      f'--sweep={_SWEEP}',
      f'--output_dir={output_dir}',
      '--jobs=1',
      cache=_WORK / 'cache',
    )

  if is_cut:
    finished = choose_on(SPLITS=('train', 'validation'))
  else:
    # Files may be sorted by class: a fold has all of them, a slice may not.
    try:
      finished = choose_on(N_FOLDS=5, FOLD=0)
    except RuntimeError as error:
      if 'not one for each fold' not in str(error):
        raise
      shutil.rmtree(output_dir)
      finished = choose_on(SPLITS=('train[:80%]', 'train[80%:]'))
  trials = json.loads(
    (output_dir / 'sweep.json').read_text(encoding='utf-8-sig')
  )['trials']
  best = max(trials.values(), key=lambda trial: trial['metrics']['accuracy'])
  bindings = [f'{name}={value}' for name, value in best['bindings'].items()]
  return bindings, finished.seconds


def train(
  gin_file: pathlib.Path, n_seeds: int, bindings: Sequence[str] = ()
) -> dict[str, list[float]]:
  """Trains with each seed; returns accuracies on test, and seconds."""
  accuracies, seconds = [], []
  for seed in range(n_seeds):
    output_dir = _WORK / 'runs' / gin_file.stem / str(seed)
    shutil.rmtree(output_dir, ignore_errors=True)
    measuring.launch(
      f'--gin_file={gin_file}',
      *(f'--gin_bindings={each}' for each in (*bindings, f'SEED={seed}')),
      f'--output_dir={output_dir}',
      cache=_WORK / 'cache',
    )
    run = json.loads((output_dir / 'run.json').read_text(encoding='utf-8-sig'))
    accuracies.append(run['metrics']['accuracy'])
    seconds.append(run['seconds'])
  return {'accuracies': accuracies, 'train_seconds': seconds}


def measure_sweep(gin_file: pathlib.Path, n_seeds: int) -> dict[str, Any]:
  """Sweeps, and trains with what was best; prints what it comes to."""
  bindings, seconds = sweep(gin_file)
  found = train(gin_file, n_seeds, bindings)
  mean = statistics.mean(found['accuracies'])
  error = measuring.standard_error(found['accuracies'])
  print(
    f'{gin_file.stem} {_SWEPT}: {mean:.4f} +- {error:.4f}, {bindings}',
    flush=True,
  )
  return {'bindings': bindings, 'sweep_seconds': seconds, **found}


def main() -> None:
  """Parses flags, measures, prints a table for each data set."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--seeds', type=int, default=3)
  parser.add_argument('--only', action='append', help='a data set by name')
  parser.add_argument(
    '--sweep_only', action='store_true', help='leave all else as it was found'
  )
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('Your own data, beside an SVM and fastText')
  bbc_news = _WORK / 'bbc_news'
  sources = [
    *(bbc_news, real_data.REUTERS_R8, real_data.REUTERS_R52, args.ag_news),
    *(real_data.SPAM, real_data.NEWSGROUPS, real_data.MOVIE_REVIEWS),
  ]
  results = measuring.read_results('own_data').get('results', {})
  for source in sources:
    name = source.stem
    if args.only and name not in args.only:
      continue
    if source == bbc_news:
      write_bbc_news(source)
    if not source.exists():
      measuring.progress(f'{name}: not at hand')
      continue
    gin_file = prepare(source)
    if args.sweep_only:
      results.setdefault(name, {})[_SWEPT] = measure_sweep(gin_file, args.seeds)
      measuring.write_results('own_data', where, {'results': results})
      continue
    ours = {_OURS: train(gin_file, args.seeds)}
    n_rows, others = bench_reference.measure_others(
      [f'--gin_file={gin_file}'],
      cache=_WORK / 'cache',
      data=_WORK / 'texts' / name,
      repeats=args.seeds,
    )
    found = {**ours, **others}
    print(f'\n{name}: {n_rows}')
    lines = bench_reference.summarize(found)
    measuring.print_table(('', 'accuracy', 'standard error', 'seconds'), lines)
    svm = next(each for what, each in others.items() if 'SVM' in what)
    behind = svm['accuracies'][0] - float(lines[0][1])
    print(
      f'{behind:+.4f} behind the SVM: {measuring.judge(TARGET - behind, 0.0)}',
      flush=True,
    )
    results[name] = {
      **{'rows': n_rows, 'accuracy_behind_svm': behind, **found},
      _SWEPT: measure_sweep(gin_file, args.seeds),
    }
    measuring.write_results('own_data', where, {'results': results})


if __name__ == '__main__':
  main()
