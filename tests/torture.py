"""Kills runs at any instant, lets them go on, and looks for what that changed.

  make torture            # 300 kills, JSON in benchmarks/results/torture.json
  make torture KILLS=30

A life is one run directory with caches of its own. Its process is started,
killed, and started again by the same command, until it is done. It must then
be what it is without a kill: checkpoints and models bit for bit, every line of
metrics.jsonl, and all that TensorBoard shows, but for what the clock says.

Half of the kills come at a random time after the start. The others come at a
random one of the operations on files, before it, when half of it is written, or
after it; a third of these take with them what no fsync has made durable, as a
power failure does. Now and then a process is told to stop, by SIGTERM or
Ctrl-C, and must do so in order.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import live_launcher
import same_run

HERE = pathlib.Path(__file__).resolve().parent
DISTURB = HERE / 'disturb'
# The last start of a life is never killed, and no life goes on for ever.
MAX_KILLS_A_LIFE = 8
SIGNALS = (signal.SIGKILL,) * 5 + (signal.SIGTERM, signal.SIGINT)
# What the launcher exits with, once it has taken charge of the signals.
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}
# Python's own end, with status 1, if Ctrl-C comes before there is a launcher.
NO_PYTHON_YET = 'init_import_site'
KINDS = ('any', 'open', 'write', 'fsync', 'replace', 'unlink', 'mkdir')
WHEN = ('before', 'during', 'after')
BASE = f"""import torture_models
include '{live_launcher.ROOT}/gin/bbc_news.gin'
SPLITS = ('train[:150]', 'test[:60]')
VOCAB_SIZE = 500
MAX_LENGTH = 1200
N_STEPS = 60
N_STEPS_PER_CHECKPOINT = 6
N_EVAL_BATCHES = 2
BUCKET_BOUNDARIES = [500, 1200]
BUCKET_BATCH_SIZES = [4, 2, 1]
"""
NOISY = 'MODEL = @noisy_embedding'
CASES: Mapping[str, list[str]] = {
  'Adam, several buckets': ['EMBEDDING_SIZE = 4'],
  'SGD, dropout, BatchNorm, warm-up': [
    'OPTIMIZER = @SGD',
    NOISY,
    'LR_SCHEDULE = @warmup',
    'warmup.n_warmup_steps = 20',
    'experiment.histograms = True',
  ],
  'Momentum, dropout, BatchNorm, the best kept': [
    'OPTIMIZER = @Momentum',
    NOISY,
    "experiment.best_metric = 'metrics/Accuracy'",
  ],
  'RMSProp, one bucket, only the newest kept': [
    'OPTIMIZER = @RMSProp',
    'EMBEDDING_SIZE = 4',
    'BUCKET_BOUNDARIES = [1200]',
    'BUCKET_BATCH_SIZES = [4, 1]',
    'experiment.keep_checkpoints = 1',
    "experiment.best_metric = 'metrics/CrossEntropyLoss'",
    "experiment.best_direction = 'minimize'",
  ],
  'Adafactor, dropout, BatchNorm': ['OPTIMIZER = @Adafactor', NOISY],
  'SM3, rsqrt decay': [
    'OPTIMIZER = @SM3',
    'EMBEDDING_SIZE = 4',
    'LR_SCHEDULE = @warmup_and_rsqrt_decay',
    'warmup_and_rsqrt_decay.n_warmup_steps = 10',
  ],
}


@dataclasses.dataclass
class Undisturbed:
  """A run that nothing disturbed.

  Attributes:
    path: its run directory.
    cold: how it went from nothing.
    warm: how it went with data and caches there.
  """

  path: pathlib.Path
  cold: 'Course'
  warm: 'Course'


@dataclasses.dataclass
class Course:
  """How an undisturbed process went.

  Attributes:
    seconds: how long it took.
    counts: how many operations on files of each kind it did.
  """

  seconds: float
  counts: dict[str, int]


@dataclasses.dataclass
class Life:
  """What happened to one run directory.

  Attributes:
    case: what is trained.
    kills: where each kill hit, in order.
    stops: the same, of SIGTERM and Ctrl-C.
    failures: what was wrong, if anything.
    asked: how often the user was asked to remove a data set that TFDS had not
      made durable when the power failed.
  """

  case: str
  kills: list[str] = dataclasses.field(default_factory=list)
  stops: list[str] = dataclasses.field(default_factory=list)
  failures: list[str] = dataclasses.field(default_factory=list)
  asked: int = 0


def launcher_of(directory: pathlib.Path, case: str) -> live_launcher.Launcher:
  """Makes a launcher that has nothing yet, with case.gin in its directory.

  Args:
    directory: its working directory, and that of its caches.
    case: a key of `CASES`.
  """
  launcher = live_launcher.Launcher(directory)
  (directory / 'torture.gin').write_text(BASE)
  lines = ["include 'torture.gin'", *CASES[case], '']
  (directory / 'case.gin').write_text('\n'.join(lines))
  (directory / 'tmp').mkdir()
  launcher.env |= {'PYTHONPATH': str(DISTURB), 'TMPDIR': str(directory / 'tmp')}
  return launcher


def arguments(launcher: live_launcher.Launcher) -> list[str]:
  """Returns the command line's flags that train the case."""
  return ['--gin_file=case.gin', f'--output_dir={launcher.cwd / "run"}']


