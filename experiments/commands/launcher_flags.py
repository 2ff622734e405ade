"""The flags of launcher.py, and which go with which mode."""

import sys

from absl import flags

from experiments.foundation import choices, paths, processes
from experiments.foundation.errors import UserError

FLAGS = flags.FLAGS
MODES = (
  'train',
  'eval',
  'predict',
  'prepare',
  'compare',
  'audit',
  'find_lr',
)

flags.DEFINE_multi_string(
  'gin_file', [], 'The experiment; later files win. --gin_file=gin/agnews.gin'
)
flags.DEFINE_multi_string(
  'gin_bindings',
  [],
  "A binding that overrides the files'; eval, predict: other data. "
  "--gin_bindings='LEARNING_RATE=0.003'",
)
flags.DEFINE_multi_string(
  'gin_search_paths',
  [],
  'Where else to look for gin files. --gin_search_paths=$HOME/gin',
)
flags.DEFINE_string(
  'output_dir',
  None,
  'The run directory; without it, runs/<gin file>/<overrides or default>. Of a '
  'sweep or a comparison, the directory that holds those of its runs. Of an '
  'audit, a run whose model is asked about the labels. '
  '--output_dir=runs/agnews/default',
)
flags.DEFINE_enum(
  'mode',
  'train',
  MODES,
  'What to do; train also evaluates and predicts. --mode=eval',
)
flags.DEFINE_string(
  'input', None, 'predict: texts, or - for stdin. --input=articles.txt'
)
flags.DEFINE_string(
  'split',
  None,
  "eval, predict: which rows of the run's data, or of those that "
  '--gin_bindings=DATASET names; compare: of the splits that runs are measured '
  "on, the one to compare on. --split='train[80%:]'",
)
flags.DEFINE_string(
  'source',
  None,
  'prepare: your own data, to write a gin file for; with --gin_file, CSV of AG '
  'News. --source=reviews.csv',
)
flags.DEFINE_bool(
  'dry_run',
  False,
  'train: show the resolved config, or the trials, and stop. --dry_run',
)
flags.DEFINE_bool(
  'trust_init_from',
  False,
  'train, find_lr: read a model.pkl.gz that experiment.init_from names, though '
  'reading it can run code that it holds. --trust_init_from',
)
flags.DEFINE_multi_string(
  'allow_import',
  [],
  'eval, predict: a module, or a package with all that is in it, that the '
  'config of the run directory may import. --allow_import=my_models',
)
flags.DEFINE_multi_string(
  'sweep',
  [],
  'train: values to try, or a YAML file; several are one product. '
  "--sweep='LEARNING_RATE=[0.003, 0.01]'",
)
flags.DEFINE_integer(
  'folds',
  None,
  'train: cross-validation, alone or with --sweep: hold out each of so many '
  'folds of the train split in turn. --folds=5',
  lower_bound=2,
)
flags.DEFINE_integer(
  'jobs',
  None,
  'sweep: trials at once; without it 1, on a cluster all that fit. --jobs=2',
  lower_bound=1,
)
flags.DEFINE_integer(
  'retries',
  1,
  'sweep: how often to try a trial again that failed. --retries=3',
  lower_bound=0,
)
flags.DEFINE_integer(
  'seconds',
  None,
  'sweep: start no trial after these; the same command goes on. --seconds=600',
  lower_bound=1,
)
flags.DEFINE_enum(
  'search',
  'grid',
  choices.SEARCHES,
  'sweep: try all values, or what a sampler draws. --search=tpe',
)
flags.DEFINE_integer(
  'trials', None, 'search: trials in total. --trials=20', lower_bound=1
)
flags.DEFINE_enum(
  'executor',
  'local',
  choices.EXECUTORS,
  'sweep: where trials run. --executor=ray',
)
flags.DEFINE_string(
  'ray_address',
  'auto',
  'executor=ray: the cluster. --ray_address=10.0.0.1:6379',
)
flags.DEFINE_enum(
  'format',
  'text',
  choices.FORMATS,
  'compare: how to show the table; audit: text or json. --format=csv',
)
flags.DEFINE_string(
  'objective',
  None,
  "compare: the metric to sort by; without it, the sweep's, or the accuracy. "
  '--objective=macro_f1',
)
flags.DEFINE_string(
  'baseline',
  None,
  'compare: the run that the others are compared with, or a directory of its '
  'seeds; without it, the best. --baseline=runs/agnews/default',
)
flags.DEFINE_string(
  'plots',
  None,
  'compare, find_lr: a directory for pictures of the same. '
  '--plots=runs/agnews/plots',
)
flags.DEFINE_integer(
  'top',
  20,
  'compare: how many configs the table shows, the best first; 0 for all. '
  '--top=50',
  lower_bound=0,
)
flags.DEFINE_string(
  'html', None, 'compare, audit: a page for a browser, too. --html=page.html'
)
flags.DEFINE_bool(
  'strict',
  False,
  'audit: exit with status 3 where a text stands in two splits. --strict',
)
flags.DEFINE_bool('version', False, 'Show versions, and stop. --version')

