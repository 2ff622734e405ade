"""Paths as users write them."""

import os

import pytest

from experiments.foundation import paths
from experiments.foundation.errors import UserError

HOME = '/home/of/a/user'
# What cannot be a path, by what it must be.
BAD = {
  'a\0b': 'a path without a zero byte',
  '~nosuchuser/x': 'the path of a user that exists, which nosuchuser does not '
  '(./~ begins a name with ~)',
  'x' * 256: 'a path of at most 4095 bytes, and 255 for each name in it',
  'é' * 128: 'a path of at most 4095 bytes, and 255 for each name in it',
  '/'.join(['x' * 200] * 21): 'a path of at most 4095 bytes, and 255 for each '
  'name in it',
  'a\ud800b': 'a path whose characters the file system can write',
}


@pytest.fixture(autouse=True)
def _home(monkeypatch):
  monkeypatch.setenv('HOME', HOME)


@pytest.mark.parametrize('path', BAD, ids=lambda path: ascii(path)[:20])
@pytest.mark.parametrize('function', [paths.expand, paths.absolute])
def test_refuses(function, path):
  with pytest.raises(paths.BadPathError) as caught:
    function(path)
  assert str(caught.value) == BAD[path]


def test_the_longest_names_are_taken():
  for path in ('x' * 255, 'é' * 127, '/' + '/'.join(['x' * 255] * 15)):
    assert paths.expand(path) == path


@pytest.mark.parametrize(
  ('path', 'expected'),
  [
    ('~', HOME),
    ('~/a b', f'{HOME}/a b'),
    ('~root', os.path.expanduser('~root')),
    ('./~', './~'),
    ('a/~', 'a/~'),
    ('-', '-'),
    ('gs://bucket/~/x', 'gs://bucket/~/x'),
    ('a' * 300 + '://x', 'a' * 300 + '://x'),
  ],
)
def test_expands_homes_and_leaves_the_rest(path, expected):
  assert paths.expand(path) == expected


def test_a_path_from_the_root_has_one_form(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for path in ('x', './x', 'y/../x', 'x/', f'{tmp_path}/x', f'{tmp_path}//x'):
    assert paths.absolute(path) == f'{tmp_path}/x'
  assert paths.absolute('~/x') == f'{HOME}/x'
  assert paths.absolute('gs://bucket/x/') == 'gs://bucket/x/'


def test_without_a_home_there_is_no_tilde(monkeypatch):
  expected = (
    'a path without ~, since HOME is not set and says nothing of a home '
    'directory'
  )
  monkeypatch.setenv('HOME', '')
  with pytest.raises(paths.BadPathError) as caught:
    paths.expand('~/x')
  assert str(caught.value) == expected
  # As of a user id that is not in the password database.
  monkeypatch.delenv('HOME')
  monkeypatch.setattr(os, 'getuid', lambda: 2**31 - 7)
  with pytest.raises(UserError) as refused:
    paths.absolute_or_refuse('~/.cache', 'XDG_CACHE_HOME')
  assert str(refused.value) == f'XDG_CACHE_HOME=~/.cache must be {expected}.'
  assert paths.expand('x/~') == 'x/~'


def test_a_working_directory_that_was_removed(tmp_path, monkeypatch):
  (tmp_path / 'gone').mkdir()
  monkeypatch.chdir(tmp_path / 'gone')
  (tmp_path / 'gone').rmdir()
  with pytest.raises(paths.BadPathError) as caught:
    paths.absolute('x')
  assert str(caught.value) == (
    'a path from the root, since the working directory was removed'
  )
  assert paths.absolute('/x') == '/x'
