"""Nothing that a process of ours prints steers the terminal."""

import ast
import subprocess
import sys

import pytest

from experiments.foundation import plain_text
from tests.fixtures import live_terminal
from tests.fixtures.live_launcher import ROOT

HOSTILE = 'a\x1b[2Jb\x07c\rd\x9b31me\u202ef\u2066g\u2028h\x00i\x7fj\tk\x08'
ESCAPED = r'a\x1b[2Jb\x07c\rd\x9b31me\u202ef\u2066g\u2028h\x00i\x7fj\tk\x08'

# All the ways of printing that this process and its libraries know.
_PRINTS = f"""
import logging, sys, threading, traceback, warnings
sys.path.insert(0, {str(ROOT)!r})
from experiments.commands import command_line, launcher_flags
from experiments.foundation.errors import UserError

HOSTILE = {HOSTILE!r}

def main():
  print(HOSTILE)
  print(HOSTILE, file=sys.stderr)
  sys.stdout.writelines([HOSTILE, chr(10)])
  logging.info('%s', HOSTILE)
  logging.getLogger('another').error(HOSTILE)
  warnings.warn(HOSTILE)
  try:
    raise ValueError(HOSTILE)
  except ValueError:
    traceback.print_exc()
    logging.exception(HOSTILE)
  thread = threading.Thread(target=lambda: 1 / HOSTILE, name=HOSTILE)
  thread.start()
  thread.join()
  raise ENDS

sys.argv = ['program']
sys.exit(command_line.run(main, 'usage'))
"""


@pytest.mark.parametrize(
  ('ends', 'status'),
  [
    ('UserError(HOSTILE)', 2),
    ('RuntimeError(HOSTILE)', 1),
    ('OSError(28, "full", HOSTILE)', 2),
    ('SystemExit(HOSTILE)', 1),
  ],
)
def test_whatever_prints_is_escaped(ends, status):
  done = subprocess.run(
    [sys.executable, '-c', _PRINTS.replace('ENDS', ends)],
    capture_output=True,
    check=False,
  )
  assert done.returncode == status
  for stream, count in ((done.stdout, 2), (done.stderr, 8)):
    text = stream.decode('utf-8')
    assert plain_text.escape(text) == text
    assert text.count(ESCAPED) >= count, text


def test_a_bar_moves_the_cursor_and_its_label_does_not():
  code = (
    'import sys, time\n'
    'from experiments.foundation import terminal\n'
    'terminal.open_streams()\n'
    f'bar = terminal.progress_bar(total=2, desc={HOSTILE!r}, position=1)\n'
    f'bar.set_postfix_str({HOSTILE!r})\n'
    'bar.update(1)\n'
    'bar.close()\n'
  )
  command = [sys.executable, '-c', code]
  with live_terminal.Terminal(command, columns=400, cwd=ROOT) as terminal:
    written = terminal.read_until(None)
    assert terminal.process.wait() == 0
  assert written.count(ESCAPED) >= 2
  # The bar's own: to the line's start, down, and up again.
  rest = written.replace('\r', '').replace('\n', '').replace('\x1b[A', '')
  assert plain_text.escape(rest) == rest


def test_nothing_goes_around_it():
  """What writes to the streams behind `terminal`, or draws bars by itself."""
  own = {'terminal.py'}
  may = {
    # What TensorFlow's C++ wrote goes on to where it was going.
    'tensorflow_start.py': {'write'},
    # A word of ours, from a handler in which no stream can be used.
    'signals.py': {'write'},
    # Flushed before the process's stdout is another.
    'configurables.py': {'sys.__stdout__'},
    'log.py': {'tqdm'},
  }
  for path in sorted((ROOT / 'experiments').rglob('*.py')):
    if path.name in own:
      continue
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
      if isinstance(node, ast.Import):
        found |= {each.name for each in node.names} & {'tqdm'}
      if isinstance(node, ast.Attribute):
        name = ast.unparse(node)
        if name in ('sys.__stdout__', 'sys.__stderr__') or name.startswith(
          ('sys.stdout.buffer', 'sys.stderr.buffer', 'sys.stdout.raw')
        ):
          found.add(name)
        if name == 'os.write':
          found.add('write')
    assert found <= may.get(path.name, set()), path
