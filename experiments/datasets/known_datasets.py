"""Remembers prepared data sets, so that a run need not import TensorFlow.

Finding a data set takes TFDS, and so TensorFlow: 3 s of a start. What was found
is kept, and holds as long as no file of the data set has changed and no other
version of it is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
import re
import sys
from typing import Any

import experiments
from experiments.datasets import slices, storage
from experiments.datasets.source import Source
from experiments.foundation import data_paths, files, json_text
from experiments.foundation.directory import Directory


def recall(arguments: dict[str, Any], cache_dir: pathlib.Path) -> Source | None:
  """Returns what `open_source` returned before, if it would again.

  Args:
    arguments: its arguments.
    cache_dir: the per-user cache.
  """
  if _has_own_builder(arguments['name']):
    return None
  try:
    record = json.loads(
      _entry(arguments, cache_dir).read_text(encoding='utf-8-sig')
    )
    path = pathlib.Path(record['path'])
    if record.pop('files') != _files(path):
      return None
    if record.pop('versions') != _versions(arguments, path):
      return None
    splits = {
      split: slices.Slice(
        text=a_slice['text'],
        pieces=tuple(slices.Piece(**piece) for piece in a_slice['pieces']),
      )
      for split, a_slice in record.pop('_slices').items()
    }
    return Source(
      **{
        **record,
        'path': path,
        'keys': tuple(record['keys']),
        'label_names': tuple(record['label_names']),
        '_slices': splits,
      }
    )
  except (OSError, ValueError, KeyError, TypeError, RecursionError):
    # Whatever is wrong with a record, the data set itself can be asked.
    return None


def remember(
  arguments: dict[str, Any], source: Source, cache_dir: pathlib.Path
) -> None:
  """Keeps what `open_source` returned; a cache that is read-only stays as is.

  Args:
    arguments: its arguments.
    source: what it returned.
    cache_dir: the per-user cache.
  """
  record = dataclasses.asdict(source)
  record['path'] = str(source.path)
  record['files'] = _files(source.path)
  record['versions'] = _versions(arguments, source.path)
  entry = _entry(arguments, cache_dir)
  with contextlib.suppress(OSError):
    entry.parent.mkdir(parents=True, exist_ok=True)
    # Or of one that writes the same just now, and can do without.
    Directory(entry.parent).remove_unfinished(entry.name.__eq__)
    files.write_atomic(entry, json_text.to_json(record))


def _entry(arguments: dict[str, Any], cache_dir: pathlib.Path) -> pathlib.Path:
  identity = {
    **arguments,
    'data_dir': str(storage.resolve_data_dir(arguments['data_dir'])),
    # A newer version of either may find a newer version of the data set.
    'tfds': importlib.metadata.version('tensorflow-datasets'),
    'experiments': experiments.__version__,
  }
  digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
  return cache_dir / 'sources' / f'{digest.hexdigest()[:32]}.json'


def _has_own_builder(name: str) -> bool:
  """Tells whether the config has imported a builder, which may be newer."""
  if data_paths.is_data_path(name):
    return False
  tfds = sys.modules.get('tensorflow_datasets')
  if tfds is None:
    return False
  try:
    module = tfds.builder_cls(re.split('[/:]', name)[0]).__module__
  # A ValueError: it cannot be a name, as is said where it is looked for.
  except (tfds.core.DatasetNotFoundError, ValueError):
    return False
  return module.split('.')[0] not in ('experiments', 'tensorflow_datasets')


def _versions(arguments: dict[str, Any], path: pathlib.Path) -> list[str]:
  """Returns the configs and versions among which a name without one chooses."""
  if data_paths.is_data_path(arguments['name']):
    return []
  top = storage.resolve_data_dir(arguments['data_dir'])
  top /= re.split('[/:]', arguments['name'])[0]
  levels = [path, *path.parents]
  return sorted(
    str(each.relative_to(top))
    for level in levels[1 : levels.index(top) + 1]
    for each in level.iterdir()
    if each.is_dir() and not each.name.startswith('incomplete.')
  )


def _files(path: pathlib.Path) -> list[list[Any]]:
  """Returns the name, size in bytes and time of change in ns of each file."""
  statistics = ((file, file.stat()) for file in sorted(path.iterdir()))
  return [
    [file.name, status.st_size, status.st_mtime_ns]
    for file, status in statistics
  ]
