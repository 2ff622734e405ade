"""A sweep by the launcher against separate processes, plain trax and Hydra.

Usage:
  python -m benchmarks.bench_sweep [--steps=2000] [--measured=4] [--trivial=200]
      [--parts=overhead,grid,rivals,kill]

overhead: what a trial costs beyond its training in a warm worker, from 200
trials of one step. grid: 3 learning rates, 3 widths and 2 seeds, two trials at
a time: as one sweep, and as launcher processes. rivals: the same as plain trax
scripts, and as those under Hydra with joblib; some are measured, and the time
of 18 follows. kill: the same 4 short trials as a sweep and under Hydra, killed
in the middle and started again. Of parts that are left out, the figures stay.
"""

import concurrent.futures
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import bench_peers, killing, measuring, workload

TARGETS = {'launcher': 0.6, 'plain': 0.12}
RATES = (0.003, 0.01, 0.03)
WIDTHS = (25, 50, 100)
SEEDS = (0, 1)
JOBS = 2
_HYDRA = measuring.ROOT / 'benchmarks' / 'peers' / 'hydra_sweep.py'
_PLAIN = measuring.ROOT / 'benchmarks' / 'plain_trax.py'

bench_peers.PACKAGES['hydra'] = (
  'hydra-core==1.3.2',
  'hydra-joblib-launcher==1.2.0',
)


def sweep_command(
  work: workload.Workload, output_dir: pathlib.Path, *flags: str
) -> list[Any]:
  """Returns the command of a sweep; it needs `environment`, too."""
  return [
    *(sys.executable, 'launcher.py', *work.gin_flags, *flags),
    f'--output_dir={output_dir}',
  ]


def environment(work: workload.Workload) -> dict[str, str]:
  """Returns the variables that every process here gets."""
  return {
    'TRAX_EXPERIMENTS_CACHE': str(work.cache),
    'PYTHONPATH': str(measuring.ROOT),
    'PLAIN_PYTHON': sys.executable,
    'PLAIN_SCRIPT': str(_PLAIN),
  }


def axes(rates: Sequence[float], widths: Sequence[int]) -> list[str]:
  """Returns the flags that make a sweep of these, and of both seeds."""
  return [
    f'--sweep=LEARNING_RATE={list(rates)}',
    f'--sweep=EMBEDDING_SIZE={list(widths)}',
    f'--sweep=SEED={list(SEEDS)}',
  ]


