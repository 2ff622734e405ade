"""Directories that are computed once and shared by every process of a user.

An entry is a directory whose manifest names its files, with their sizes and
checksums. It is built aside and renamed, so it is there as a whole or not at
all; a damaged one is built again; of several processes that need the same
entry, one builds it and the others wait.
"""

import concurrent.futures
import contextlib
import errno
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import typing
import zlib
from collections.abc import Callable

from experiments.foundation import files, paths
from experiments.foundation.errors import UserError

_MANIFEST = 'manifest.json'
_BLOCK_BYTES = 2**24
# More threads than memory has room for wait for it.
_MAX_THREADS = 8
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def cache_dir() -> pathlib.Path:
  """Returns the directory of all caches; it need not exist.

  $TRAX_EXPERIMENTS_CACHE, else $XDG_CACHE_HOME/trax-experiments, else
  ~/.cache/trax-experiments.

  Raises:
    UserError: it can be no path.
  """
  own = os.environ.get('TRAX_EXPERIMENTS_CACHE')
  if own:
    return paths.absolute_or_refuse(own, 'TRAX_EXPERIMENTS_CACHE')
  shared = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  directory = paths.absolute_or_refuse(shared, 'XDG_CACHE_HOME')
  return directory / 'trax-experiments'


class FullDiskError(Exception):
  """Raised by a build to say how many bytes it would have needed."""

  def __init__(self, needed_bytes: int):
    super().__init__(needed_bytes)
    self.needed_bytes = needed_bytes


def is_full_disk(error: OSError) -> bool:
  """Tells whether writing failed for want of space."""
  return error.errno in _FULL


def entry_name(readable: str, identity: tuple) -> str:
  """Returns the name of an entry, which is found by what it depends on.

  Args:
    readable: begins the name, for who looks at the directory.
    identity: all that it depends on, of values whose `repr` tells them apart.
  """
  key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
  stem = re.sub(r'[^\w.-]+', '_', readable)
  return f'{stem}-{key}'


def open_entry(path: pathlib.Path) -> dict[str, typing.Any] | None:
  """Returns what the build of a whole entry recorded, or None.

  Args:
    path: directory of the entry.

  Returns:
    The mapping that the build returned; None if the entry is not there or is
    damaged, which is logged.
  """
  if not path.is_dir():
    return None
  damage = _find_damage(path)
  if damage:
    logging.warning('%s is damaged (%s).', path, damage)
    return None
  manifest = json.loads((path / _MANIFEST).read_bytes())
  return manifest['record']


def open_or_build(
  path: pathlib.Path,
  *,
  build: Callable[[pathlib.Path], dict[str, typing.Any]],
  what: str,
) -> dict[str, typing.Any]:
  """Returns the record of an entry, after building it if need be.

  Args:
    path: directory of the entry.
    build: writes the files into the empty directory that it is given, and
      returns what is to be recorded, as JSON can express it.
    what: what the entry is, for messages.

  Returns:
    The mapping that the build returned.

  Raises:
    UserError: the disk is full or the cache cannot be written. Nothing
      half-written is left.
  """
  record = open_entry(path)
  if record is not None:
    return record
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path, what):
      record = open_entry(path)  # Another process may have built it meanwhile.
      if record is None:
        record = _build(path, build, what)
  except FullDiskError as error:
    raise UserError(_full_disk(path, what, error.needed_bytes)) from error
  except OSError as error:
    if is_full_disk(error):
      raise UserError(_full_disk(path, what, None)) from error
    if error.errno in _DENIED or isinstance(error, NotADirectoryError):
      raise UserError(
        f'cannot write {what} to {path.parent}: {error.strerror}.\n'
        'Set TRAX_EXPERIMENTS_CACHE to a directory that can be written.'
      ) from error
    raise
  return record


def _full_disk(path: pathlib.Path, what: str, needed: int | None) -> str:
  place = path.parent
  while not place.exists():
    place = place.parent
  free = shutil.disk_usage(place).free / 2**20
  about = f'about {needed / 2**20:.0f} MiB are needed, ' if needed else ''
  return (
    f'no space left for {what} in {path.parent}: {about}{free:.0f} MiB are '
    'free.\nMake space, or set TRAX_EXPERIMENTS_CACHE to another disk.'
  )


