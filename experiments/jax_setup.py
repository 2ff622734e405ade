"""Starts JAX and trax the way that every mode needs them."""

import logging
import pathlib
import warnings

from experiments.errors import UserError


def start_jax(*, cache_dir: pathlib.Path):
  """Imports trax and turns on JAX's persistent compilation cache.

  Args:
    cache_dir: the per-user cache; compiled programs go to `xla/` in it. One
      that cannot be written is reported in the log and done without.

  Returns:
    The module `trax`.

  Raises:
    UserError: JAX sees several devices, which trax 1.4.1 cannot use together.
  """
  from experiments import trax_repairs

  trax = trax_repairs.import_trax()
  import jax

  # GzipFile for writing warns in trax's own np_to_file, which is not our code.
  warnings.filterwarnings(
    'ignore', message='GzipFile was opened for writing', module='gzip|trax'
  )
  directory = cache_dir / 'xla'
  try:
    directory.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    logging.warning('Compiled programs are not kept: %s', error)
  else:
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
