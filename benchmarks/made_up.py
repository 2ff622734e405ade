"""Texts and vocabularies of any size, where no real ones are at hand.

Words are drawn by Zipf's law, and each is one piece of its vocabulary, so that
a text of so many words has as many tokens. Lengths are those of AG News's
descriptions in subwords.
"""

import itertools
import pathlib
import string

import numpy as np

_RESERVED = ('<pad>', '<EOS>')
# trax writes a character that has no piece by means of these.
_ESCAPES = '\\_u;0123456789'
_MEAN_WORDS, _WORDS_DEVIATION = 58, 18
_FEWEST_WORDS, _MOST_WORDS = 5, 240
_ZIPF_EXPONENT = 1.2


def write_vocabulary(path: pathlib.Path, size: int) -> list[str]:
  """Writes a subword vocabulary.

  Args:
    path: where to.
    size: number of pieces, at most 400,000.

  Returns:
    The words that are a piece each.
  """
  characters = sorted(
    set(string.ascii_lowercase + _ESCAPES + ''.join(_RESERVED))
  )
  letters = itertools.product(string.ascii_lowercase, repeat=4)
  n_words = size - len(characters) - len(_RESERVED)
  words = [''.join(some) for some in itertools.islice(letters, n_words)]
  pieces = [*_RESERVED, *(word + '_' for word in words), *characters]
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(''.join(f"'{piece}'\n" for piece in pieces), encoding='utf-8')
  return words


def texts(n: int, words: list[str], seed: int) -> list[str]:
  """Returns n texts; the first of the words are the most frequent."""
  rng = np.random.default_rng(seed)
  lengths = rng.normal(_MEAN_WORDS, _WORDS_DEVIATION, n)
  lengths = np.clip(lengths, _FEWEST_WORDS, _MOST_WORDS).astype(int)
  return [
    ' '.join(
      words[rank - 1]
      for rank in np.minimum(rng.zipf(_ZIPF_EXPONENT, length), len(words))
    )
    for length in lengths
  ]
