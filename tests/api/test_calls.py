"""Errors, signals and arguments of a call from Python."""

import errno
import inspect
import signal

import pytest
from absl import flags

import experiments
from experiments.api import calls, runs, tables, text_classifier
from experiments.commands import launcher_flags
from experiments.foundation.errors import UserError
from experiments.foundation.signals import Interrupted, Terminated

FUNCTIONS = {
  name: getattr(experiments, name)
  for name in experiments.__all__
  if inspect.isfunction(getattr(experiments, name))
}
# Of `train`: what --gin_file and --gin_bindings come to.
OF_PYTHON_ALONE = {'experiment'}


def test_what_the_package_offers():
  assert set(FUNCTIONS) == {
    *('load_config', 'train', 'evaluate', 'load_classifier', 'compare'),
    'sweep',
  }
  assert set(FUNCTIONS) < set(dir(experiments))
  assert experiments.UserError is UserError
  with pytest.raises(AttributeError, match="no attribute 'tain'"):
    experiments.tain  # noqa: B018


def test_arguments_are_called_as_the_flags():
  names = {
    name
    for function in FUNCTIONS.values()
    for name in inspect.signature(function).parameters
  }
  assert names - OF_PYTHON_ALONE == set(calls.ARGUMENTS)
  of_launcher = flags.FLAGS.flags_by_module_dict()[launcher_flags.__name__]
  assert set(calls.ARGUMENTS) < {flag.name for flag in of_launcher}


@pytest.mark.parametrize(
  'name', sorted(set(calls.ARGUMENTS) - {'trust_init_from'})
)
def test_a_flag_is_named_as_the_argument(name):
  said = f'--{name}=x: no. Give another --{name}, or --{name}s.'
  assert calls.in_words_of_python(said) == (
    f'{name}=x: no. Give another {name}, or --{name}s.'
  )


@pytest.mark.parametrize(
  ('said', 'expected'),
  [
    ('add --trust_init_from; a run', 'add trust_init_from=True; a run'),
    (
      'Train first: python launcher.py --gin_file=a --output_dir=b',
      'Train first: python launcher.py --gin_file=a --output_dir=b',
    ),
    ('--mode=eval writes it anew.', '--mode=eval writes it anew.'),
    ('The same command goes on.', 'The same call goes on.'),
    ('No space; the same command goes', 'No space; the same call goes'),
  ],
)
def test_words(said, expected):
  assert calls.in_words_of_python(said) == expected


def raising(error):
  """Returns a function for Python that raises."""

  @calls.from_python
  def function():
    raise error

  return function


def test_what_the_disk_refuses_is_an_error_of_the_user():
  full = OSError(errno.ENOSPC, 'No space left on device', '/mnt/run.json')
  with pytest.raises(UserError) as error:
    raising(full)()
  assert str(error.value) == (
    '/mnt/run.json: No space left on device.\nMake space; the same call goes '
    'on from the last checkpoint, if there is one.'
  )
  with pytest.raises(FileExistsError):
    raising(FileExistsError(errno.EEXIST, 'File exists', 'x'))()


def test_ctrl_c_is_what_it_is_elsewhere():
  with pytest.raises(KeyboardInterrupt) as error:
    raising(Interrupted(signal.SIGINT, 7))()
  assert str(error.value) == (
    'Stopped at step 7, with a checkpoint. The same call goes on.'
  )


@pytest.mark.parametrize(
  'error', [Interrupted(signal.SIGTERM, 7), Terminated()]
)
def test_sigterm_goes_to_whoever_had_it(error):
  heard = []
  before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
  try:
    with pytest.raises(type(error)):
      raising(error)()
  finally:
    signal.signal(signal.SIGTERM, before)
  assert heard == [signal.SIGTERM]


@pytest.mark.parametrize(
  ('call', 'message'),
  [
    (lambda: runs.load_config(''), 'gin_file is empty. Give it a value'),
    (lambda: runs.load_config('a\0b'), 'gin_file=a\0b must be a path without'),
    (lambda: runs.load_config([]), 'Name one, such as gin_file=gin/agnews.gin'),
    (lambda: runs.load_config('nowhere.gin'), 'nowhere.gin'),
    (
      lambda: tables.compare('~nobody-here'),
      'output_dir=~nobody-here must be the path of a user that exists',
    ),
    (
      lambda: tables.compare('nowhere'),
      'output_dir=nowhere: there is no run in it.',
    ),
    (
      lambda: text_classifier.load_classifier('nowhere'),
      'output_dir=nowhere: no run directory',
    ),
    (
      lambda: tables.sweep('a.gin', 'SEED=[1]', search='tpa'),
      "search must be grid, random or tpe, not 'tpa'. Did you mean tpe?",
    ),
    (
      lambda: tables.sweep('a.gin', 'SEED=[1]', executor='slurm'),
      "executor must be local or ray, not 'slurm'.",
    ),
    (
      lambda: tables.sweep('a.gin', 'SEED=[1]', jobs=0),
      'jobs must be at least 1, not 0.',
    ),
    (
      lambda: tables.sweep('a.gin', 'SEED=[1]', trials=3),
      'trials is for search=random and search=tpe.',
    ),
    (
      lambda: tables.sweep('a.gin', 'SEED=[1]', search='tpe'),
      'search=tpe needs trials, e.g. trials=20.',
    ),
    (lambda: tables.sweep('a.gin', 'SEED'), 'sweep='),
  ],
)
def test_what_is_refused(call, message, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError) as error:
    call()
  assert message in str(error.value)
  assert '--' not in str(error.value)
  assert list(tmp_path.iterdir()) == []
