"""Metrics of drawn examples: scikit-learn's, for every draw."""

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from benchmarks import bench_intervals
from experiments.comparison import resampling, sum_metrics
from experiments.evaluation import metric_names, metrics, ranking


def make_run(n, n_classes, seed, sharpness=2.0):
  """Returns log-probabilities and targets; some classes are rare."""
  generator = np.random.default_rng(seed)
  prior = np.arange(1, n_classes + 1) ** 2.0
  targets = generator.choice(n_classes, size=n, p=prior / prior.sum())
  scores = generator.standard_normal((n, n_classes))
  scores += sharpness * np.eye(n_classes)[targets]
  log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
  return log_probs.astype(np.float32), targets


def expected_values(log_probs, targets, n_classes):
  """Returns every metric as others compute it."""
  evaluation = metrics.evaluate_log_probs(
    log_probs=log_probs,
    targets=targets,
    label_names=[str(i) for i in range(n_classes)],
  )
  predicted = log_probs.argmax(axis=1)
  probabilities = np.exp(log_probs.astype(np.float64))
  one_hot = np.eye(n_classes)[targets]
  return {
    **evaluation.scalars(),
    'balanced_accuracy': sklearn_metrics.recall_score(
      targets, predicted, average='macro', labels=np.unique(targets)
    ),
    'brier_score': np.square(probabilities - one_hot).sum(axis=1).mean(),
    'matthews_correlation': sklearn_metrics.matthews_corrcoef(
      targets, predicted
    ),
  }


@pytest.mark.parametrize('n_classes', [2, 3, 11])
def test_each_metric_of_each_draw(n_classes):
  runs = [make_run(60, n_classes, 0), make_run(60, n_classes, 0, 0.5)]
  found = resampling.resample(sum_metrics.METRICS, runs, n_draws=7, seed=3)
  (counts,) = resampling.draw_examples(60, 7, seed=3)
  for i, (log_probs, targets) in enumerate(runs):
    expected = expected_values(log_probs, targets, n_classes)
    assert set(expected) == set(sum_metrics.METRICS)
    for name, value in expected.items():
      assert found[name].observed[i] == pytest.approx(value, abs=1e-6), name
      metric = sum_metrics.METRICS[name]
      assert metric.of(log_probs, targets) == pytest.approx(value, abs=1e-6)
    for draw, count in enumerate(counts.astype(int)):
      rows = np.repeat(np.arange(60), count)
      expected = expected_values(log_probs[rows], targets[rows], n_classes)
      for name, value in expected.items():
        assert found[name].drawn[draw, i] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
  'name', ['auroc', 'average_precision', 'auroc:b', 'average_precision:b']
)
def test_what_goes_by_the_order_is_measured_on_each_draw(name):
  """As the evaluation measures the examples of the draw, ties among them."""
  log_probs, targets = make_run(60, 3, 5, 0.7)
  log_probs = np.log(np.exp(log_probs).round(1).clip(0.05))
  labels = ('a', 'b', 'c')
  metric = sum_metrics.find_metric(name, labels)
  assert metric
  runs = [(log_probs, targets), (log_probs[:, [1, 0, 2]], targets)]
  found = resampling.resample({name: metric}, runs, n_draws=20, seed=3)[name]
  (counts,) = resampling.draw_examples(60, 20, 3)
  for i, (scores, expected) in enumerate(runs):
    for draw, count in enumerate(counts.astype(int)):
      rows = np.repeat(np.arange(60), count)
      ranking_found = ranking.rank(
        log_probs=scores[rows], targets=expected[rows]
      )
      kind, _, of_class = name.partition(':')
      values = getattr(ranking_found, kind)
      value = values[1] if of_class else np.nanmean(values)
      assert found.drawn[draw, i] == pytest.approx(value, abs=1e-9)


