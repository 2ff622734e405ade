"""What the disk, the system, the clock or a stranger may do to a run."""

import gzip
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import tarfile
from typing import Any

import filelock
import numpy as np
import pytest

from experiments.rundir.checkpoints import Checkpoints
from tests.fixtures import same_run
from tests.fixtures.live_launcher import ROOT
from tests.fixtures.lives import DISTURB

GO_ON = 'the same command goes on from the last checkpoint, if there is one.'


def start(launcher, run, *args, disturbance=None, env=(), **options):
  """Runs tiny.gin in a directory of its own, to the end of the process."""
  env = dict(env)
  if disturbance:
    spec = {'root': str(run), 'report': f'{run}.report', **disturbance}
    env |= {'PYTHONPATH': str(DISTURB), 'DISTURB': json.dumps(spec)}
  args = ('--gin_file=tiny.gin', f'--output_dir={run}', *args)
  return launcher(*args, env=env, **options)


def assert_goes_on(launcher, run, expected):
  """Asserts that the same command makes of it what it should have been."""
  done = start(launcher, run)
  assert done.returncode == 0, done.stderr
  assert same_run.differences(run, expected) == []
  assert same_run.left_over(run) == []
  return done.stderr


def assert_refused(done, message):
  """Asserts exit status 2, and what the user is told at the end."""
  assert done.returncode == 2, done.stderr
  assert 'Traceback' not in done.stderr
  lines = done.stderr.splitlines()
  assert '\n'.join(lines[-len(message.splitlines()) :]) == message


@pytest.fixture(scope='module')
def expected(trained):
  """The run of tiny.gin that nothing disturbed."""
  return trained[0]


@pytest.fixture(scope='module')
def killed(launcher, trained):
  """A run that was killed when it saved step 30 of 30."""
  run = launcher.cwd / 'killed'
  with filelock.FileLock(launcher.cwd / 'killed.lock'):
    if not run.exists():
      disturbance = {
        'do': 'kill',
        'kind': 'replace',
        'match': 'step_0000000030',
      }
      done = start(launcher, run, disturbance=disturbance)
      assert done.returncode == -signal.SIGKILL, done.stderr
  return run


@pytest.fixture
def halfway(killed, tmp_path):
  """A copy of it."""
  shutil.copytree(killed, tmp_path / 'run')
  return tmp_path / 'run'


def test_what_was_killed(killed):
  assert Checkpoints(killed / 'checkpoints').steps() == [10, 20]
  assert same_run.measured(killed)[-1][0] == 30
  assert len(same_run.left_over(killed)) == 1


def test_what_is_damaged_is_made_again(launcher, halfway, expected):
  """All at once: what is damaged, and what the whole checkpoint makes good."""
  saved = Checkpoints(halfway / 'checkpoints')
  os.truncate(saved.path(20), 1000)
  (halfway / 'vocabulary.subword').write_bytes(b'')
  (halfway / 'run.json').unlink()
  (halfway / 'metrics.jsonl').write_bytes(b'\xff\x00 torn')
  for split in ('', 'train'):
    for path in (halfway / split).glob('*tfevents*'):
      path.write_bytes(os.urandom(500))
  shutil.rmtree(halfway / 'eval')
  stderr = assert_goes_on(launcher, halfway, expected)
  assert (
    f'{saved.path(20)} is damaged: its checksum is wrong (1000 bytes). '
    'Falling back to the one before it.\n'
  ) in stderr
  assert 'Going on from the checkpoint of step 10\n' in stderr
  assert f'{halfway / "metrics.jsonl"}: 1 of 1 lines are no records' in stderr


@pytest.mark.parametrize('args', [[], ['--mode=eval']])
def test_if_no_checkpoint_is_whole_nothing_is_lost_in_silence(
  launcher, halfway, args
):
  saved = Checkpoints(halfway / 'checkpoints')
  for step in saved.steps():
    saved.path(step).write_bytes(b'')
  before = (halfway / 'metrics.jsonl').read_bytes()
  message = (
    f'{halfway}/checkpoints: none of the 2 checkpoints is whole.\n'
    'Put one back from a copy, or remove that directory to train again from '
    'step 0.'
  )
  if args:
    assert_refused(launcher(*args, f'--output_dir={halfway}'), message)
  else:
    assert_refused(start(launcher, halfway), message)
  assert (halfway / 'metrics.jsonl').read_bytes() == before


