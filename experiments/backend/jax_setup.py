"""Starts JAX and trax the way that every mode needs them."""

import contextlib
import logging
import pathlib
import resource
import time
import warnings

from experiments.backend import threads
from experiments.foundation import files
from experiments.foundation.errors import UserError

_MAX_SECONDS_OF_A_WRITE = 60
# A run has about 20 files open at once; XLA fails in ways of its own without.
_MIN_OPEN_FILES = 64


def start_jax(*, cache_dir: pathlib.Path, n_threads: int | None = None):
  """Imports trax and turns on JAX's persistent compilation cache.

  Args:
    cache_dir: the per-user cache; compiled programs go to `xla/` in it. One
      that cannot be written is reported in the log and done without.
    n_threads: what the run that goes on or is asked has recorded; see
      `threads.fix`.

  Returns:
    The module `trax`.

  Raises:
    UserError: JAX sees several devices, which trax 1.4.1 cannot use together,
      the process may not open enough files, or it has another number of
      threads than the run.
  """
  allow_open_files()
  threads.fix(n_threads)
  from experiments.backend import trax_repairs

  trax = trax_repairs.import_trax()
  import jax

  # GzipFile for writing warns in trax's own np_to_file, which is not our code.
  warnings.filterwarnings(
    'ignore', message='GzipFile was opened for writing', module='gzip|trax'
  )
  # Programs are compiled for a number of threads, which is not part of JAX's
  # keys.
  directory = cache_dir / 'xla' / f'{threads.in_use()}_threads'
  try:
    directory.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    logging.warning('Compiled programs are not kept: %s', error)
  else:
    _write_programs_whole(directory)
    jax.config.update('jax_compilation_cache_dir', str(directory))
    # Every program counts: a start compiles dozens of small ones.
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
  n_devices = jax.local_device_count()
  if n_devices > 1:
    raise UserError(
      f'JAX sees {n_devices} devices, and a run trains on one. Show it one, '
      'e.g. with CUDA_VISIBLE_DEVICES=0.'
    )
  return trax


def allow_open_files(n_files: int = _MIN_OPEN_FILES) -> None:
  """Lets this process, and those it starts, open enough files.

  Args:
    n_files: how many there will be.

  Raises:
    UserError: the system allows fewer.
  """
  n_files = max(n_files, _MIN_OPEN_FILES)
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  if soft >= n_files or soft == resource.RLIM_INFINITY:
    return
  if hard != resource.RLIM_INFINITY and hard < n_files:
    raise UserError(
      f'This process may open {hard} files, and a run needs {n_files}. Allow '
      'more, e.g. with ulimit -n 4096.'
    )
  resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, hard))


def _write_programs_whole(directory: pathlib.Path) -> None:
  """Makes JAX put a compiled program on disk as a whole, or not at all.

  JAX writes it in place, and never over a file that is there: one that a killed
  process left half written would cost every later start a compilation and a
  warning.

  Args:
    directory: of the cache; what was left there a minute ago is removed.
  """
  from jax._src import lru_cache

  for aside in directory.glob('.*.tmp'):
    with contextlib.suppress(OSError):
      if time.time() - aside.stat().st_mtime > _MAX_SECONDS_OF_A_WRITE:
        aside.unlink()

  def put(self, key: str, value: bytes) -> None:
    path = pathlib.Path(self.path) / f'{key}{lru_cache._CACHE_SUFFIX}'
    files.write_atomic(path, value)

  if lru_cache.LRUCache.put.__module__ == lru_cache.__name__:
    lru_cache.LRUCache.put = put  # type: ignore[method-assign]
