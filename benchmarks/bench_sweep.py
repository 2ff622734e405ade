"""A sweep by the launcher against separate processes, plain trax and Hydra.

Usage:
  python -m benchmarks.bench_sweep [--steps=2000] [--measured=4] [--trivial=200]
      [--parts=overhead,grid,kill]

overhead: what a trial costs beyond its training in a warm worker, from 200
trials of one step. grid: 3 learning rates, 3 widths and 2 seeds, two trials at
a time: as one sweep; as launcher processes; as plain trax scripts; as those
under Hydra with joblib. Of the last three some are measured and the
time of 18 follows. kill: the same 4 short trials as a sweep and under Hydra,
killed in the middle and started again.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks import bench_peers, measuring, workload

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
    text=True,
  )
  assert process.stderr is not None
  ends: list[float] = []
  memory: dict[int, float] = {}
  for line in process.stderr:
    if re.match(r'\[\d+/\d+\] ', line):
      ends.append(time.perf_counter())
      if len(ends) in (n_trials // 2, n_trials):
        memory[len(ends)] = rss_mib(children(process.pid))
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


def children(pid: int) -> list[int]:
  """Returns the processes that a process has started."""
  path = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
  return [int(child) for child in path.read_text().split()]


def rss_mib(pids: Sequence[int]) -> float:
  """Returns the memory that the largest of some processes holds."""
  pages = []
  for pid in pids:
    fields = pathlib.Path(f'/proc/{pid}/statm').read_text().split()
    pages.append(int(fields[1]))
  return max(pages, default=0) * os.sysconf('SC_PAGE_SIZE') / 2**20


def two_at_a_time(commands: Sequence[list[Any]], env: dict[str, str]) -> float:
  """Runs commands, two at a time; returns the seconds of all."""

  def run(command: list[Any]) -> None:
    subprocess.run(
      list(map(str, command)),
      cwd=measuring.ROOT,
      env={**os.environ, **env},
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
      check=True,
    )

  start = time.perf_counter()
  with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
    list(pool.map(run, commands))
  return time.perf_counter() - start


def grid(work: workload.Workload, steps: int, measured: int) -> dict[str, Any]:
  """Measures 18 trials in four ways.

  Args:
    work: what to train.
    steps: of each trial.
    measured: how many trials of those that are not one sweep.
  """
  n_trials = len(RATES) * len(WIDTHS) * len(SEEDS)
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
  # As wide on average as the grid.
  points = [
    (rate, width) for width in (WIDTHS[0], WIDTHS[-1]) for rate in RATES
  ][:measured]
  launcher = [
    sweep_command(
      work,
      work.output_dir(f'alone_{rate}_{width}'),
      *workload.bindings(
        {'LEARNING_RATE': rate, 'EMBEDDING_SIZE': width, 'N_STEPS': steps}
      ),
    )
    for rate, width in points
  ]
  seconds['launcher'] = two_at_a_time(launcher, env) * n_trials / len(launcher)
  measuring.progress(f'18 launchers: {seconds["launcher"]:.1f} s')
  plain = [
    [
      *(sys.executable, _PLAIN, *work.plain_flags, f'--steps={steps}'),
      *(f'--learning_rate={rate}', f'--embedding_size={width}'),
      f'--output_dir={work.output_dir(f"plain_{rate}_{width}")}',
    ]
    for rate, width in points
  ]
  seconds['plain'] = two_at_a_time(plain, env) * n_trials / len(plain)
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
    For the launcher and for Hydra: how many trials were done when it was
    killed, how many processes were left, how many trials the second command
    ran, and the seconds of both commands.
  """
  results = {}
  ours = work.output_dir('killed')
  results['launcher'] = kill_and_go_on(
    sweep_command(
      work,
      ours,
      *axes(RATES[:1], WIDTHS[:2]),
      f'--gin_bindings=N_STEPS={steps}',
    ),
    environment(work),
    lambda: count(ours, '*/run.json', '"status": "finished"'),
  )
  state = json.loads((ours / 'sweep.json').read_text())
  results['launcher']['trials_run_again'] = sum(
    trial['attempts'] - 1 for trial in state['trials'].values()
  )
  theirs = work.output_dir('hydra_killed')
  results['hydra'] = kill_and_go_on(
    hydra_command(
      work,
      theirs,
      *(f'+steps={steps}', f'+learning_rate={RATES[0]}'),
      f'+embedding_size={WIDTHS[0]},{WIDTHS[1]}',
      f'+seed={SEEDS[0]},{SEEDS[1]}',
    ),
    environment(work),
    lambda: count(theirs, '*/result.json', 'total_seconds'),
  )
  # Its directories are numbered from 0 again, and every trial is run.
  results['hydra']['trials_run_again'] = results['hydra']['done_before']
  return results


