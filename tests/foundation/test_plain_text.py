"""Untrusted text: what is left of it."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from experiments.foundation import plain_text

# Unicode's bidirectional classes of embeddings, overrides and isolates.
TURNS = ('LRE', 'RLE', 'LRO', 'RLO', 'PDF', 'LRI', 'RLI', 'FSI', 'PDI')


def is_control(character):
  return (
    unicodedata.category(character) in ('Cc', 'Cs', 'Zl', 'Zp')
    or unicodedata.bidirectional(character) in TURNS
  ) and character != '\n'


def test_controls_are_escaped_and_nothing_else():
  for code in range(sys.maxunicode + 1):
    character = chr(code)
    shown = plain_text.escape(character)
    if is_control(character):
      # As Python reads it back.
      assert shown.isascii()
      assert shown.isprintable()
      assert shown.encode('ascii').decode('unicode_escape') == character
    else:
      assert shown == character


@given(st.text())
def test_escaping_twice_is_escaping_once(text):
  once = plain_text.escape(text)
  assert plain_text.escape(once) == once
  assert once.count('\n') == text.count('\n')
  assert not any(map(is_control, once))
  assert '\n' not in plain_text.escape_line(text)


def test_one_line():
  assert plain_text.one_line(' a\tb\r\nc\x1b[0m\u2028d ') == r'a b c\x1b[0m d'


def test_lines_stay():
  assert plain_text.lines('a\n\n\x07b\tc\r\nd') == 'a\n\n\\x07b c\nd'


def test_a_long_name_keeps_both_ends():
  assert plain_text.shorten_name('x' * 24) == 'x' * 24
  assert plain_text.shorten_name('comp.os.ms-windows.miscellaneous') == (
    'comp.os.ms-w…scellaneous'
  )
