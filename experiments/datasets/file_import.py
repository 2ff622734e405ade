"""A user's own file or directory as a TFDS data set, kept in the cache.

An import reads a file twice: first every row is checked and the classes are
counted, then the rows are written as examples of TFDS, in Parquet files that
`tfds.builder_from_directory` reads, too. What comes of it is keyed by the
content of the files and by how they are read.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import json
import logging
import pathlib
import re
from collections.abc import Iterator
from typing import IO, Any

from experiments.datasets import example_rows, file_rows, storage
from experiments.datasets.file_layout import Layout, find_layout
from experiments.datasets.file_rows import Row
from experiments.datasets.file_survey import (
  BAD,
  ONCE,
  SPLITS,
  Bad,
  ImportOptions,
  Survey,
  read_content,
  survey_rows,
)
from experiments.foundation import cache, files
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import open_regular, read_regular
from experiments.foundation.suggestions import nearest, suggest

# Changes with what an import writes for the same rows.
_FORMAT_VERSION = 1
_BAD_ROWS = 'bad_rows.jsonl'


def import_files(
  path: pathlib.Path, options: ImportOptions, cache_dir: pathlib.Path
) -> pathlib.Path:
  """Imports a file or a directory, unless that was done before.

  Args:
    path: what `DATASET` names.
    options: what of it is read.
    cache_dir: the per-user cache.

  Returns:
    The directory of a TFDS data set with the splits that the files have, or
    with 'train', 'validation' and 'test' by a hash of each row's text.

  Raises:
    UserError: there is nothing to read, a column is missing, rows will not do,
      or the cache cannot be written.
  """
  layout = find_layout(path, options.columns)
  check_columns(path, layout, options)
  identity = {
    'version': _FORMAT_VERSION,
    'content': _content_hash(layout),
    'layout': [layout.format, layout.delimiter, layout.encoding],
    'options': dataclasses.asdict(options),
  }
  digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
  name = f'{dataset_name(path)}-{digest.hexdigest()[:24]}'
  entry = cache_dir / 'files' / name
  _say_if_changed(path, entry, options, cache_dir)
  cache.open_or_build(
    entry,
    build=lambda directory: _build(path, layout, options, directory, entry),
    what=f'the data set of {path.name}',
  )
  return entry


def dataset_name(path: pathlib.Path) -> str:
  """Returns a name that TFDS takes, for a path."""
  stem = path.name.lower().removesuffix('.gz').rpartition('.')[0] or path.name
  name = re.sub(r'\W+', '_', stem.lower(), flags=re.ASCII).strip('_')
  return name if name[:1].isalpha() else f'file_{name}'.rstrip('_')


def file_stamps(path: pathlib.Path) -> list[list[Any]]:
  """Returns the name, size and time of change in ns of each file of a path.

  Raises:
    UserError: there is no such file.
  """
  try:
    paths = sorted(path.rglob('*')) if path.is_dir() else [path]
    statistics = [(file, file.stat()) for file in paths]
  except OSError as error:
    raise UserError(
      f'DATASET {str(path)!r}: cannot be read ({error.strerror}).'
    ) from error
  return [[str(f), s.st_size, s.st_mtime_ns] for f, s in statistics]


def check_columns(
  path: pathlib.Path,
  layout: Layout,
  options: ImportOptions,
  *,
  needs_label: bool = True,
) -> None:
  """Checks that a file has the columns that are read of it.

  Args:
    path: what `DATASET` names.
    layout: how it is read.
    options: what of it is read.
    needs_label: whether the label's must be there, too.

  Raises:
    UserError: one is missing.
  """
  for column in options.columns:
    if column in layout.columns or (
      column == options.keys[-1] and not needs_label
    ):
      continue
    macro = 'SPLIT_BY' if column == options.split_by else 'KEYS'
    has = ', '.join(repr(name[:40]) for name in layout.columns[:20]) or 'none'
    near = suggest(map(repr, nearest(column, layout.columns)))
    hint = ''
    if layout.format in ('csv', 'tsv', 'tab') and macro == 'KEYS':
      hint = (
        f"\nIf its first row is no header, number the columns: KEYS = ('1', "
        f"'2') up to '{len(layout.columns)}'."
      )
    raise UserError(
      f'{macro}: {path.name} ({layout.describe()}) has no column {column!r}. '
      f'Its columns are {has}.{near}{hint}'
    )


def _content_hash(layout: Layout) -> list[list[str]]:
  """Returns split, file name and SHA-256 of each file, or of a folder's."""
  hashes = []
  for split, path in sorted(layout.files.items()):
    if layout.format == 'folders':
      digest = hashlib.sha256()
      for file in sorted(path.glob('*/*.txt')):
        digest.update(f'{file.relative_to(path)}\0'.encode('utf-8', 'replace'))
        digest.update(read_regular(file) if file.is_file() else b'')
        digest.update(b'\0')
      hashes.append([split, path.name, digest.hexdigest()])
      continue
    with open_regular(path) as stream:
      content = hashlib.file_digest(stream, 'sha256').hexdigest()
    hashes.append([split, path.name, content])
  return hashes