@pytest.mark.slow
def test_a_vocabulary_that_changed_is_not_gone_on_with(
  launcher, expected, tmp_path
):
  pieces = (expected / 'vocabulary.subword').read_text()
  vocabulary = tmp_path / 'a.subword'
  vocabulary.write_text(pieces)
  args = (f'--gin_bindings=VOCAB_FILE={str(vocabulary)!r}',)
  run = tmp_path / 'run'
  disturbance = {'do': 'kill', 'kind': 'replace', 'match': 'step_0000000020'}
  done = start(launcher, run, *args, disturbance=disturbance)
  assert done.returncode == -signal.SIGKILL
  lines = pieces.splitlines(keepends=True)
  vocabulary.write_text(''.join([*lines[:-2], lines[-1], lines[-2]]))
  done = start(launcher, run, *args)
  assert_refused(
    done,
    f'--output_dir={run}: the vocabulary changed since the run was started, so '
    'it cannot go on.\n'
    'Put it back, choose another --output_dir, or remove this one.',
  )
  assert (run / 'vocabulary.subword').read_text() == pieces


FULL = 'No space left on device.\nMake space; ' + GO_ON
ERRORS: dict[str, tuple[dict[str, Any], str, str]] = {
  'full, while it saves': (
    {'errno': 'ENOSPC', 'kinds': ['write'], 'kind': 'write', 'when': 'during'},
    'step_0000000020.npz',
    FULL,
  ),
  'full, while it measures': (
    {'errno': 'ENOSPC', 'kinds': ['write'], 'kind': 'write', 'when': 'during'},
    'metrics.jsonl',
    FULL,
  ),
  'over quota, in TensorBoard': (
    {'errno': 'EDQUOT', 'kinds': ['write'], 'kind': 'write', 'n': 5},
    'tfevents',
    'Disk quota exceeded.\nMake space; ' + GO_ON,
  ),
  'read-only all of a sudden': (
    {'errno': 'EROFS', 'kind': 'replace'},
    'run.json',
    'Read-only file system.\nMake it writable, or choose another place; '
    + GO_ON,
  ),
  'broken': (
    {'errno': 'EIO', 'kinds': ['fsync'], 'kind': 'fsync'},
    'metrics.jsonl',
    'Input/output error.\nLook after the disk, or choose another; ' + GO_ON,
  ),
  'out of file handles': (
    {'errno': 'EMFILE', 'kinds': ['open'], 'kind': 'open', 'n': 2},
    'tfevents',
    'Too many open files.\nAllow more open files, e.g. with ulimit -n 4096; '
    + GO_ON,
  ),
  'full, at the report': (
    {'errno': 'ENOSPC', 'kinds': ['write'], 'kind': 'write'},
    'report/',
    FULL,
  ),
  'full, at the export': (
    {'errno': 'ENOSPC', 'kinds': ['write'], 'kind': 'write', 'when': 'during'},
    'model.weights',
    FULL,
  ),
}


@pytest.mark.parametrize(
  'fault',
  [
    'full, while it saves',
    *(
      pytest.param(fault, marks=pytest.mark.slow) for fault in list(ERRORS)[1:]
    ),
  ],
)
def test_what_the_disk_refuses_is_said_and_can_be_put_right(
  launcher, halfway, expected, fault
):
  disturbance, match, message = ERRORS[fault]
  saved = Checkpoints(halfway / 'checkpoints')
  if '20' in match:
    saved.path(20).unlink()
  steps = saved.steps()
  done = start(
    launcher,
    halfway,
    disturbance={'do': 'error', 'match': match, **disturbance},
  )
  first, _, rest = message.partition('\n')
  assert_refused(done, rest)
  where = done.stderr.splitlines()[-2]
  assert where.startswith(f'{halfway}/')
  assert match in where
  assert where.endswith(f': {first}')
  assert not same_run.half_written(halfway)
  assert saved.steps()[-1] >= steps[-1]
  assert_goes_on(launcher, halfway, expected)


