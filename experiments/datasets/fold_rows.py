"""The folds of what is to be trained on, computed once and kept.

Rows with equal texts, as a reader takes them for equal, are in one fold, and so
are rows of a user's own file that are equal in its column SPLIT_BY.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
import re
from typing import Any

import numpy as np

from experiments.datasets import file_rows, folds
from experiments.datasets.file_layout import find_layout
from experiments.datasets.file_survey import (
  SPLITS,
  Bad,
  ImportOptions,
  find_side,
  normalize,
  read_content,
)
from experiments.datasets.source import Source
from experiments.foundation import cache
from experiments.foundation.errors import UserError

_FILE = 'folds.bin'
# Changes with what the same rows come to.
_FORMAT_VERSION = 1
_SIDE = re.compile(rf'-({"|".join(SPLITS)})\.parquet-')


def open_folds(
  source: Source,
  n_folds: int,
  *,
  cache_dir: pathlib.Path,
  files: pathlib.Path | None = None,
  options: ImportOptions | None = None,
) -> np.ndarray:
  """Returns the fold of each row of the train split.

  Args:
    source: the data set.
    n_folds: how many folds there are.
    cache_dir: where they are kept.
    files: of a user's own data, what `DATASET` names.
    options: with which they were imported.

  Returns:
    int16 [n], in the order of the rows.

  Raises:
    UserError: there are too many folds for a class, a file is damaged, or the
      cache cannot be written.
  """
  column = options.split_by if options else None
  identity = (
    *(_FORMAT_VERSION, source.fingerprint, source.splits['train']),
    *(n_folds, column),
  )
  name = cache.entry_name(f'{source.full_name}-train', identity)
  path = cache_dir / 'folds' / name
  cache.open_or_build(
    path,
    build=functools.partial(
      _write, source, n_folds, files if column else None, options
    ),
    what=f'the {n_folds} folds of {source.full_name}',
  )
  return np.fromfile(path / _FILE, folds.FOLD)


def _write(
  source: Source,
  n_folds: int,
  files: pathlib.Path | None,
  options: ImportOptions | None,
  aside: pathlib.Path,
) -> dict[str, Any]:
  """Writes the fold of each row; returns how many rows there are."""
  keys, labels = [], []
  for texts, some in source.read('train'):
    keys += [_hash(normalize(text)) for text in texts]
    labels.append(some)
  groups = np.asarray(keys, np.uint64)
  if files and options:
    groups = _join(groups, _read_groups(source, files, options))
  try:
    found = folds.assign_folds(np.concatenate(labels), groups, n_folds)
  except folds.TooManyFoldsError as error:
    raise _refusal(source, n_folds, error) from error
  (aside / _FILE).write_bytes(found.tobytes())
  return {'examples': len(found)}


def _refusal(
  source: Source, n_folds: int, error: folds.TooManyFoldsError
) -> UserError:
  name = source.label_names[error.label]
  has = f'{error.n_rows:,} row{"s" * (error.n_rows != 1)}'
  if error.n_groups < error.n_rows:
    groups = f'group{"s" * (error.n_groups != 1)}'
    has += f' in {error.n_groups:,} {groups} that stay together'
  less = 'Bind fewer folds, or give it more rows.'
  if error.n_groups < 2:
    less = 'Give it more rows, or leave N_FOLDS = None.'
  return UserError(
    f'N_FOLDS is {n_folds}, and the class {name!r} has {has} in '
    f'{source.splits["train"]!r} of {source.full_name}: not one for each fold. '
    + less
  )


def _read_groups(
  source: Source, files: pathlib.Path, options: ImportOptions
) -> np.ndarray:
  """Reads files again, and returns uint64 [n], by group; 0 for none."""
  layout = find_layout(files, options.columns)
  names = frozenset(source.label_names)
  found: dict[str, list[int]] = {side: [] for side in SPLITS}
  for split in layout.files:
    for row in file_rows.read_rows(layout, split):
      content = read_content(row, layout, options)
      # Of a label that occurs once nothing was imported, either.
      if not isinstance(content, Bad) and content.label in names:
        key = _hash(content.group) if content.group else 0
        found[find_side(content, split)].append(key)
  arrays = {side: np.asarray(keys, np.uint64) for side, keys in found.items()}
  parts = []
  for piece in source.pieces('train'):
    side = _SIDE.search(pathlib.Path(piece.filename).name)
    assert side is not None
    parts.append(arrays[side[1]][piece.start : piece.stop])
  groups = np.concatenate(parts)
  if len(groups) != source.n_examples['train']:
    raise UserError(
      f'DATASET {str(files)!r} changed while it was read. Start again.'
    )
  return groups


def _join(texts: np.ndarray, groups: np.ndarray) -> np.ndarray:
  """Returns what is equal for rows that texts or groups hold together.

  Args:
    texts: uint64 [n].
    groups: uint64 [n], 0 for none.

  Returns:
    uint64 [n], of the rows that are held together the least text.
  """
  from scipy import sparse

  unique_texts, text_ids = np.unique(texts, return_inverse=True)
  in_one = groups != 0
  _, group_ids = np.unique(groups[in_one], return_inverse=True)
  n_texts = len(unique_texts)
  n_nodes = n_texts + (group_ids.max() + 1 if len(group_ids) else 0)
  edges = sparse.coo_array(
    (
      np.ones(len(group_ids), np.int8),
      (text_ids[in_one], n_texts + group_ids),
    ),
    shape=(n_nodes, n_nodes),
  )
  _, component = sparse.csgraph.connected_components(edges, directed=False)
  # Texts are sorted: of each component the first is the least.
  _, first = np.unique(component[:n_texts], return_index=True)
  least = np.zeros(component.max() + 1, np.uint64)
  least[component[first]] = unique_texts[first]
  return least[component[text_ids]]


def _hash(text: str) -> int:
  # A few of a million million rows may be kept together for nothing.
  content = text.encode('utf-8', 'surrogatepass')
  digest = hashlib.blake2b(content, digest_size=8).digest()
  return int.from_bytes(digest, 'big')
