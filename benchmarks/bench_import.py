"""How fast a file of your own becomes a data set, and in how much memory.

Usage:
  python -m benchmarks.bench_import [--rows 50000 400000 1000000] [--repeats=3]

The same rows, as long as those of AG News, as CSV, JSON lines and Parquet. The
import reads a file twice, checks every row, cuts three splits and writes them;
pyarrow and pandas read it into memory and do nothing else. Rates are rows a
second of CPU time, so that threads are counted; libraries are loaded before.
Targets: 50,000 rows a second of a core for the most rows, and memory that does
not grow with them.
"""

import csv
import itertools
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks import made_up, measuring, workload
from benchmarks.peers import read_rows

FORMATS = ('csv', 'jsonl', 'parquet')
ROWS = (50_000, 400_000, 1_000_000)
LEAST_RATE = 50_000.0
# Between the fewest rows and the most, of what is read in pieces.
MOST_GROWTH_MIB = 100.0
_WORK = workload.WORK_DIR / 'import'
# They are repeated, each with the number of its row.
_N_TEXTS = 10_000
_N_CLASSES = 4
_N_BLOCK = 50_000


def _rows(n: int) -> Iterator[tuple[str, str]]:
  words = made_up.write_vocabulary(_WORK / 'words.subword', 8192)
  texts = made_up.texts(_N_TEXTS, words, seed=0)
  for i, text in zip(range(n), itertools.cycle(texts), strict=False):
    yield f'{i}, {text}', f'class {i % _N_CLASSES}'


def write_file(n: int, suffix: str) -> pathlib.Path:
  """Writes n rows of a text and a label; returns where."""
  path = _WORK / f'{n}.{suffix}'
  path.parent.mkdir(parents=True, exist_ok=True)
  if suffix == 'parquet':
    _write_parquet(path, n)
    return path
  with open(path, 'w', encoding='utf-8', newline='') as file:
    if suffix == 'csv':
      writer = csv.writer(file)
      writer.writerow(read_rows.KEYS)
      writer.writerows(_rows(n))
    else:
      for row in _rows(n):
        values = dict(zip(read_rows.KEYS, row, strict=True))
        file.write(json.dumps(values) + '\n')
  return path


def _write_parquet(path: pathlib.Path, n: int) -> None:
  import pyarrow
  from pyarrow import parquet

  schema = pyarrow.schema([(key, pyarrow.string()) for key in read_rows.KEYS])
  with parquet.ParquetWriter(path, schema) as writer:
    rows = _rows(n)
    while block := list(itertools.islice(rows, _N_BLOCK)):
      columns = [list(column) for column in zip(*block, strict=True)]
      writer.write_table(pyarrow.table(columns, schema))


def measure(
  path: pathlib.Path, way: str, n: int, repeats: int
) -> dict[str, Any]:
  """Returns the medians of several reads of a file.

  Args:
    path: the file.
    way: a key of `read_rows.WAYS`.
    n: how many rows it has.
    repeats: how often it is read.

  Raises:
    RuntimeError: another number of rows was read.
  """
  runs = []
  for _ in range(repeats):
    finished = measuring.run(
      [sys.executable, '-m', 'benchmarks.peers.read_rows', way, path]
    )
    found = finished.last_json()
    if found['rows'] != n:
      raise RuntimeError(f'{way} read {found["rows"]} rows of {path}')
    runs.append({**found, 'peak_rss_mib': finished.peak_rss_mib})
  middle = {
    key: measuring.median(run[key] for run in runs)
    for key in ('seconds', 'cpu_seconds', 'peak_rss_mib')
  }
  return {
    'format': path.suffix[1:],
    'rows': n,
    'what': way,
    **middle,
    'rows_per_cpu_second': n / middle['cpu_seconds'],
  }


def rate_of_most(lines: list[dict[str, Any]]) -> float:
  """Returns the rows a second of CPU time of the file with the most rows."""
  return max(lines, key=lambda line: line['rows'])['rows_per_cpu_second']


def memory_growth(lines: list[dict[str, Any]]) -> float:
  """Returns the most MiB beyond the peak at the fewest rows."""
  fewest = min(lines, key=lambda line: line['rows'])
  return max(line['peak_rss_mib'] for line in lines) - fewest['peak_rss_mib']


def main() -> None:
  """Parses flags, measures, prints a table for each format."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--rows', type=int, nargs='+', default=ROWS)
  parser.add_argument('--repeats', type=int, default=3)
  args = parser.parse_args()

  where = measuring.begin('A file of your own becomes a data set')
  table: list[dict[str, Any]] = []
  for suffix in FORMATS:
    for n in args.rows:
      path = write_file(n, suffix)
      table += [measure(path, way, n, args.repeats) for way in read_rows.WAYS]
      path.unlink()
      measuring.progress(f'{suffix}, {n:,} rows')
    of_format = [line for line in table if line['format'] == suffix]
    print()
    measuring.print_table(
      (suffix, 'rows', 'seconds', 'rows/s a core', 'peak (MiB)'),
      [
        (
          *(line['what'], line['rows'], line['seconds']),
          *(line['rows_per_cpu_second'], line['peak_rss_mib']),
        )
        for line in of_format
      ],
    )
    ours = [line for line in of_format if line['what'] == 'import']
    rate, growth = rate_of_most(ours), memory_growth(ours)
    print(
      f'{rate:,.0f} rows/s a core: {measuring.judge(rate, LEAST_RATE)}; memory '
      f'grows by {growth:.0f} MiB: '
      f'{measuring.judge(MOST_GROWTH_MIB - growth, 0.0)}',
      flush=True,
    )
  measuring.write_results('import', where, {'table': table})


if __name__ == '__main__':
  main()