_NEEDED: dict[str, tuple[str, ...]] = {
  'train': ('gin_file',),
  'eval': ('output_dir',),
  'predict': ('output_dir',),
  'prepare': ('source',),
  'compare': ('output_dir',),
  'audit': ('gin_file',),
  'find_lr': ('gin_file',),
}
# All that they do is lost without a stdout.
_PRINTING_MODES = ('predict', 'compare', 'audit', 'find_lr')
# String flags that are not paths; a sweep may be one, and says so itself.
_NO_PATHS = (
  'allow_import',
  'gin_bindings',
  'objective',
  'ray_address',
  'split',
  'sweep',
)
_OF_SWEEPS = (
  'jobs',
  'retries',
  'seconds',
  'search',
  'trials',
  'executor',
  'ray_address',
)
_MODES_OF = {
  'gin_file': ('train', 'prepare', 'audit', 'find_lr'),
  'gin_bindings': ('train', 'eval', 'predict', 'prepare', 'audit', 'find_lr'),
  'gin_search_paths': ('train', 'prepare', 'audit', 'find_lr'),
  'output_dir': ('train', 'eval', 'predict', 'compare', 'audit'),
  'input': ('predict',),
  'split': ('eval', 'predict', 'compare'),
  'source': ('prepare',),
  'dry_run': ('train',),
  'trust_init_from': ('train', 'find_lr'),
  'allow_import': ('eval', 'predict'),
  'sweep': ('train',),
  'folds': ('train',),
  **dict.fromkeys(_OF_SWEEPS, ('train',)),
  'format': ('compare', 'audit'),
  'objective': ('compare',),
  'baseline': ('compare',),
  'plots': ('compare', 'find_lr'),
  'top': ('compare',),
  'html': ('compare', 'audit'),
  'strict': ('audit',),
}


def check_flags() -> None:
  """Checks that the flags go together, and expands `~` in those that are paths.

  Raises:
    UserError: one is missing, has no effect, or cannot be a path; or there is
      no current directory.
  """
  processes.check_current_directory()
  mode = FLAGS.mode
  needed = _NEEDED[mode]
  asks_of_data = FLAGS.split is not None or bool(FLAGS.gin_bindings)
  if mode == 'predict' and not asks_of_data:
    needed += ('input',)
  for flag in needed:
    if not FLAGS[flag].value:
      # absl adds a line to the help of a flag that may be repeated.
      example = FLAGS[flag].help.partition(';\n')[0].rpartition(' --')[2]
      raise UserError(f'--mode={mode} needs --{flag}, e.g. --{example}')
  for flag in _texts():
    value = FLAGS[flag].value
    values = value if isinstance(value, list) else [value]
    # A script may have no binding to give.
    if '' in values and flag != 'gin_bindings':
      raise UserError(f'--{flag} is empty. Give it a value, or leave it out.')
  for flag, modes in _MODES_OF.items():
    if FLAGS[flag].value != FLAGS[flag].default and mode not in modes:
      raise UserError(
        f'--{flag} does not go with --mode={mode}, only with '
        f'--mode={" or ".join(modes)}.'
      )
  if getattr(sys.stdout, 'is_closed', False) and (
    mode in _PRINTING_MODES or FLAGS.dry_run
  ):
    what = '--dry_run' if FLAGS.dry_run else f'--mode={mode}'
    raise UserError(
      f'stdout is closed, and {what} only prints. Give it a file or a pipe.'
    )
  if FLAGS.input is not None and asks_of_data:
    raise UserError(
      '--input does not go with --split and --gin_bindings, which name a data '
      'set. Give one of them.'
    )
  if FLAGS['top'].present and FLAGS.top and FLAGS.format in ('csv', 'json'):
    raise UserError(
      '--top is for --format=text and --format=markdown: the others hold all.'
    )
  if FLAGS.trust_init_from and (FLAGS.sweep or FLAGS.folds):
    other = 'sweep' if FLAGS.sweep else 'folds'
    raise UserError(
      f'--trust_init_from does not go with --{other}. Let the trials start '
      'from a run directory, which needs no trust.'
    )
  for flag in _OF_SWEEPS:
    if FLAGS[flag].present and not (FLAGS.sweep or FLAGS.folds):
      raise UserError(f'--{flag} is for a sweep: give --sweep, too.')
  if FLAGS['ray_address'].present and FLAGS.executor != 'ray':
    raise UserError('--ray_address is for --executor=ray: give that, too.')
  for flag in paths_among_flags():
    value = FLAGS[flag].value
    if isinstance(value, str):
      FLAGS[flag].value = _expand(flag, value)
    elif value:
      FLAGS[flag].value = [_expand(flag, each) for each in value]


def paths_among_flags() -> list[str]:
  """Returns the flags whose values are paths: all texts but those named."""
  return [flag for flag in _texts() if flag not in _NO_PATHS]


def _texts() -> list[str]:
  return [
    flag.name
    for flag in FLAGS.flags_by_module_dict()[__name__]
    if flag.flag_type() in ('string', 'multi string')
  ]


def _expand(flag: str, path: str) -> str:
  try:
    return paths.expand(path)
  except paths.BadPathError as error:
    raise UserError(f'--{flag}={path} must be {error}.') from None
