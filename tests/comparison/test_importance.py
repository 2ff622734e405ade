"""Which setting mattered, on metrics whose causes are known."""

import itertools

import pytest

from experiments.comparison import compare, importance
from tests.fixtures.made_runs import write_run


def compared(directory, accuracy):
  for rate, size, model in itertools.product(
    (0.001, 0.01, 0.1), (16, 64), ('@gru', '@mean')
  ):
    write_run(
      directory / f'{rate},{size},{model[1:]}',
      {'LEARNING_RATE': rate, 'EMBEDDING_SIZE': size, 'MODEL': model},
      metrics={'accuracy': accuracy(rate, size, model)},
    )
  return compare.compare(directory)


def shares(directory, accuracy):
  comparison = compared(directory, accuracy)
  return importance.measure(comparison, comparison.sections[0])


@pytest.mark.parametrize(
  ('name', 'accuracy'),
  [
    ('LEARNING_RATE', lambda rate, size, model: 0.5 + rate),
    ('EMBEDDING_SIZE', lambda rate, size, model: 0.5 + size / 1000),
    ('MODEL', lambda rate, size, model: 0.5 + (model == '@gru') / 10),
  ],
)
def test_the_cause_comes_first(tmp_path, name, accuracy):
  found = shares(tmp_path, accuracy)
  assert next(iter(found)) == name
  assert found[name] > 0.95
  assert sum(found.values()) == pytest.approx(1)


def test_two_causes_share_it_by_their_variance(tmp_path):
  found = shares(
    tmp_path,
    lambda rate, size, model: 0.5 + (model == '@gru') / 10 + (size == 64) / 20,
  )
  # Variances of 0.1 and 0.05 between two values are as 4 to 1.
  assert found['MODEL'] == pytest.approx(0.8, abs=0.07)
  assert found['EMBEDDING_SIZE'] == pytest.approx(0.2, abs=0.07)


def test_nothing_is_said_where_nothing_can_be_known(tmp_path):
  assert shares(tmp_path / 'equal', lambda *_: 0.5) == {}
  for rate in (0.1, 0.2, 0.3, 0.4):
    write_run(
      tmp_path / 'one' / str(rate),
      {'LEARNING_RATE': rate},
      metrics={'accuracy': rate},
    )
  comparison = compare.compare(tmp_path / 'one')
  assert importance.describe(comparison, comparison.sections[0]) == []