def _say_if_changed(
  path: pathlib.Path,
  entry: pathlib.Path,
  options: ImportOptions,
  cache_dir: pathlib.Path,
) -> None:
  """Logs that a file is not what it was at its last import."""
  asked = json.dumps([str(path), dataclasses.asdict(options)])
  key = hashlib.sha256(asked.encode('utf-8', 'surrogateescape')).hexdigest()
  last = cache_dir / 'files' / 'last' / key[:32]
  try:
    before = last.read_text(encoding='utf-8-sig')
  except OSError:
    before = ''
  if before == entry.name:
    return
  if before:
    logging.info('%s has changed since its last import.', path.name)
  try:
    last.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(last, entry.name)
  except OSError as error:
    # What it is for is a line in the log.
    logging.debug('%s: %s', last, error)


def _build(
  path: pathlib.Path,
  layout: Layout,
  options: ImportOptions,
  directory: pathlib.Path,
  cache_path: pathlib.Path,
) -> dict[str, Any]:
  logging.info('Importing %s (%s)', path, layout.describe())
  survey = survey_rows(layout, options)
  if survey.bad and not options.skip_bad_rows:
    raise UserError(refusal(path, survey))
  names = _sort_labels(survey.totals)
  if len(names) < 2:
    found = f'only {names[0]!r}' if names else 'no row that will do'
    raise UserError(
      f'DATASET {str(path)!r}: {found} in its column {options.keys[-1]!r}; '
      'expected at least 2 classes.' + _write_rows(survey)
    )
  _log_shares(path, survey, names)
  name = dataset_name(path)
  sizes = _write(layout, options, names, survey, directory / name)
  _write_metadata(name, options, names, sizes, directory)
  if survey.bad:
    logging.warning(
      '%s; they are in %s', tell_left_out(path, survey), cache_path / _BAD_ROWS
    )
  return {'n_bad': survey.bad.total(), 'labels': names}


def _sort_labels(labels: collections.Counter[str]) -> list[str]:
  """Returns the classes in order: of numbers if all are, else of letters."""
  names = sorted(name for name, n in labels.items() if n)
  if all(re.fullmatch(r'-?\d{1,18}', name) for name in names):
    return sorted(names, key=int)
  return names


def _write_count(bad: collections.Counter[str]) -> str:
  n = bad.total()
  kinds = ', '.join(f'{kind} ({k:,})' for kind, k in bad.most_common())
  return f'{n:,} row{"s" if n > 1 else ""} ({kinds})'


def _write_rows(survey: Survey) -> str:
  lines = ''.join(f'\n  {line}' for line in survey.shown)
  n_more = survey.bad.total() - len(survey.shown)
  more = f'\n  and {n_more:,} more' if n_more else ''
  encoding = survey.find_encoding()
  convert = (
    f'\nThe file may be {encoding}. Convert it: iconv -f {encoding} -t utf-8'
    if encoding
    else ''
  )
  return f'{lines}{more}{convert}'


def refusal(path: pathlib.Path, survey: Survey) -> str:
  """Says which rows will not do, and what to do about them."""
  return (
    f'DATASET {str(path)!r}: {_write_count(survey.bad)} will not do:'
    f'{_write_rows(survey)}\n'
    'Put them right, or bind SKIP_BAD_ROWS = True to leave them out.'
  )