def start(
  launcher: live_launcher.Launcher, disturbance: Mapping[str, Any]
) -> subprocess.Popen:
  """Starts a run in its directory.

  Args:
    launcher: from `launcher_of`.
    disturbance: see disturb/sitecustomize.py; {} for none.
  """
  report = launcher.cwd / 'report.txt'
  report.unlink(missing_ok=True)
  spec = {**disturbance, 'root': str(launcher.cwd), 'report': str(report)}
  with open(launcher.cwd / 'stderr.txt', 'wb') as stderr:
    return subprocess.Popen(
      launcher.command(*arguments(launcher)),
      cwd=launcher.cwd,
      env={**launcher.env, 'DISTURB': json.dumps(spec)}
      if disturbance
      else launcher.env,
      stdout=subprocess.DEVNULL,
      stderr=stderr,
    )


def undisturbed(directory: pathlib.Path, case: str) -> Undisturbed:
  """Trains a case from nothing.

  Args:
    directory: where; made.
    case: a key of `CASES`.

  Raises:
    RuntimeError: it failed.
  """
  launcher = launcher_of(directory, case)
  courses = []
  for _ in ('cold', 'warm'):
    shutil.rmtree(directory / 'run', ignore_errors=True)
    begin = time.monotonic()
    status = start(launcher, {'do': 'count'}).wait()
    if status:
      raise RuntimeError((directory / 'stderr.txt').read_text())
    seconds = time.monotonic() - begin
    counts = json.loads((directory / 'report.txt').read_text())
    courses.append(Course(seconds, counts))
  return Undisturbed(directory / 'run', *courses)


def live(
  directory: pathlib.Path,
  case: str,
  expected: Undisturbed,
  *,
  seed: int = 0,
  plan: Sequence[Mapping[str, Any]] | None = None,
  keep: bool = False,
) -> Life:
  """Trains a case from nothing through kills, and compares.

  Args:
    directory: where; made.
    case: a key of `CASES`.
    expected: the same without a kill.
    seed: of when to kill.
    plan: or what is to happen to each process, see disturb/sitecustomize.py.
    keep: whether the directory stays even if nothing was wrong.
  """
  chance = random.Random(seed)
  life = Life(case)
  launcher = launcher_of(directory, case)
  # To make what is in them takes most of the time of a first start.
  course = expected.cold
  if chance.random() < 0.7:
    course = expected.warm
    for name in ('data', 'cache'):
      shutil.copytree(expected.path.parent / name, directory / name)
  goes_on = True
  while goes_on:
    spec: dict[str, Any] = {}
    number, timeout = signal.SIGKILL, None
    n = len(life.kills) + len(life.stops)
    if plan is not None:
      spec = dict(plan[n]) if n < len(plan) else {}
    elif n == MAX_KILLS_A_LIFE:
      pass
    elif chance.random() < 0.6:
      number = chance.choice(SIGNALS)
      timeout = chance.uniform(0, 0.9 * course.seconds)
    else:
      spec = _kill_at_an_operation(chance, course.counts)
    process = start(launcher, spec)
    with contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(timeout)
    if process.poll() is None:
      process.send_signal(number)
    status = process.wait()
    stderr = (directory / 'stderr.txt').read_text()
    goes_on = status in (-number, STATUS.get(number)) or (
      number == signal.SIGINT and status == 1 and NO_PYTHON_YET in stderr
    )
    if goes_on:
      ends = life.kills if number == signal.SIGKILL else life.stops
      ends.append(_where(launcher, spec, timeout))
      if (directory / 'run').exists():
        course = expected.warm
      if status == STATUS.get(number) and 'Traceback' in stderr:
        life.failures.append(f'after {ends[-1]}: {stderr[-2000:]}')
      life.failures += [
        f'after {ends[-1]}: {difference}'
        for difference in same_run.half_written(directory / 'run')
      ]
    elif status == 2 and _asks_for_data_to_go(launcher):
      life.asked += 1
      shutil.rmtree(directory / 'data' / 'bbc_news')
      goes_on = True
  if status:
    life.failures.append(f'exit status {status}: {stderr[-2000:]}')
  else:
    life.failures += same_run.differences(
      directory / 'run', expected.path, stopped=bool(life.stops)
    )
    life.failures += same_run.left_over(directory)
    life.failures += [
      f'stderr: {line}' for line in stderr.splitlines() if 'arning' in line
    ]
  if not life.failures and not keep:
    shutil.rmtree(directory)
  return life


