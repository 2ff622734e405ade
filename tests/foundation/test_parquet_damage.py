"""A damaged Parquet file is named as such, whichever part of Arrow meets it.

Every reader of the code is given the same damages, and no code opens a Parquet
file without the one function that names them.
"""

import ast
import io
import pathlib

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from experiments.comparison import system_tables
from experiments.datasets import example_rows, file_layout, file_rows
from experiments.datasets.slices import Piece
from experiments.foundation.errors import UserError
from experiments.foundation.parquet_damage import (
  DamagedParquetError,
  finding_damage,
)
from experiments.rundir import predictions_file
from tests.fixtures import damages
from tests.fixtures.live_launcher import ROOT

N_DAMAGES = 150


def _rows(tmp_path):
  file = io.BytesIO()
  columns = {'text': [f'text {i}' for i in range(60)], 'label': ['a', 'b'] * 30}
  # With its schema at the end as Arrow writes it, a name would be there twice.
  parquet.write_table(pyarrow.table(columns), file, store_schema=False)
  path = tmp_path / 'a.parquet'

  def read(content):
    path.write_bytes(content)
    layout = file_layout.find_layout(path, ('text', 'label'))
    list(file_rows.read_rows(layout, ''))

  return file.getvalue(), read, UserError


def _examples(tmp_path):
  path = tmp_path / 'a.parquet'
  writer = example_rows.Writer(path, ('text', 'label'))
  for i in range(60):
    writer.write([b'text %d' % i], i % 2)
  writer.close()

  def read(content):
    path.write_bytes(content)
    pieces = [Piece(str(path), 0, 60)]
    list(example_rows.read_columns(pieces, ('text',), 'label', 7))

  return path.read_bytes(), read, OSError


def _predictions(tmp_path):
  del tmp_path
  content = predictions_file.encode(
    predictions_file.Predictions(
      dataset='pets:1.0.0',
      split='test',
      labels=('a', 'b'),
      step=7,
      rows=np.arange(60),
      expected=np.arange(60, dtype=np.int32) % 2,
      text_digests=np.array([f'{i:016x}' for i in range(60)], 'S16'),
      log_probs=np.full((60, 2), np.log(0.5), np.float32),
    )
  )
  return content, predictions_file.decode, ValueError


def _answers_of_a_system(tmp_path):
  file = io.BytesIO()
  said = ['a', 'b'] * 30
  columns = {'row': [*range(60)], 'expected': said, 'predicted': said}
  parquet.write_table(pyarrow.table(columns), file, store_schema=False)
  path = tmp_path / 'a.parquet'

  def read(content):
    path.write_bytes(content)
    if system_tables.read_table(path) is None:
      raise UserError('It is left out, since it may be of something else.')

  return file.getvalue(), read, UserError


# By module: what makes a good file, and what its reader raises of a bad one.
READERS = {
  'datasets/file_layout': _rows,
  'datasets/file_rows': _rows,
  'datasets/example_rows': _examples,
  'rundir/predictions_file': _predictions,
  'comparison/system_tables': _answers_of_a_system,
}


def _damages(content):
  """Yields a file at random damaged, or with names that are not UTF-8."""
  yield from damages.damage(content, N_DAMAGES)
  for name in (b'text', b'label', b'data', b'expected'):
    yield content.replace(name, b'\xff\xfe' + name[2:])
  yield content.replace(b'PAR1', b'PARE')


@pytest.mark.parametrize('module', READERS)
def test_every_damage_is_named_or_read(module, tmp_path):
  content, read, expected = READERS[module](tmp_path)
  read(content)
  errors = []
  for damaged in _damages(content):
    try:
      read(damaged)
    except expected as error:
      errors.append(error)
  assert len(errors) > N_DAMAGES // 2
  for each in errors:
    assert len(str(each).splitlines()) == 1
    # Not what the operating system says of a disk, which has a number.
    assert getattr(each, 'errno', None) is None


def test_what_the_disk_says_is_no_damage(tmp_path):
  with pytest.raises(FileNotFoundError), finding_damage():
    parquet.ParquetFile(tmp_path / 'none.parquet')
  with pytest.raises(UserError, match='mine'), finding_damage():
    raise UserError('mine')
  with (
    pytest.raises(DamagedParquetError, match=r'^OverflowError$'),
    finding_damage(),
  ):
    raise OverflowError


def _opens(node):
  return isinstance(node, ast.Call) and ast.unparse(node.func) in (
    *('parquet.ParquetFile', 'parquet.read_schema', 'parquet.read_table'),
    *('parquet.read_metadata', 'ParquetFile', 'pq.ParquetFile'),
  )


def test_all_who_open_one_are_tried_and_look_for_damage():
  found = {}
  for path in sorted(pathlib.Path(ROOT / 'experiments').rglob('*.py')):
    tree = ast.parse(path.read_bytes())
    guarded = {
      id(inner)
      for block in ast.walk(tree)
      if isinstance(block, ast.With)
      and any(
        ast.unparse(item.context_expr) == 'finding_damage()'
        for item in block.items
      )
      for inner in ast.walk(block)
    }
    opened = [node for node in ast.walk(tree) if _opens(node)]
    if opened:
      module = str(path.relative_to(ROOT / 'experiments').with_suffix(''))
      found[module] = all(id(node) in guarded for node in opened)
  assert found == dict.fromkeys(READERS, True)