def tell_left_out(path: pathlib.Path, survey: Survey) -> str:
  """Says how many rows are left out, and why."""
  return f'{path.name}: {_write_count(survey.bad)} left out'


def _log_shares(path: pathlib.Path, survey: Survey, names: list[str]) -> None:
  for split in sorted(survey.labels, key=SPLITS.index):
    counts = survey.labels[split]
    n = counts.total()
    shares = ', '.join(f'{name} {counts[name] / n:.1%}' for name in names[:10])
    more = f' and {len(names) - 10} more classes' if names[10:] else ''
    logging.info('  %s: %s rows: %s%s', split, f'{n:,}', shares, more)
    lacking = [name for name in names if not counts[name]]
    if lacking:
      logging.warning(
        '%s: its %s split has no row of %s%s',
        path.name,
        split,
        ', '.join(map(repr, lacking[:5])),
        f' and {len(lacking) - 5} more classes' if lacking[5:] else '',
      )


def _write(
  layout: Layout,
  options: ImportOptions,
  names: list[str],
  survey: Survey,
  stem: pathlib.Path,
) -> dict[str, tuple[pathlib.Path, int, int]]:
  """Writes the rows; returns file, number of rows and of bytes by split."""
  ids = {name: i for i, name in enumerate(names)}
  sides = [side for side in SPLITS if survey.labels.get(side)]
  writers = {
    side: example_rows.Writer(
      stem.with_name(f'{stem.name}-{side}.parquet-00000-of-00001'),
      options.keys,
    )
    for side in sides
  }
  n = 0
  try:
    with _bad_rows(stem.parent, survey) as bad_rows:
      for split in layout.files:
        for row in file_rows.read_rows(layout, split):
          content = read_content(row, layout, options)
          place, n = survey.sides[n] if n < len(survey.sides) else BAD, n + 1
          if isinstance(content, Bad) or content.label not in ids:
            reason = content.reason if isinstance(content, Bad) else ONCE
            if bad_rows:
              bad_rows.write(_as_json(row, reason))
          elif place != BAD:
            writers[SPLITS[place]].write(
              [text.encode() for text in content.texts], ids[content.label]
            )
  finally:
    for writer in writers.values():
      writer.close()
  sizes = {
    side: (writer.path, writer.n_rows, writer.n_bytes)
    for side, writer in writers.items()
  }
  for side, (_, n_rows, _) in sizes.items():
    if n_rows != survey.labels[side].total():
      raise UserError(
        f'DATASET {str(next(iter(layout.files.values())))!r} changed while it '
        'was read. Start again.'
      )
  return sizes


@contextlib.contextmanager
def _bad_rows(
  directory: pathlib.Path, survey: Survey
) -> Iterator[IO[str] | None]:
  """Opens the file of the rows that will not do, if there are any."""
  if not survey.bad:
    yield None
    return
  with open(directory / _BAD_ROWS, 'w', encoding='utf-8') as file:
    yield file


def _as_json(row: Row, reason: str) -> str:
  described = {
    'file': str(row.file),
    'line': row.line,
    'reason': reason,
    'row': row.values,
  }
  return json.dumps(described, ensure_ascii=True, default=str) + '\n'


def _write_metadata(
  name: str,
  options: ImportOptions,
  names: list[str],
  sizes: dict[str, tuple[pathlib.Path, int, int]],
  directory: pathlib.Path,
) -> None:
  """Describes the files by TFDS's own means."""
  import tensorflow_datasets as tfds

  features: dict[str, Any] = {
    key: tfds.features.Text() for key in options.keys[:-1]
  }
  features[options.keys[-1]] = tfds.features.ClassLabel(names=names)
  template = '{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}'
  infos = [
    tfds.core.SplitInfo(
      name=side,
      shard_lengths=[n_rows],
      num_bytes=n_bytes,
      filename_template=tfds.core.ShardedFileTemplate(
        data_dir=directory,
        template=template,
        dataset_name=name,
        split=side,
        filetype_suffix='parquet',
      ),
    )
    for side, (_, n_rows, n_bytes) in sizes.items()
  ]
  with storage.quiet_tfds():
    tfds.folder_dataset.write_metadata(
      data_dir=directory,
      features=tfds.features.FeaturesDict(features),
      split_infos=infos,
      filename_template=template,
      check_data=False,
    )
