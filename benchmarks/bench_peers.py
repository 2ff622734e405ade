"""The launcher beside what a user might take instead.

Usage:
  python -m benchmarks.bench_peers [--repeats=3] [--max_steps=1000]

How long until fastText's accuracy on the test split: by fastText (5 epochs, 2
threads), by PyTorch's EmbeddingBag with Adam on the same token ids and batch
size, and by the launcher. Each peer is installed in an environment of its own
in build/benchmarks. The accuracy is looked for every 20 steps in one run, and
the time is that of another, which does no more than so many steps. PyTorch and
the launcher read token ids that are on disk already; fastText reads texts.
"""

import pathlib
import sys
from typing import Any

from benchmarks import measuring, workload

# Where pip would take a build for GPUs, give it the index of the CPU builds.
PACKAGES = {
  'torch': ('torch==2.13.0', 'numpy'),
  'fasttext': ('fasttext-numpy2==0.10.4',),
}
# PyTorch starts embeddings as a standard normal, which costs it accuracy here.
TORCH = {
  'EmbeddingBag': (),
  'EmbeddingBag, small start': ('--init=0.05',),
  'EmbeddingBag, small start, sparse': ('--init=0.05', '--sparse'),
}
# The post's model counts padding and starts with embeddings of variance 1; the
# other is what EmbeddingBag with a small start computes.
LAUNCHER = {
  'launcher': (),
  'launcher, masked, small start': (
    '--gin_bindings=MODEL=@masked_mean_embedding',
    '--gin_bindings=masked_mean_embedding.init_range=0.05',
  ),
}
EVERY_STEPS = 20
_PEERS = 'benchmarks/peers'


def python_with(peer: str) -> pathlib.Path:
  """Returns the interpreter of a peer's environment, made if need be."""
  directory = workload.WORK_DIR / 'environments' / peer
  python, ready = directory / 'bin' / 'python', directory / 'ready'
  if not ready.exists():
    measuring.progress(f'installing {" ".join(PACKAGES[peer])}')
    measuring.run([sys.executable, '-m', 'venv', '--clear', directory])
    measuring.run([python, '-m', 'pip', 'install', '-q', *PACKAGES[peer]])
    ready.touch()
  return python


def collect(finished: measuring.Finished, **more: Any) -> dict[str, Any]:
  """Returns what a peer printed, and its seconds from outside."""
  return {
    **finished.last_json(),
    'process_seconds': finished.seconds,
    'peak_rss_mib': finished.peak_rss_mib,
    **more,
  }


def run_torch(
  data: pathlib.Path, targets: list[float], seed: int, max_steps: int, *flags
) -> list[dict[str, Any] | None]:
  """Trains EmbeddingBag to each accuracy; None where it is not reached."""
  command = [
    python_with('torch'),
    f'{_PEERS}/torch_embedding_bag.py',
    data,
    f'--seed={seed}',
    *flags,
  ]
  results: list[dict[str, Any] | None] = []
  for target in targets:
    steps = measuring.run(
      [
        *command,
        f'--steps={max_steps}',
        f'--find={target}',
        f'--every={EVERY_STEPS}',
      ]
    ).last_json()['found']
    results.append(
      steps
      and collect(measuring.run([*command, f'--steps={steps}']), steps=steps)
    )
  return results


def run_launcher(
  work: workload.Workload,
  data: pathlib.Path,
  targets: list[float],
  seed: int,
  max_steps: int,
  more: tuple[str, ...],
) -> list[dict[str, Any] | None]:
  """Trains by the launcher to each accuracy; None where it is not reached."""
  search = work.output_dir('search')
  flags = workload.bindings(
    {
      'N_STEPS': max_steps,
      'N_STEPS_PER_CHECKPOINT': EVERY_STEPS,
      'experiment.keep_checkpoints': max_steps,
      'N_EVAL_BATCHES': 1,
      'SEED': seed,
    }
  )
  measuring.launch(
    *work.gin_flags,
    *more,
    *flags,
    f'--output_dir={search}',
    cache=work.cache,
  )
  found = measuring.run(
    [
      sys.executable,
      '-m',
      'benchmarks.peers.first_step',
      search,
      data / 'test.npz',
      *targets,
      *(['--masked'] if more else []),
    ]
  ).last_json()['found']
  return [steps and time_launch(work, steps, seed, more) for steps in found]


