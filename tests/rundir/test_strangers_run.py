"""A run directory from a stranger leads nowhere, whatever its names are.

For every name that a run directory can have, what has it is replaced by a
link, a FIFO, a socket or a directory, and every mode is tried on it: it says so
or does without, it does not hang, and nothing outside is changed or read.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import stat

import pytest

from experiments.commands import predict
from experiments.comparison import compare, compare_plots
from experiments.config import experiment, gin_config
from experiments.config.gin_statements import read_text
from experiments.foundation.directory import Directory, File
from experiments.foundation.errors import UserError
from experiments.pipeline import runs
from experiments.rundir import run_dir
from experiments.sweeps.executors import Task, attempt
from experiments.training.context import Cache, RunContext


def _own_names():
  """Returns the paths of all that `RunDir` has a name for."""
  directory = run_dir.RunDir('run')
  things = [
    *vars(directory).values(),
    *(directory.events(split) for split in ('train', 'eval', 'test')),
    *map(directory.root.file, run_dir.VOCABULARIES.values()),
    directory.root.directory('plugins'),
  ]
  paths = {x.path for x in things if isinstance(x, Directory | File)}
  return {path.relative_to('run') for path in paths} - {pathlib.Path('.')}


# With those that a whole run has besides, in the directories.
NAMES = sorted(
  {
    *map(str, _own_names()),
    'model.weights.npy.gz',
    'checkpoints/step_0000000020.npz',
    'checkpoints/step_0000000030.npz',
    'events.out.tfevents.1700000000.here.1',
    *(f'{x}/events.out.tfevents.1700000000.here.1' for x in ('train', 'eval')),
    'test/events.out.tfevents.1700000000.here.1',
    'report/confusion_matrix.png',
    'report/predictions.jsonl',
    'report/mistakes.html',
    'plugins/org_tensorflow_tensorboard_projector/projector_config.pbtxt',
    'plugins/org_tensorflow_tensorboard_projector/tokens.tsv',
  }
)


def _link(path, outside):
  """To a copy of what was there, so that following it would work."""
  target = outside / 'target'
  if path.exists():
    path.rename(target)
  elif path.suffix or path.name == '.lock':
    target.write_text('precious')
  else:
    target.mkdir()
  path.symlink_to(target)


def _dangling_link(path, outside):
  path.symlink_to(outside / 'not' / 'there')


def _dangling_link_to_make(path, outside):
  path.symlink_to(outside / 'made')


def _socket(path, outside):
  del outside
  bound = socket.socket(socket.AF_UNIX)
  here = os.getcwd()
  try:
    # The name of a socket must be short.
    os.chdir(path.parent)
    bound.bind(path.name)
  finally:
    os.chdir(here)
  bound.close()


KINDS = {
  'a link': _link,
  'a dangling link': _dangling_link,
  'a link to what could be made': _dangling_link_to_make,
  'a FIFO': lambda path, outside: os.mkfifo(path),
  'a socket': _socket,
}


@pytest.fixture
def plant(trained, tmp_path, launcher, monkeypatch):
  """Returns a function that makes a stranger's run, and where it leads."""
  for name in ('TRAX_EXPERIMENTS_CACHE', 'TFDS_DATA_DIR'):
    monkeypatch.setenv(name, launcher.env[name])

  def make(name, kind):
    outside = tmp_path / 'outside'
    outside.mkdir()
    run = tmp_path / 'runs' / 'run'
    shutil.copytree(trained[0], run)
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind != 'a link' and path.exists():
      shutil.rmtree(path) if path.is_dir() else path.unlink()
    KINDS[kind](path, outside)
    return run, outside

  return make


def _snapshot(directory):
  """Returns what is in a directory: contents, and when each was changed."""
  found = {}
  for path in sorted(directory.rglob('*')):
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b''
    found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
  return found


def _config(trained):
  statements = read_text((trained[0] / 'config.gin').read_text(), 'config.gin')
  parsed = gin_config.parse_statements(statements, name='config.gin')
  return gin_config.check(parsed)


def _train(run, trained):
  # Not finished, so that all is written again.
  with contextlib.suppress(UserError):
    run_dir.RunDir(run).write_run(status=run_dir.INTERRUPTED)
  resolved = experiment.resolve(_config(trained))
  runs.train(resolved, run, context=RunContext())


