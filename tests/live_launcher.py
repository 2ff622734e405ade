"""The launcher as a process, on BBC News in miniature."""

import os
import pathlib
import subprocess
import sys

import filelock

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Nothing listens on port 9 of this machine: who needs a network fails at once.
NO_NETWORK = dict.fromkeys(
  ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'),
  'http://127.0.0.1:9',
)
# What tests count on stands here, whatever the experiment binds.
TINY = f"""include '{ROOT}/gin/bbc_news.gin'
VOCAB_FILE = None
VOCAB_SIZE = 1000
MAX_LENGTH = 1200
BUCKET_BOUNDARIES = [600, 1200]
BUCKET_BATCH_SIZES = [16, 8, 1]
MODEL = @mean_embedding
EMBEDDING_SIZE = 8
OPTIMIZER = @Adam
LEARNING_RATE = 0.01
LR_SCHEDULE = @constant
N_STEPS = 30
N_STEPS_PER_CHECKPOINT = 10
N_EVAL_BATCHES = 2
"""


class Launcher:
  """Starts launcher.py in a directory of its own, with caches of its own.

  Attributes:
    cwd: its working directory, in which tiny.gin is.
    env: its environment.
  """

  def __init__(self, cwd):
    """Makes the directory, if need be.

    Args:
      cwd: the directory; several processes may share one.
    """
    self.cwd = pathlib.Path(cwd)
    self.cwd.mkdir(parents=True, exist_ok=True)
    self.env = {
      **os.environ,
      **NO_NETWORK,
      'TRAX_EXPERIMENTS_CACHE': str(self.cwd / 'cache'),
      'TFDS_DATA_DIR': str(self.cwd / 'data'),
    }
    (self.cwd / 'tiny.gin').write_text(TINY)

  def command(self, *args):
    """Returns the command line."""
    return [sys.executable, str(ROOT / 'launcher.py'), *map(str, args)]

  def __call__(self, *args, env=(), text=True, **options):
    """Runs it to its end.

    Args:
      *args: its arguments.
      env: what is to differ in its environment.
      text: whether streams are text.
      **options: those of `subprocess.run`.

    Returns:
      subprocess.CompletedProcess with what it wrote.
    """
    return subprocess.run(
      self.command(*args),
      cwd=options.pop('cwd', self.cwd),
      env={**self.env, **dict(env)},
      stdout=options.pop('stdout', subprocess.PIPE),
      stderr=options.pop('stderr', subprocess.PIPE),
      text=text,
      check=False,
      **options,
    )

  def trained(self, binding=None):
    """Trains runs/tiny/default, unless another process did.

    Args:
      binding: trains runs/tiny/BINDING instead.

    Returns:
      Its path, what it wrote to stdout and what to stderr.
    """
    name = binding or 'default'
    path = self.cwd / 'runs' / 'tiny' / name
    streams = [self.cwd / f'{name}.stdout', self.cwd / f'{name}.stderr']
    with filelock.FileLock(self.cwd / 'trained.lock'):
      if not path.exists():
        flags = [f'--gin_bindings={binding}'] if binding else []
        done = self('--gin_file=tiny.gin', *flags)
        assert done.returncode == 0, done.stderr
        for stream, content in zip(
          streams, (done.stdout, done.stderr), strict=True
        ):
          stream.write_text(content)
    return path, *(stream.read_text() for stream in streams)
