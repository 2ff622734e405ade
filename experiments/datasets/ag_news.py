"""AG News from a copy of its CSV files, as the data set TFDS would have made.

TFDS downloads AG News from Google Drive, which fails for many. What is written
here from a copy, `tfds.load('ag_news_subset')` reads as its own: TFDS's builder
writes it, and only the rows come from elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from experiments.datasets import ag_news_csv, preparation, source, storage
from experiments.foundation.errors import UserError


@dataclasses.dataclass(frozen=True)
class Imported:
  """AG News in a data directory.

  Attributes:
    path: the directory of the prepared data set.
    n_examples: the number of rows of 'train' and of 'test'.
    is_new: False if the same rows had been prepared before.
  """

  path: pathlib.Path
  n_examples: dict[str, int]
  is_new: bool


@dataclasses.dataclass(frozen=True)
class _Checksum:
  """The number of some rows, and a sum of hashes that no order changes."""

  n_rows: int
  hash_sum: int


def prepare_ag_news(
  *,
  source_path: str | os.PathLike[str],
  data_dir: str | os.PathLike[str] | None = None,
) -> Imported:
  """Prepares `ag_news_subset` from a copy of the published files.

  Every row is checked before the first is written. The data set gets its name
  when it is complete; if anything fails, nothing of it stays.

  Args:
    source_path: ag_news_csv.tar.gz, or a directory with train.csv and test.csv.
    data_dir: as in `source.open_source`.

  Raises:
    UserError: the copy is damaged or has a bad row; other rows are prepared
      already; `data_dir` cannot be written.
  """
  directory = storage.resolve_data_dir(data_dir)
  with (
    storage.sole_writer(directory, preparation.AG_NEWS),
    storage.aside(directory, preparation.AG_NEWS) as unpacked,
    ag_news_csv.open_files(pathlib.Path(source_path), aside=unpacked) as files,
  ):
    wanted = {
      split: _checksum(
        (row.label, row.title.encode(), row.description.encode())
        for row in ag_news_csv.read_rows(file)
      )
      for split, file in files.items()
    }
    builder = preparation.find_builder(preparation.AG_NEWS, directory)
    path = pathlib.Path(builder.data_dir)
    is_new = not preparation.is_prepared(builder)
    if is_new:
      logging.info('Writing %s', path)
      _write(files, wanted, path=path, data_dir=directory)
    else:
      _refuse_other_rows(wanted, path=path, data_dir=directory)
  n_examples = {split: each.n_rows for split, each in wanted.items()}
  return Imported(path, n_examples, is_new)


def _write(
  files: dict[str, ag_news_csv.CsvFile],
  wanted: dict[str, _Checksum],
  *,
  path: pathlib.Path,
  data_dir: pathlib.Path,
) -> None:
  with storage.aside(data_dir, preparation.AG_NEWS) as unfinished:
    builder: Any = preparation.find_builder(preparation.AG_NEWS, unfinished)
    # TFDS lets a name be registered once only, so its own builder gets another
    # source of rows, rather than a subclass of it another name.
    builder._split_generators = lambda dl_manager: {
      split: _tfds_examples(file) for split, file in files.items()
    }
    preparation.generate(builder)
    if _read_checksums(unfinished) != wanted:
      raise UserError(
        'The rows of --source changed while they were being read; nothing was '
        'written. Start again.'
      )
    path.parent.mkdir(parents=True, exist_ok=True)
    os.rename(builder.data_dir, path)


def _tfds_examples(
  file: ag_news_csv.CsvFile,
) -> Iterator[tuple[int, dict[str, Any]]]:
  # The keys, by which TFDS shuffles, are those of TFDS's own builder.
  for key, row in enumerate(ag_news_csv.read_rows(file)):
    yield key, dataclasses.asdict(row)


def _refuse_other_rows(
  wanted: dict[str, _Checksum], *, path: pathlib.Path, data_dir: pathlib.Path
) -> None:
  found = _read_checksums(data_dir)
  if found == wanted:
    return
  rows = {
    name: ' and '.join(f'{each.n_rows:,} {split}' for split, each in of.items())
    for name, of in (('found', found), ('wanted', wanted))
  }
  raise UserError(
    f'{str(path)!r} already holds other rows: {rows["found"]}; --source has '
    f'{rows["wanted"]}.\nDelete that directory to replace them, or bind '
    'another DATA_DIR.'
  )


def _read_checksums(data_dir: pathlib.Path) -> dict[str, _Checksum]:
  prepared = source.find_source(
    name=preparation.AG_NEWS,
    keys=('title', 'description', 'label'),
    splits=ag_news_csv.SPLITS,
    data_dir=data_dir,
  )
  assert prepared is not None
  return {
    split: _checksum(
      (int(label), title, description)
      for (titles, descriptions), labels in prepared.read_columns(split)
      for title, description, label in zip(
        titles, descriptions, labels, strict=True
      )
    )
    for split in ag_news_csv.SPLITS
  }


def _checksum(rows: Iterable[tuple[int, bytes, bytes]]) -> _Checksum:
  n_rows = hash_sum = 0
  for label, title, description in rows:
    head = f'{label} {len(title)} '.encode()
    digest = hashlib.blake2b(head + title + description, digest_size=16)
    hash_sum = (hash_sum + int.from_bytes(digest.digest(), 'big')) % (1 << 128)
    n_rows += 1
  return _Checksum(n_rows, hash_sum)
