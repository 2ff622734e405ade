"""Bindings that are paths: they mean the same wherever a config is read."""

import pytest

from experiments.config import gin_config, schema
from experiments.config.config_differences import find_differences
from experiments.foundation import paths
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import ROOT

BASE = str(ROOT / 'gin' / 'agnews.gin')
PARAMETERS = [f'{key[1]}.{key[2]}' for key in schema.PATHS]
MACROS = [name for name, entry in schema.MACROS.items() if entry.spec.is_path]
NAMES = MACROS + PARAMETERS
# What is a path if it looks like one, and else a name; and what is no None.
DATASETS = {'DATASET', 'trax.data.TFDS.dataset_name'}
# What is looked for in several directories.
FILES = {'VOCAB_FILE', 'trax.data.Tokenize.vocab_file'}


@pytest.fixture(autouse=True)
def _places(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('HOME', '/home/of/a/user')


def check(*flags, gin_file=BASE):
  if 'encoder' in str(flags).lower():
    flags = (*flags, 'MODEL = @pretrained_encoder', 'VOCAB_FILE = None')
  if 'embedding_file' in str(flags).lower():
    flags = (*flags, 'VOCAB_FILE = None')
  return gin_config.check(gin_config.parse([gin_file], flags))


def value(config, name):
  """Returns what a config's text says of a macro or parameter."""
  entries = dict(
    line.split(' = ') for line in config.text.splitlines() if ' = ' in line
  )
  name = '.'.join(name.split('.')[-2:])
  return entries[name].strip("'")


def test_finds_them():
  assert set(MACROS) == {
    *('DATASET', 'DATA_DIR', 'EMBEDDING_FILE', 'ENCODER', 'VOCAB_DIR'),
    'VOCAB_FILE',
  }
  assert 'experiments.experiment.init_from' in PARAMETERS


@pytest.mark.parametrize('name', NAMES)
def test_homes_and_directories_are_resolved(name, tmp_path):
  assert value(check(f"{name} = '~/a'"), name) == '/home/of/a/user/a'
  resolved = 'b/../a' if name in FILES else f'{tmp_path}/a'
  relative = './b/../a' if name in DATASETS else 'b/../a'
  assert value(check(f'{name} = {relative!r}'), name) == resolved


@pytest.mark.parametrize('name', NAMES)
def test_what_cannot_be_a_path_is_refused(name):
  kind = 'macro ' if name in MACROS else ''
  shown = '.'.join(name.split('.')[-2:])
  is_dataset = name in DATASETS
  for bad in ('~nosuchuser/x', './' + 'x' * 256, './a\0b'):
    flag = f'{name} = {bad!r}'
    with pytest.raises(paths.BadPathError) as expected:
      paths.expand(bad)
    with pytest.raises(UserError) as caught:
      check(flag)
    or_none = '' if is_dataset else ', or None'
    assert f': {kind}{shown} must be {expected.value}{or_none}, not ' in str(
      caught.value
    )


def test_a_macro_of_ones_own_is_resolved_where_it_gives_a_path(tmp_path):
  (tmp_path / 'x.gin').write_text(
    f"include '{BASE}'\nMY_DIR = 'mine'\nTFDS.data_dir = %MY_DIR\n"
  )
  text = check(gin_file='x.gin').text
  assert f"MY_DIR = '{tmp_path}/mine'\n" in text
  assert 'TFDS.data_dir = %MY_DIR\n' in text


def test_a_text_means_the_same_elsewhere(tmp_path, monkeypatch):
  config = check("DATA_DIR = 'data'", "experiment.init_from = 'runs/x'")
  (tmp_path / 'config.gin').write_text(config.text)
  (tmp_path / 'elsewhere').mkdir()
  monkeypatch.chdir(tmp_path / 'elsewhere')
  again = check(gin_file=str(tmp_path / 'config.gin'))
  assert again.text == config.text
  there = check(
    f"DATA_DIR = '{tmp_path}/data'", "experiment.init_from = '../runs/x'"
  )
  assert there.text == config.text


def test_a_run_is_named_by_what_was_written():
  config = check("DATA_DIR = './data'", 'Adam.eps = 1')
  assert config.overrides == {'DATA_DIR': "'./data'", 'Adam.eps': '1.0'}


def test_an_older_run_directory_goes_on(tmp_path):
  """Texts of before have a relative path as it was written."""
  new = check("DATA_DIR = 'data'").text
  old = new.replace(f"'{tmp_path}/data'", "'data'")
  assert old != new
  assert find_differences(old, new) == []
  assert find_differences(old.replace("'data'", "'other'"), new) == [
    f"DATA_DIR: '{tmp_path}/other' in the run directory, '{tmp_path}/data' now"
  ]
