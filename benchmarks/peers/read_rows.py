"""Reads a file of rows in one way, and says what that took.

Usage:
  python -m benchmarks.peers.read_rows import|pyarrow|pandas FILE

The last line of stdout is a JSON object. What is imported is loaded before the
clock is started.
"""

import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

KEYS = ('text', 'label')


def _import(path: pathlib.Path) -> Callable[[], int]:
  """Makes the data set that `DATASET` names, with all checks."""
  from experiments.backend import tensorflow_start

  tensorflow_start.import_tensorflow()
  import tensorflow_datasets  # noqa: F401

  from experiments.datasets import file_import, file_survey

  def read() -> int:
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
      entry = file_import.import_files(
        path, file_survey.ImportOptions(keys=KEYS), pathlib.Path(cache)
      )
      info = json.loads(
        (entry / 'dataset_info.json').read_text(encoding='utf-8-sig')
      )
    return sum(
      int(n) for split in info['splits'] for n in split['shardLengths']
    )

  return read


def _pyarrow(path: pathlib.Path) -> Callable[[], int]:
  from pyarrow import csv, json, parquet

  by_suffix = {
    '.csv': lambda: csv.read_csv(path),
    '.jsonl': lambda: json.read_json(path),
    '.parquet': lambda: parquet.read_table(path),
  }
  return lambda: by_suffix[path.suffix]().num_rows


def _pandas(path: pathlib.Path) -> Callable[[], int]:
  import pandas

  by_suffix = {
    '.csv': lambda: pandas.read_csv(path),
    '.jsonl': lambda: pandas.read_json(path, lines=True),
    '.parquet': lambda: pandas.read_parquet(path),
  }
  return lambda: len(by_suffix[path.suffix]())


WAYS = {'import': _import, 'pyarrow': _pyarrow, 'pandas': _pandas}


def main() -> None:
  """Reads, prints."""
  way, path = sys.argv[1:]
  read = WAYS[way](pathlib.Path(path))
  start, cpu_start = time.perf_counter(), time.process_time()
  n_rows = read()
  figures = {
    'rows': n_rows,
    'seconds': time.perf_counter() - start,
    'cpu_seconds': time.process_time() - cpu_start,
  }
  print(json.dumps(figures))


if __name__ == '__main__':
  main()
