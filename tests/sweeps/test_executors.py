"""Where trials run: shares of this machine, and a Ray cluster of two nodes."""

import collections
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest

from experiments.sweeps.executors import local
from tests.fixtures import same_run
from tests.fixtures.live_launcher import ROOT


@pytest.mark.parametrize(
  ('n_cores', 'jobs', 'expected'),
  [
    (4, 1, [[0, 1, 2, 3]]),
    (4, 2, [[0, 1], [2, 3]]),
    (4, 3, [[0], [1], [2, 3]]),
    (2, 2, [[0], [1]]),
    (2, 3, [[0], [1], [0]]),
    (1, 2, [[0], [0]]),
  ],
)
def test_cores_are_shared_out(n_cores, jobs, expected):
  cores = list(range(n_cores))
  assert [local.share_cores(cores, i, jobs) for i in range(jobs)] == expected


def workers_with(*workers):
  """Returns workers by what each has compiled, and whether it is free."""
  return [
    types.SimpleNamespace(
      structures=collections.deque(structures),
      task=None if is_free else 'task',
      is_ready=True,
    )
    for structures, is_free in workers
  ]


@pytest.mark.parametrize(
  ('workers', 'waiting', 'expected'),
  [
    # Nothing is compiled: as in the sweep.
    ([('', True)], 'abc', 0),
    # What is compiled goes on, then comes what is next.
    ([('a', True)], 'bcaba', 2),
    ([('a', True)], 'bc', 0),
    # A second worker begins with what the first will come to last.
    ([('a', False), ('', True)], 'abcac', 4),
    ([('ab', True), ('c', False)], 'cdec', 2),
    # Nothing else is left: both have compiled it then.
    ([('a', False), ('b', True)], 'aa', 0),
  ],
)
def test_a_worker_takes_what_it_has_compiled(workers, waiting, expected):
  assert local.choose_task(workers_with(*workers), waiting) == expected


def test_a_task_goes_to_the_worker_that_has_compiled_it():
  workers = workers_with(('a', True), ('b', True), ('c', False))
  assert local.choose_worker(workers, 'b') is workers[1]
  assert local.choose_worker(workers, 'c') is workers[0]


