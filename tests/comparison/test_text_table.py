"""Tables of text: aligned, and never wider than there is room."""

import hypothesis
from hypothesis import strategies as st

from experiments.comparison import text_table
from experiments.comparison.text_table import Column

WORDS = st.text('ab_.1 \x1b\n', max_size=60)


@st.composite
def tables(draw):
  n_rows = draw(st.integers(0, 4))
  cells = st.lists(WORDS, min_size=n_rows, max_size=n_rows)
  found = draw(
    st.lists(
      st.builds(
        Column,
        head=WORDS,
        cells=cells,
        short=st.none() | cells,
        rank=st.integers(0, 3),
      ),
      min_size=1,
      max_size=9,
    )
  )
  value = draw(
    st.lists(st.text('1.', max_size=8), min_size=n_rows, max_size=n_rows)
  )
  return [*found, Column('accuracy', value, is_whole=True)]


@hypothesis.given(tables(), st.integers(20, 120))
def test_no_line_is_wider_than_there_is_room(table, width):
  text, left_out = text_table.fit(table, width)
  lines = text.split('\n')
  assert max(map(len, lines)) <= width
  assert '\x1b' not in text
  # What counts is whole, in every row.
  values = [line.strip() for line in lines[-len(table[-1].cells) :]]
  for cell, line in zip(table[-1].cells, values, strict=False):
    assert line.endswith(cell)
  assert 'accuracy' not in left_out


@hypothesis.given(tables())
def test_with_room_for_all_nothing_is_left_out(table):
  text, left_out = text_table.fit(table, float('inf'))
  assert left_out == []
  assert len(text.split('\n')) == 1 + len(table[0].cells)


def test_what_goes_first_and_how_heads_are_broken():
  table = [
    Column('LEARNING_RATE', ['0.01', '0.001']),
    Column('macro_f1', ['0.5 ± 0.1', '0.25 ± 0.2'], ['0.5', '0.25'], rank=2),
    Column('seconds', ['1.5', '12.0'], rank=3),
    Column('accuracy', ['0.75', '0.5'], is_whole=True),
  ]
  assert text_table.fit(table, 50) == (
    'LEARNING_RATE    macro_f1  seconds  accuracy\n'
    '         0.01   0.5 ± 0.1      1.5      0.75\n'
    '        0.001  0.25 ± 0.2     12.0       0.5',
    [],
  )
  assert text_table.fit(table, 40) == (
    'LEARNING_\n'
    '     RATE    macro_f1  seconds  accuracy\n'
    '     0.01   0.5 ± 0.1      1.5      0.75\n'
    '    0.001  0.25 ± 0.2     12.0       0.5',
    [],
  )
  assert text_table.fit(table, 36) == (
    'LEARNING_  macro_\n'
    '     RATE      f1  seconds  accuracy\n'
    '     0.01     0.5      1.5      0.75\n'
    '    0.001    0.25     12.0       0.5',
    [],
  )
  assert text_table.fit(table, 35)[1] == ['seconds']
  assert text_table.fit(table, 20)[1] == ['macro_f1', 'seconds']
