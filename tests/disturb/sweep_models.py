"""Models that go wrong, for sweeps to survive."""

import os
import pathlib
import signal

import gin
from experiments import models


@gin.configurable
def fragile(*, vocab_size, n_classes, mode, trouble='none', marks=''):
  """A mean of embeddings that first does what `trouble` says.

  Args:
    vocab_size: see `models.mean_embedding`.
    n_classes: likewise.
    mode: likewise.
    trouble: 'none'; 'error' raises; 'kill' ends the process as the kernel does;
      'once' does so at the first attempt only.
    marks: a directory that remembers attempts.
  """
  mark = pathlib.Path(marks) / f'{trouble}-{os.getpid()}'
  is_first = not any(pathlib.Path(marks).glob(f'{trouble}-*'))
  mark.touch()
  if trouble == 'error':
    raise RuntimeError('This model is broken.')
  if trouble == 'kill' or (trouble == 'once' and is_first):
    os.kill(os.getpid(), signal.SIGKILL)
  return models.mean_embedding(
    vocab_size=vocab_size, n_classes=n_classes, mode=mode, d_feature=4
  )
