"""Text has one encoding, whatever the locale: no file, pipe or stream asks it.

Read as 'utf-8-sig', so that a byte order mark is no text; written as 'utf-8'.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
READ, WRITTEN = 'utf-8-sig', 'utf-8'
# Where a mode may stand among the arguments, what it is by default, and which
# of the modules that have such a function give text.
_OPENERS = {
  'open': (1, 'r'),
  'fdopen': (1, 'r'),
  'NamedTemporaryFile': (0, 'w+b'),
  'SpooledTemporaryFile': (1, 'w+b'),
  'TemporaryFile': (0, 'w+b'),
}
_BINARY_BY_DEFAULT = ('bz2', 'gzip', 'lzma')
_NO_FILES_OF_TEXT = ('_OPENER', 'Image', 'os', 'tarfile', 'zipfile')
_PROCESSES = ('Popen', 'call', 'check_call', 'check_output', 'run')


def _code() -> list[pathlib.Path]:
  return [
    ROOT / 'launcher.py',
    *sorted((ROOT / 'experiments').rglob('*.py')),
    *sorted((ROOT / 'benchmarks').rglob('*.py')),
  ]


def _constant(node: ast.expr | None) -> object:
  return node.value if isinstance(node, ast.Constant) else None


def _wanted(call: ast.Call) -> tuple[str, ...]:
  """Returns the encodings of which a call must name one; () for any call."""
  named = {each.arg: each.value for each in call.keywords if each.arg}
  function = call.func
  if isinstance(function, ast.Name):
    name, owner = function.id, ''
  elif isinstance(function, ast.Attribute):
    name = function.attr
    owner = function.value.id if isinstance(function.value, ast.Name) else '?'
  else:
    return ()
  if name in ('read_text', 'write_text') and owner:
    return (READ,) if name == 'read_text' else (WRITTEN,)
  if name in ('FileHandler', 'TextIOWrapper', 'reconfigure'):
    return READ, WRITTEN
  if name in _PROCESSES and owner == 'subprocess':
    is_text = named.keys() & {'errors', 'text', 'universal_newlines'}
    return (WRITTEN,) if is_text else ()
  if name in _OPENERS and not (name == 'open' and owner in _NO_FILES_OF_TEXT):
    at, default = _OPENERS[name]
    if name == 'open' and owner and owner not in ('builtins', 'io'):
      at = 1 if owner in _BINARY_BY_DEFAULT else 0  # Of a path: its first.
      default = 'rb' if owner in _BINARY_BY_DEFAULT else 'r'
    positional = call.args[at] if len(call.args) > at else None
    mode = _constant(named.get('mode', positional)) or default
    if 'b' in str(mode):
      return ()
    return (WRITTEN,) if set(str(mode)) & set('wax') else (READ,)
  return ()


def _unnamed(code: str) -> list[int]:
  """Returns the lines whose text has the locale's encoding, or another."""
  lines = []
  for node in ast.walk(ast.parse(code)):
    if isinstance(node, ast.Call) and (wanted := _wanted(node)):
      named = {each.arg: each.value for each in node.keywords}
      encoding = named.get('encoding')
      # One that was found out is an attribute: `layout.encoding`.
      if isinstance(encoding, ast.Attribute):
        continue
      if _constant(encoding) not in wanted:
        lines.append(node.lineno)
  return sorted(lines)


@pytest.mark.parametrize(
  ('line', 'is_refused'),
  [
    ('open(path)', True),
    ('open(path, encoding=layout.encoding)', False),
    ('open(path, encoding=name)', True),
    ("open(path, encoding='utf-8')", True),
    ("open(path, encoding='utf-8-sig')", False),
    ("open(path, 'rb')", False),
    ("open(path, mode='a')", True),
    ("open(path, 'w', encoding='utf-8-sig')", True),
    ("open(path, 'x', encoding='utf-8')", False),
    ("path.open('w')", True),
    ("path.open('rb')", False),
    ('(a / b).open()', True),
    ("os.fdopen(descriptor, 'wb')", False),
    ('os.fdopen(descriptor)', True),
    ('gzip.open(path)', False),
    ("gzip.open(path, 'rt')", True),
    ('(a / b).read_text()', True),
    ("path.read_text('utf-8-sig')", True),  # By its name, for a reader.
    ("path.read_text(encoding='utf-8-sig', errors='replace')", False),
    ('path.write_text(text)', True),
    ("path.write_text(text, encoding='utf-8')", False),
    ('read_text(text, name)', False),  # A function of ours.
    ('subprocess.run(command, text=True)', True),
    ("subprocess.run(command, encoding='utf-8')", False),
    ('subprocess.run(command, capture_output=True)', False),
    ("tempfile.NamedTemporaryFile('w')", True),
    ('tempfile.TemporaryFile()', False),
    ('io.TextIOWrapper(raw)', True),
    ("stream.reconfigure(errors='replace')", True),
    ('logging.FileHandler(path)', True),
  ],
)
def test_the_reader_of_code_sees(line, is_refused):
  assert bool(_unnamed(line)) == is_refused


def test_no_code_leaves_the_encoding_of_text_to_the_locale():
  unnamed = [
    f'{path.relative_to(ROOT)}:{line}'
    for path in _code()
    for line in _unnamed(path.read_text(encoding=READ))
  ]
  assert not unnamed, f'name utf-8-sig to read, utf-8 to write: {unnamed}'
