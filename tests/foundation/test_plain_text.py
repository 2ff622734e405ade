"""Untrusted text: what is left of it."""

import sys
import unicodedata

from experiments.foundation import plain_text


def test_controls_and_surrogates_go_and_nothing_else():
  for code in range(sys.maxunicode + 1):
    character = chr(code)
    is_control = unicodedata.category(character) in ('Cc', 'Cs')
    shown = plain_text._without_controls(character)
    assert shown == (' ' if is_control else character)


def test_one_line():
  assert plain_text.one_line(' a\tb\r\nc\x1b[0m\u2028d ') == 'a b c [0m d'


def test_lines_stay():
  assert plain_text.lines('a\n\n\x07b\tc\r\nd') == 'a\n\n b c\nd'


def test_a_long_name_keeps_both_ends():
  assert plain_text.shortened('x' * 24) == 'x' * 24
  assert plain_text.shortened('comp.os.ms-windows.miscellaneous') == (
    'comp.os.ms-w…scellaneous'
  )
