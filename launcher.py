"""Trains and evaluates text classifiers from gin files.

  python launcher.py --gin_file=gin/bbc_news.gin

See README.md.
"""

import logging
import pathlib
import sys

from absl import flags

from experiments import config, run_dir
from experiments.command_line import parse_flags, run_main
from experiments.errors import UserError

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
  'gin_file', [], 'The experiment; later files win. --gin_file=gin/agnews.gin'
)
flags.DEFINE_multi_string(
  'gin_bindings',
  [],
  "A binding that overrides the files'. --gin_bindings='LEARNING_RATE=0.003'",
)
flags.DEFINE_multi_string(
  'gin_search_paths',
  [],
  'Where else to look for gin files. --gin_search_paths=$HOME/gin',
)
flags.DEFINE_string(
  'output_dir',
  None,
  'The run directory; without it, runs/<gin file>/<overrides or default>. '
  '--output_dir=runs/agnews/default',
)
flags.DEFINE_enum(
  'mode',
  'train',
  ['train', 'eval', 'predict', 'prepare'],
  'What to do; train also evaluates and predicts. --mode=eval',
)
flags.DEFINE_string(
  'input', None, 'predict: texts, or - for stdin. --input=articles.txt'
)
flags.DEFINE_string(
  'source', None, 'prepare: CSV of AG News. --source=ag_news_csv.tar.gz'
)
flags.DEFINE_bool(
  'dry_run', False, 'train: show the resolved config and stop. --dry_run'
)


def main() -> None:
  """Does what the flags say."""
  needs = {'eval': 'output_dir', 'predict': 'output_dir', 'prepare': 'source'}
  for mode, flag in {**needs, 'predict ': 'input'}.items():
    if FLAGS.mode == mode.strip() and not FLAGS[flag].value:
      raise UserError(f'--mode={mode.strip()} needs --{flag}.')
  for flag, mode in {'input': 'predict', 'source': 'prepare'}.items():
    if FLAGS[flag].value and FLAGS.mode != mode:
      raise UserError(f'--{flag} goes with --mode={mode}.')
  if FLAGS.mode in ('eval', 'predict'):
    if FLAGS.gin_file or FLAGS.gin_bindings:
      raise UserError(f'--mode={FLAGS.mode} takes the config from --output_dir.')
    from experiments import modes, prediction

    if FLAGS.mode == 'eval':
      modes.evaluate(pathlib.Path(FLAGS.output_dir))
    else:
      prediction.predict(pathlib.Path(FLAGS.output_dir), FLAGS.input)
    return
  if not FLAGS.gin_file:
    raise UserError('Which experiment? E.g. --gin_file=gin/bbc_news.gin')
  parsed = config.parse(
    FLAGS.gin_file, FLAGS.gin_bindings, FLAGS.gin_search_paths
  )
  checked = config.check(parsed)
  output_dir = pathlib.Path(
    FLAGS.output_dir
    or run_dir.default_output_dir(FLAGS.gin_file, dict(checked.overrides))
  )
  from experiments import dry_run, modes

  if FLAGS.dry_run:
    dry_run.show(checked, output_dir)
  elif FLAGS.mode == 'prepare':
    modes.prepare(checked, FLAGS.source)
  else:
    modes.train(checked, output_dir)


if __name__ == '__main__':
  parse_flags(sys.argv, __doc__)
  sys.exit(run_main(main))
