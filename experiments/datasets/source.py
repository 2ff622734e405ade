"""Any TFDS data set of texts with one class each, checked and read in bulk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.datasets import (
  example_rows,
  features,
  preparation,
  records,
  slices,
  storage,
)
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import open_regular

if TYPE_CHECKING:
  import tensorflow_datasets as tfds

_LABELS_AT_ONCE = 2**14


@dataclasses.dataclass(frozen=True)
class Source:
  """A prepared data set, and the parts of it that an experiment reads.

  Attributes:
    full_name: name, config if any, and version, e.g. 'glue/sst2:2.0.0'.
    keys: the TFDS keys read, text first, label last.
    label_names: the class names, in the order of their ids.
    splits: the slices in TFDS's syntax of 'train' and 'test', and maybe of
      'validation'.
    n_examples: the number of rows of each.
    fingerprint: a hash of the content of the files read, of `keys` and of
      `splits`: equal fingerprints read equal rows in equal order.
    path: the directory of the prepared data set.
    text_separator: what stands between several texts.
  """

  full_name: str
  keys: tuple[str, ...]
  label_names: tuple[str, ...]
  splits: dict[str, str]
  n_examples: dict[str, int]
  fingerprint: str
  path: pathlib.Path
  _slices: dict[str, slices.Slice] = dataclasses.field(repr=False)
  text_separator: str = ' '

  def read(
    self, split: str, batch_size: int = 1024
  ) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yields the rows of a split in the order in which they are stored.

    Args:
      split: a key of `splits`.
      batch_size: the number of rows of each batch but the last.

    Yields:
      The texts, and their labels: int32 [batch], below `len(label_names)`.

    Raises:
      UserError: a text is not UTF-8, a row has no label, or a file is damaged.
    """
    row = 0
    for texts, labels in self.read_columns(split, batch_size):
      self._check(labels, split, row)
      yield self._join(texts, split, row), labels.astype(np.int32)
      row += len(labels)

  def pieces(self, split: str) -> tuple[slices.Piece, ...]:
    """Returns which rows of which files a split is, in order."""
    return self._slices[split].pieces

  def check_labels(self) -> None:
    """Reads the labels of all splits, and no text.

    Raises:
      UserError: a row has no label, or a file is damaged.
    """
    for split in self.splits:
      row = 0
      for _, labels in self.read_columns(
        split, _LABELS_AT_ONCE, with_text=False
      ):
        self._check(labels, split, row)
        row += len(labels)

  def _check(self, labels: np.ndarray, split: str, first_row: int) -> None:
    bad = (labels < 0) | (labels >= len(self.label_names))
    if bad.any():
      at = int(bad.argmax())
      raise UserError(
        f'{self.full_name}, {self.splits[split]!r}, row {first_row + at}: '
        f'label {labels[at]} is none of the {len(self.label_names)} classes '
        '(-1 means that the row is not labelled).\n'
        'Bind SPLITS to splits that are labelled.'
      )

  def read_columns(
    self, split: str, batch_size: int = 1024, *, with_text: bool = True
  ) -> Iterator[tuple[list[list[bytes]], np.ndarray]]:
    """Yields a list of bytes for each text key, and int64 [batch] labels."""
    pieces = self._slices[split].pieces
    text_keys = self.keys[:-1] if with_text else ()
    # A user's own files are Parquet.
    is_parquet = all('.parquet-' in piece.filename for piece in pieces)
    read = example_rows.read_columns if is_parquet else _read_records
    n_read = 0
    try:
      for texts, labels in read(pieces, text_keys, self.keys[-1], batch_size):
        n_read += len(labels)
        yield texts, labels
    except OSError as error:
      raise _damage_error(self.path, str(error).splitlines()[0]) from error
    if n_read != self.n_examples[split]:
      reason = f'{n_read:,} of {self.n_examples[split]:,} rows'
      raise _damage_error(self.path, reason)

  def _join(
    self, columns: list[list[bytes]], split: str, first_row: int
  ) -> list[str]:
    joined = columns[0]
    if len(columns) > 1:
      separator = self.text_separator.encode()
      joined = [separator.join(row) for row in zip(*columns, strict=True)]
    texts = []
    for i, content in enumerate(joined):
      try:
        texts.append(content.decode('utf-8'))
      except UnicodeDecodeError as error:
        raise UserError(
          f'{self.full_name}, {self.splits[split]!r}, row {first_row + i}: the '
          f'text is not UTF-8 ({error.reason}).\n'
          'Prepare the data set from a source that is, or bind other KEYS.'
        ) from error
    return texts


def _read_records(
  pieces: Sequence[slices.Piece],
  text_keys: Sequence[str],
  label_key: str,
  batch_size: int,
) -> Iterator[tuple[list[list[bytes]], np.ndarray]]:
  for rows in records.read_records(pieces, batch_size):
    yield example_rows.parse(rows, text_keys, label_key)


