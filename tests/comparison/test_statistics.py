"""Intervals and tests beside SciPy, statsmodels, textbooks and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import contingency_tables, multitest, power, proportion

from benchmarks import bench_intervals
from experiments.comparison import statistics

COUNTS = [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (412, 426), (3391, 3800)]


@pytest.mark.parametrize(('n_right', 'n'), COUNTS)
def test_wilson_as_scipy_and_statsmodels_have_it(n_right, n):
  found = statistics.wilson_interval(n_right, n)
  assert found.value == n_right / n
  expected = stats.binomtest(n_right, n).proportion_ci(method='wilson')
  assert found[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)
  expected = proportion.proportion_confint(n_right, n, method='wilson')
  assert found[1:] == pytest.approx(expected, abs=1e-12)


def test_wilson_of_a_textbook():
  # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0
  # .CO;2-E, table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
  for n_right, n, low, high in (
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
  ):
    found = statistics.wilson_interval(n_right, n)
    assert found[1:] == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
  ('first', 'second'), [(0, 0), (1, 0), (5, 5), (4, 13), (120, 80), (0, 9)]
)
def test_mcnemar_as_scipy_and_statsmodels_have_it(first, second):
  found = statistics.mcnemar_p_value(first, second)
  table = [[100, first], [second, 100]]
  expected = contingency_tables.mcnemar(table, exact=True).pvalue
  assert found == pytest.approx(expected, rel=1e-12)
  if first + second:
    expected = stats.binomtest(first, first + second).pvalue
    assert found == pytest.approx(expected, rel=1e-12)


def test_mcnemar_by_hand():
  # Of 3 examples that one has right alone, all go to it: 2 / 2³.
  assert statistics.mcnemar_p_value(3, 0) == 0.25
  # At most one of 5: 2 (1 + 5) / 2⁵.
  assert statistics.mcnemar_p_value(1, 4) == 0.375


@pytest.mark.parametrize('n', [1, 2, 7, 100])
def test_holm_as_statsmodels_has_it(n):
  p_values = np.random.default_rng(n).uniform(size=n) ** 3
  expected = multitest.multipletests(p_values, method='holm')[1]
  assert statistics.correct_p_values(p_values) == pytest.approx(expected)


def test_holm_of_a_textbook():
  # Four tests: 4 · 0.005, 3 · 0.01, then 2 · 0.03, and 0.04 is no less.
  found = statistics.correct_p_values([0.01, 0.04, 0.03, 0.005])
  assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
  assert statistics.correct_p_values([]).shape == (0,)


def test_holm_of_tests_that_were_not_all_made():
  # The others may be anything: as if all were larger.
  found = statistics.correct_p_values([0.01, 0.005], n_tests=10)
  expected = statistics.correct_p_values([0.01, 0.005, *[1.0] * 8])[:2]
  assert found == pytest.approx(expected)


def test_of_many_tests_a_difference_must_be_larger_to_show():
  found = statistics.smallest_difference(0.05, n_tests=10)
  # By hand, of 0.5 %: 2.80703 + 0.84162.
  assert found == pytest.approx(0.05 * 3.64865, rel=1e-5)


def test_the_smallest_difference_as_statsmodels_has_it():
  # Of differences with standard error 1 / sqrt(400).
  found = statistics.smallest_difference(0.05)
  expected = power.NormalIndPower(ddof=0).solve_power(
    nobs1=400, alpha=0.05, power=0.8, ratio=0
  )
  assert found == pytest.approx(expected, rel=1e-4)
  # By hand: 1.95996 + 0.84162.
  assert found == pytest.approx(0.05 * 2.80159, rel=1e-5)


def draws_of_means(values, n_draws=4000):
  """Returns the means of rows of values, and those of the same draws."""
  generator = np.random.default_rng(0)
  numbers = generator.integers(values.shape[1], size=(n_draws, values.shape[1]))
  return values.mean(axis=1), values[:, numbers].mean(axis=2).T


def test_one_seed_as_students_interval_has_it():
  values = np.random.default_rng(1).gamma(4.0, size=(1, 500))
  found = statistics.estimate(
    *draws_of_means(values), n_examples=500, bounds=(0.0, math.inf)
  )
  expected = stats.t.interval(
    0.95, 499, loc=values.mean(), scale=stats.sem(values[0])
  )
  # The logarithm moves both ends, by far less than the width.
  width = expected[1] - expected[0]
  assert found[1:] == pytest.approx(expected, abs=0.05 * width)
  expected = stats.bootstrap(
    (values[0],), np.mean, method='BCa', rng=np.random.default_rng(2)
  ).confidence_interval
  assert found[1:] == pytest.approx(tuple(expected), abs=0.07 * width)


def test_a_share_of_one_seed_as_wilson_has_it():
  values = np.zeros((1, 400))
  values[0, :372] = 1
  found = statistics.estimate(*draws_of_means(values), n_examples=400)
  expected = statistics.wilson_interval(372, 400)
  assert found == pytest.approx(tuple(expected), abs=1e-3)


def test_paired_means_as_the_t_test_has_it():
  generator = np.random.default_rng(3)
  first = generator.standard_normal((1, 300)) + 0.1
  second = 0.7 * first + generator.standard_normal((1, 300))
  observed, drawn = draws_of_means(np.concatenate([first, second]))
  found = statistics.difference(
    (observed[:1], drawn[:, :1]),
    (observed[1:], drawn[:, 1:]),
    n_examples=300,
    is_bounded=False,
  )
  test = stats.ttest_rel(first[0], second[0])
  interval = test.confidence_interval()
  assert found.value == pytest.approx((first - second).mean())
  assert found.p_value == pytest.approx(test.pvalue, rel=0.1)
  width = interval.high - interval.low
  assert found.low == pytest.approx(interval.low, abs=0.02 * width)
  assert found.high == pytest.approx(interval.high, abs=0.02 * width)


def test_seeds_that_differ_much_count_as_few_as_they_are():
  # Many examples, the same for all seeds: what is left is Student's interval
  # of three numbers.
  generator = np.random.default_rng(4)
  by_seed = np.array([10.0, 12.0, 14.0])
  values = by_seed[:, np.newaxis] + 0.01 * generator.standard_normal((3, 5000))
  found = statistics.estimate(
    *draws_of_means(values, 500), n_examples=5000, bounds=(0.0, math.inf)
  )
  # Of the logarithm of 12, whose standard error is 2 / sqrt(3) / 12.
  expected = np.exp(
    stats.t.interval(0.95, 2, loc=math.log(12), scale=2 / math.sqrt(3) / 12)
  )
  assert found[1:] == pytest.approx(expected, rel=1e-2)


def test_a_two_way_layout_by_hand():
  # Seeds x examples; sums of squares as textbooks of variance have them.
  values = np.array([[1.0, 2, 4, 5], [3, 4, 5, 8], [2, 6, 6, 10]])
  n_seeds, n = values.shape
  mean = values.mean()
  by_seed, by_example = values.mean(axis=1), values.mean(axis=0)
  seeds = n * np.square(by_seed - mean).sum() / (n_seeds - 1)
  examples = n_seeds * np.square(by_example - mean).sum() / (n - 1)
  rest = values - by_seed[:, np.newaxis] - by_example + mean
  rest = np.square(rest).sum() / ((n_seeds - 1) * (n - 1))
  expected = (seeds + examples - rest) / (n_seeds * n)
  found = statistics.find_spread([draws_of_means(values, 100_000)], n)
  assert found.variance == pytest.approx(expected, rel=0.02)
  freedom = (seeds + examples - rest) ** 2 / (
    seeds**2 / (n_seeds - 1)
    + examples**2 / (n - 1)
    + rest**2 / ((n_seeds - 1) * (n - 1))
  )
  assert found.freedom == pytest.approx(freedom, rel=0.05)


@pytest.mark.parametrize('n_seeds', [1, 3, 10])
@pytest.mark.parametrize('share', [0.0, 1.0])
def test_where_all_or_none_are_right_it_is_as_of_one_seed(n_seeds, share):
  values = np.full((n_seeds, 50), share)
  found = statistics.estimate(*draws_of_means(values, 100), n_examples=50)
  assert found.value == share
  expected = statistics.wilson_interval(50 * share, 50)
  assert found == pytest.approx(tuple(expected), abs=5e-3)


def test_runs_that_predict_the_same_do_not_differ():
  draws = draws_of_means(np.repeat([[0.0, 1.0]], 50, axis=1).reshape(1, 100))
  found = statistics.difference(draws, draws, n_examples=100)
  assert found.value == 0
  assert found.p_value == 1
  # Two examples, one for each, would make sqrt(2) / 100.
  assert -found.low == found.high == pytest.approx(1.984 * 0.014142, rel=1e-3)


# Three standard errors of what is counted are allowed, and the 1.5 % that
# intervals may be off by.
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
  'case',
  [
    bench_intervals.Case(0.7, 400, 1, 0.0),
    bench_intervals.Case(0.95, 400, 3, 0.05),
    bench_intervals.Case(0.95, 100, 3, 0.0),
    bench_intervals.Case(0.95, 400, 10, 0.0),
  ],
)
def test_intervals_hold_and_equals_are_equal(case):
  n = 500
  found = bench_intervals.simulate(case, n)
  margin = 0.015 + 3 * math.sqrt(0.05 * 0.95 / n)
  for name in bench_intervals.METRICS:
    assert found['covered'][name] > 0.95 - margin, name
    assert found['different'][name] < 0.05 + margin, name


def test_a_plain_bootstrap_of_three_seeds_would_not_hold():
  # Why seeds are not drawn: the reason for all of the above, kept true.
  case = bench_intervals.Case(0.7, 400, 3, 0.2)
  found = bench_intervals.simulate(case, 100)
  assert found['plain_covered']['accuracy'] < 0.9
  assert found['plain_covered']['accuracy'] < found['covered']['accuracy']
