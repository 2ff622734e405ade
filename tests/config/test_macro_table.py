"""docs/macros.md has the table of macros that the code has."""

from experiments.config import macro_table
from tests.fixtures.config_cases import ROOT


def test_the_document_has_the_table_of_the_code():
  lines = (ROOT / 'docs' / 'macros.md').read_text().splitlines()
  table = '\n'.join(line for line in lines if line.startswith('|'))
  assert table == macro_table.macro_table(), (
    'python -m experiments.config.macro_table prints the table'
  )


def test_a_row_says_what_base_gin_and_the_schema_say():
  rows = macro_table.macro_table().splitlines()
  assert rows[:2] == [
    '| macro | in base.gin | must be | meaning |',
    '|---|---|---|---|',
  ]
  assert (
    '| `SKIP_BAD_ROWS` | `False` | True or False | whether rows of your own '
    'file that will not do are left out, and written to a file; else they stop '
    'the run |'
  ) in rows
  assert (
    '| `N_STEPS` | `2000` | a whole number of at least 1 | training steps in '
    'total |'
  ) in rows