def overhead(work: workload.Workload, n_trials: int) -> dict[str, float]:
  """Measures trials of one step, in one worker.

  Args:
    work: what to train.
    n_trials: how many.

  Returns:
    Seconds for a trial beyond those of its step: of the second half of the
    trials, and of all; and how much memory the worker held at the end of each
    half, in MiB.
  """
  output_dir = work.output_dir('trivial')
  rates = [round(0.001 + 0.0001 * i, 6) for i in range(n_trials)]
  process = subprocess.Popen(
    sweep_command(
      work,
      output_dir,
      f'--sweep=LEARNING_RATE={rates}',
      '--gin_bindings=N_STEPS=1',
      '--gin_bindings=N_EVAL_BATCHES=1',
    ),
    cwd=measuring.ROOT,
    env={**os.environ, **environment(work)},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    encoding='utf-8',
  )
  assert process.stderr is not None
  ends: list[float] = []
  memory: dict[int, float] = {}
  for line in process.stderr:
    if re.match(r'\[\d+/\d+\] ', line):
      ends.append(time.perf_counter())
      if len(ends) in (n_trials // 2, n_trials):
        memory[len(ends)] = killing.rss_mib(killing.children(process.pid))
  process.wait()
  if process.returncode:
    raise RuntimeError(f'the sweep ended with status {process.returncode}')
  step_seconds = measuring.median(
    1
    / measuring.records(path, 'train', 'training/steps per second')[0]['value']
    for path in sorted(output_dir.iterdir())
    if (path / 'metrics.jsonl').exists()
  )

  def beyond(first: int) -> float:
    n = len(ends) - 1 - first
    return (ends[-1] - ends[first]) / n - step_seconds

  return {
    'seconds_beyond_training': beyond(n_trials // 2),
    'seconds_beyond_training_of_all': beyond(0),
    'step_seconds': step_seconds,
    'rss_mib_after_half': memory.get(n_trials // 2, 0.0),
    'rss_mib_at_the_end': memory.get(n_trials, 0.0),
  }


def two_at_a_time(commands: Sequence[list[Any]], env: dict[str, str]) -> float:
  """Runs commands, two at a time; returns the seconds of all."""
  start = time.perf_counter()
  with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
    list(pool.map(lambda command: killing.run(command, env), commands))
  return time.perf_counter() - start


def grid(work: workload.Workload, steps: int) -> dict[str, float]:
  """Measures all trials as one sweep, and as launchers.

  Args:
    work: what to train.
    steps: of each trial.

  Returns:
    Seconds of each.
  """
  env = environment(work)
  n_steps = f'--gin_bindings=N_STEPS={steps}'
  # Compiles every width, for the sweep and the separate processes alike.
  two_at_a_time(
    [
      sweep_command(
        work,
        work.output_dir('compile'),
        f'--sweep=EMBEDDING_SIZE={list(WIDTHS)}',
        n_steps,
      )
    ],
    env,
  )
  seconds = {}
  seconds['sweep'] = two_at_a_time(
    [
      sweep_command(
        work,
        work.output_dir('grid'),
        *axes(RATES, WIDTHS),
        n_steps,
        f'--jobs={JOBS}',
      )
    ],
    env,
  )
  measuring.progress(f'the sweep: {seconds["sweep"]:.1f} s')
  points = itertools.product(RATES, WIDTHS, SEEDS)
  seconds['launcher'] = two_at_a_time(
    [
      sweep_command(
        work,
        work.output_dir(f'alone_{rate}_{width}_{seed}'),
        *workload.bindings(
          {
            'LEARNING_RATE': rate,
            'EMBEDDING_SIZE': width,
            'SEED': seed,
            'N_STEPS': steps,
          }
        ),
      )
      for rate, width, seed in points
    ],
    env,
  )
  measuring.progress(f'18 launchers: {seconds["launcher"]:.1f} s')
  return seconds


def rivals(
  work: workload.Workload, steps: int, measured: int
) -> dict[str, float]:
  """Measures some trials as plain scripts, alone and by Hydra.

  Args:
    work: what to train.
    steps: of each trial.
    measured: how many trials.

  Returns:
    Seconds of 18 by each.
  """
  n_trials = len(RATES) * len(WIDTHS) * len(SEEDS)
  seconds = {}
  # As wide on average as the grid.
  points = [
    (rate, width) for rate in RATES for width in (WIDTHS[0], WIDTHS[-1])
  ][:measured]
  plain = [
    [
      *(sys.executable, _PLAIN, *work.plain_flags, f'--steps={steps}'),
      *(f'--learning_rate={rate}', f'--embedding_size={width}'),
      f'--output_dir={work.output_dir(f"plain_{rate}_{width}")}',
    ]
    for rate, width in points
  ]
  once = two_at_a_time(plain, environment(work))
  seconds['plain'] = once * n_trials / len(plain)
  measuring.progress(f'18 plain scripts: {seconds["plain"]:.1f} s')
  seconds['hydra'] = hydra_seconds(work, steps, measured) * n_trials / measured
  measuring.progress(f'18 plain scripts by Hydra: {seconds["hydra"]:.1f} s')
  return seconds


def hydra_command(
  work: workload.Workload, directory: pathlib.Path, *overrides: str
) -> list[str]:
  """Returns the command of a Hydra sweep around the plain script."""
  common = [flag.removeprefix('--') for flag in work.plain_flags]
  quoted = [
    f"+{name}='{value}'"
    for name, _, value in (flag.partition('=') for flag in common)
  ]
  return [
    *(str(bench_peers.python_with('hydra')), str(_HYDRA), '-m'),
    *('hydra/launcher=joblib', f'hydra.launcher.n_jobs={JOBS}'),
    *(f'hydra.sweep.dir={directory}', 'hydra.job.chdir=True'),
    *quoted,
    *overrides,
  ]


def hydra_seconds(work: workload.Workload, steps: int, measured: int) -> float:
  """Runs some plain trials under Hydra."""
  bench_peers.python_with('hydra')
  widths = ','.join(map(str, (WIDTHS[0], WIDTHS[-1])))
  rates = ','.join(map(str, RATES[: measured // 2]))
  command = hydra_command(
    work,
    work.output_dir('hydra'),
    *(
      f'+steps={steps}',
      f'+embedding_size={widths}',
      f'+learning_rate={rates}',
    ),
  )
  return two_at_a_time([command], environment(work))


def kill(work: workload.Workload, steps: int) -> dict[str, Any]:
  """Kills a sweep in its middle, and starts it again.

  Args:
    work: what to train.
    steps: of each of 4 trials.

  Returns:
    `killing.kill_and_go_on` of the launcher and of Hydra.
  """
  ours, theirs = work.output_dir('killed'), work.output_dir('hydra_killed')
  return {
    'launcher': killing.kill_and_go_on(
      sweep_command(
        work,
        ours,
        *axes(RATES[:1], WIDTHS[:2]),
        *(f'--gin_bindings=N_STEPS={steps}', f'--jobs={JOBS}'),
      ),
      environment(work),
      lambda: find_end_times(ours.glob('*/run.json'), '"status": "finished"'),
    ),
    'hydra': killing.kill_and_go_on(
      hydra_command(
        work,
        theirs,
        *(f'+steps={steps}', f'+learning_rate={RATES[0]}'),
        f'+embedding_size={WIDTHS[0]},{WIDTHS[1]}',
        f'+seed={SEEDS[0]},{SEEDS[1]}',
      ),
      environment(work),
      lambda: find_end_times(theirs.glob('*/result.json'), 'total_seconds'),
    ),
  }


def find_end_times(paths: Iterable[pathlib.Path], text: str) -> dict[str, int]:
  """Returns when each of those files was written that hold a text, in ns."""
  return {
    str(path): path.stat().st_mtime_ns
    for path in paths
    if text in path.read_text(encoding='utf-8-sig')
  }


def lines_of_code(path: pathlib.Path) -> int:
  """Returns the number of lines that are not empty, docstrings left out."""
  code = re.sub(
    r'""".*?"""', '', path.read_text(encoding='utf-8-sig'), flags=re.DOTALL
  )
  return sum(bool(line.strip()) for line in code.splitlines())


def main() -> None:
  """Parses flags, measures, prints tables."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--steps', type=int, default=2000)
  parser.add_argument('--measured', type=int, default=4)
  parser.add_argument('--trivial', type=int, default=200)
  parser.add_argument('--parts', default='overhead,grid,rivals,kill')
  workload.add_flags(parser)
  args = parser.parse_args()
  where = measuring.begin('A sweep by the launcher, and by others')
  work = workload.open_workload(args)
  shutil.rmtree(work.runs, ignore_errors=True)
  parts = args.parts.split(',')
  figures: dict[str, Any] = measuring.read_results('sweep') | {
    'data': work.name,
    'steps': args.steps,
    'measured': args.measured,
    'lines_of_code': {'launcher': 0, 'hydra': lines_of_code(_HYDRA)},
  }
  if 'overhead' in parts:
    found = figures['overhead'] = overhead(work, args.trivial)
    print(
      f'A trial beyond its training, in a warm worker, of {args.trivial}: '
      f'{found["seconds_beyond_training"]:.3f} s '
      f'{measuring.judge(0.2 / found["seconds_beyond_training"], 1.0)} (0.2 s)'
    )
  if 'grid' in parts:
    figures['grid'] = figures.get('grid', {}) | grid(work, args.steps)
  if 'rivals' in parts:
    others = rivals(work, args.steps, args.measured)
    figures['grid'] = figures.get('grid', {}) | others
  if {'grid', 'rivals'} & {*parts} and 'sweep' in figures['grid']:
    seconds = figures['grid']
    print(f'18 trials of {args.steps} steps, {JOBS} at a time')
    measuring.print_table(
      ('', 'seconds', 'the sweep takes', 'target', ''),
      [
        (
          name,
          value,
          seconds['sweep'] / value,
          TARGETS.get(name),
          measuring.judge(-seconds['sweep'] / value, -TARGETS[name])
          if name in TARGETS
          else '',
        )
        for name, value in seconds.items()
      ],
    )
  lines = figures['lines_of_code']['hydra']
  print(f'Lines of Python that Hydra needs around the plain script: {lines}')
  if 'kill' in parts:
    figures['kill'] = kill(work, args.steps // 4)
    measuring.print_table(
      ('killed with -9, then again', *next(iter(figures['kill'].values()))),
      [(name, *found.values()) for name, found in figures['kill'].items()],
    )
  measuring.write_results('sweep', where, figures)


if __name__ == '__main__':
  main()
