"""Confident learning, against a joint counted by hand."""

import numpy as np
import pytest

from experiments.audit import label_doubts


def test_the_confident_joint_is_that_counted_by_hand():
  probabilities = np.array(
    [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]]
  )
  labels = np.array([0, 0, 0, 1, 1, 1])
  found = label_doubts.find_doubts(np.log(probabilities), labels)
  # Thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.8 + 0.7 + 0.4) / 3 = 0.633.
  # Row 2 is surely of class 1 and row 5 of class 0; all rows are counted.
  assert found.rows.tolist() == [2, 5]
  assert found.suggested.tolist() == [1, 0]
  assert found.label_probabilities == pytest.approx([0.1, 0.4])
  assert found.suggested_probabilities == pytest.approx([0.9, 0.6])
  assert (found.n_asked, found.n_expected) == (6, pytest.approx(2))


def test_it_finds_the_labels_that_were_changed():
  draw = np.random.default_rng(0)
  n, n_classes = 2000, 4
  truth = draw.integers(0, n_classes, n)
  logits = draw.normal(0, 1, (n, n_classes))
  logits[np.arange(n), truth] += 5
  log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
  changed = draw.choice(n, 100, replace=False)
  labels = truth.copy()
  labels[changed] = (labels[changed] + 1) % n_classes
  found = label_doubts.find_doubts(log_probs, labels)
  assert np.isin(changed, found.rows).mean() > 0.85
  assert np.isin(found.rows[:80], changed).mean() > 0.95
  assert found.n_expected == pytest.approx(100, rel=0.25)


def test_a_class_without_rows_is_never_suggested():
  log_probs = np.log([[0.1, 0.1, 0.8], [0.1, 0.2, 0.7], [0.4, 0.5, 0.1]])
  found = label_doubts.find_doubts(log_probs, np.array([0, 1, 1]))
  assert 2 not in found.suggested


def test_a_label_that_is_likelier_than_what_is_suggested_stands():
  # Thresholds: 0.9, 0.2 and 0.6. The last is confidently of class 1 alone.
  probabilities = [[0.9, 0, 0.1], [0.4, 0.2, 0.4], [0.3, 0.1, 0.6]]
  probabilities += [[0.25, 0.3, 0.45]]
  labels = np.array([0, 1, 2, 2])
  with np.errstate(divide='ignore'):
    found = label_doubts.find_doubts(np.log(probabilities), labels)
  assert 3 not in found.rows
