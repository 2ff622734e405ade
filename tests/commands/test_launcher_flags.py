"""Flags that are paths, and what is refused of all of them."""

from typing import Any

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.commands import command_line, launcher_flags
from experiments.foundation import paths
from experiments.foundation.errors import UserError

FLAGS = flags.FLAGS
# What goes with a flag, where its mode is another than train.
OTHERS: dict[str, dict[str, Any]] = {
  'input': {'mode': 'predict', 'output_dir': 'x'},
  'source': {'mode': 'prepare', 'gin_file': ['x.gin']},
  'plots': {'mode': 'compare', 'output_dir': 'x'},
  'baseline': {'mode': 'compare', 'output_dir': 'x'},
  'html': {'mode': 'audit', 'gin_file': ['x.gin']},
}


@pytest.fixture(autouse=True)
def _flags():
  if not FLAGS.is_parsed():
    FLAGS(['launcher.py'])
  with flagsaver.flagsaver():
    yield


def given(name, value):
  """Gives a flag with what it needs, checks, and returns what became of it."""
  others = {'gin_file': ['x.gin'], **OTHERS.get(name, {})}
  if FLAGS[name].flag_type() == 'multi string':
    value = ['x.gin', value]
  with flagsaver.flagsaver(**{**others, name: value}):
    if 'mode' in others and others['mode'] not in ('prepare', 'audit'):
      FLAGS['gin_file'].value = FLAGS['gin_file'].default
    launcher_flags.check_flags()
    value = FLAGS[name].value
    return value if isinstance(value, str) else value[-1]


def test_knows_which_flags_are_paths():
  assert {'gin_file', 'gin_search_paths', 'output_dir', *OTHERS} <= set(
    launcher_flags.paths_among_flags()
  )


@pytest.mark.parametrize('name', launcher_flags.paths_among_flags())
def test_expands_and_refuses_in_each_of_them(name, monkeypatch):
  monkeypatch.setenv('HOME', '/home/of/a/user')
  assert given(name, '~/x') == '/home/of/a/user/x'
  assert given(name, 'a/../x') == 'a/../x'
  for bad in ('~nosuchuser/x', 'x' * 256, 'a\0b', '/x' * 3000):
    with pytest.raises(paths.BadPathError) as expected:
      paths.expand(bad)
    with pytest.raises(UserError) as caught:
      given(name, bad)
    assert str(caught.value) == f'--{name}={bad} must be {expected.value}.'


@pytest.mark.parametrize('format_', ['csv', 'json'])
def test_top_is_for_tables_that_can_be_cut(format_):
  flags_ = ['launcher.py', '--mode=compare', '--output_dir=d', '--top=3']
  with flagsaver.flagsaver():
    FLAGS([*flags_, f'--format={format_}'])
    with pytest.raises(UserError, match=r'^--top is for --format=text and'):
      launcher_flags.check_flags()
    FLAGS([*flags_, f'--format={format_}', '--top=0'])
    launcher_flags.check_flags()
    FLAGS([*flags_, '--format=markdown'])
    launcher_flags.check_flags()


def test_leaves_what_is_no_path():
  binding = "DATASET='~nosuchuser'" + 'x' * 300
  assert given('gin_bindings', binding) == binding
  assert given('input', '-') == '-'


@pytest.mark.parametrize('name', launcher_flags.paths_among_flags())
def test_an_empty_text_is_no_value(name):
  with pytest.raises(UserError) as caught:
    given(name, '')
  assert str(caught.value) in (
    f'--{name} is empty. Give it a value, or leave it out.',
    # Where it is needed, in the words for one that is not there.
    f'--mode=predict needs --{name}, e.g. --{name}=articles.txt',
    f'--mode=prepare needs --{name}, e.g. --{name}=reviews.csv',
  )


@pytest.mark.parametrize(
  ('argument', 'message'),
  [
    ('--jobs=x', 'flag --jobs=x: it must be a whole number.'),
    ('--jobs=', 'flag --jobs=: it must be a whole number.'),
    ('--jobs=0', 'flag --jobs=0: 0 is not a positive integer.'),
    ('--dry_run=2', 'flag --dry_run=2: it must be true or false.'),
    ('--nodry_run=1', '--nodry_run=1 does not take an argument.'),
    (f'--{"a" * 5000}=1', 'No flag has so long a name.'),
    ('--flagfile=ABSENT', "--flagfile: No such file or directory: 'ABSENT'."),
    ('--flagfile=BINARY', '--flagfile: it is not UTF-8 text.'),
    ('--format=xml', 'flag --format=xml: value should be one of '
     '<text|markdown|csv|json>.'),
    ('--nosuch', "Unknown command line flag 'nosuch'."),
  ],
)  # fmt: skip
def test_a_wrong_value_is_told_without_python(argument, message, tmp_path):
  (tmp_path / 'binary').write_bytes(bytes(range(256)))
  argument = argument.replace('BINARY', str(tmp_path / 'binary'))
  with pytest.raises(UserError) as caught:
    command_line.parse_flags(['launcher.py', argument], '')
  assert str(caught.value) == f'{message} See --help.'


@pytest.mark.parametrize('mode', launcher_flags.MODES)
def test_a_current_directory_that_is_gone_is_told_in_a_line(
  mode, tmp_path, monkeypatch
):
  (tmp_path / 'gone').mkdir()
  monkeypatch.chdir(tmp_path / 'gone')
  (tmp_path / 'gone').rmdir()
  with (
    flagsaver.flagsaver(mode=mode),
    pytest.raises(UserError, match=r'^The current directory was removed\.'),
  ):
    launcher_flags.check_flags()
