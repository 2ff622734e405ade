"""Imports TensorFlow without the lines that it writes at every start."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from experiments.foundation import signals

# Its C++ writes these past TF_CPP_MIN_LOG_LEVEL. A line that is not one of them
# is never dropped.
_KNOWN_NOISE = re.compile(
  rb'WARNING: All log messages before absl::InitializeLog\(\)'
  rb'|oneDNN custom operations are on'
  rb'|Could not find cuda drivers'
  rb'|computation_placer already registered'
  rb'|This TensorFlow binary is optimized to use available CPU'
  rb'|To enable the following instructions: '
  rb'|Gym has been unmaintained since'
  rb'|Please upgrade to Gymnasium'
  rb'|Users of this version of Gym should be able to simply replace'
  rb'|See the migration guide at https://gymnasium'
)


def import_tensorflow() -> None:
  """Imports TensorFlow; what it has to say beyond the known lines is shown.

  With absl's verbosity above 0 all is shown.
  """
  from absl import logging as absl_logging

  if 'tensorflow' in sys.modules:
    return
  verbose = absl_logging.get_verbosity() > 0
  with contextlib.ExitStack() as stack:
    if not verbose:
      stack.enter_context(without_known_noise())
    # Messages that are held back must not be lost.
    with signals.held(before_exit=stack.close), _without_pandas():
      import tensorflow  # noqa: F401


@contextlib.contextmanager
def _without_pandas() -> Iterator[None]:
  """Spares Keras, which TensorFlow imports, the import of pandas: 0.4 s.

  It does without where there is none. One that is imported before stays.
  """
  if 'pandas' in sys.modules:
    yield
    return
  # As Python documents it, importing a name that is None here fails.
  sys.modules['pandas'] = None  # type: ignore[assignment]
  try:
    yield
  finally:
    del sys.modules['pandas']


@contextlib.contextmanager
def without_known_noise() -> Iterator[None]:
  """Holds back file descriptor 2, and at the end writes all but the noise."""
  sys.stderr.flush()
  descriptor = os.dup(2)
  with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
      yield
    finally:
      sys.stderr.flush()
      os.dup2(descriptor, 2)
      os.close(descriptor)
      held.seek(0)
      for line in held:
        if not _KNOWN_NOISE.search(line):
          os.write(2, line)
