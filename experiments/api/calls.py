"""How a call from Python differs from a command: arguments, errors, Ctrl-C."""

import functools
import os
import re
import signal
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from experiments.foundation import paths, processes, system_errors
from experiments.foundation.errors import UserError
from experiments.foundation.signals import Interrupted, Terminated

_P = ParamSpec('_P')
_R = TypeVar('_R')

Texts = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

# The flags that are arguments here, by the same names.
ARGUMENTS = (
  *('allow_import', 'executor', 'folds', 'gin_bindings', 'gin_file'),
  *(
    'gin_search_paths',
    'jobs',
    'objective',
    'output_dir',
    'ray_address',
    'retries',
    'search',
  ),
  *('seconds', 'split', 'sweep', 'trials', 'trust_init_from'),
)
_FLAG = re.compile(
  r'(?P<command>python launcher\.py.*)|--(?P<name>'
  + '|'.join(ARGUMENTS)
  + r')\b'
)


def from_python(function: Callable[_P, _R]) -> Callable[_P, _R]:
  """Makes a function of what the launcher calls, for callers in Python.

  What the launcher would say in a line is a UserError that names arguments, not
  flags. A run that Ctrl-C ends in order ends with KeyboardInterrupt, as every
  call does; SIGTERM does what it did before, once there is a checkpoint.

  Args:
    function: whose arguments have the names of flags.
  """

  @functools.wraps(function)
  def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
    try:
      processes.check_platform()
      return function(*args, **kwargs)
    except UserError as error:
      error.args = (in_words_of_python(str(error)), *error.args[1:])
      raise
    except OSError as error:
      message = system_errors.explanation(error)
      if message is None:
        raise
      raise UserError(in_words_of_python(message)) from error
    except (Interrupted, Terminated) as error:
      number = getattr(error, 'signal_number', signal.SIGTERM)
      if number == signal.SIGINT:
        message = in_words_of_python(str(error))
        raise KeyboardInterrupt(message) from error
      signal.raise_signal(number)
      raise

  return call


def in_words_of_python(message: str) -> str:
  """Returns a message of the launcher with arguments in place of flags."""

  def replace(match: re.Match[str]) -> str:
    name = match['name']
    if name is None:
      return match[0]
    if name == 'trust_init_from':
      return f'{name}=True'
    return name

  message = _FLAG.sub(replace, message)
  return message.replace('he same command', 'he same call')


def texts_of(value: Texts) -> list[str]:
  """Returns the texts of an argument that takes one or several."""
  if isinstance(value, str | os.PathLike):
    return [os.fspath(value)]
  return [os.fspath(each) for each in value]


def paths_of(name: str, value: Texts) -> list[str]:
  """Returns the paths of an argument, `~` expanded.

  Args:
    name: of the argument.
    value: one path, or several.

  Raises:
    UserError: one cannot be a path, or is empty.
  """
  found = []
  for path in texts_of(value):
    if not path:
      raise UserError(f'{name} is empty. Give it a value, or leave it out.')
    try:
      found.append(paths.expand(path))
    except paths.BadPathError as error:
      raise UserError(f'{name}={path} must be {error}.') from None
  return found


def path_of(name: str, value: str | os.PathLike[str]) -> str:
  """Does what `paths_of` does with one path."""
  return paths_of(name, os.fspath(value))[0]