@pytest.fixture
def small_disk(tmp_path):
  """A file system of 1 MiB."""
  path = tmp_path / 'disk'
  path.mkdir()
  mount = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', str(path)]
  if os.geteuid() or subprocess.run(mount, check=False).returncode:
    pytest.skip('needs the right to mount')
  yield path
  subprocess.run(['umount', str(path)], check=True)


def remount(path, options):
  subprocess.run(
    ['mount', '-o', f'remount,{options}', 'none', str(path)], check=True
  )


@pytest.mark.slow
def test_a_disk_that_is_full_and_then_is_not(
  launcher, small_disk, halfway, expected
):
  run = small_disk / 'run'
  shutil.copytree(halfway, run)
  for left in (run / 'checkpoints').glob('.*.tmp'):
    left.unlink()
  with open(small_disk / 'ballast', 'wb') as ballast:
    free = shutil.disk_usage(small_disk).free
    ballast.write(bytes(free - 30_000))
  done = start(launcher, run)
  assert_refused(done, 'Make space; ' + GO_ON)
  assert ': No space left on device.' in done.stderr
  assert not same_run.half_written(run)
  assert Checkpoints(run / 'checkpoints').steps() == [10, 20]
  remount(small_disk, 'size=20m')
  assert_goes_on(launcher, run, expected)


@pytest.mark.slow
def test_a_disk_too_small_for_the_data_set(launcher, small_disk, tmp_path):
  env = {'TFDS_DATA_DIR': str(small_disk / 'data')}
  done = start(launcher, tmp_path / 'run', env=env)
  assert_refused(
    done, f'{small_disk}/data: No space left on device.\nMake space; {GO_ON}'
  )
  assert not (tmp_path / 'run').exists()
  remount(small_disk, 'size=50m')
  done = start(launcher, tmp_path / 'run', env=env)
  assert done.returncode == 0, done.stderr
  assert same_run.left_over(small_disk) == []


@pytest.mark.slow
def test_a_read_only_disk(launcher, small_disk, expected):
  run = small_disk / 'run'
  remount(small_disk, 'size=20m')
  shutil.copytree(expected, run)
  remount(small_disk, 'ro')
  # What is finished can be looked at and asked.
  done = start(launcher, run)
  assert done.returncode == 0
  assert f'Finished before: {run}. Nothing to do.' in done.stdout
  args = ('--mode=predict', f'--output_dir={run}', '--input=-')
  done = launcher(*args, input='The match was lost.\n')
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout)['label']
  assert_refused(
    launcher('--mode=eval', f'--output_dir={run}'),
    f'--output_dir={run}: cannot be written: Read-only file system.',
  )
  assert_refused(
    start(launcher, small_disk / 'other'),
    f'--output_dir={small_disk}/other: {small_disk} is not writable. Choose '
    'another directory.',
  )


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(launcher, halfway, expected):
  """Linux sends a signal for it, which must not end the process unheard."""
  limit = resource.RLIMIT_FSIZE
  done = start(
    launcher,
    halfway,
    preexec_fn=lambda: resource.setrlimit(limit, (90_000, 90_000)),
  )
  assert_refused(
    done, 'Raise the limit on the size of files (ulimit -f); ' + GO_ON
  )
  assert 'step_0000000030.npz: File too large.' in done.stderr
  assert Checkpoints(halfway / 'checkpoints').steps() == [10, 20]
  assert_goes_on(launcher, halfway, expected)


def test_a_clock_that_jumps(launcher, tmp_path, expected):
  run = tmp_path / 'run'
  # By ten years, back and forth, each time that it is asked.
  done = start(launcher, run, disturbance={'do': 'count', 'clock': 3e8})
  assert done.returncode == 0, done.stderr
  assert same_run.differences(run, expected) == []
  assert 0 < json.loads((run / 'run.json').read_text())['seconds'] < 300


