"""Metrics by the names that users write."""

import math
from typing import Any

import numpy as np
import pytest

from experiments.evaluation import metric_names, metrics

LABELS = ('ham', 'spam', 'loss')


@pytest.fixture(scope='module')
def found():
  log_probs = np.log(
    [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1], [0.3, 0.5, 0.2]]
  )
  return metrics.evaluate_log_probs(
    log_probs=log_probs, targets=np.array([0, 1, 1, 0]), label_names=LABELS
  ).to_dict()


@pytest.mark.parametrize(
  ('name', 'value'),
  [
    ('accuracy', 2 / 4),
    ('balanced_accuracy', 1 / 2),
    ('f1:ham', 1 / 2),
    ('recall:spam', 1 / 2),
    ('precision:loss', 0),
    ('auroc:spam', 3 / 4),
    ('top_1_accuracy', 2 / 4),
    ('top_2_accuracy', 1),
    ('top_99_accuracy', 1),
    ('f1:eggs', None),
    ('nothing', None),
    ('label_names', None),
  ],
)
def test_finds_what_is_named(found, name, value):
  assert metric_names.find_value(found, name) == (
    None if value is None else pytest.approx(value)
  )


def test_a_class_without_examples_has_no_value(found):
  assert math.isnan(found['class_auroc'][2])
  arguments: dict[str, Any] = {
    'log_probs': np.log([[0.6, 0.4]]),
    'targets': np.array([0]),
    'label_names': ['a', 'b'],
  }
  assert metric_names.measure('auroc', **arguments) is None
  assert metric_names.measure('f1:a', **arguments) == 1


def test_every_number_of_an_evaluation_has_a_name(found):
  numbers = {name for name, value in found.items() if isinstance(value, float)}
  assert numbers == set(metric_names.OF_ALL)
  assert set(metric_names.LISTS) <= set(found)


@pytest.mark.parametrize('name', metric_names.OF_ALL)
def test_it_is_known_which_way_is_better(name):
  assert metric_names.is_known(name)
  assert metric_names.is_minimized(name) == (
    name in ('cross_entropy', 'expected_calibration_error', 'brier_score')
  )


def test_what_a_class_is_called_does_not_matter():
  assert not metric_names.is_minimized('f1:loss')
  assert not metric_names.is_minimized('recall:cross_entropy')


@pytest.mark.parametrize(
  'name', ['', 'f2', 'f1:', 'brier_score:spam', 'top_0_accuracy', ':spam']
)
def test_what_is_no_metric_is_not_known(name):
  assert not metric_names.is_known(name)