def test_a_draw_without_the_class_says_nothing():
  log_probs, targets = make_run(30, 2, 1)
  targets[:] = 0
  targets[3] = 1
  metric = sum_metrics.find_metric('auroc:b', ('a', 'b'))
  assert metric
  found = resampling.resample(
    {'auroc': metric}, [(log_probs, targets)], n_draws=100
  )['auroc']
  assert np.isfinite(found.drawn).all()
  assert (found.drawn == found.observed).any()


def test_a_metric_of_a_name_is_that_of_the_evaluation():
  log_probs, targets = make_run(80, 4, 5, 0.7)
  log_probs[:9] = np.log(0.25)
  labels = ('a', 'b', 'c', 'never')
  targets[targets == 3] = 0
  found = metrics.evaluate_log_probs(
    log_probs=log_probs, targets=targets, label_names=labels
  ).to_dict()
  names = [*metric_names.OF_ALL, *(f'top_{k}_accuracy' for k in range(1, 7))]
  names += [f'{kind}:{x}' for kind in metric_names.OF_A_CLASS for x in labels]
  known = {}
  for name in names:
    metric = sum_metrics.find_metric(name, labels)
    if metric:
      known[name] = metric.of(log_probs, targets)
      expected = metric_names.find_value(found, name)
      if expected is None or math.isnan(expected):
        assert math.isnan(known[name])
      else:
        assert known[name] == pytest.approx(expected, abs=1e-6), name
  assert set(names) == set(known)
  assert sum_metrics.find_metric('f1:other', labels) is None


def test_every_draw_has_as_many_examples_as_there_are():
  (counts,) = resampling.draw_examples(50, 2000)
  assert (counts.sum(axis=1) == 50).all()
  # Each is drawn 50 / 50 times on average, with variance 1 - 1 / 50.
  assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.1)
  assert counts.var() == pytest.approx(0.98, abs=0.02)


def test_draws_in_pieces_are_the_same_kind():
  pieces = list(resampling.draw_examples(50, 25, max_cells=500))
  assert [piece.shape for piece in pieces] == [(10, 50), (10, 50), (5, 50)]
  assert len(np.unique(np.concatenate(pieces), axis=0)) == 25


def test_a_class_that_a_draw_lacks_is_no_division_by_zero():
  log_probs, targets = make_run(40, 4, 1)
  with np.errstate(all='raise'):
    found = resampling.resample(
      sum_metrics.METRICS, [(log_probs[:3], targets[:3])], n_draws=50
    )
  assert all(np.isfinite(each.drawn).all() for each in found.values())


def test_the_winner_of_equals_is_no_better_than_they_are():
  found = bench_intervals.simulate_winner(60)
  # The best of 20 seems better than it is by several standard errors of a
  # mean over 60 sweeps, which are 0.003; measured anew it does not.
  assert found['measured'] > found['true'] + 0.02
  assert found['expected'] == pytest.approx(found['true'], abs=0.009)


def test_a_winner_that_wins_everywhere_keeps_its_lead():
  good, bad = make_run(300, 3, 2, 6.0), make_run(300, 3, 2, 1.0)
  accuracy = sum_metrics.METRICS['accuracy']
  found = resampling.measure_winner(accuracy, [bad, good, bad], [[0, 2], [1]])
  assert found.trial == 1
  assert found.measured == accuracy.of(*good)
  assert found.expected == pytest.approx(found.measured, abs=2e-3)
  surprise = sum_metrics.METRICS['cross_entropy']
  found = resampling.measure_winner(surprise, [bad, good], [[0], [1]])
  assert found.trial == 1
  assert found.expected == pytest.approx(found.measured, rel=0.02)


def test_a_split_of_one_example_has_no_winner_to_measure_anew():
  run = make_run(1, 3, 0)
  accuracy = sum_metrics.METRICS['accuracy']
  found = resampling.measure_winner(accuracy, [run, run], [[0], [1]])
  assert found.expected == found.measured