def time_launch(
  work: workload.Workload, steps: int, seed: int, more: tuple[str, ...]
) -> dict[str, Any]:
  """Trains by the launcher for a number of steps."""
  output_dir = work.output_dir('to_accuracy')
  finished = work.train(output_dir, *more, N_STEPS=steps, SEED=seed)
  rates = measuring.records(output_dir, 'train', 'training/steps per second')
  seconds, before = 0.0, 0
  for record in rates:
    seconds += (record['step'] - before) / record['value']
    before = record['step']
  return {
    'train_seconds': seconds,
    'test_accuracy': workload.test_accuracy(output_dir),
    'process_seconds': finished.seconds,
    'peak_rss_mib': finished.peak_rss_mib,
    'steps': steps,
  }


def row(name: str, runs: list[dict[str, Any] | None]) -> dict[str, Any]:
  """Returns a line of the table: the medians of runs that got there."""
  there = [run for run in runs if run]
  line: dict[str, Any] = {
    'what': name,
    'reached': f'{len(there)} of {len(runs)}',
  }
  for key in (
    'steps',
    'train_seconds',
    'process_seconds',
    'test_accuracy',
    'peak_rss_mib',
  ):
    values = [run[key] for run in there if key in run]
    line[key] = measuring.median(values) if values else None
  return line


def main() -> None:
  """Parses flags, measures, prints a table for each of fastText's settings."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--repeats', type=int, default=3)
  parser.add_argument('--max_steps', type=int, default=1000)
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('Beside other tools: to the accuracy of fastText')
  work = workload.open_workload(args)
  data = workload.WORK_DIR / work.name / 'export'
  measuring.run(
    [sys.executable, '-m', 'benchmarks.peers.export', data, *work.gin_flags],
    env={'TRAX_EXPERIMENTS_CACHE': str(work.cache)},
  )
  settings = {
    "fastText's defaults": (),
    "fastText's for AG News": ('--published',),
  }
  fasttext_runs: dict[str, list[dict[str, Any] | None]] = {
    name: [
      collect(
        measuring.run(
          [
            python_with('fasttext'),
            f'{_PEERS}/fasttext_supervised.py',
            data,
            *flags,
          ]
        )
      )
      for _ in range(args.repeats)
    ]
    for name, flags in settings.items()
  }
  targets = [
    measuring.median(run['test_accuracy'] for run in runs if run)
    for runs in fasttext_runs.values()
  ]
  python_with('torch')
  others: dict[str, list] = {name: [] for name in (*TORCH, *LAUNCHER)}
  for seed in range(args.repeats):
    measuring.progress(f'seed {seed}: to {[round(t, 4) for t in targets]}')
    for name, flags in TORCH.items():
      others[name].append(
        run_torch(data, targets, seed, args.max_steps, *flags)
      )
    for name, flags in LAUNCHER.items():
      others[name].append(
        run_launcher(work, data, targets, seed, args.max_steps, flags)
      )

  tables = {}
  for i, (name, runs) in enumerate(fasttext_runs.items()):
    table = [row('fastText', runs)]
    table += [
      row(tool, [run[i] for run in tool_runs])
      for tool, tool_runs in others.items()
    ]
    tables[name] = {'accuracy': targets[i], 'table': table}
    print(
      f'{workload.describe(work)}, to {targets[i]:.4f} ({name}), medians of '
      f'{args.repeats} seeds'
    )
    measuring.print_table(
      (
        '',
        'reached',
        'steps',
        'training (s)',
        'process (s)',
        'accuracy',
        'peak MiB',
      ),
      [list(line.values()) for line in table],
    )
  measuring.write_results(
    'peers',
    where,
    {
      'data': work.name,
      'packages': PACKAGES,
      'to': tables,
      'runs': {**fasttext_runs, **others},
    },
  )


if __name__ == '__main__':
  main()
