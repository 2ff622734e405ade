"""Drawing: pixels where they belong."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from experiments.reporting import drawing

RED = (255, 0, 0)


def pixels(png):
  return np.asarray(Image.open(io.BytesIO(png)).convert('RGB')).astype(int)


def test_a_rectangle_fills_its_pixels():
  canvas = drawing.Canvas(6, 4)
  canvas.rectangle((1, 1), (4, 3), RED)
  found = pixels(canvas.png())
  assert found.shape == (4, 6, 3)
  expected = np.full((4, 6, 3), 255)
  expected[1:3, 1:4] = RED
  np.testing.assert_array_equal(found, expected)


def box_of(png):
  """Returns left, top, right and bottom of what is not white."""
  dark = pixels(png).min(-1) < 200
  rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
  return columns[0], rows[0], columns[-1], rows[-1]


@pytest.mark.parametrize(
  ('anchor', 'angle', 'expected'),
  [
    # About where a word 60 pixels wide lies if it is anchored at (100, 100).
    ('lm', 0, (100, 95, 160, 105)),
    ('mm', 0, (70, 95, 130, 105)),
    ('rm', 0, (40, 95, 100, 105)),
    ('mm', 90, (95, 70, 105, 130)),
    ('rm', 90, (95, 100, 105, 160)),
    ('lm', 90, (95, 40, 105, 100)),
    # cos 60° = 1/2, sin 60° = 0.87
    ('rm', 60, (66, 97, 104, 155)),
  ],
)
def test_text_lies_by_its_anchor(anchor, angle, expected):
  canvas = drawing.Canvas(200, 200)
  size = 60 / drawing.text_width('nnnnnnn', 1000) * 1000
  canvas.text((100, 100), 'nnnnnnn', size=size, anchor=anchor, angle=angle)
  assert box_of(canvas.png()) == pytest.approx(expected, abs=5)


@pytest.mark.parametrize(
  ('low', 'high', 'expected'),
  [
    (0, 1, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']),
    (0.86, 0.97, ['0.86', '0.88', '0.90', '0.92', '0.94', '0.96']),
    (0, 0.5, ['0.0', '0.1', '0.2', '0.3', '0.4', '0.5']),
    (-0.005, 0.005, ['-0.004', '-0.002', '0.000', '0.002', '0.004']),
    (3, 41, ['5', '10', '15', '20', '25', '30', '35', '40']),
  ],
)
def test_ticks_are_round(low, high, expected):
  assert [text for _, text in drawing.ticks(low, high)] == expected


@given(st.floats(-1, 1), st.floats(1e-6, 1e3))
def test_ticks_are_some_and_not_too_many(low, extent):
  found = drawing.ticks(low, low + extent)
  assert 2 <= len(found) <= 8
  values = [value for value, _ in found]
  assert low - 1e-6 * extent <= values[0]
  assert values[-1] <= low + extent * (1 + 1e-6)
  assert len({text for _, text in found}) == len(found)


def test_axes_put_values_where_the_frame_is():
  axes = drawing.Axes(
    100,
    50,
    title='',
    x_label='',
    y_label='',
    x_range=(0, 10),
    y_range=(0, 1),
    x_ticks=[(0, '')],
    y_ticks=[(0, '')],
  )
  (left, bottom), (right, top) = axes.at(0, 0), axes.at(10, 1)
  assert (right - left, bottom - top) == (100, 50)
  assert axes.at(5, 0.5) == ((left + right) / 2, (bottom + top) / 2)
  found = pixels(axes.png())
  assert (found[round(top), round(left) : round(right)] == 0).all()
