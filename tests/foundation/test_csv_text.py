"""CSV that no spreadsheet computes."""

import ast
import csv
import io
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.foundation import csv_text
from tests.fixtures.live_launcher import ROOT

STARTS = '=+-@\uff1d\uff0b\uff0d\uff20'


def read(text, **options):
  return list(csv.reader(io.StringIO(text, newline=''), **options))


@pytest.mark.parametrize(
  'cell',
  [
    '=1+1',
    '+1+1',
    '-1+cmd',
    '@SUM(1)',
    '@relu',
    '\t=1',
    '\r=1',
    '\ttext',
    '  =1',
    '\ufeff=1',
    '\n=1',
    '\uff1d1+1',
    '--5',
    '-',
    '=HYPERLINK("http://a.b","c")',
  ],
)
def test_a_formula_becomes_text(cell):
  [[written]] = read(csv_text.to_csv([[cell]]))
  assert written.replace("'", '') == cell
  assert written.lstrip().startswith("'")


@pytest.mark.parametrize(
  'cell',
  ['-0.5', '+1', '-1e-05', '-inf', 'nan', '', 'a=b', 'a-b', '1-2', "'a", '%A'],
)
def test_what_computes_nothing_stays(cell):
  assert csv_text.to_csv([[cell, 'x']]) == f'{cell},x\n'


def test_numbers_stay_numbers():
  assert csv_text.to_csv([[-1, -0.25, 10**30, True]]) == (
    f'-1,-0.25,{10**30},True\n'
  )


def is_number(cell):
  try:
    float(cell)
  except ValueError:
    return False
  return True


@given(
  st.lists(
    st.lists(
      st.text(st.sampled_from([*STARTS, *' \t\r\n";|,\'1a.\ufeff\x00']))
      | st.text(st.characters(exclude_categories=['Cs'])),
      min_size=2,
      max_size=3,
    ),
    min_size=1,
  )
)
def test_no_cell_starts_a_formula_whatever_separates_them(rows):
  text = csv_text.to_csv(rows)
  assert [[cell.replace("'", '') for cell in row] for row in read(text)] == [
    [cell.replace("'", '') for cell in row] for row in rows
  ]
  for row in read(text):
    for cell in row:
      for part in cell.replace('|', ';').replace('\t', ';').split(';'):
        start = part.strip(' \t\r\n\ufeff\x00')[:1]
        assert start not in STARTS or not start or is_number(cell)


def test_all_csv_is_written_here():
  for path in sorted((ROOT / 'experiments').rglob('*.py')):
    if path == pathlib.Path(csv_text.__file__):
      continue
    for node in ast.walk(ast.parse(path.read_bytes())):
      assert not (
        isinstance(node, ast.Attribute)
        and node.attr in ('writer', 'DictWriter')
        and isinstance(node.value, ast.Name)
        and node.value.id == 'csv'
      ), f'{path} writes CSV by itself'
