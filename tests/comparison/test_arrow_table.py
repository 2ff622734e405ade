"""A comparison as a table that pandas and polars read."""

import math
import pathlib

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from experiments.comparison import arrow_table, compare
from experiments.comparison.run_reader import Run


def run(name, bindings, **fields):
  return Run(
    **{
      'name': name,
      'path': pathlib.Path(name),
      'bindings': bindings,
      'settings': bindings,
      'overrides': tuple(bindings),
      'status': 'finished',
      'steps': 20,
      'seconds': 1.5,
      'metrics': {'accuracy': 0.5},
      'error': None,
      'dataset': 'made_up:1.0.0',
      'split': 'test',
      'n_examples': 10,
      **fields,
    }
  )


def table(*runs):
  return arrow_table.to_arrow(compare.compare_runs(list(runs), 'accuracy'))


def test_a_row_a_run_the_best_first_and_null_for_what_is_not_there():
  found = table(
    run('a', {'LEARNING_RATE': '0.1'}, metrics={'accuracy': 0.25}),
    run('b', {'LEARNING_RATE': '0.01'}, metrics={'accuracy': 0.75, 'f': 1.0}),
    run(
      'c',
      {'LEARNING_RATE': '1e2'},
      metrics={'accuracy': math.nan},
      status='failed',
      seconds=None,
      error='ValueError: no',
    ),
  )
  assert found.column_names == [
    *('run', 'dataset', 'split', 'LEARNING_RATE', 'accuracy', 'f'),
    *('steps', 'status', 'seconds', 'error'),
  ]
  assert found['run'].to_pylist() == ['b', 'a', 'c']
  assert found['LEARNING_RATE'].to_pylist() == [0.01, 0.1, 100.0]
  assert found['accuracy'].to_pylist() == [0.75, 0.25, None]
  assert found['f'].to_pylist() == [1.0, None, None]
  assert found['error'].to_pylist() == [None, None, 'ValueError: no']
  assert pd.DataFrame(found.to_pandas())['seconds'].isna().tolist() == [
    False,
    False,
    True,
  ]
  assert pl.DataFrame(pl.from_arrow(found)).shape == (3, 10)


@pytest.mark.parametrize(
  ('texts', 'type_', 'values'),
  [
    (['True', 'False'], pa.bool_(), [True, False]),
    (['1', '20'], pa.int64(), [1, 20]),
    (['1', '0.5'], pa.float64(), [1.0, 0.5]),
    (["'a'", "'b c'"], pa.string(), ['a', 'b c']),
    (['@Adam', '@SM3'], pa.string(), ['@Adam', '@SM3']),
    (['None', '1'], pa.string(), ['None', '1']),
    (['True', '1'], pa.string(), ['True', '1']),
    (['1', str(2**70)], pa.string(), ['1', str(2**70)]),
    (['(1, 2)', '[3]'], pa.string(), ['(1, 2)', '[3]']),
  ],
)
def test_a_binding_has_the_type_of_its_values(texts, type_, values):
  found = table(
    *(
      run(str(i), {'X': text}, metrics={'accuracy': -i})
      for i, text in enumerate(texts)
    )
  )
  assert found['X'].type == type_
  assert found['X'].to_pylist() == values