def open_source(
  *,
  name: str,
  keys: tuple[str, ...],
  splits: tuple[str, ...] = ('train', 'test'),
  data_dir: str | os.PathLike[str] | None = None,
  text_separator: str = ' ',
) -> Source:
  """Returns a data set, which is prepared first if it is not yet.

  bbc_news is made from an installed package, any other is downloaded by TFDS.

  Args:
    name: 'name', 'name/config' or 'name:version', as TFDS has it.
    keys: TFDS keys, text first, label last; several texts are joined.
    splits: what to train on and what to evaluate on, in TFDS's slicing syntax,
      and perhaps between them what to choose the best checkpoint on.
    data_dir: where prepared data sets are; None: TFDS_DATA_DIR, else TFDS's
      default.
    text_separator: what stands between several texts.

  Raises:
    UserError: there is no such data set, key or split, or it cannot be used for
      classification, prepared or read.
  """
  arguments: dict[str, Any] = {
    'name': name,
    'keys': keys,
    'splits': splits,
    'data_dir': data_dir,
    'text_separator': text_separator,
  }
  source = find_source(**arguments)
  if source is not None:
    return source
  preparation.prepare(name, storage.resolve_data_dir(data_dir))
  source = find_source(**arguments)
  assert source is not None
  return source


def find_source(
  *,
  name: str,
  keys: tuple[str, ...],
  splits: tuple[str, ...] = ('train', 'test'),
  data_dir: str | os.PathLike[str] | None = None,
  text_separator: str = ' ',
) -> Source | None:
  """Returns a data set, or None if it is not prepared.

  It downloads nothing and writes nothing; `name` and `keys` are checked in any
  case. The arguments and errors are those of `open_source`.
  """
  builder = preparation.find_builder(name, storage.resolve_data_dir(data_dir))
  features.check_keys(keys, features=builder.info.features, dataset=name)
  if not preparation.is_prepared(builder):
    return None
  return open_directory(
    pathlib.Path(builder.data_dir),
    name=name,
    keys=keys,
    splits=splits,
    text_separator=text_separator,
  )


def open_directory(
  path: pathlib.Path,
  *,
  name: str,
  keys: tuple[str, ...],
  splits: tuple[str, ...],
  text_separator: str,
) -> Source:
  """Opens the directory of a prepared data set.

  Args:
    path: the directory.
    name: of the data set, for messages.
    keys: as of `open_source`.
    splits: as of `open_source`.
    text_separator: as of `open_source`.

  Raises:
    UserError: it is damaged, or lacks a key or a split.
  """
  reader = _open_directory(path)
  label_names = features.check_keys(
    keys, features=reader.info.features, dataset=name
  )
  parts = slices.resolve(splits, split_infos=reader.info.splits, dataset=name)
  written = {part: a_slice.text for part, a_slice in parts.items()}
  # TFDS writes 'name/config/1.0.0'; to ask for one, it is 'name/config:1.0.0'.
  full_name = ':'.join(reader.info.full_name.rsplit('/', 1))
  described: list[Any] = [full_name, keys, label_names, *written.values()]
  if text_separator != ' ':
    described.append({'text_separator': text_separator})
  return Source(
    full_name=full_name,
    keys=tuple(keys),
    label_names=label_names,
    splits=written,
    n_examples={part: a_slice.n_examples for part, a_slice in parts.items()},
    fingerprint=_fingerprint(described, parts.values(), path),
    path=path,
    _slices=parts,
    text_separator=text_separator,
  )


def _open_directory(path: pathlib.Path) -> tfds.core.DatasetBuilder:
  import tensorflow_datasets as tfds

  features.check_classes(path)
  try:
    with storage.quiet_tfds():
      return tfds.builder_from_directory(str(path))
  # A damaged file gives any of a dozen exceptions of JSON, protobuf and TFDS.
  except Exception as error:
    raise _damage_error(path, str(error).splitlines()[0]) from error


def _fingerprint(
  described: list[Any],
  parts: Iterable[slices.Slice],
  path: pathlib.Path,
) -> str:
  digest = hashlib.sha256(json.dumps(described).encode())
  filenames = {piece.filename for part in parts for piece in part.pieces}
  for filename in sorted(filenames):
    # It is by a pattern in dataset_info.json, which can lead anywhere.
    if os.path.dirname(os.path.abspath(filename)) != os.path.abspath(path):
      raise _damage_error(path, f'{filename} is not in it')
    try:
      with open_regular(filename) as file:
        content = hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
      reason = f'{os.path.basename(filename)}: {error.strerror}'
      raise _damage_error(path, reason) from error
    digest.update(f'{os.path.basename(filename)} {content}\n'.encode())
  return digest.hexdigest()


def _damage_error(path: pathlib.Path, reason: str) -> UserError:
  return UserError(
    f'the prepared data set in {str(path)!r} is damaged: {reason}\n'
    'Delete that directory; the next run prepares it again.'
  )
