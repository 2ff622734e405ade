"""A whole run by the launcher against the same by a plain trax script.

Usage:
  python -m benchmarks.bench_train [--pairs=3] [--steps=2000] [--baseline=FILE]

The processes take turns: plain trax, the launcher with warm caches, with no
token ids in its cache, and with no cache at all. The launcher does more in its
time: it evaluates the whole test split and writes a report and predictions.
"""

import json
import pathlib
import shutil
import sys
from typing import Any

from benchmarks import measuring, workload

TARGETS = {
  'whole process, warm': 10.0,
  'whole process, no token ids': 7.0,
  'steps per second': 15.0,
  'start to first step': 1 / 0.3,
  'peak memory': 1.0,
}


def launcher_figures(
  work: workload.Workload, name: str, steps: int
) -> dict[str, Any]:
  """Trains by the launcher; returns what was measured.

  Args:
    work: what to train.
    name: of the run.
    steps: number of steps, at least 1,500 for the rate after compilation.
  """
  output_dir = work.output_dir(name)
  finished = work.train(output_dir, N_STEPS=steps)
  # Losses are recorded when the step is done, the evaluation after it.
  loss = measuring.records(output_dir, 'train', 'metrics/CrossEntropyLoss')
  accuracy = measuring.records(output_dir, 'eval', 'metrics/Accuracy')
  rates = measuring.records(output_dir, 'train', 'training/steps per second')
  # The first two stretches of steps hold the compilation of each shape.
  rates_after = [r['value'] for r in rates[2:]] or [rates[-1]['value']]
  seconds_between = accuracy[-1]['time'] - accuracy[0]['time']
  return {
    'seconds': finished.seconds,
    'first_step_seconds': loss[0]['time'] - finished.started,
    'first_evaluation_seconds': accuracy[0]['time'] - finished.started,
    # As the plain script counts: with evaluations and checkpoints.
    'steps_per_second': (steps - 1) / seconds_between,
    'steps_per_second_between_evals': measuring.median(rates_after),
    'peak_rss_mib': finished.peak_rss_mib,
    'cpu_seconds': finished.cpu_seconds,
  }


def plain_figures(
  work: workload.Workload, baseline: pathlib.Path, steps: int, *extra: str
) -> dict[str, Any]:
  """Trains by a plain script; returns what was measured.

  Args:
    work: what to train.
    baseline: the script; benchmarks/plain_trax.py or one that takes --data_dir,
      --vocab_dir, --steps and --output_dir and prints the same figures.
    steps: number of steps.
    *extra: more flags.
  """
  is_own = baseline.samefile(measuring.ROOT / 'benchmarks' / 'plain_trax.py')
  flags = work.plain_flags if is_own else work.plain_flags[:2]
  finished = measuring.run(
    [
      sys.executable,
      baseline,
      *flags,
      f'--steps={steps}',
      f'--output_dir={work.output_dir("plain")}',
      *extra,
    ],
    env={'PYTHONPATH': str(measuring.ROOT)},
  )
  figures = finished.last_json()
  parts = ('import_seconds', 'setup_seconds', 'first_step_seconds')
  return {
    **figures,
    'seconds': finished.seconds,
    'first_evaluation_seconds': sum(figures[part] for part in parts),
    'peak_rss_mib': finished.peak_rss_mib,
    'cpu_seconds': finished.cpu_seconds,
  }


def medians(runs: list[dict[str, Any]]) -> dict[str, float]:
  """Returns the median of each figure that is a number."""
  return {
    key: measuring.median(run[key] for run in runs)
    for key, value in runs[0].items()
    if isinstance(value, float)
  }


