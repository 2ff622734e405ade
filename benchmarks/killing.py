"""Killing a command that runs several processes, and starting it again."""

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import measuring


def run(command: Sequence[Any], env: Mapping[str, str]) -> float:
  """Runs a command from the root of the checkout; returns its seconds.

  Args:
    command: program and arguments.
    env: variables to add to the environment.
  """
  start = time.perf_counter()
  subprocess.run(
    list(map(str, command)),
    cwd=measuring.ROOT,
    env={**os.environ, **env},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    check=True,
  )
  return time.perf_counter() - start


def kill_and_go_on(
  command: Sequence[Any],
  env: Mapping[str, str],
  done: Callable[[], Mapping[str, Any]],
) -> dict[str, Any]:
  """Kills a command once two of its trials are done, and starts it again.

  Args:
    command: program and arguments, of a sweep.
    env: variables to add to the environment.
    done: returns what tells one run of a trial from another, such as the time
      of its end, for each trial that is done.

  Returns:
    How many trials were done when it was killed (`done_before`), how many
    processes were left 2 s later, how many of the trials that were done the
    second command ran again, and the seconds of both commands and the second.
  """
  start = time.perf_counter()
  process = subprocess.Popen(
    list(map(str, command)),
    cwd=measuring.ROOT,
    env={**os.environ, **env},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
  )
  while len(done()) < 2 and process.poll() is None:
    time.sleep(0.05)
  group = os.getpgid(process.pid)
  workers = children(process.pid)
  process.kill()
  process.wait()
  before = dict(done())
  time.sleep(2)
  left = {*in_group(group), *filter(is_alive, workers)}
  for pid in left:
    os.kill(pid, signal.SIGKILL)
  first = time.perf_counter() - start
  second = run(command, env)
  after = done()
  return {
    'done_before': len(before),
    'processes_left': len(left),
    'run_again': sum(after[trial] != before[trial] for trial in before),
    'seconds': first + second,
    'seconds_again': second,
  }


def children(pid: int) -> list[int]:
  """Returns the processes that a process has started."""
  path = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
  return [int(child) for child in path.read_text(encoding='utf-8-sig').split()]


def rss_mib(pids: Sequence[int]) -> float:
  """Returns the memory that the largest of some processes holds."""
  pages = []
  for pid in pids:
    fields = (
      pathlib.Path(f'/proc/{pid}/statm').read_text(encoding='utf-8-sig').split()
    )
    pages.append(int(fields[1]))
  return max(pages, default=0) * os.sysconf('SC_PAGE_SIZE') / 2**20


def is_alive(pid: int) -> bool:
  """Tells whether a process runs."""
  try:
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='utf-8-sig')
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
