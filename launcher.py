"""Trains and evaluates text classifiers from gin files.

  python launcher.py --gin_file=gin/bbc_news.gin

See README.md.
"""

import gc
import importlib

from absl import flags

from experiments.commands import command_line, launcher_flags
from experiments.foundation import signals

FLAGS = flags.FLAGS
# The module of `experiments.commands` that does what a mode says.
_COMMANDS = {
  'train': 'train',
  'eval': 'evaluate',
  'predict': 'predict',
  'prepare': 'prepare',
  'compare': 'compare_runs',
  'audit': 'audit',
  'find_lr': 'find_lr',
}


def main() -> None:
  """Does what the flags say."""
  if FLAGS.version:
    command_line.print_versions()
    return
  launcher_flags.check_flags()
  # Imports and tracing make many objects that stay: 0.15 s less to look for
  # garbage among them.
  gc.set_threshold(20_000)
  name = _COMMANDS[FLAGS.mode]
  if FLAGS.mode == 'train' and (FLAGS.sweep or FLAGS.folds):
    name = 'sweep'
  elif FLAGS.mode == 'train' and FLAGS.dry_run:
    name = 'dry_run'
  with signals.held():
    command = importlib.import_module(f'experiments.commands.{name}')
  command.run(FLAGS)


def run() -> None:
  """Runs the command line to its exit status."""
  command_line.exit_with(command_line.run(main, __doc__))


if __name__ == '__main__':
  run()