SIGNALLING = """import os, signal, traceback
import gin

@gin.configurable
def signalling(*, vocab_size, n_classes, mode):
  from trax import layers as tl

  def pass_on(x):
    # This runs while a program is traced, to be compiled.
    functions = [frame.name for frame in traceback.extract_stack()]
    if 'update_many' in functions and os.environ.pop('SIGNAL', None):
      os.kill(os.getpid(), signal.SIGTERM)
      # As GNU timeout does.
      os.kill(os.getpid(), signal.SIGTERM)
    return x

  return tl.Serial(
    tl.Embedding(vocab_size, 8), tl.Mean(axis=1), tl.Fn('PassOn', pass_on),
    tl.Dense(n_classes), tl.LogSoftmax())
"""


@pytest.mark.slow
def test_a_signal_during_compilation(launcher, tmp_path):
  (tmp_path / 'signalling.py').write_text(SIGNALLING)
  lines = (launcher.cwd / 'tiny.gin').read_text().splitlines(keepends=True)
  kept = [line for line in lines if not line.startswith(('EMBEDDING', 'MODEL'))]
  (tmp_path / 'signalling.gin').write_text(
    ''.join(['import signalling\n', *kept, 'MODEL = @signalling\n'])
  )
  env = {'PYTHONPATH': str(tmp_path)}

  def train(run, **more):
    return launcher(
      f'--gin_file={tmp_path}/signalling.gin',
      f'--output_dir={tmp_path / run}',
      env={**env, **more},
    )

  assert train('undisturbed').returncode == 0
  done = train('run', SIGNAL='1')
  assert done.returncode == 143, done.stderr
  saved = Checkpoints(tmp_path / 'run' / 'checkpoints')
  # Programs are compiled before the first step.
  (step,) = saved.steps()
  assert step == 0
  assert done.stderr.splitlines()[-1] == (
    f'Stopped at step {step}, with a checkpoint. The same command goes on.'
  )
  run = json.loads((tmp_path / 'run' / 'run.json').read_text())
  assert (run['status'], run['steps']) == ('interrupted', step)
  assert train('run').returncode == 0
  assert same_run.differences(tmp_path / 'run', tmp_path / 'undisturbed') == []


@pytest.mark.parametrize(
  ('soft', 'hard'),
  [(12, 63), pytest.param(12, 64, marks=pytest.mark.slow)],
)
def test_too_few_file_handles(launcher, halfway, expected, soft, hard):
  limit = resource.RLIMIT_NOFILE
  done = start(
    launcher,
    halfway,
    preexec_fn=lambda: resource.setrlimit(limit, (soft, hard)),
  )
  if hard < 64:
    assert_refused(
      done,
      'This process may open 63 files, and a run needs 64. Allow more, e.g. '
      'with ulimit -n 4096.',
    )
  else:
    assert done.returncode == 0, done.stderr
    assert same_run.differences(halfway, expected) == []


class Trap:
  """Unpickled, it makes a directory."""

  def __init__(self, path):
    self._path = path

  def __reduce__(self):
    return os.mkdir, (str(self._path),)


def test_no_file_of_a_run_directory_can_run_code(launcher, halfway, tmp_path):
  run, sprung = halfway, tmp_path / 'sprung'
  planted = pickle.dumps(Trap(sprung))
  pickle.loads(planted)
  sprung.rmdir()
  saved = Checkpoints(run / 'checkpoints')

  def plant():
    (run / 'report').mkdir(exist_ok=True)
    for name in ('model.pkl.gz', 'model.weights.npy.gz'):
      (run / name).write_bytes(gzip.compress(planted))
    for name in ('metrics.jsonl', 'report/predictions.jsonl'):
      (run / name).write_bytes(planted)
    for path in run.rglob('*tfevents*'):
      path.write_bytes(planted)
    newest = saved.steps()[-1]
    saved.path(newest + 1).write_bytes(planted)
    np.savez(
      saved.path(newest + 2), description=np.array([Trap(sprung)], object)
    )

  plant()
  assert start(launcher, run).returncode == 0
  plant()
  done = start(launcher, run)
  assert done.returncode == 0, done.stderr
  assert 'Finished before' in done.stdout
  args = ('--mode=predict', f'--output_dir={run}', '--input=-')
  assert launcher(*args, input='The match was lost.\n').returncode == 0
  assert launcher('--mode=eval', f'--output_dir={run}').returncode == 0
  for name in ('vocabulary.subword', 'run.json', 'config.gin'):
    content = (run / name).read_bytes()
    (run / name).write_bytes(planted)
    done = launcher(*args, input='The match was lost.\n')
    assert done.returncode == 2, (name, done.stderr)
    assert 'Traceback' not in done.stderr
    (run / name).write_bytes(content)
  assert not sprung.exists()