def _asks_for_data_to_go(launcher: live_launcher.Launcher) -> bool:
  stderr = (launcher.cwd / 'stderr.txt').read_text()
  return (
    stderr.startswith(f"the prepared data set in '{launcher.cwd}/data/")
    and 'Delete that directory; the next run prepares it again.' in stderr
  )


def _kill_at_an_operation(
  chance: random.Random, counts: Mapping[str, int]
) -> dict[str, Any]:
  kind = chance.choice([kind for kind in KINDS if counts.get(kind)])
  return {
    'do': chance.choice(['kill', 'kill', 'power']),
    'kind': kind,
    'n': chance.randint(1, max(1, 4 * counts[kind] // 5)),
    'when': chance.choice(WHEN),
  }


def _where(
  launcher: live_launcher.Launcher,
  spec: Mapping[str, Any],
  timeout: float | None,
) -> str:
  """Says where a kill hit, without what differs from life to life."""
  if not spec:
    lines = (launcher.cwd / 'stderr.txt').read_text().splitlines()
    after = ' '.join(lines[-1].split()[:3]) if lines else 'nothing'
    return f'{timeout:.2f} s after the start, after {after!r}'
  return f'{spec["do"]} {(launcher.cwd / "report.txt").read_text()}'


def torture(
  directory: pathlib.Path, *, n_kills: int, seed: int, n_jobs: int = 1
) -> dict[str, Any]:
  """Kills until there were enough kills, and every life has ended.

  Args:
    directory: an empty one, for the lives.
    n_kills: how often at least.
    seed: of when to kill.
    n_jobs: how many lives at once.

  Returns:
    What JSON can hold: counts, and the lives.
  """
  begin = time.monotonic()
  with concurrent.futures.ThreadPoolExecutor(n_jobs) as pool:
    expected = dict(
      zip(
        CASES,
        pool.map(
          lambda case: undisturbed(directory / f'undisturbed {case}', case),
          CASES,
        ),
        strict=True,
      )
    )
    lives: list[Life] = []

    def worker(number: int) -> None:
      while sum(len(life.kills) for life in lives) < n_kills:
        i = next(numbers)
        case = list(CASES)[i % len(CASES)]
        life = live(
          directory / f'life {i}', case, expected[case], seed=seed + i
        )
        lives.append(life)
        _show(lives, n_kills)

    numbers = iter(range(sys.maxsize))
    list(pool.map(worker, range(n_jobs)))
  kills = [kill for life in lives for kill in life.kills]
  return {
    'kills': len(kills),
    'lives': len(lives),
    'failed': sum(bool(life.failures) for life in lives),
    'stops': sum(len(life.stops) for life in lives),
    'asked': sum(life.asked for life in lives),
    'seconds': round(time.monotonic() - begin, 1),
    'kills_by_kind': dict(collections.Counter(map(_kind, kills))),
    'by_case': {
      case: {
        'lives': sum(life.case == case for life in lives),
        'kills': sum(len(life.kills) for life in lives if life.case == case),
        'failed': sum(
          bool(life.failures) for life in lives if life.case == case
        ),
      }
      for case in CASES
    },
    'all_lives': [dataclasses.asdict(life) for life in lives],
  }


def _kind(kill: str) -> str:
  words = kill.split()
  return ' '.join(words[:3]) if words[0] in ('kill', 'power') else 'at a time'


def _show(lives: list[Life], n_kills: int) -> None:
  n = sum(len(life.kills) for life in lives)
  failed = sum(bool(life.failures) for life in lives)
  print(
    f'{min(n, n_kills)} of {n_kills} kills, {len(lives)} runs, {failed} not '
    'as if nothing had happened',
    file=sys.stderr,
  )
  for failure in lives[-1].failures:
    print(f'  {lives[-1].case}: {failure}', file=sys.stderr)


def main() -> int:
  """Does what the command line says; returns the exit status."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--kills', type=int, default=300, help='how many')
  parser.add_argument('--jobs', type=int, default=2, help='runs at once')
  parser.add_argument('--seed', type=int, default=0, help='of when to kill')
  parser.add_argument('--json', type=pathlib.Path, help='where to write')
  options = parser.parse_args()
  directory = pathlib.Path(tempfile.mkdtemp(prefix='torture.'))
  result = torture(
    directory, n_kills=options.kills, seed=options.seed, n_jobs=options.jobs
  )
  if options.json:
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + '\n')
  print(
    f'{result["kills"]} kills, and {result["stops"]} stops in order, of '
    f'{result["lives"]} runs in {result["seconds"]:.0f} s; '
    f'{result["lives"] - result["failed"]} ended as if nothing had happened, '
    f'{result["failed"]} did not'
  )
  for kind, n in sorted(result['kills_by_kind'].items(), key=lambda x: -x[1]):
    print(f'{n:5} {kind}')
  if result['failed']:
    print(f'The directories are in {directory}')
  else:
    shutil.rmtree(directory)
  return bool(result['failed'])


if __name__ == '__main__':
  sys.exit(main())
