"""Remembers prepared data sets, so that a run need not import TensorFlow.

Finding a data set takes TFDS, and so TensorFlow: 3 s of a start. What was found
is kept, and holds as long as no file of the data set has changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
from typing import Any

import experiments
from experiments.datasets import slices, storage
from experiments.datasets.source import Source
from experiments.foundation import files, json_text


def recall(arguments: dict[str, Any], cache_dir: pathlib.Path) -> Source | None:
  """Returns what `open_source` returned before, if it would again.

  Args:
    arguments: its arguments.
    cache_dir: the per-user cache.
  """
  try:
    record = json.loads(
      _entry(arguments, cache_dir).read_text(encoding='utf-8-sig')
    )
    path = pathlib.Path(record['path'])
    if record.pop('files') != _files(path):
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
  except (OSError, ValueError, KeyError, TypeError):
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
  entry = _entry(arguments, cache_dir)
  with contextlib.suppress(OSError):
    entry.parent.mkdir(parents=True, exist_ok=True)
    # Or of one that writes the same just now, and can do without.
    files.remove_unfinished(entry.parent, entry.name)
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


def _files(path: pathlib.Path) -> list[list[Any]]:
  """Returns the name, size in bytes and time of change in ns of each file."""
  statistics = ((file, file.stat()) for file in sorted(path.iterdir()))
  return [
    [file.name, status.st_size, status.st_mtime_ns]
    for file, status in statistics
  ]
