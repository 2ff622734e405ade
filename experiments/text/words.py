"""Words: runs of letters, digits and `_` with marks; and other characters.

A version never changes what it makes of a text: a vocabulary keeps that of the
words it was built of.
"""

import functools
import itertools
import re
import unicodedata

VERSION = 2
# Words, numbers and identifiers; and every other character that is not white
# space, by itself, as Joulin et al. 2016 set punctuation apart.
_WORD_1 = re.compile(r'\w+|[^\w\s]')
# Joiners, which keep apart or together the letters of one word.
_JOINERS = '\u200c\u200d'


def split_words(text: str, *, version: int = VERSION) -> list[str]:
  r"""Returns the words of a text.

  Args:
    text: any text, e.g. "It's 20 €."
    version: 2 composes a text first (Unicode's NFC) and leaves a combining mark
      or a joiner with what it follows. 1 takes all matches of `\w+|[^\w\s]`, so
      that each mark is a word.

  Returns:
    Them, in order, e.g. It ' s 20 € .
  """
  if version == 1 or text.isascii():
    return _WORD_1.findall(text)
  return _word_2().findall(unicodedata.normalize('NFC', text))


def is_word(text: str, *, version: int) -> bool:
  """Tells whether `split_words` can give a text as a word."""
  return split_words(text, version=version) == [text]


@functools.cache
def _word_2() -> re.Pattern[str]:
  """Compiles version 2."""
  # Not all of Unicode, which takes a tenth of a second: a test does.
  candidates = itertools.chain(range(0x300, 0x20000), range(0xE0000, 0xE0200))
  marks = ''.join(
    character
    for character in map(chr, candidates)
    if unicodedata.category(character).startswith('M')
  )
  after = f'{re.escape(marks)}{_JOINERS}'
  return re.compile(rf'\w[\w{after}]*|[^\w\s][{after}]*')
