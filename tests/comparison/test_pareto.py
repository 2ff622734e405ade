"""The Pareto front, by its definition."""

import hypothesis
import pytest
from hypothesis import strategies as st

from experiments.comparison import (
  compare,
  compare_plots,
  compare_tables,
  pareto,
)
from experiments.comparison.compare import Group
from experiments.foundation.errors import UserError
from tests.fixtures.made_runs import write_run


def made_up(points):
  comparison = compare.Comparison(
    sections=(),
    metrics=(),
    objective='accuracy',
    is_minimized=False,
    second_objective='n_weights',
  )
  groups = [
    Group(
      runs=(),
      bindings={},
      means={'accuracy': float(x), 'n_weights': float(y)},
      standard_errors={},
    )
    for x, y in points
  ]
  return comparison, groups


@hypothesis.given(
  st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)
)
def test_nothing_is_better_in_both_than_the_front(points):
  front = pareto.find_front(*made_up(points))
  for i, (accuracy, size) in enumerate(points):
    is_beaten = any(
      a >= accuracy and b <= size and (a, b) != (accuracy, size)
      for a, b in points
    )
    assert (i in front) == (not is_beaten)
  accuracies = [points[i][0] for i in front]
  assert accuracies == sorted(accuracies, reverse=True)


def test_what_is_not_measured_is_not_on_it():
  points = [(3, 1), (float('nan'), 0), (5, float('inf'))]
  assert pareto.find_front(*made_up(points)) == [0]


@pytest.fixture
def runs(tmp_path):
  for size, accuracy in ((8, 0.7), (16, 0.9), (64, 0.9), (128, 0.95)):
    write_run(
      tmp_path / str(size),
      {'EMBEDDING_SIZE': size},
      metrics={'accuracy': accuracy, 'n_weights': 10_000.0 * size},
    )
  return tmp_path


def test_a_comparison_names_and_draws_it(runs, tmp_path):
  comparison = compare.compare(runs, 'accuracy,n_weights')
  text = compare_tables.render(comparison)
  assert (
    'Nothing is better in both accuracy and n_weights than 3 of 4: '
    'EMBEDDING_SIZE=128 (0.9500, 1,280,000 weights), EMBEDDING_SIZE=16 '
    '(0.9000, 160,000 weights), EMBEDDING_SIZE=8 (0.7000, 80,000 weights).'
  ) in text
  drawn = compare_plots.write_plots(comparison, tmp_path / 'plots')
  assert 'pareto.png' in {path.name for path in drawn}
  alone = compare.compare(runs, 'accuracy')
  assert 'Nothing is better' not in compare_tables.render(alone)
  assert 'n_weights' not in compare_tables.render(alone)


def test_two_objectives_are_two(runs):
  with pytest.raises(UserError) as error:
    compare.compare(runs, 'accuracy,accuracy')
  assert str(error.value) == (
    '--objective=accuracy,accuracy names accuracy twice.'
  )


@pytest.mark.parametrize(
  ('text', 'objectives'),
  [
    ('accuracy', ('accuracy', None)),
    ('accuracy,n_weights', ('accuracy', 'n_weights')),
    ('f1:a,b, n_weights', ('f1:a,b', 'n_weights')),
    ('f1:a,b', ('f1:a,b', None)),
  ],
)
def test_what_follows_the_last_comma_is_the_second(text, objectives):
  assert compare.split_objectives(text) == objectives