def _sweep(run, trained):
  task = Task('key', _config(trained), run)
  outcome = attempt.run(task, Cache(), lambda new: True, lambda *progress: None)
  if outcome.error:
    raise UserError(outcome.error)


def _predict(run, trained):
  del trained
  texts = run.parent.parent / 'texts'
  texts.write_text('The match was lost.\n')
  predict.predict(run, str(texts), allow_import=[])


def _compare(run, trained):
  del trained
  comparison = compare.compare(run.parent)
  compare_plots.write_plots(comparison, run.parent.parent / 'plots')
  (only,) = comparison.runs
  if only.status == 'damaged':
    raise UserError(only.error)


MODES = {
  'train': _train,
  'show what is finished': lambda run, trained: runs.train(
    experiment.resolve(_config(trained)), run, context=RunContext()
  ),
  'eval': lambda run, trained: runs.evaluate(run),
  'predict': _predict,
  'compare': _compare,
  'sweep': _sweep,
}
# Which names each mode must see; the others do not lead anywhere either.
MUST_REFUSE = ('train', 'eval', 'predict', 'sweep')


def test_the_names_are_all_that_a_run_has(trained, launcher):
  """A file of a new name joins by itself, or fails here."""
  del launcher
  written = [
    (directory.path, names)
    for directory, names in run_dir.RunDir(trained[0]).walk()
  ]
  for path in trained[0].rglob('*'):
    if path.is_file():
      patterns = [names for where, names in written if where == path.parent]
      assert any(x.fullmatch(path.name) for x in patterns), path
  for name in NAMES:
    path = trained[0] / name
    assert path.exists() or name in OPTIONAL or 'tfevents' in name, name


OPTIONAL = {
  'calibration.json',
  'encoder.json',
  'evaluations',
  'log.txt',
  'vocabulary.words',
  'vocabulary.sentencepiece.model',
  'vocabulary.tokenizer.json',
}


@pytest.mark.parametrize(
  'kind',
  [
    kind if kind == 'a link' else pytest.param(kind, marks=pytest.mark.slow)
    for kind in KINDS
  ],
)
@pytest.mark.parametrize('name', NAMES)
def test_nothing_is_followed(plant, trained, capfd, kind, name):
  run, outside = plant(name, kind)
  before = _snapshot(outside)
  for mode, do in MODES.items():
    message = ''
    try:
      do(run, trained)
    except UserError as error:
      message = str(error)
    assert _snapshot(outside) == before, mode
    assert not (outside / 'made').exists(), mode
    if mode in MUST_REFUSE:
      assert str(run / name) in message, mode
      assert 'must be there' in message or 'none is followed' in message
  capfd.readouterr()


@pytest.mark.parametrize('name', NAMES)
def test_what_comes_later_is_not_followed_either(
  plant, trained, capfd, monkeypatch, name
):
  """Each name is guarded by itself, not by the look at the beginning alone."""
  run, outside = plant(name, 'a link')
  monkeypatch.setattr(run_dir.RunDir, 'check_kinds', lambda directory: None)
  before = _snapshot(outside)
  for mode in ('predict', 'compare', 'eval'):
    message = str(run / name)
    try:
      MODES[mode](run, trained)
    except UserError as error:
      message = str(error)
    assert str(run / name) in message, mode
    assert _snapshot(outside) == before, mode
  capfd.readouterr()


def test_a_hard_link_is_left_alone(plant, trained, capfd):
  run, outside = plant('log.txt', 'a FIFO')
  os.unlink(run / 'log.txt')
  for name in ('.lock', 'metrics.jsonl', 'log.txt', 'run.json'):
    if not (run / name).exists():
      (run / name).write_text('begun\n')
    os.link(run / name, outside / name)
  before = _snapshot(outside)
  _sweep(run, trained)
  _train(run, trained)
  runs.evaluate(run)
  assert _snapshot(outside) == before
  assert (run / 'log.txt').read_text().startswith('begun\n')
  capfd.readouterr()


def test_the_path_to_a_run_may_be_a_link(plant, trained, tmp_path, capfd):
  run, _ = plant('log.txt', 'a FIFO')
  os.unlink(run / 'log.txt')
  (tmp_path / 'my runs').symlink_to(run.parent)
  (tmp_path / 'linked').symlink_to(tmp_path / 'my runs' / 'run')
  runs.evaluate(tmp_path / 'linked')
  _train(tmp_path / 'my runs' / 'run', trained)
  assert not (run / 'report').is_symlink()
  capfd.readouterr()
