"""Flags, log and exit status, the same for every mode of the launcher."""

import contextlib
import importlib.metadata
import os
import platform
import re
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from absl import flags
from absl import logging as absl_logging

import experiments
from experiments.foundation import (
  log,
  processes,
  system_errors,
  terminal,
  utf8,
)
from experiments.foundation.errors import StrictFinding, UserError
from experiments.foundation.signals import Interrupted, Terminated, end_command

_HELP = re.compile(r'-h|--?help(full|short)?(=.*)?')
# What absl lets out of Python, and what to say instead.
_REWORDED = (
  (re.compile(r'invalid literal for int\(\).*'), 'it must be a whole number'),
  (re.compile(r"\('Non-boolean .*"), 'it must be true or false'),
  (
    re.compile(r'ERROR:: Unable to open flagfile: \[Errno \d+\]'),
    '--flagfile:',
  ),
)


def run(main: Callable[[], None], usage: str) -> int:
  """Runs a program to its exit status.

  Args:
    main: the program; the flags are parsed when it is called.
    usage: what it is for.

  Returns:
    0 done; 2 the user must change something; 3 --strict found what it is to
    stop at; 143 after SIGTERM, 130 after
    Ctrl-C, 141 if the reader of stdout has gone; 1 the program failed, with its
    traceback on stderr.
  """
  utf8.speak_utf8()
  terminal.open_streams()
  signal.signal(signal.SIGTERM, end_command)
  try:
    try:
      processes.check_platform()
      parse_flags(sys.argv, usage)
      main()
    finally:
      sys.stdout.flush()
  except UserError as error:
    _say(str(error))
    return 2
  except StrictFinding as error:
    _say(str(error))
    return 3
  except Interrupted as error:
    _say(str(error))
    return 128 + error.signal_number
  except (KeyboardInterrupt, Terminated) as error:
    # Outside of training, where there is nothing to save.
    _say('Stopped.')
    is_term = isinstance(error, Terminated)
    return 128 + (signal.SIGTERM if is_term else signal.SIGINT)
  except BrokenPipeError:
    # The reader of stdout has gone, as with `| head`.
    terminal.discard(sys.stdout)
    return 128 + signal.SIGPIPE
  except OSError as error:
    message = system_errors.explanation(error)
    if error.filename == 'stdout':
      terminal.discard(sys.stdout)
      message = message or f'stdout: {error.strerror}.'
    _say(message or traceback.format_exc().rstrip())
    return 1 if message is None else 2
  except Exception:
    # Not left to Python, which colours it for a terminal.
    _say(traceback.format_exc().rstrip())
    return 1
  return 0


def exit_with(status: int) -> NoReturn:
  """Ends the process.

  After a signal it ends at once: what XLA is compiling in other threads can
  neither be stopped nor is it waited for.

  Args:
    status: from `run`.
  """
  if status in (128 + signal.SIGINT, 128 + signal.SIGTERM):
    for stream in (sys.stdout, sys.stderr):
      with contextlib.suppress(OSError):
        stream.flush()
    os._exit(status)
  sys.exit(status)


def parse_flags(argv: list[str], usage: str) -> None:
  """Parses the command line, and sets up the log on stderr.

  Prints help or versions and exits with 0 where they are asked for.

  Args:
    argv: the program and its arguments.
    usage: what the program is for.

  Raises:
    UserError: a flag is not known or has a wrong value.
  """
  flags_ = flags.FLAGS
  if any(_HELP.fullmatch(arg) for arg in argv[1:]):
    print(usage.strip() + '\n')
    print(flags_.module_help(flags_.find_module_defining_flag('gin_file')))
    print('absl.logging:\n  -v,--verbosity: 0, or 1 to show the log of the')
    print('    libraries too. --verbosity=1\n    (default: 0)')
    sys.exit(0)
  try:
    rest = flags_(argv)
  except (flags.Error, ValueError, RecursionError) as error:
    message = _explain(error)
    raise UserError(
      f'{message}{"" if message[-1] == "?" else "."} See --help.'
    ) from error
  if len(rest) > 1:
    raise UserError(
      f'{rest[1]!r} is no flag. Values follow an =, and what holds spaces '
      "needs quotes: --gin_bindings='N_STEPS = 10'. See --help."
    )
  log.start_log(
    bool(flags_['verbosity'].present) and absl_logging.get_verbosity() > 0
  )


def _explain(error: Exception) -> str:
  """Returns what absl says of a flag, in words that do not need Python."""
  if isinstance(error, UnicodeDecodeError):
    return '--flagfile: it is not UTF-8 text'
  if isinstance(error, RecursionError):
    # absl looks for a flag that resembles one of a thousand characters.
    return 'No flag has so long a name'
  message = str(error).replace(' ?', '?').rstrip('.')
  for pattern, words in _REWORDED:
    message = pattern.sub(words, message)
  return message


def print_versions() -> None:
  """Prints the versions of the project and of what its numbers depend on."""
  print(f'trax-experiments {experiments.__version__}')
  print(f'Python {platform.python_version()}')
  for name in ('trax', 'jax', 'tensorflow', 'tensorflow-datasets'):
    print(f'{name} {importlib.metadata.version(name)}')


def _say(message: str) -> None:
  # Where nobody hears it, the status says enough.
  try:
    print(message, file=sys.stderr, flush=True)
  except OSError:
    terminal.discard(sys.stderr)
