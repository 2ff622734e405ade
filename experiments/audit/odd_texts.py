"""Texts that say nothing, or not what their writer wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from experiments.datasets.file_survey import normalize

_NUMBER = re.compile(r'[\s$€£¥#+~-]*\d[\d\s.,:;/%$€£¥°+-]*')
_ADDRESS = re.compile(
  r'(?:[a-z][a-z+.-]*://\S+|www\.\S+|(?:mailto:)?[\w.+-]+@[\w-]+\.[\w.-]+)',
  re.IGNORECASE,
)
_LETTER = re.compile(r'[^\W_]')
_TAG = re.compile(
  r'</?[a-z][a-z0-9]*(?:\s[^<>]{0,200})?/?>'
  r'|&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[\da-f]{1,5});'
  r'|(?<![\w&])(?:lt|gt|quot|amp);|(?<![\w&])#\d{2,4};',
  re.IGNORECASE,
)
_AROUND = 24
_REPLACEMENT = '\ufffd'

NO_LETTER = 'without a letter or digit'
NUMBER = 'of nothing but a number'
ADDRESS = 'of nothing but an address'
REPEATED = 'of one word, repeated'
MARKUP = 'with markup in them'
# In the order in which they are told.
KINDS = (NO_LETTER, NUMBER, ADDRESS, REPEATED, MARKUP)


class Garbled(NamedTuple):
  """A text that was written in one encoding and read in another.

  Attributes:
    row: which.
    found: where it shows, with what stands around.
    repaired: the same as it was meant; '' if that is lost.
  """

  row: int
  found: str
  repaired: str


def find_odd_texts(texts: Sequence[str]) -> dict[str, list[int]]:
  """Finds texts that a classifier can learn nothing good from.

  Args:
    texts: [n].

  Returns:
    The places of the texts by kind, one of `KINDS`; of the first that fits.
  """
  found: dict[str, list[int]] = {kind: [] for kind in KINDS}
  for i, text in enumerate(texts):
    kind = _kind(text)
    if kind:
      found[kind].append(i)
  return found


def _kind(text: str) -> str | None:
  if not _LETTER.search(text):
    return NO_LETTER
  stripped = text.strip()
  if _NUMBER.fullmatch(stripped):
    return NUMBER
  parts = stripped.split(None, 20)
  if all(map(_ADDRESS.fullmatch, parts)):
    return ADDRESS
  if _is_repeated(text, parts):
    return REPEATED
  if ('<' in text or ';' in text) and _TAG.search(text):
    return MARKUP
  return None


def _is_repeated(text: str, parts: Sequence[str]) -> bool:
  # Most texts show by their beginning that they are not.
  if len(parts) < 2 or len({part.casefold() for part in parts[:-1]}) > 2:
    return False
  words = list(filter(None, map(_cut_edges, normalize(text).split(' '))))
  return len(words) > 1 and len(set(words)) == 1


def _cut_edges(word: str) -> str:
  return word.strip('.,!?;:-')


def find_garbled(texts: Sequence[str]) -> Iterator[Garbled]:
  """Yields the texts whose encoding has gone wrong.

  Those that ftfy finds and can set right, such as 'cafÃ©'; and those with the
  character that stands for one that could not be read.

  Args:
    texts: [n].
  """
  from ftfy import badness, fix_encoding

  for i, text in enumerate(texts):
    if text.isascii():
      continue
    match = badness.BADNESS_RE.search(text)
    if match:
      start, stop = _around(text, match.start(), match.end())
      fixed = fix_encoding(text[start:stop])
      if fixed != text[start:stop]:
        yield Garbled(i, text[start:stop], fixed)
        continue
    at = text.find(_REPLACEMENT)
    if at >= 0:
      start, stop = _around(text, at, at + 1)
      yield Garbled(i, text[start:stop], '')


def _around(text: str, start: int, stop: int) -> tuple[int, int]:
  """Widens a range by whole words, as long as they are short."""
  first = text.rfind(' ', max(0, start - _AROUND), start)
  last = text.find(' ', stop, stop + _AROUND)
  return (
    first + 1 if first >= 0 else max(0, start - _AROUND),
    last if last >= 0 else min(len(text), stop + _AROUND),
  )
