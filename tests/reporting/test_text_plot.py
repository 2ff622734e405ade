"""Curves on a terminal."""

from experiments.reporting import text_plot


def test_a_rise_and_a_fall():
  assert text_plot.bars([0, 0.25, 0.5, 1, 0.5], height=2) == (
    '1 |   █\n'  #
    '0 | ▄███\n'
    '   1   5'
  )


def test_more_values_than_columns_keep_the_first_and_the_last():
  drawn = text_plot.bars([8, *[4] * 998, 2], width=4, height=1)
  assert drawn == '8 |█▄▄▂\n   1 1000'


def test_one_value():
  assert text_plot.bars([3], height=1) == '3 |█\n   1'
