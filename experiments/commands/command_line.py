"""Flags, log and exit status, the same for every mode of the launcher."""

import os
import signal
import sys
from collections.abc import Callable

from absl import flags
from absl import logging as absl_logging

from experiments.foundation import log, system_errors, utf8
from experiments.foundation.errors import UserError
from experiments.foundation.signals import Interrupted, Terminated, raise_for


def parse_flags(argv: list[str], usage: str) -> None:
  """Parses the command line, and sets up UTF-8 and the log on stderr.

  Prints help and exits with 0 for --help; prints one line and exits with 2 for
  a flag that is not known or has a wrong value.

  Args:
    argv: the program and its arguments.
    usage: what the program is for.
  """
  utf8.speak_utf8()
  flags_ = flags.FLAGS
  if any(arg in ('--help', '-help', '-h', '--helpfull') for arg in argv[1:]):
    print(usage.strip() + '\n')
    print(flags_.module_help(flags_.find_module_defining_flag('gin_file')))
    print('absl.logging:\n  -v,--verbosity: 0, or 1 to show the log of the')
    print('    libraries too. --verbosity=1\n    (default: 0)')
    sys.exit(0)
  try:
    rest = flags_(argv)
  except flags.Error as error:
    message = str(error).replace(' ?', '?').rstrip('.')
    _refuse(f'{message}{"" if message[-1] == "?" else "."} See --help.')
  if len(rest) > 1:
    _refuse(
      f'{rest[1]!r} is no flag. Values follow an =, and what holds spaces '
      "needs quotes: --gin_bindings='N_STEPS = 10'. See --help."
    )
  log.start_log(
    bool(flags_['verbosity'].present) and absl_logging.get_verbosity() > 0
  )


def run_main(main: Callable[[], None]) -> int:
  """Runs a program to its exit status.

  Args:
    main: the program.

  Returns:
    0 done; 2 the user must change something; 143 after SIGTERM, 130 after
    Ctrl-C. Any other error is raised, with its traceback, as Python's status 1.
  """
  signal.signal(signal.SIGTERM, raise_for)
  try:
    main()
    with system_errors.naming('stdout'):
      sys.stdout.flush()
  except UserError as error:
    print(error, file=sys.stderr)
    return 2
  except Interrupted as error:
    print(error, file=sys.stderr)
    return 128 + error.signal_number
  except (KeyboardInterrupt, Terminated) as error:
    # Outside of training, where there is nothing to save.
    print('Stopped.', file=sys.stderr)
    is_term = isinstance(error, Terminated)
    return 128 + (signal.SIGTERM if is_term else signal.SIGINT)
  except BrokenPipeError:
    # The reader of stdout has gone, as with `| head`.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE
  except OSError as error:
    message = system_errors.explanation(error)
    if message is None:
      raise
    print(message, file=sys.stderr)
    if error.filename == 'stdout':
      # Or Python would try to write the rest of it once more.
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 2
  return 0


def _refuse(message: str) -> None:
  print(message, file=sys.stderr)
  sys.exit(2)