def test_gpus_are_shared_out_and_not_grabbed(monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
  monkeypatch.delenv('XLA_PYTHON_CLIENT_MEM_FRACTION', raising=False)
  monkeypatch.delenv('XLA_PYTHON_CLIENT_PREALLOCATE', raising=False)
  gpus = local.visible_gpus()
  environments = [local.worker_environment(gpus, i) for i in range(3)]
  assert [e['CUDA_VISIBLE_DEVICES'] for e in environments] == ['3', '5', '3']
  assert environments[0]['XLA_PYTHON_CLIENT_PREALLOCATE'] == 'false'


def test_what_the_user_says_of_gpu_memory_stands(monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
  monkeypatch.setenv('XLA_PYTHON_CLIENT_MEM_FRACTION', '.4')
  assert local.worker_environment(local.visible_gpus(), 0) == {}


@pytest.mark.parametrize(
  ('needs', 'expected'),
  [
    ({'CPU': 1.0, 'GPU': 0.0}, 6),
    ({'CPU': 4.0, 'GPU': 0.0}, 1),
    ({'CPU': 1.0, 'GPU': 0.25}, 6),
    ({'CPU': 0.0, 'GPU': 0.5}, 4),
    ({'CPU': 1.0, 'memory': 3 * 2**30}, 2),
    ({'CPU': 1.0, 'fast_disk': 1}, 3),
    ({'CPU': 1.0, 'slow_disk': 1}, 0),
    ({'CPU': 0.0, 'GPU': 0.0}, 6),
  ],
)
def test_as_many_trials_as_the_cluster_has_room_for(needs, expected):
  from experiments.sweeps.executors import ray

  there = {'CPU': 6.0, 'GPU': 2.0, 'memory': 8.0 * 2**30, 'fast_disk': 3.0}
  assert ray.count_room(there, needs) == expected


def test_ray_that_is_not_installed_is_explained(launcher, tmp_path):
  # A package of the same name that cannot be imported stands in its way.
  (tmp_path / 'ray.py').write_text('raise ImportError("no ray")\n')
  done = launcher(
    *('--gin_file=tiny.gin', '--sweep=SEED=[0]', '--executor=ray'),
    f'--output_dir={tmp_path / "sweep"}',
    env={'PYTHONPATH': str(tmp_path)},
  )
  assert done.returncode == 2
  assert done.stderr == (
    '--executor=ray needs the package ray. Install it: pip install '
    "'trax-experiments[ray]', or pip install ray.\n"
  )
  assert not (tmp_path / 'sweep').exists()


def test_a_ray_cluster_that_is_not_there_is_explained(launcher, tmp_path):
  pytest.importorskip('ray')
  done = launcher(
    *('--gin_file=tiny.gin', '--sweep=SEED=[0]', '--executor=ray'),
    f'--output_dir={tmp_path / "sweep"}',
    env={'RAY_TMPDIR': str(tmp_path)},
  )
  assert done.returncode == 2, done.stderr
  assert done.stderr.startswith('--ray_address=auto: no Ray cluster answers: ')
  assert done.stderr.endswith('Start one by `ray start --head`.\n')
  assert not (tmp_path / 'sweep').exists()


def test_too_few_open_files_are_explained_before_anything_starts(
  launcher, tmp_path
):
  arguments = launcher.command(
    *('--gin_file=tiny.gin', '--sweep=SEED=[0, 1]', '--jobs=2'),
    f'--output_dir={tmp_path / "sweep"}',
  )
  done = subprocess.run(
    ['sh', '-c', 'ulimit -n 40; exec "$@"', 'sh', *arguments],
    cwd=launcher.cwd,
    env=launcher.env,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2, done.stderr
  assert done.stderr == (
    'This process may open 40 files, and a run needs 64. Allow more, e.g. with '
    'ulimit -n 4096.\n'
  )
  assert not (tmp_path / 'sweep').exists()


# The second node joins when the launcher has joined the first: of two on one
# machine it might choose the one that is to die.
_CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {'num_cpus': 2, 'resources': {'room': 1}}
cluster = Cluster(
  initialize_head=True,
  head_node_args={**node, 'include_dashboard': False},
)
print(cluster.address, flush=True)
while command := sys.stdin.readline():
  if command == 'add\\n':
    second = cluster.add_node(**node)
  else:
    cluster.remove_node(second, allow_graceful=False)
cluster.shutdown()
"""


@contextlib.contextmanager
def cluster_of_ray(env):
  """Starts a Ray cluster of one node.

  Args:
    env: its environment.

  Yields:
    Its address, and a stream that takes 'add' and then 'kill', of a second
    node, a line each.
  """
  pytest.importorskip('ray')
  process = subprocess.Popen(
    [sys.executable, '-c', _CLUSTER],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    env=env,
    text=True,
    bufsize=1,
  )
  assert process.stdin is not None
  assert process.stdout is not None
  try:
    yield process.stdout.readline().strip(), process.stdin
  finally:
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def running(directory):
  """The trials that are training, and have a checkpoint already."""
  found = []
  for path in directory.glob('*/run.json'):
    is_running = json.loads(path.read_text())['status'] == 'running'
    if is_running and any(path.parent.glob('checkpoints/step*')):
      found.append(path.parent)
  return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_survives_the_death_of_a_node(launcher, tmp_path):
  environment = {**launcher.env, 'RAY_USAGE_STATS_ENABLED': '0'}
  directory = tmp_path / 'sweep'
  long = (
    '--gin_bindings=N_STEPS=15000',
    '--gin_bindings=N_STEPS_PER_CHECKPOINT=500',
  )
  with cluster_of_ray(environment) as (address, commands):
    sweep = subprocess.Popen(
      launcher.command(
        *('--gin_file=tiny.gin', *long, '--sweep=SEED=[0, 1, 2]'),
        *('--executor=ray', f'--ray_address={address}'),
        # Two would fit on a node, if it were for its cores.
        "--gin_bindings=sweep.resources={'room': 1}",
        '--gin_bindings=sweep.memory_mib=10',
        f'--output_dir={directory}',
      ),
      cwd=launcher.cwd,
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for n_running, command in ((1, 'add'), (2, 'kill')):
      end = time.monotonic() + 300
      while len(running(directory)) < n_running:
        assert sweep.poll() is None, sweep.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
      assert len(running(directory)) == n_running
      commands.write(f'{command}\n')
    stdout, stderr = sweep.communicate(timeout=400)
  assert sweep.returncode == 0, stderr
  state = json.loads((directory / 'sweep.json').read_text())
  attempts = [t['attempts'] for t in state['trials'].values()]
  assert {t['status'] for t in state['trials'].values()} == {'finished'}
  # The trial of the dead node was started again, the others were not.
  assert sorted(attempts) == [1, 1, 2]
  assert 'was lost' in stderr
  assert len(stdout.splitlines()) > 4
  i = attempts.index(2)
  name = list(state['trials'].values())[i]['directory']
  alone = launcher(
    *('--gin_file=tiny.gin', *long, f'--gin_bindings=SEED={i}'),
    f'--output_dir={tmp_path / "alone"}',
  )
  assert alone.returncode == 0, alone.stderr
  assert same_run.differences(directory / name, tmp_path / 'alone') == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_signal_interrupts_a_trial_on_ray_as_it_does_here(launcher, tmp_path):
  environment = {
    **launcher.env,
    'RAY_USAGE_STATS_ENABLED': '0',
    'PYTHONPATH': str(ROOT / 'tests' / 'fixtures' / 'disturb'),
  }
  (tmp_path / 'marks').mkdir()
  (tmp_path / 'fragile.gin').write_text(
    f"import sweep_models\ninclude '{launcher.cwd}/tiny.gin'\n"
    f"MODEL = @fragile\nfragile.marks = '{tmp_path}/marks'\nN_STEPS = 15000\n"
    'N_STEPS_PER_CHECKPOINT = 500\n'
  )
  directory = tmp_path / 'sweep'
  with cluster_of_ray(environment) as (address, _):
    command = launcher.command(
      f'--gin_file={tmp_path}/fragile.gin',
      "--sweep=fragile.trouble=['stop', 'none', 'error']",
      *('--executor=ray', f'--ray_address={address}', '--jobs=1'),
      f'--output_dir={directory}',
    )

    def started():
      return subprocess.Popen(
        command,
        cwd=launcher.cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
      )

    def found():
      state = json.loads((directory / 'sweep.json').read_text())
      return [(t['status'], t['attempts']) for t in state['trials'].values()]

    def training(sweep):
      end = time.monotonic() + 200
      while not (trials := running(directory)):
        assert sweep.poll() is None, sweep.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
      return trials[0]

    # The first trial is stopped before its run has begun.
    sweep = started()
    second = training(sweep)
    sweep.send_signal(signal.SIGTERM)
    stderr = sweep.communicate(timeout=60)[1]
    assert sweep.returncode == 143, stderr
    assert 'ray.exceptions' not in stderr
    assert found() == [('interrupted', 1), ('interrupted', 1), ('waiting', 0)]
    record = json.loads((second / 'run.json').read_text())
    assert record['status'] == 'interrupted'
    assert record['steps'] >= 500
    sweep = started()
    # Who holds the lock of the run trains it.
    pid = int((training(sweep) / '.lock').read_text().split()[0])
    os.kill(pid, signal.SIGTERM)
    stderr = sweep.communicate(timeout=200)[1]
  assert sweep.returncode == 1
  assert stderr.count('a signal stopped it. The same command goes on') == 1
  assert found() == [('interrupted', 2), ('finished', 2), ('failed', 2)]


def test_workers_keep_to_their_cores(launcher, tmp_path):
  """Two workers on two cores never use the same one."""
  if len(os.sched_getaffinity(0)) < 2:
    pytest.skip('needs two cores')
  process = subprocess.Popen(
    launcher.command(
      *('--gin_file=tiny.gin', '--gin_bindings=N_STEPS=100000'),
      *('--sweep=SEED=[0, 1]', '--jobs=2'),
      f'--output_dir={tmp_path / "sweep"}',
    ),
    cwd=launcher.cwd,
    env=launcher.env,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  try:
    end = time.monotonic() + 200
    allowed: list[set[int]] = []
    n_cores = len(os.sched_getaffinity(0))
    # The first worker alone, before it keeps to its own, may use them all.
    while time.monotonic() < end and (
      len(allowed) != 2 or sum(map(len, allowed)) != n_cores
    ):
      time.sleep(0.2)
      children = pathlib.Path(
        f'/proc/{process.pid}/task/{process.pid}/children'
      ).read_text()
      allowed = [os.sched_getaffinity(int(pid)) for pid in children.split()]
  finally:
    process.kill()
    process.wait()
  assert len(allowed) == 2
  assert not allowed[0] & allowed[1]