@contextlib.contextmanager
def _lock(path: pathlib.Path, what: str):
  """Holds the entry for this process; waits for one that holds it."""
  import filelock

  lock = filelock.FileLock(path.with_name(path.name + '.lock'))
  try:
    lock.acquire(timeout=0)
  except filelock.Timeout:
    logging.info('Waiting for another process that makes %s.', what)
    lock.acquire()
  try:
    yield
  finally:
    lock.release()


def _build(
  path: pathlib.Path,
  build: Callable[[pathlib.Path], dict[str, typing.Any]],
  what: str,
) -> dict[str, typing.Any]:
  """Builds an entry aside and puts it in place; the caller holds its lock."""
  prefix = f'.{path.name}.'
  for stale in path.parent.glob(prefix + '*.tmp'):
    shutil.rmtree(stale, ignore_errors=True)  # Of a process that was killed.
  if path.exists():
    logging.warning('Making %s again, since %s is damaged.', what, path)
    shutil.rmtree(path)
  aside = path.parent / f'{prefix}{os.getpid()}.tmp'
  aside.mkdir()
  try:
    record = build(aside)
    described = {p.name: _describe(p) for p in sorted(aside.iterdir())}
    manifest = _seal({'record': record, 'files': described})
    text = json.dumps(manifest, indent=2, sort_keys=True)
    files.write_atomic(aside / _MANIFEST, text + '\n')
    os.rename(aside, path)
  except BaseException:
    shutil.rmtree(aside, ignore_errors=True)
    raise
  files.sync(path.parent)
  return record


def _describe(path: pathlib.Path) -> dict[str, typing.Any]:
  """Flushes a file to disk; returns its size and its blocks' checksums."""
  with path.open('rb') as file:
    os.fsync(file.fileno())
    size = os.fstat(file.fileno()).st_size
  return {'bytes': size, 'crc32_of_16_mib_blocks': _checksums(path, size)}


def _checksums(path: pathlib.Path, size: int) -> list[int]:
  """Returns the CRC-32 of every block, by as many threads as there are cores.

  1 GiB that is in memory takes 0.5 s of one core; training reads it all anyway.
  """
  # zlib lets other threads run while it computes.
  with path.open('rb') as file:

    def checksum(start: int) -> int:
      return zlib.crc32(os.pread(file.fileno(), _BLOCK_BYTES, start))

    starts = range(0, size, _BLOCK_BYTES)
    if len(starts) < 2:
      return [checksum(start) for start in starts]
    n_threads = min(os.cpu_count() or 1, _MAX_THREADS, len(starts))
    with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
      return list(pool.map(checksum, starts))


def _seal(manifest: dict[str, typing.Any]) -> dict[str, typing.Any]:
  """Returns a manifest with a checksum of what it says itself."""
  content = {key: manifest[key] for key in ('files', 'record')}
  text = json.dumps(content, sort_keys=True)
  return {**content, 'crc32': zlib.crc32(text.encode())}


def _find_damage(path: pathlib.Path) -> str | None:
  """Returns what is wrong with an entry, or None."""
  try:
    manifest = json.loads((path / _MANIFEST).read_bytes())
    if 'crc32' not in manifest:
      return 'its manifest has no checksum, as those of earlier versions'
    if _seal(manifest) != manifest:
      return 'the checksum of its manifest is wrong'
    for name, expected in manifest['files'].items():
      size = (path / name).stat().st_size
      if size != expected['bytes']:
        return f'{name} has {size} bytes, not {expected["bytes"]}'
      if _checksums(path / name, size) != expected['crc32_of_16_mib_blocks']:
        return f'the checksum of {name} is wrong'
  except (
    *(OSError, ValueError, KeyError, TypeError, AttributeError),
    RecursionError,
  ) as error:
    return f'{type(error).__name__}: {error}'
  return None
