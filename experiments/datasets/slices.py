"""TFDS's slicing syntax, resolved to rows, and refused where it would mislead.

TFDS itself accepts 'train[50%:10%]' (a negative number of rows), a slice that
holds a row twice, and an evaluation on rows that were trained on.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
from collections.abc import Mapping
from typing import Any

from experiments.foundation.errors import UserError

# What the slices are for, by their number.
_NAMES = {
  1: ('test',),
  2: ('train', 'test'),
  3: ('train', 'validation', 'test'),
}


@dataclasses.dataclass(frozen=True)
class Piece:
  """Rows `start` to `stop` (not included) of one file of a data set."""

  filename: str
  start: int
  stop: int


@dataclasses.dataclass(frozen=True)
class Slice:
  """A slice as the user wrote it, and the rows that it stands for, in order."""

  text: str
  pieces: tuple[Piece, ...]

  @property
  def n_examples(self) -> int:
    """The number of rows."""
    return sum(piece.stop - piece.start for piece in self.pieces)


def resolve(
  texts: tuple[str, ...], *, split_infos: Mapping[str, Any], dataset: str
) -> dict[str, Slice]:
  """Returns the rows to train on and those to evaluate on.

  Args:
    texts: what `SPLITS` binds, e.g. ('train[:90%]', 'train[90%:]').
    split_infos: a TFDS data set's `info.splits`.
    dataset: the data set's name, for messages.

  Returns:
    The slices 'train' and 'test', or of three 'train', 'validation' and 'test';
    of one 'test', for what is evaluated alone.

  Raises:
    UserError: not one to three slices; a split that does not exist; a
      malformed, empty or reversed slice; a row that stands twice in one slice,
      or in two.
  """
  if (
    not isinstance(texts, tuple | list)
    or len(texts) not in _NAMES
    or not all(isinstance(text, str) for text in texts)
  ):
    raise UserError(
      f'SPLITS is {texts!r}; expected two or three slices, the one to train on '
      "and the one to evaluate on, e.g. ('train', 'test')."
    )
  resolved = [_resolve_one(text, split_infos, dataset) for text in texts]
  for one, other in itertools.combinations(resolved, 2):
    n_shared = _count_shared(one.pieces, other.pieces)
    if n_shared:
      raise UserError(
        f'SPLITS: {n_shared:,} rows of {dataset!r} stand in both {one.text!r} '
        f'and {other.text!r}: the evaluation would be on what was trained on.\n'
        'Bind slices that share no row, e.g. '
        "('train[:90%]', 'train[90%:]')."
      )
  return dict(zip(_NAMES[len(texts)], resolved, strict=True))


def _resolve_one(
  text: str, split_infos: Mapping[str, Any], dataset: str
) -> Slice:
  sizes = ', '.join(
    f'{name!r} ({info.num_examples:,} rows)'
    for name, info in split_infos.items()
  )
  has = f'{dataset!r} has {sizes}.'
  try:
    instructions = split_infos[text].file_instructions
  # TFDS raises ValueError, KeyError, NotImplementedError or AssertionError for
  # what is, each time, a slice that it cannot use.
  except Exception as error:
    reason = str(error).strip('"\'').splitlines()[0].split(' See format')[0]
    if re.search(r'\ball\[', text):
      each = '+'.join(
        re.sub(r'\ball\[', f'{name}[', text) for name in split_infos
      )
      reason = f"TFDS cannot slice 'all'. Slice each split: {each!r}."
    raise UserError(f'SPLITS: {text!r}: {reason}\n{has}') from error
  pieces = tuple(
    Piece(str(each.filename), each.skip, each.skip + each.take)
    for each in instructions
    if each.take
  )
  if not pieces or any(piece.stop <= piece.start for piece in pieces):
    raise UserError(f'SPLITS: {text!r} holds no rows. {has}')
  if _count_twice(pieces):
    raise UserError(f'SPLITS: {text!r} holds rows twice. {has}')
  return Slice(text, pieces)


def _count_shared(some: tuple[Piece, ...], others: tuple[Piece, ...]) -> int:
  by_file = collections.defaultdict(list)
  for other in others:
    by_file[other.filename].append(other)
  return sum(
    max(0, min(a.stop, b.stop) - max(a.start, b.start))
    for a in some
    for b in by_file[a.filename]
  )


def _count_twice(pieces: tuple[Piece, ...]) -> int:
  by_file = collections.defaultdict(list)
  for piece in pieces:
    by_file[piece.filename].append(piece)
  return sum(
    _count_shared((piece,), tuple(of_file[:i]))
    for of_file in by_file.values()
    for i, piece in enumerate(of_file)
  )
