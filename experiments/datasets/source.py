"""Any TFDS data set of texts with one class each, checked and read in bulk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.backend import tensorflow_start
from experiments.datasets import (
  features,
  preparation,
  records,
  slices,
  storage,
)
from experiments.foundation.errors import UserError

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
  """

  full_name: str
  keys: tuple[str, ...]
  label_names: tuple[str, ...]
  splits: dict[str, str]
  n_examples: dict[str, int]
  fingerprint: str
  path: pathlib.Path
  _slices: dict[str, slices.Slice] = dataclasses.field(repr=False)

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
    text_keys = self.keys[:-1] if with_text else ()
    tensorflow_start.import_tensorflow()
    import tensorflow as tf

    columns: dict[str, Any] = dict.fromkeys(text_keys, tf.string)
    columns[self.keys[-1]] = tf.int64
    batches = records.read_columns(
      self._slices[split].pieces,
      columns,
      file_format=_open_directory(self.path).info.file_format,
      batch_size=batch_size,
    )
    n_read = 0
    try:
      for batch in batches:
        labels = batch[self.keys[-1]]
        n_read += len(labels)
        yield [batch[key].tolist() for key in text_keys], labels
    except (tf.errors.OpError, OSError) as error:
      raise _damaged(self.path, str(error).splitlines()[0]) from error
    if n_read != self.n_examples[split]:
      reason = f'{n_read:,} of {self.n_examples[split]:,} rows'
      raise _damaged(self.path, reason)

  def _join(
    self, columns: list[list[bytes]], split: str, first_row: int
  ) -> list[str]:
    joined = columns[0]
    if len(columns) > 1:
      joined = [b' '.join(row) for row in zip(*columns, strict=True)]
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


def open_source(
  *,
  name: str,
  keys: tuple[str, ...],
  splits: tuple[str, ...] = ('train', 'test'),
  data_dir: str | os.PathLike[str] | None = None,
) -> Source:
  """Returns a data set, which is prepared first if it is not yet.

  bbc_news is made from an installed package, any other is downloaded by TFDS.

  Args:
    name: 'name', 'name/config' or 'name:version', as TFDS has it.
    keys: TFDS keys, text first, label last; several texts are joined with a
      space.
    splits: what to train on and what to evaluate on, in TFDS's slicing syntax,
      and perhaps between them what to choose the best checkpoint on.
    data_dir: where prepared data sets are; None: TFDS_DATA_DIR, else TFDS's
      default.

  Raises:
    UserError: there is no such data set, key or split, or it cannot be used for
      classification, prepared or read.
  """
  source = find_source(name=name, keys=keys, splits=splits, data_dir=data_dir)
  if source is not None:
    return source
  preparation.prepare(name, storage.resolve_data_dir(data_dir))
  source = find_source(name=name, keys=keys, splits=splits, data_dir=data_dir)
  assert source is not None
  return source


def find_source(
  *,
  name: str,
  keys: tuple[str, ...],
  splits: tuple[str, ...] = ('train', 'test'),
  data_dir: str | os.PathLike[str] | None = None,
) -> Source | None:
  """Returns a data set, or None if it is not prepared.

  It downloads nothing and writes nothing; `name` and `keys` are checked in any
  case. The arguments and errors are those of `open_source`.
  """
  builder = preparation.find_builder(name, storage.resolve_data_dir(data_dir))
  features.check_keys(keys, features=builder.info.features, dataset=name)
  if not preparation.is_prepared(builder):
    return None
  path = pathlib.Path(builder.data_dir)
  reader = _open_directory(path)
  label_names = features.check_keys(
    keys, features=reader.info.features, dataset=name
  )
  parts = slices.resolve(splits, split_infos=reader.info.splits, dataset=name)
  written = {part: a_slice.text for part, a_slice in parts.items()}
  # TFDS writes 'name/config/1.0.0'; to ask for one, it is 'name/config:1.0.0'.
  full_name = ':'.join(reader.info.full_name.rsplit('/', 1))
  described = [full_name, keys, label_names, *written.values()]
  return Source(
    full_name=full_name,
    keys=tuple(keys),
    label_names=label_names,
    splits=written,
    n_examples={part: a_slice.n_examples for part, a_slice in parts.items()},
    fingerprint=_fingerprint(described, parts.values(), path),
    path=path,
    _slices=parts,
  )


def _open_directory(path: pathlib.Path) -> tfds.core.DatasetBuilder:
  import tensorflow_datasets as tfds

  features.check_classes(path)
  try:
    with storage.quiet_tfds():
      return tfds.builder_from_directory(str(path))
  # A damaged file gives any of a dozen exceptions of JSON, protobuf and TFDS.
  except Exception as error:
    raise _damaged(path, str(error).splitlines()[0]) from error


def _fingerprint(
  described: list[Any],
  parts: Iterable[slices.Slice],
  path: pathlib.Path,
) -> str:
  digest = hashlib.sha256(json.dumps(described).encode())
  filenames = {piece.filename for part in parts for piece in part.pieces}
  for filename in sorted(filenames):
    try:
      with open(filename, 'rb') as file:
        content = hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
      reason = f'{os.path.basename(filename)}: {error.strerror}'
      raise _damaged(path, reason) from error
    digest.update(f'{os.path.basename(filename)} {content}\n'.encode())
  return digest.hexdigest()


def _damaged(path: pathlib.Path, reason: str) -> UserError:
  return UserError(
    f'the prepared data set in {str(path)!r} is damaged: {reason}\n'
    'Delete that directory; the next run prepares it again.'
  )
