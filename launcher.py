"""Trains and evaluates text classifiers from gin files.

  python launcher.py --gin_file=gin/bbc_news.gin

See README.md.
"""

import pathlib
import sys

from absl import flags

import experiments
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


_NEEDED = {'eval': ['output_dir'], 'predict': ['output_dir', 'input']}
_NEEDED['prepare'] = ['source', 'gin_file']
_NEEDED['train'] = ['gin_file']


def main() -> None:
  """Does what the flags say."""
  mode = FLAGS.mode
  for flag in _NEEDED[mode]:
    if not FLAGS[flag].value:
      raise UserError(f'--mode={mode} needs --{flag}: {FLAGS[flag].help}')
  for flag, modes_ in {
    'input': ('predict',),
    'source': ('prepare',),
    'dry_run': ('train',),
    'gin_file': ('train', 'prepare'),
    'gin_bindings': ('train', 'prepare'),
  }.items():
    if FLAGS[flag].value and mode not in modes_:
      raise UserError(
        f'--{flag} does not go with --mode={mode}, only with '
        f'--mode={" or ".join(modes_)}.'
      )
  if mode == 'eval':
    from experiments import modes

    modes.evaluate(pathlib.Path(FLAGS.output_dir))
  elif mode == 'predict':
    from experiments import prediction

    prediction.predict(pathlib.Path(FLAGS.output_dir), FLAGS.input)
  else:
    _with_config(mode)


def _with_config(mode: str) -> None:
  installed = str(pathlib.Path(experiments.__file__).parent)
  checked = config.check(
    config.parse(
      FLAGS.gin_file, FLAGS.gin_bindings, [*FLAGS.gin_search_paths, installed]
    )
  )
  output_dir = pathlib.Path(
    FLAGS.output_dir
    or run_dir.default_output_dir(FLAGS.gin_file, dict(checked.overrides))
  )
  from experiments import dry_run, modes

  if FLAGS.dry_run:
    dry_run.show(checked, output_dir)
  elif mode == 'prepare':
    modes.prepare(checked, FLAGS.source)
  else:
    modes.train(checked, output_dir)


def run() -> None:
  """Runs the command line to its exit status."""
  parse_flags(sys.argv, __doc__)
  sys.exit(run_main(main))


if __name__ == '__main__':
  run()
