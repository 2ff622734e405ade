"""Metrics against numbers worked out by hand and by scikit-learn."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from experiments.evaluation import metrics
from experiments.foundation.errors import UserError

NAMES = ('cat', 'dog', 'cow')


def log_softmax(logits):
  logits = np.asarray(logits, np.float64)
  log_sums = np.logaddexp.reduce(logits, axis=-1, keepdims=True)
  return (logits - log_sums).astype(np.float32)


def by_hand():
  """Five examples: two cats, two dogs, one cow; one cat is taken for a dog."""
  probabilities = [
    [0.5, 0.25, 0.25],  # cat, right
    [0.25, 0.5, 0.25],  # cat, taken for a dog
    [0.125, 0.75, 0.125],  # dog, right
    [0.25, 0.5, 0.25],  # dog, right
    [0.5, 0.25, 0.25],  # cow, taken for a cat
  ]
  return metrics.evaluate_log_probs(
    log_probs=np.log(np.array(probabilities, np.float32)),
    targets=np.array([0, 0, 1, 1, 2], np.int32),
    label_names=NAMES,
    n_dropped=3,
  )


def test_numbers_worked_out_by_hand():
  result = by_hand()
  assert result.n_examples == 5
  assert result.n_dropped == 3
  assert result.accuracy == pytest.approx(3 / 5)
  # p(expected): 1/2, 1/4, 3/4, 1/2, 1/4.
  expected = -(2 * math.log(1 / 2) + 2 * math.log(1 / 4) + math.log(3 / 4)) / 5
  assert result.cross_entropy == pytest.approx(expected, rel=1e-6)
  np.testing.assert_array_equal(
    result.confusion, [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
  )
  assert result.confusion.dtype == np.int64
  assert result.support == (2, 2, 1)
  # Predicted: 2 cats (1 right), 3 dogs (2 right), no cow.
  assert result.precision == pytest.approx((1 / 2, 2 / 3, 0))
  assert result.recall == pytest.approx((1 / 2, 1, 0))
  assert result.f1 == pytest.approx((1 / 2, 4 / 5, 0))
  assert result.macro_f1 == pytest.approx((1 / 2 + 4 / 5 + 0) / 3)
  # Bins: four at 0.5, two of them right; one at 0.75, right.
  assert result.expected_calibration_error == pytest.approx(
    4 / 5 * abs(2 / 4 - 0.5) + 1 / 5 * abs(1 - 0.75)
  )
  assert result.balanced_accuracy == pytest.approx((1 / 2 + 1 + 0) / 3)
  # 5 * 3 right; expected 2, 2, 1; predicted 2, 3, 0.
  assert result.matthews_correlation == pytest.approx(
    (15 - 10) / math.sqrt((25 - 9) * (25 - 13))
  )
  squares = [6 / 16, 14 / 16, 3 / 32, 6 / 16, 14 / 16]
  assert result.brier_score == pytest.approx(sum(squares) / 5, rel=1e-6)
  # Of cats against others: 1/2 and 1/4 against 1/8, 1/4 and 1/2.
  assert result.class_auroc[0] == pytest.approx((2.5 + 1.5) / 6)
  assert result.class_average_precision[0] == pytest.approx((1 / 2 + 2 / 4) / 2)
  # The cow ties with a dog, which comes first.
  assert result.rank_counts == (3, 1, 1)
  assert result.scalars() == {
    'accuracy': result.accuracy,
    'cross_entropy': result.cross_entropy,
    'macro_f1': result.macro_f1,
    'expected_calibration_error': result.expected_calibration_error,
  }


def test_a_class_of_which_the_split_says_nothing_is_left_out():
  log_probs = np.log([[0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]])
  result = metrics.evaluate_log_probs(
    log_probs=log_probs,
    targets=np.array([0, 1]),
    label_names=['a', 'b', 'never', 'nor this'],
  )
  # F1 of a: 2 right twice of 1 expected and 2 predicted; b: never predicted.
  assert result.f1 == pytest.approx((2 / 3, 0, 0, 0))
  assert result.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
  assert result.is_seen.tolist() == [True, True, False, False]


@settings(deadline=None, max_examples=50)
@given(
  n_classes=st.integers(2, 12),
  n_examples=st.integers(1, 60),
  scale=st.sampled_from([0.0, 1.0, 30.0]),
  seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_scikit_learn(n_classes, n_examples, scale, seed):
  rng = np.random.default_rng(seed)
  log_probs = log_softmax(scale * rng.normal(size=(n_examples, n_classes)))
  targets = rng.integers(n_classes, size=n_examples, dtype=np.int32)
  result = metrics.evaluate_log_probs(
    log_probs=log_probs,
    targets=targets,
    label_names=[f'class {i}' for i in range(n_classes)],
  )
  predicted = log_probs.argmax(-1)
  classes = list(range(n_classes))
  assert result.accuracy == pytest.approx(
    sklearn_metrics.accuracy_score(targets, predicted)
  )
  assert result.macro_f1 == pytest.approx(
    sklearn_metrics.f1_score(
      targets, predicted, average='macro', zero_division=0
    )
  )
  probabilities = np.exp(log_probs.astype(np.float64))
  probabilities /= probabilities.sum(-1, keepdims=True)
  # scikit-learn clips probabilities at the epsilon of float64, 36 nats.
  if log_probs.min() > -30:
    assert result.cross_entropy == pytest.approx(
      sklearn_metrics.log_loss(targets, probabilities, labels=classes),
      rel=1e-5,
      abs=1e-6,
    )
  precision, recall, f1, support = (
    sklearn_metrics.precision_recall_fscore_support(
      targets, predicted, labels=classes, zero_division=0
    )
  )
  assert result.precision == pytest.approx(precision)
  assert result.recall == pytest.approx(recall)
  assert result.f1 == pytest.approx(f1)
  assert result.support == tuple(support)
  np.testing.assert_array_equal(
    result.confusion,
    sklearn_metrics.confusion_matrix(targets, predicted, labels=classes),
  )
  assert result.confusion.sum() == n_examples
  assert result.confusion.trace() == pytest.approx(result.accuracy * n_examples)
  np.testing.assert_array_equal(result.confusion.sum(1), result.support)


def test_sums_are_float64():
  n = 200_000
  probabilities = np.where(np.arange(n) % 3 == 0, 0.3, 0.7)
  log_probs = np.log(np.stack([probabilities, 1 - probabilities], -1))
  log_probs = log_probs.astype(np.float32)
  result = metrics.evaluate_log_probs(
    log_probs=log_probs,
    targets=np.zeros(n, np.int32),
    label_names=('a', 'b'),
  )
  expected = -math.fsum(log_probs[:, 0].tolist()) / n
  assert result.cross_entropy == pytest.approx(expected, rel=1e-12)
  float32_mean = -np.mean(log_probs[:, 0])
  assert float32_mean != pytest.approx(expected, rel=1e-12)


def test_a_perfect_model_has_no_negative_zero():
  result = metrics.evaluate_log_probs(
    log_probs=np.array([[0.0, -np.inf]], np.float32),
    targets=np.array([0]),
    label_names=('a', 'b'),
  )
  assert math.copysign(1, result.cross_entropy) == 1
  assert result.accuracy == 1


def test_dict_survives_json():
  result = by_hand()
  values = json.loads(json.dumps(result.to_dict()))
  again = metrics.Evaluation.from_dict({**values, 'extra': 1})
  assert again.to_dict() == result.to_dict()
  assert again.label_names == NAMES
  assert again.confusion.dtype == np.int64
  assert isinstance(again.f1, tuple)


def test_from_dict_names_what_is_missing():
  values = by_hand().to_dict()
  del values['f1'], values['confusion']
  with pytest.raises(ValueError, match=r'^evaluation without f1, confusion$'):
    metrics.Evaluation.from_dict(values)


GOOD = log_softmax([[1, 2, 3], [3, 2, 1]])


@pytest.mark.parametrize(
  ('log_probs', 'targets', 'message'),
  [
    (
      GOOD[:, :2],
      [0, 1],
      'log_probs have shape (2, 2), expected (examples, 3): '
      'one column a label name',
    ),
    (
      GOOD[0],
      [0],
      'log_probs have shape (3,), expected (examples, 3): '
      'one column a label name',
    ),
    (
      GOOD.astype(np.int32),
      [0, 1],
      'log_probs are int32, expected a float dtype',
    ),
    (
      GOOD,
      [[0], [1]],
      'targets have shape (2, 1), expected (2,): one class an example',
    ),
    (GOOD, [0.0, 1.0], 'targets are float64, expected an int dtype'),
    (GOOD, [0, 3], 'targets go from 0 to 3, expected 0 to 2'),
    (GOOD, [-1, 1], 'targets go from -1 to 1, expected 0 to 2'),
  ],
)
def test_arrays_that_do_not_fit_are_refused(log_probs, targets, message):
  with pytest.raises(ValueError) as error:
    metrics.evaluate_log_probs(
      log_probs=log_probs, targets=np.array(targets), label_names=NAMES
    )
  assert str(error.value) == message


def test_logits_are_refused():
  logits = np.array([[0, 0, 0], [1, 2, 3]], np.float32)
  with pytest.raises(UserError) as error:
    metrics.evaluate_log_probs(
      log_probs=logits, targets=np.array([0, 1]), label_names=NAMES
    )
  assert str(error.value) == (
    "the model's outputs are not log-probabilities: for 2 of 2 examples the "
    'classes sum to something else than 1 (example 0: 3).\n'
    'The last layer of MODEL must be tl.LogSoftmax(), and its weights finite.'
  )


@pytest.mark.parametrize('bad', [np.nan, np.inf, 1e30])
def test_what_is_not_finite_is_refused(bad):
  log_probs = GOOD.copy()
  log_probs[1, 2] = bad
  with pytest.raises(UserError, match='for 1 of 2 examples'):
    metrics.evaluate_log_probs(
      log_probs=log_probs, targets=np.array([0, 1]), label_names=NAMES
    )


def test_an_empty_split_is_refused():
  with pytest.raises(UserError) as error:
    metrics.evaluate_log_probs(
      log_probs=np.zeros((0, 3), np.float32),
      targets=np.zeros(0, np.int32),
      label_names=NAMES,
      n_dropped=7,
    )
  assert str(error.value) == (
    'nothing to evaluate: 7 examples were dropped as too long and none is '
    'left. Raise MAX_LENGTH or evaluate another split.'
  )


@given(st.data())
@settings(max_examples=60)
def test_the_rest_is_as_scikit_learn_has_it(data):
  n_classes, n = data.draw(st.integers(2, 5)), data.draw(st.integers(2, 30))
  targets = np.array(
    data.draw(
      st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n).filter(
        lambda found: len(set(found)) > 1
      )
    )
  )
  # Few values, so that many are equal.
  logits = data.draw(
    st.lists(
      st.lists(st.integers(0, 3), min_size=n_classes, max_size=n_classes),
      min_size=n,
      max_size=n,
    )
  )
  log_probs = log_softmax(logits)
  result = metrics.evaluate_log_probs(
    log_probs=log_probs,
    targets=targets,
    label_names=[str(i) for i in range(n_classes)],
  )
  predicted = log_probs.argmax(axis=-1)
  with warnings.catch_warnings():
    # Of classes that are predicted and not expected.
    warnings.simplefilter('ignore')
    balanced = sklearn_metrics.balanced_accuracy_score(targets, predicted)
  assert result.balanced_accuracy == pytest.approx(balanced)
  assert result.matthews_correlation == pytest.approx(
    sklearn_metrics.matthews_corrcoef(targets, predicted), abs=1e-9
  )
  one_hot = np.eye(n_classes)[targets]
  assert result.brier_score == pytest.approx(
    np.mean(np.sum((np.exp(log_probs) - one_hot) ** 2, axis=1)), abs=1e-6
  )
  seen = sorted(set(targets))
  for i in range(n_classes):
    if i not in seen:
      assert math.isnan(result.class_auroc[i])
      continue
    scores = log_probs[:, i]
    assert result.class_auroc[i] == pytest.approx(
      sklearn_metrics.roc_auc_score(targets == i, scores)
    )
    assert result.class_average_precision[i] == pytest.approx(
      sklearn_metrics.average_precision_score(targets == i, scores)
    )
  assert result.auroc == pytest.approx(
    np.mean([result.class_auroc[i] for i in seen])
  )
  assert result.average_precision == pytest.approx(
    np.mean([result.class_average_precision[i] for i in seen])
  )
  # scikit-learn breaks ties the other way round: here there are none.
  distinct = log_probs - np.arange(n_classes) * 1e-5
  found = metrics.evaluate_log_probs(
    log_probs=distinct, targets=targets, label_names=result.label_names
  )
  for k in range(1, n_classes):
    expected = sklearn_metrics.top_k_accuracy_score(
      targets,
      distinct if n_classes > 2 else distinct[:, 1] - distinct[:, 0],
      k=k,
      labels=None if n_classes == 2 else range(n_classes),
    )
    assert sum(found.rank_counts[:k]) / n == pytest.approx(expected)


def test_an_evaluation_of_an_earlier_version_can_be_read():
  values = by_hand().to_dict()
  newer = ('balanced_accuracy', 'auroc', 'class_auroc', 'rank_counts')
  old = {name: value for name, value in values.items() if name not in newer}
  result = metrics.Evaluation.from_dict(old)
  assert math.isnan(result.auroc)
  assert result.class_auroc == result.rank_counts == ()
  assert result.accuracy == by_hand().accuracy
