"""The log on stderr: ours and of a user's modules, not that of libraries."""

import contextlib
import logging
import os
import re
import sys
import warnings

import experiments
from experiments.foundation import terminal

_LIBRARIES = r'[/\\](site|dist)-packages[/\\]'


def start_log(is_verbose: bool) -> None:
  """Sets up the log on stderr; `is_verbose` shows that of the libraries too."""
  terminal.open_streams()
  handler = _LogHandler()
  handler.setFormatter(logging.Formatter('%(message)s'))
  root = logging.getLogger()
  root.handlers[:] = [handler]
  root.setLevel(logging.DEBUG if is_verbose else logging.INFO)
  if not is_verbose:
    handler.addFilter(_is_ours)
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    # Where Python finds no library compiled as it is to run, as under -OO, it
    # compiles it at each start, and says what it thinks of the source.
    warnings.filterwarnings(
      'ignore', category=SyntaxWarning, module=f'.*{_LIBRARIES}'
    )


class _LogHandler(logging.StreamHandler):
  """Writes to stderr, above a progress bar if there is one."""

  def emit(self, record: logging.LogRecord) -> None:
    tqdm = sys.modules.get('tqdm')
    raw = getattr(self.stream, 'raw', self.stream)
    bar = tqdm.tqdm.external_write_mode(raw) if tqdm else None
    with bar or contextlib.nullcontext():
      super().emit(record)


def _is_ours(record: logging.LogRecord) -> bool:
  """Tells the log of us and of a user's modules from library chatter."""
  here = os.path.dirname(experiments.__file__)
  is_library = re.search(_LIBRARIES, record.pathname)
  return (
    record.levelno >= logging.ERROR
    or record.pathname.startswith(here)
    or not is_library
  )
