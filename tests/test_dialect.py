"""One way of saying a thing, where several would do."""

import ast
import re

import pytest

from tests.fixtures.live_launcher import ROOT

FILES = sorted((ROOT / 'experiments').rglob('*.py'))
# Names that are written with a capital letter wherever they stand.
_NAMES = ('Adam', 'Ctrl', 'False', 'None', 'NumPy', 'Optuna', 'Python', 'Ray')
_ENTRY = re.compile(
  rf'^ {{2}}\*{{0,2}}[\w.]+: (?!(?:{"|".join(_NAMES)})\b)[A-Z](?:[a-z]| )'
)


def _sections(docstring):
  """Yields the entries of Args, Attributes and Raises."""
  section = None
  for line in docstring.splitlines():
    if re.fullmatch('(Args|Attributes|Raises):', line):
      section = line
    elif line and not line.startswith(' '):
      section = None
    elif section:
      yield line


@pytest.mark.parametrize(
  'path', FILES, ids=[str(path.relative_to(ROOT)) for path in FILES]
)
def test_dialect(path):
  tree = ast.parse(path.read_bytes())
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute):
      # `from experiments.foundation.errors import UserError`
      assert ast.unparse(node) != 'errors.UserError'
    if isinstance(node, ast.ImportFrom) and node.module == 'absl':
      # The log is the standard library's; absl's has the flag --verbosity.
      names = [(each.name, each.asname) for each in node.names]
      assert ('logging', None) not in names
    if isinstance(
      node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    ):
      for line in _sections(ast.get_docstring(node) or ''):
        assert not _ENTRY.match(line), f'{node}: {line.strip()}'
