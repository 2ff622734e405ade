"""The pictures of a report: that they can be drawn, and what they show."""

import io
import warnings

import numpy as np
import pytest

from experiments.evaluation import by_length, calibration, metrics
from experiments.reporting import report_plots


def make_evaluation(label_names, *, n_examples=40):
  """Returns an evaluation in which class 1 is always taken for class 0."""
  n_classes = len(label_names)
  targets = np.arange(n_examples) % n_classes
  predicted = np.where(targets == 1, 0, targets)
  probabilities = np.full((n_examples, n_classes), 0.1 / (n_classes - 1))
  probabilities[np.arange(n_examples), predicted] = 0.9
  return metrics.evaluate_log_probs(
    log_probs=np.log(probabilities).astype(np.float32),
    targets=targets,
    label_names=label_names,
  )


def decode(png):
  from matplotlib import image

  return image.imread(io.BytesIO(png))


@pytest.mark.parametrize('n_classes', [2, 5, 12, 13, 30, 31, 100, 101, 2000])
def test_confusion_matrix_of_any_size(n_classes):
  names = [f'comp.sys.ibm.pc.hardware.{i}' for i in range(n_classes)]
  evaluation = make_evaluation(names, n_examples=4 * n_classes)
  picture = decode(report_plots.confusion_matrix_png(evaluation))
  height, width, _ = picture.shape
  assert 300 < width < 3000
  assert 300 < height < 3000


def test_of_many_classes_those_with_most_mistakes_are_drawn():
  n_classes = 150
  targets = np.repeat(np.arange(n_classes), 4)
  predicted = targets.copy()
  # Class 7 is taken for 9 three times, 140 for 7 twice, 20 for 21 once.
  predicted[4 * 7 : 4 * 7 + 3] = 9
  predicted[4 * 140 : 4 * 140 + 2] = 7
  predicted[4 * 20] = 21
  probabilities = np.full((len(targets), n_classes), 0.1 / (n_classes - 1))
  probabilities[np.arange(len(targets)), predicted] = 0.9
  evaluation = metrics.evaluate_log_probs(
    log_probs=np.log(probabilities).astype(np.float32),
    targets=targets,
    label_names=[f'class {i}' for i in range(n_classes)],
  )
  merged, names = report_plots.merge_others(evaluation, 3)
  assert names == ['class 7', 'class 9', 'class 140', '147 others']
  np.testing.assert_array_equal(
    merged, [[1, 3, 0, 0], [0, 4, 0, 0], [2, 0, 2, 0], [0, 0, 0, 4 * 147]]
  )


def test_confusion_matrix_shows_the_errors():
  """The cell of class 1 taken for class 0 is dark, that of the reverse not."""
  evaluation = make_evaluation(('a', 'b', 'c'), n_examples=300)
  picture = decode(report_plots.confusion_matrix_png(evaluation))[..., :3]
  dark = picture.sum(-1) < 1.2
  # The frame is a black line.
  rows = np.flatnonzero(dark.mean(1) > 0.5)
  top, bottom = rows.min(), rows.max()
  columns = np.flatnonzero(dark[top:bottom].mean(0) > 0.5)
  left, right = columns.min(), columns.max()
  cells = np.array(
    [
      [
        np.median(
          picture[
            top + (bottom - top) * (6 * row + 1) // 18,
            left + (right - left) * (6 * column + 1) // 18 + np.arange(5),
          ]
        )
        for column in range(3)
      ]
      for row in range(3)
    ]
  )
  np.testing.assert_array_equal(
    cells < 0.5, [[True, False, False], [True, False, False], [False, False, 1]]
  )


@pytest.mark.parametrize(
  'names', [('$x_$', '$\\frac{1}$'), ('世界', '体育'), ('', 'a' * 200)]
)
def test_confusion_matrix_takes_any_name(names):
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert report_plots.confusion_matrix_png(make_evaluation(names))


def test_a_class_without_examples():
  evaluation = metrics.evaluate_log_probs(
    log_probs=np.log(np.full((3, 2), 0.5, np.float32)),
    targets=np.zeros(3, np.int32),
    label_names=('seen', 'never'),
  )
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert report_plots.confusion_matrix_png(evaluation)


def test_bars_of_the_reliability_diagram_are_as_high_as_the_accuracy():
  counts = np.zeros(15, int)
  counts[[5, 14]] = 100, 300
  means = np.full(15, np.nan)
  accuracies = np.full(15, np.nan)
  means[[5, 14]] = 0.37, 0.99
  accuracies[[5, 14]] = 0.25, 1.0
  png = report_plots.calibration_png(
    calibration.Calibration(counts, means, accuracies)
  )
  picture = decode(png)
  blue = np.array([0x32, 0x74, 0xA1]) / 255
  is_blue = np.abs(picture[..., :3] - blue).max(-1) < 0.02
  heights = is_blue.sum(0)
  # The columns of the legend have a patch of some 10 pixels at most.
  columns = np.flatnonzero(heights > 30)
  [gap] = np.flatnonzero(np.diff(columns) > 1)
  left, right = columns[: gap + 1], columns[gap + 1 :]
  assert abs(len(left) - len(right)) <= 2
  ratio = np.median(heights[left]) / np.median(heights[right])
  assert ratio == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize('n', [1, 2, 10])
def test_accuracy_by_length_of_any_number_of_bins(n):
  bins = [
    by_length.LengthBin(10**i, 10 ** (i + 1) - 1, 2.5, 40, i / n, 0.05)
    for i in range(n)
  ]
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    height, width, _ = decode(report_plots.accuracy_by_length_png(bins)).shape
  assert 300 < height < width < 700


def test_pictures_are_the_same_each_time():
  evaluation = make_evaluation(('a', 'b'))
  once, again = (
    report_plots.confusion_matrix_png(evaluation) for _ in range(2)
  )
  assert once == again