def compare(all_runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
  """Returns the lines of the table: what, plain, ours, ratio, target."""
  plain, warm = medians(all_runs['plain']), medians(all_runs['warm'])
  no_tokens = medians(all_runs['no_tokens'])
  no_cache = medians(all_runs['no_cache'])
  seconds = plain['seconds']
  lines = [
    ('whole process, warm', seconds, warm['seconds'], False),
    ('whole process, no token ids', seconds, no_tokens['seconds'], False),
    ('whole process, no cache at all', seconds, no_cache['seconds'], False),
    (
      'start to first step',
      plain['first_evaluation_seconds'],
      warm['first_evaluation_seconds'],
      False,
    ),
    (
      'steps per second',
      plain['steps_per_second'],
      warm['steps_per_second_between_evals'],
      True,
    ),
    (
      'steps per second, evaluations included',
      plain['steps_per_second'],
      warm['steps_per_second'],
      True,
    ),
    ('peak memory', plain['peak_rss_mib'], warm['peak_rss_mib'], False),
    (
      'peak memory, no token ids',
      plain['peak_rss_mib'],
      no_tokens['peak_rss_mib'],
      False,
    ),
    ('CPU seconds', plain['cpu_seconds'], warm['cpu_seconds'], False),
  ]
  return [
    {
      'what': what,
      'plain': theirs,
      'launcher': ours,
      'times_better': ours / theirs if more_is_better else theirs / ours,
      'target': TARGETS.get(what),
    }
    for what, theirs, ours, more_is_better in lines
  ]


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--pairs', type=int, default=3)
  parser.add_argument('--steps', type=int, default=2000)
  parser.add_argument('--baseline', type=pathlib.Path)
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('A run by the launcher against plain trax')
  work = workload.open_workload(args)
  shared = workload.SHARED / 'baselines' / 'plain_trax.py'
  own = measuring.ROOT / 'benchmarks' / 'plain_trax.py'
  use_shared = work.name == 'ag_news' and shared.is_file()
  baseline = args.baseline or (shared if use_shared else own)
  launcher_figures(work, 'warm', args.steps)  # Compiles every shape.

  all_runs: dict[str, list] = {
    'plain': [],
    'warm': [],
    'no_tokens': [],
    'no_cache': [],
  }
  for pair in range(args.pairs):
    all_runs['plain'].append(plain_figures(work, baseline, args.steps))
    all_runs['warm'].append(launcher_figures(work, 'warm', args.steps))
    shutil.rmtree(work.cache / 'tokens')
    all_runs['no_tokens'].append(
      launcher_figures(work, 'no_tokens', args.steps)
    )
    empty = work._replace(cache=work.runs / 'empty_cache')
    shutil.rmtree(empty.cache, ignore_errors=True)
    all_runs['no_cache'].append(launcher_figures(empty, 'no_cache', args.steps))
    measuring.progress(
      f'pair {pair + 1} of {args.pairs}: '
      + json.dumps({k: round(v[-1]['seconds'], 2) for k, v in all_runs.items()})
    )
  in_memory = plain_figures(work, own, args.steps, '--in_memory')
  rates = in_memory['steps_per_second_between_evals']
  rate_in_memory = measuring.median(rates[2:] or rates[-1:])

  table = compare(all_runs)
  print(
    f'{args.steps} steps on {workload.describe(work)}, medians of '
    f'{args.pairs}, by turns'
  )
  measuring.print_table(
    ('', 'plain trax', 'launcher', 'times better', 'target', ''),
    [
      (
        line['what'],
        line['plain'],
        line['launcher'],
        line['times_better'],
        line['target'],
        measuring.judge(line['times_better'], line['target']),
      )
      for line in table
    ],
  )
  print(
    'Of plain trax, with its batches formed beforehand: '
    f'{rate_in_memory:,.0f} steps/s.'
  )
  measuring.write_results(
    'train',
    where,
    {
      'data': work.name,
      'steps': args.steps,
      'baseline': 'shared' if baseline == shared else 'own',
      'table': table,
      'plain_steps_per_second_in_memory': rate_in_memory,
      'runs': all_runs,
    },
  )


if __name__ == '__main__':
  main()
