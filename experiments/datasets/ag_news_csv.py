"""AG News as it is published: a .tar.gz of CSV files, or a directory of them.

The columns are the class (1 to 4), the title and the description. What is read
here is what TFDS's own reader makes of the same files, but every row is checked
and nothing in an archive is trusted.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import gzip
import hashlib
import io
import pathlib
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from experiments.datasets import preparation
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import open_regular, read_regular

CLASS_NAMES = ('World', 'Sports', 'Business', 'Sci/Tech')
SPLITS = ('train', 'test')
PUBLISHED = {'train': 120_000, 'test': 7_600}
# The published archive unpacks to 31 MB, of 4 members.
MAX_UNPACKED_BYTES = 1 << 28
MAX_MEMBERS = 100
# Python's own, which tells of a quote that is not closed.
_MAX_FIELD_CHARACTERS = 2**17

_CLASS_IDS = {str(i + 1): i for i in range(len(CLASS_NAMES))}
_CLASS_FILE = 'classes.txt'
_FOLDER = 'ag_news_csv'
_LAYOUT = (
  'Expected ag_news_csv.tar.gz as published, or a directory with train.csv and '
  'test.csv (class 1 to 4, title, description).'
)


@dataclasses.dataclass(frozen=True)
class CsvFile:
  """A CSV file: where it can be read, and what the user knows it as."""

  path: pathlib.Path
  shown_as: str


@dataclasses.dataclass(frozen=True)
class Row:
  """An article; `label` counts from 0, as in TFDS."""

  label: int
  title: str
  description: str


@contextlib.contextmanager
def open_files(
  source: pathlib.Path, *, aside: pathlib.Path
) -> Iterator[dict[str, CsvFile]]:
  """Yields the CSV files of 'train' and of 'test'.

  Args:
    aside: an empty directory, to which an archive is unpacked.
    source: the published .tar.gz (or the .tar in it), the directory
      ag_news_csv, its parent, or any directory with train.csv and test.csv.

  Raises:
    UserError: there is no such file, it is damaged, unsafe or too large, or its
      classes.txt names other classes.
  """
  if source.is_dir():
    yield _files_in(source, shown_as=str(source))
    return
  if not source.is_file():
    raise UserError(
      f'--source {str(source)!r}: no such file or directory.\n{_LAYOUT}'
    )
  _unpack(source, aside)
  yield _files_in(aside, shown_as=str(source))


def read_rows(file: CsvFile) -> Iterator[Row]:
  """Yields the rows of a file, in order.

  Raises:
    UserError: a row is not UTF-8, has a bad class, a wrong number of columns or
      an empty text, or the file is cut short; the message opens with file:row.
  """
  n_rows = n_empty = 0
  unparsed: list[str] = []
  # A limit of the process, which an import of another file may have raised.
  csv.field_size_limit(_MAX_FIELD_CHARACTERS)
  with open_regular(file.path) as content:
    reader = csv.reader(_lines(content, unparsed))
    try:
      for columns in reader:
        n_rows += 1
        if not columns:
          # Nothing is wrong with empty lines at the end.
          n_empty += 1
          continue
        if n_empty:
          n_rows -= n_empty
          _check([])
        yield _check(columns)
        last_lines = ''.join(unparsed)
        unparsed.clear()
      if n_rows == n_empty:
        raise ValueError('the file is empty')
      # csv.reader takes an open quote at the end of a file for a closed one.
      list(csv.reader(io.StringIO(last_lines), strict=True))
    except UnicodeDecodeError as error:
      bad = error.object[error.start : error.start + 1]
      raise _refusal(file, n_rows + 1, f'byte {bad!r} is not UTF-8') from error
    except csv.Error as error:
      reason = f'{error}: a quote that is not closed?'
      raise _refusal(file, max(n_rows, 1), reason) from error
    except ValueError as error:
      raise _refusal(file, max(n_rows, 1), str(error)) from error


def _lines(content: BinaryIO, unparsed: list[str]) -> Iterator[str]:
  """Decodes line by line, so that a bad byte is known with its row."""
  for number, line in enumerate(content):
    if number == 0:
      line = line.removeprefix(codecs.BOM_UTF8)
    # TFDS reads with universal newlines, so a lone carriage return counts too.
    for text in io.StringIO(line.decode('utf-8'), newline=None):
      unparsed.append(text)
      yield text


def _check(columns: list[str]) -> Row:
  if len(columns) != 3:
    raise ValueError(
      f'{len(columns)} columns; expected class, title and description'
    )
  label, title, description = columns
  if label not in _CLASS_IDS:
    raise ValueError(f'class {label[:20]!r}; expected 1, 2, 3 or 4')
  for name, text in (('title', title), ('description', description)):
    if not text.strip():
      raise ValueError(f'empty {name}')
  return Row(_CLASS_IDS[label], title, description)


def _refusal(file: CsvFile, row: int, reason: str) -> UserError:
  return UserError(
    f'{file.shown_as}:{row}: {reason}.\nNothing was written. {_LAYOUT}'
  )


def _files_in(directory: pathlib.Path, shown_as: str) -> dict[str, CsvFile]:
  if (directory / _FOLDER).is_dir():
    directory, shown_as = directory / _FOLDER, f'{shown_as}/{_FOLDER}'
  files = {
    split: CsvFile(directory / f'{split}.csv', f'{shown_as}/{split}.csv')
    for split in SPLITS
  }
  for file in files.values():
    if not file.path.is_file():
      raise UserError(f'--source: no file {file.shown_as!r}.\n{_LAYOUT}')
  class_file = directory / _CLASS_FILE
  if class_file.is_file():
    names = tuple(
      read_regular(class_file).decode('utf-8-sig', 'replace').split()
    )
    if names != CLASS_NAMES:
      raise UserError(
        f'{shown_as}/{_CLASS_FILE} names the classes '
        f'{", ".join(names[:8])}; expected {", ".join(CLASS_NAMES)}.'
      )
  return files


def _unpack(source: pathlib.Path, into: pathlib.Path) -> None:
  """Writes the three files that are needed, and nothing else, to `into`."""
  plain = into / 'archive.tar'
  try:
    with open_regular(source) as file, open(plain, 'wb') as output:
      is_gzip = file.read(2) == b'\x1f\x8b'
      file.seek(0)
      # The whole of it, so that gzip compares its checksum at the end.
      unpacked = gzip.GzipFile(fileobj=file) if is_gzip else file
      while block := unpacked.read(1 << 20):
        if output.tell() + len(block) > MAX_UNPACKED_BYTES:
          raise _too_large()
        output.write(block)
    with tarfile.open(plain, 'r:') as archive:
      _extract(archive, into)
  except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
    raise _bad_archive(source, str(error)) from error
  finally:
    plain.unlink(missing_ok=True)


def _extract(archive: tarfile.TarFile, into: pathlib.Path) -> None:
  wanted = {f'{split}.csv' for split in SPLITS} | {_CLASS_FILE}
  n_bytes = 0
  for number, member in enumerate(archive):
    if number == MAX_MEMBERS:
      raise tarfile.TarError(f'more than {MAX_MEMBERS} members')
    # Before it is unpacked: holes take no space in an archive.
    n_bytes += member.size
    if n_bytes > MAX_UNPACKED_BYTES:
      raise _too_large()
    name = posixpath.normpath(member.name)
    if name.startswith('/') or '..' in name.split('/'):
      raise tarfile.TarError(f'the path {member.name!r} leads out of it')
    if member.issparse():
      raise tarfile.TarError(f'{member.name!r} is a sparse file')
    if not (member.isfile() or member.isdir()):
      raise tarfile.TarError(f'{member.name!r} is a link or a device')
    folder, base = posixpath.split(name)
    if base in wanted and folder in ('', _FOLDER) and member.isfile():
      content = archive.extractfile(member)
      assert content is not None
      try:
        with open(into / base, 'xb') as output:
          shutil.copyfileobj(content, output)
      except FileExistsError as error:
        raise tarfile.TarError(f'{base!r} is in it twice') from error


def _too_large() -> tarfile.TarError:
  return tarfile.TarError(f'more than {MAX_UNPACKED_BYTES:,} bytes')


def _bad_archive(source: pathlib.Path, reason: str) -> UserError:
  with open_regular(source) as file:
    start = file.read(512).lstrip().lower()
    file.seek(0)
    sha256 = hashlib.file_digest(file, 'sha256').hexdigest()
  if start.startswith((b'<!doctype', b'<html', b'<')):
    reason = 'it is a web page, not the archive'
  return UserError(
    f'--source {str(source)!r} cannot be unpacked: {reason}.\n'
    f'It has {source.stat().st_size:,} bytes, sha256 {sha256}; the published '
    f'archive has {preparation.AG_NEWS_BYTES:,} and '
    f'{preparation.AG_NEWS_SHA256}.\nGet it again.'
  )