def count(directory: pathlib.Path, pattern: str, text: str) -> int:
  """Returns how many files of a pattern hold a text."""
  return sum(text in path.read_text() for path in directory.glob(pattern))


def kill_and_go_on(command: list[Any], env: dict[str, str], n_done) -> dict:
  """Kills a command once two of its trials are done, and starts it again."""
  start = time.perf_counter()
  process = subprocess.Popen(
    list(map(str, command)),
    cwd=measuring.ROOT,
    env={**os.environ, **env},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
  )
  while n_done() < 2 and process.poll() is None:
    time.sleep(0.05)
  done_before = n_done()
  group = os.getpgid(process.pid)
  workers = children(process.pid)
  process.kill()
  process.wait()
  time.sleep(2)
  left = in_group(group) + [pid for pid in workers if is_alive(pid)]
  for pid in set(left):
    os.kill(pid, signal.SIGKILL)
  first = time.perf_counter() - start
  second = two_at_a_time([command], env)
  return {
    'done_before': done_before,
    'processes_left': len(set(left)),
    'seconds': first + second,
    'seconds_again': second,
  }


def is_alive(pid: int) -> bool:
  """Tells whether a process runs."""
  try:
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return False
  return stat.rpartition(')')[2].split()[0] not in 'ZX'


def in_group(group: int) -> list[int]:
  """Returns the running processes of a process group."""
  found = []
  for path in pathlib.Path('/proc').glob('[0-9]*'):
    pid = int(path.name)
    try:
      if os.getpgid(pid) == group and is_alive(pid):
        found.append(pid)
    except OSError:
      continue
  return found


def main() -> None:
  """Parses flags, measures, prints tables."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--steps', type=int, default=2000)
  parser.add_argument('--measured', type=int, default=4)
  parser.add_argument('--trivial', type=int, default=200)
  parser.add_argument('--parts', default='overhead,grid,kill')
  workload.add_flags(parser)
  args = parser.parse_args()
  where = measuring.begin('A sweep by the launcher, and by others')
  work = workload.open_workload(args)
  shutil.rmtree(work.runs, ignore_errors=True)
  parts = args.parts.split(',')
  figures: dict[str, Any] = {'data': work.name, 'steps': args.steps}
  if 'overhead' in parts:
    found = figures['overhead'] = overhead(work, args.trivial)
    print(
      f'A trial beyond its training, in a warm worker, of {args.trivial}: '
      f'{found["seconds_beyond_training"]:.3f} s '
      f'{measuring.met(0.2 / found["seconds_beyond_training"], 1.0)} (0.2 s)'
    )
  if 'grid' in parts:
    seconds = figures['grid'] = grid(work, args.steps, args.measured)
    print(f'18 trials of {args.steps} steps, {JOBS} at a time')
    measuring.print_table(
      ('', 'seconds', 'the sweep takes', 'target', ''),
      [
        (
          name,
          value,
          seconds['sweep'] / value,
          TARGETS.get(name),
          measuring.met(-seconds['sweep'] / value, -TARGETS[name])
          if name in TARGETS
          else '',
        )
        for name, value in seconds.items()
      ],
    )
  if 'kill' in parts:
    figures['kill'] = kill(work, args.steps // 4)
    measuring.print_table(
      ('killed with -9, then again', *next(iter(figures['kill'].values()))),
      [(name, *found.values()) for name, found in figures['kill'].items()],
    )
  measuring.write_results('sweep', where, figures)


if __name__ == '__main__':
  main()
