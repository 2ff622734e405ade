"""The config of a run directory imports and refers to what the user allows."""

import os
import sys

import pytest

from experiments.config import configurables, gin_config
from experiments.foundation.errors import UserError
from experiments.pipeline import run_config
from experiments.rundir import run_dir
from tests.fixtures.live_launcher import ROOT

# What a stranger's config would have imported, and what is found by it.
STATEMENTS = {
  'import planted': 'planted',
  'import planted.inner': 'planted.inner',
  'import planted.inner as trax': 'planted.inner',
  'from planted import inner': 'planted.inner',
  'import trax.rl.task': 'trax.rl.task',
  'import antigravity': 'antigravity',
  'import nowhere': 'nowhere',
}
# Where planted/ is, seen from a directory in which runs/mine is the run.
PLACES = ('runs/mine', 'runs', '.', 'linked', 'elsewhere')


@pytest.fixture(scope='module')
def config():
  parsed = gin_config.parse([str(ROOT / 'gin' / 'bbc_news.gin')])
  return gin_config.check(parsed).text


@pytest.fixture
def run(tmp_path, config):
  directory = run_dir.RunDir(tmp_path / 'runs' / 'mine')
  directory.root.make()
  directory.config.write(config)
  return directory


@pytest.fixture(autouse=True)
def _no_new_modules(monkeypatch):
  monkeypatch.setattr(sys, 'path', list(sys.path))
  before = set(sys.modules)
  yield
  for name in set(sys.modules) - before:
    if name.split('.')[0] in ('planted', 'antigravity'):
      del sys.modules[name]


def plant(directory):
  (directory / 'planted').mkdir(parents=True)
  for name in ('__init__', 'inner'):
    (directory / 'planted' / f'{name}.py').write_text('')


def test_a_config_of_ours_needs_no_leave(run):
  experiment = run_config.load_experiment(run)
  assert experiment.config.text == run.config.read_text(encoding='utf-8-sig')


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('statement', STATEMENTS)
def test_nothing_is_imported_without_leave(
  run, config, tmp_path, monkeypatch, place, statement
):
  directory = tmp_path / place
  if place == 'linked':
    plant(tmp_path / 'elsewhere')
    directory.symlink_to(tmp_path / 'elsewhere')
  else:
    plant(directory)
  monkeypatch.setattr(sys, 'path', [str(directory), *sys.path])
  run.config.write(f'{statement}\n{config}')
  module = STATEMENTS[statement]
  with pytest.raises(UserError) as error:
    run_config.load_experiment(run, ['other', f'{module}_', 'plant', ''])
  assert str(error.value) == (
    f'{run.config}:1: the config of a run directory is to import {module}, '
    f'which can run any code. If you trust it, add --allow_import={module}'
  )
  assert module not in sys.modules
  assert module.split('.')[0] not in {'planted', 'antigravity'} & {*sys.modules}


@pytest.mark.parametrize('allowed', ['planted.inner', 'planted'])
def test_what_is_allowed_is_imported(run, config, tmp_path, allowed):
  plant(tmp_path)
  sys.path.insert(0, str(tmp_path))
  run.config.write(f'import planted.inner\n{config}')
  run_config.load_experiment(run, ['other', allowed])
  assert 'planted.inner' in sys.modules


def test_what_this_process_has_imported_is_let_through(run, config):
  run.config.write(f'import os.path\nimport gin\n{config}')
  run_config.load_experiment(run)


def _unneeded():
  configurables.register()
  return [
    name
    for name in configurables.names()
    if not name.startswith(run_config.HARMLESS)
  ]


def test_a_config_calls_only_what_classifiers_are_made_of(run, config):
  """What reads, writes and downloads what a config names is among them."""
  unneeded = _unneeded()
  assert 'trax.supervised.trainer_lib.train' in unneeded
  assert 'trax.data.T5GlueTrainStreams' not in unneeded
  for selector in unneeded:
    reference = f'@{configurables.short(selector)}()'
    run.config.write(config, f'kim_cnn.d_feature = [1, {reference}]')
    with pytest.raises(UserError) as error:
      run_config.load_experiment(run)
    assert f'refers to {reference}, of which no classifier' in str(error.value)
    module = selector.rpartition('.')[0]
    assert str(error.value).endswith(f'add --allow_import={module}')


def test_it_includes_nothing(run, config, tmp_path):
  (tmp_path / 'other.gin').write_text('import planted\n')
  for path in (tmp_path / 'other.gin', 'base.gin', '/dev/zero', '../x'):
    run.config.write(config, f'include {str(path)!r}\n')
    with pytest.raises(UserError, match='is not followed here'):
      run_config.load_experiment(run)


def test_it_is_text(run):
  run.config.write(b'SEED = 1\n\xff')
  with pytest.raises(UserError) as error:
    run_config.load_experiment(run)
  assert str(error.value) == (
    f'{run.config} is damaged: it is not UTF-8 text (byte 9).'
  )
  run.config.unlink()
  os.mkfifo(run.config.path)
  with pytest.raises(UserError, match='is a FIFO, and a file must be there'):
    run_config.load_experiment(run)
