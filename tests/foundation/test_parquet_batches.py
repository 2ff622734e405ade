import os
import tracemalloc

import pyarrow
import pytest
from pyarrow import parquet

from experiments.foundation.parquet_batches import read_batches

N_GROUPS, GROUP_BYTES = 20, 2**20


@pytest.fixture
def path(tmp_path):
  path = tmp_path / 'rows.parquet'
  schema = pyarrow.schema([('n', pyarrow.int64()), ('x', pyarrow.binary())])
  with parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
    for group in range(N_GROUPS):
      rows = [os.urandom(GROUP_BYTES // 4) for _ in range(4)]
      numbers = [4 * group + i for i in range(4)]
      writer.write_table(pyarrow.table([numbers, rows], schema))
  return path


def test_reads_all_rows_in_order(path):
  with parquet.ParquetFile(path) as file:
    batches = list(read_batches(file, 3, ['n']))
  assert [len(batch) for batch in batches] == [3, 1] * N_GROUPS
  assert [n for b in batches for n in b.column('n').to_pylist()] == list(
    range(4 * N_GROUPS)
  )


def test_holds_one_row_group_at_a_time(path):
  # Read by Python, so that it counts the bytes.
  with open(path, 'rb') as raw, parquet.ParquetFile(raw) as file:
    tracemalloc.start()
    try:
      assert sum(map(len, read_batches(file, 2))) == 4 * N_GROUPS
      _, peak = tracemalloc.get_traced_memory()
    finally:
      tracemalloc.stop()
  assert peak < 4 * GROUP_BYTES
