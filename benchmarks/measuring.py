"""Processes measured from outside, and how figures are shown and kept."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = pathlib.Path(__file__).parent / 'results'
# Above this load others use the cores, and a figure is worth little.
_QUIET_LOAD = 0.7
_PACKAGES = ('trax', 'jax', 'jaxlib', 'tensorflow', 'numpy')


class Finished(NamedTuple):
  """A process that has ended.

  Attributes:
    seconds: from before it was started until it had ended.
    cpu_seconds: user and system time, of all its threads and children.
    peak_rss_mib: the most memory that it held at once.
    started: seconds since the epoch.
    stdout: what it wrote.
    stderr: what it wrote.
  """

  seconds: float
  cpu_seconds: float
  peak_rss_mib: float
  started: float
  stdout: str
  stderr: str

  def last_json(self) -> dict[str, Any]:
    """Returns the JSON object in the last line of stdout."""
    return json.loads(self.stdout.strip().splitlines()[-1])


def run(
  command: Sequence[Any],
  *,
  env: Mapping[str, str] | None = None,
  status: int = 0,
) -> Finished:
  """Runs a process from the root of the checkout, alone.

  The caller must be small itself: a child's peak memory is counted from what
  its parent held.

  Args:
    command: program and arguments.
    env: variables to add to the environment.
    status: the exit status that is expected.

  Raises:
    RuntimeError: it ended with another.
  """
  command = [str(part) for part in command]
  with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
    started, start = time.time(), time.perf_counter()
    process = subprocess.Popen(
      command,
      cwd=ROOT,
      env={**os.environ, **(env or {})},
      stdin=subprocess.DEVNULL,
      stdout=stdout,
      stderr=stderr,
    )
    try:
      _, wait_status, usage = os.wait4(process.pid, 0)
    except BaseException:
      process.kill()
      raise
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(wait_status)
    texts = []
    for file in (stdout, stderr):
      file.seek(0)
      texts.append(file.read().decode(errors='replace'))
  if process.returncode != status:
    raise RuntimeError(
      f'{" ".join(command)} ended with status {process.returncode}, expected '
      f'{status}:\n{texts[1][-2000:]}'
    )
  return Finished(
    seconds=seconds,
    cpu_seconds=usage.ru_utime + usage.ru_stime,
    peak_rss_mib=usage.ru_maxrss / 1024,
    started=started,
    stdout=texts[0],
    stderr=texts[1],
  )


def launch(
  *arguments: Any, cache: pathlib.Path | None = None, status: int = 0
) -> Finished:
  """Runs launcher.py.

  Args:
    *arguments: its flags.
    cache: the directory of its caches; None for the user's.
    status: the exit status that is expected.
  """
  return run(
    [sys.executable, 'launcher.py', *arguments],
    env={'TRAX_EXPERIMENTS_CACHE': str(cache)} if cache else None,
    status=status,
  )


def records(output_dir: pathlib.Path, split: str, metric: str) -> list[dict]:
  """Returns the records of a metric of a run, in the order of the steps."""
  lines = (
    (output_dir / 'metrics.jsonl').read_text(encoding='utf-8-sig').splitlines()
  )
  return [
    record
    for record in map(json.loads, lines)
    if (record['split'], record['metric']) == (split, metric)
  ]


def median(values: Iterable[float]) -> float:
  """Returns the median."""
  return statistics.median(values)


def standard_error(values: Sequence[float]) -> float:
  """Returns the standard error of the mean; 0 for a single value."""
  if len(values) < 2:
    return 0.0
  return statistics.stdev(values) / len(values) ** 0.5


def judge(value: float, target: float | None) -> str:
  """Returns whether a figure, of which more is better, reaches its target."""
  return '' if target is None else 'met' if value >= target else 'MISSED'


def environment() -> dict[str, Any]:
  """Returns where and with what figures are measured."""
  cpu = platform.processor()
  info = pathlib.Path('/proc/cpuinfo')
  if info.exists():
    names = [
      x
      for x in info.read_text(encoding='utf-8-sig').splitlines()
      if 'model name' in x
    ]
    cpu = names[0].partition(':')[2].strip() if names else cpu
  memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  versions = {}
  for package in _PACKAGES:
    try:
      versions[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      continue
  commit = subprocess.run(
    ['git', 'rev-parse', '--short', 'HEAD'],
    cwd=ROOT,
    capture_output=True,
    encoding='utf-8',
  ).stdout.strip()
  return {
    'date': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
    'commit': commit or None,
    'cpu': cpu,
    'cores': len(os.sched_getaffinity(0)),
    'memory_gib': round(memory / 2**30, 1),
    'load_average': round(os.getloadavg()[0], 2),
    'python': platform.python_version(),
    'versions': versions,
  }


def flag_parser(usage: str | None) -> argparse.ArgumentParser:
  """Returns a parser whose help is a module's docstring as it stands."""
  return argparse.ArgumentParser(
    description=usage, formatter_class=argparse.RawDescriptionHelpFormatter
  )


def begin(title: str) -> dict[str, Any]:
  """Says what is measured, and on what; returns `environment()`."""
  where = environment()
  print(
    f'\n{title}\n{where["cores"]} cores of {where["cpu"]}, commit '
    f'{where["commit"]}, load {where["load_average"]}',
    flush=True,
  )
  if where['load_average'] > _QUIET_LOAD:
    print('Others use this machine: take the figures with care.', flush=True)
  return where


def progress(text: str) -> None:
  """Says on stderr what has just been measured."""
  print(f'  {text}', file=sys.stderr, flush=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
  """Prints a table: the first column to the left, the others to the right."""
  lines = [list(header), *([show(cell) for cell in row] for row in rows)]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  for line in lines:
    first, *rest = (
      cell.ljust(width) if i == 0 else cell.rjust(width)
      for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    print('  '.join([first, *rest]).rstrip())


def show(value: Any) -> str:
  """Returns a number with three or four digits that count; text as it is."""
  if isinstance(value, str) or value is None:
    return value or ''
  if isinstance(value, int) or abs(value) >= 1000:
    return f'{value:,.0f}'
  digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
  return f'{value:.{digits}f}'


def read_results(name: str) -> dict[str, Any]:
  """Returns the figures that `write_results` wrote; {} if it never did."""
  path = RESULTS / f'{name}.json'
  figures = (
    json.loads(path.read_text(encoding='utf-8-sig')) if path.exists() else {}
  )
  figures.pop('environment', None)
  return figures


def write_results(
  name: str, where: Mapping[str, Any], figures: Mapping[str, Any]
) -> None:
  """Writes benchmarks/results/NAME.json.

  Args:
    name: of the benchmark.
    where: from `begin`.
    figures: JSON-able values by name.
  """
  RESULTS.mkdir(exist_ok=True)
  path = RESULTS / f'{name}.json'
  content = {'environment': dict(where), **_round(figures)}
  path.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
  print(f'Written: {path.relative_to(ROOT)}', flush=True)


def _round(value: Any) -> Any:
  """Returns the value with every float cut to five digits that count."""
  if isinstance(value, Mapping):
    return {key: _round(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_round(item) for item in value]
  return float(f'{value:.5g}') if isinstance(value, float) else value
