"""Words in any script, in one piece, however their characters are composed."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.text import words


def test_words_by_hand():
  assert words.split_words("It's 1,200 € — snake_case\tB2B.\x85x") == (
    ['It', "'", 's', '1', ',', '200', '€', '—', 'snake_case', 'B2B', '.', 'x']
  )
  assert words.split_words(' \n') == []


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    ('नमस्ते दुनिया हिन्दी', ['नमस्ते', 'दुनिया', 'हिन्दी']),  # Hindi
    ('cafe\u0301 naïve', ['café', 'naïve']),
    ('ภาษาไทย, ที่', ['ภาษาไทย', ',', 'ที่']),  # Thai
    ('தமிழ்.', ['தமிழ்', '.']),  # Tamil
    ('עִבְרִית!', ['עִבְרִית', '!']),  # Hebrew with vowels
    ('क्\u200dष!', ['क्\u200dष', '!']),  # With a joiner
    ('I ❤\ufe0f 1\ufe0f\u20e3', ['I', '❤\ufe0f', '1\ufe0f\u20e3']),
    ('\u0301a', ['\u0301', 'a']),
    ('q\u0323\u0307x', ['q\u0323\u0307x']),  # No composed character has both.
    ('Zażółć gęślą', ['Zażółć', 'gęślą']),
  ],
)
def test_a_mark_stays_with_its_letter(text, expected):
  assert words.split_words(text) == expected
  decomposed = unicodedata.normalize('NFD', text)
  assert words.split_words(decomposed) == words.split_words(text)


def test_every_mark_of_unicode_is_known():
  cut = [
    f'{number:#x}'
    for number in range(sys.maxunicode + 1)
    if unicodedata.category(chr(number)).startswith('M')
    and len(words.split_words(f'x{chr(number)}x')) != 1
  ]
  assert not cut


def test_version_1_is_what_it_was():
  text = 'नमस्ते दुनिया हिन्दी'
  assert len(words.split_words(text, version=1)) == 16
  assert words.split_words('e\u0301', version=1) == ['e', '\u0301']


@given(st.text())
def test_nothing_but_white_space_is_lost(text):
  composed = unicodedata.normalize('NFC', text)
  found = words.split_words(text)
  assert ''.join(found) == ''.join(c for c in composed if not c.isspace())
  assert all(words.is_word(word, version=words.VERSION) for word in found)


@given(st.text(st.characters(categories=['L', 'N', 'P', 'S', 'Z'])))
def test_composed_text_without_marks_is_cut_as_before(text):
  text = unicodedata.normalize('NFC', text)
  if not any(unicodedata.category(c).startswith('M') for c in text):
    assert words.split_words(text) == words.split_words(text, version=1)