def test_no_module_is_imported_without_leave(launcher, halfway, tmp_path):
  """Not of the run directory, nor of one beside it that sys.path leads to."""
  sprung = tmp_path / 'sprung'
  (tmp_path / 'planted.py').write_text(f'import os; os.mkdir({str(sprung)!r})')
  text = (halfway / 'config.gin').read_text()
  (halfway / 'config.gin').write_text(f'import planted\n{text}')
  env = {'PYTHONPATH': str(tmp_path)}
  args = (f'--output_dir={halfway}', '--mode=predict', '--input=-')
  done = launcher(*args, env=env, input='')
  assert_refused(
    done,
    f'{halfway}/config.gin:1: the config of a run directory is to import '
    'planted, which can run any code. If you trust it, add '
    '--allow_import=planted',
  )
  assert not sprung.exists()
  # Those that compare runs, or look for the run of a trial, read it as text.
  for flags in (
    ['--mode=compare', f'--output_dir={tmp_path}'],
    ['--gin_file=tiny.gin', f'--output_dir={halfway}', '--dry_run'],
    [
      *('--gin_file=tiny.gin', '--sweep=SEED=[1, 2]', '--dry_run'),
      f'--output_dir={tmp_path}',
    ],
  ):
    done = launcher(*flags, env=env)
    assert 'Traceback' not in done.stderr
    assert not sprung.exists(), flags
  flags = [f'--output_dir={halfway}', '--mode=eval', '--allow_import=planted']
  launcher(*flags, env=env)
  assert sprung.exists()


@pytest.mark.parametrize(
  'binding',
  [
    "DATASET='../outside'",
    pytest.param("DATASET='/tmp/outside'", marks=pytest.mark.slow),
    pytest.param("DATASET='bbc_news/../../outside'", marks=pytest.mark.slow),
    pytest.param("DATASET='bbc_news:../1.0.0'", marks=pytest.mark.slow),
  ],
)
def test_a_data_set_has_no_path(launcher, tmp_path, binding):
  done = launcher(
    *('--gin_file=tiny.gin', f'--gin_bindings={binding}'),
    f'--output_dir={tmp_path / "run"}',
  )
  assert done.returncode == 2
  assert 'DATASET' in done.stderr
  assert list(tmp_path.iterdir()) == []


def test_an_archive_writes_nothing_outside(launcher, tmp_path):
  """Names with '..', an absolute name, a link to outside and through it."""
  inside = tmp_path / 'inside'
  inside.mkdir()
  csv = tmp_path / 'content'
  csv.write_text('"1","A title","A description"\n')
  link = tarfile.TarInfo('ag_news_csv/link')
  link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
  source = inside / 'ag_news_csv.tar.gz'
  with tarfile.open(source, 'w:gz') as archive:
    archive.addfile(link)
    for name in (
      '../outside',
      str(tmp_path / 'absolute'),
      'ag_news_csv/link/through',
      'ag_news_csv/train.csv',
      'ag_news_csv/test.csv',
    ):
      archive.add(csv, name)
  before = sorted(tmp_path.rglob('*'))
  done = launcher(
    *('--mode=prepare', f'--gin_file={ROOT}/gin/agnews.gin'),
    f'--source={source}',
    f'--gin_bindings=DATA_DIR={str(inside / "data")!r}',
  )
  assert done.returncode in (0, 2), done.stderr
  outside = [path for path in tmp_path.rglob('*') if inside not in path.parents]
  assert sorted(outside) == [p for p in before if inside not in p.parents]
