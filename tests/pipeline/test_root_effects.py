"""Every parameter that the framework reads changes what a run leaves behind.

Two runs that differ in one of them differ in weights, metrics, files or in the
message that ends them. tests/config/test_effects.py has the parameters of
optimizers, models and the like.
"""

import gzip
import hashlib
import json
import pathlib
import struct

import pytest

from experiments.config import configurables, experiment, gin_config, schema
from experiments.foundation.errors import UserError
from experiments.pipeline import runs
from experiments.training.context import RunContext
from tests.fixtures.live_launcher import ROOT

pytestmark = pytest.mark.slow

QUICK = (
  'EMBEDDING_SIZE = 4',
  'N_STEPS = 4',
  'N_STEPS_PER_CHECKPOINT = 2',
  'N_EVAL_BATCHES = 1',
)
BEST = "experiment.best_metric = 'metrics/CrossEntropyLoss'"
ENCODER = (
  f"ENCODER = '{ROOT}/tests/fixtures/encoders/bert'",
  'MAX_LENGTH = 20',
  'TRUNCATE = True',
)
# A second value of each, and what both runs bind besides.
SECOND: dict[str, tuple[str, tuple[str, ...]]] = {
  'TFDS.dataset_name': ("'bbc_new'", ()),
  'TFDS.keys': ("('text', 'labels')", ()),
  'TFDS.data_dir': ("'/dev/null/data'", ()),
  'Tokenize.vocab_file': ("'none.words'", ()),
  'Tokenize.vocab_dir': ("'/nowhere'", ("VOCAB_FILE = 'none.words'",)),
  'Tokenize.vocab_type': ("'word'", ()),
  'FilterByLength.max_length': ('400', ()),
  'FilterByLength.min_length': ('400', ()),
  'BucketByLength.boundaries': ('[300, 1200]', ()),
  'BucketByLength.batch_sizes': ('[8, 8, 1]', ()),
  'BucketByLength.strict_pad_on_len': (
    'False',
    (
      'BUCKET_BOUNDARIES = [1200]',
      'BUCKET_BATCH_SIZES = [2, 1]',
      'MODEL = @mean_embedding',
      'N_STEPS = 40',
    ),
  ),
  'experiment.text_separator': (
    "' '",
    ("KEYS = ('text', 'text', 'label')", "TEXT_SEPARATOR = ' | '"),
  ),
  # Of a file, which BBC News is not.
  'experiment.split_by': ("'author'", ()),
  'experiment.skip_bad_rows': ('True', ()),
  'experiment.splits': ("('train[:50%]', 'test')", ()),
  'experiment.n_folds': ('3', ('N_FOLDS = 2', 'FOLD = 0')),
  'experiment.fold': ('1', ('N_FOLDS = 2', 'FOLD = 0')),
  'experiment.vocab_size': ('900', ()),
  'experiment.model': ('@max_embedding', ()),
  'experiment.n_steps': ('3', ()),
  'experiment.seed': ('1', ()),
  'experiment.lower_case': ('True', ()),
  'experiment.truncate': ('True', ('MAX_LENGTH = 100',)),
  'experiment.keep_checkpoints': ('1', ()),
  'experiment.best_metric': ("'metrics/Accuracy'", (BEST,)),
  'experiment.best_direction': ("'minimize'", (BEST,)),
  'experiment.patience': (
    '1',
    (BEST, "experiment.best_direction = 'maximize'", 'N_STEPS = 8'),
  ),
  'experiment.ema_decay': ('0.5', ()),
  'experiment.calibration': (
    "'temperature'",
    ("SPLITS = ('train[:50%]', 'train[50%:]', 'test')",),
  ),
  'experiment.reject_below': ('0.5', ()),
  'experiment.clip_grad_norm': ('0.001', ('OPTIMIZER = @SGD',)),
  'experiment.init_from': ("'nowhere'", ()),
  'experiment.embedding_file': ("'nowhere.txt'", ()),
  'experiment.embedding_rate': ('0.5', ()),
  'experiment.n_frozen_steps': ('2', ()),
  'experiment.encoder': (
    "'nowhere'",
    ('MODEL = @pretrained_encoder', *ENCODER),
  ),
  'experiment.encoder_rate': ('0.5', ()),
  'experiment.layer_decay': ('0.5', ()),
  'experiment.n_frozen_layers': ('1', ()),
  'experiment.histograms': ('True', ()),
  'experiment.projector': ('False', ()),
  'TrainTask.optimizer': ('@SGD', ()),
  'TrainTask.loss_layer': ('@CrossEntropySum', ()),
  'TrainTask.lr_schedule': ('@warmup_and_linear_decay', ()),
  'TrainTask.n_steps_per_checkpoint': ('1', ()),
  'EvalTask.metrics': ('[@Accuracy]', ()),
  'EvalTask.n_eval_batches': ('2', ()),
}


def n_records(path: pathlib.Path) -> int:
  """Returns the number of records of an event file."""
  data, n, at = path.read_bytes(), 0, 0
  while at < len(data):
    at += 16 + struct.unpack_from('<Q', data, at)[0]
    n += 1
  return n


def outcome(flags, directory: pathlib.Path, gin_file: pathlib.Path):
  """Returns what a run comes to, without its times and its config."""
  try:
    made = experiment.resolve(
      gin_config.check(gin_config.parse([str(gin_file)], flags))
    )
    runs.train(made, directory, context=RunContext())
  except UserError as error:
    return str(error).replace(directory.name, '')
  weights = gzip.decompress((directory / 'model.weights.npy.gz').read_bytes())
  records = [
    json.loads(line)
    for line in (directory / 'metrics.jsonl').read_text().splitlines()
  ]
  events = sorted(directory.rglob('events.out.*'))
  files = {
    path.relative_to(directory).as_posix()
    for path in directory.rglob('*')
    if path not in events
  }
  return {
    'weights': hashlib.sha256(weights).hexdigest(),
    'metrics': [
      (each['step'], each['split'], each['metric'], each['value'])
      for each in records
      if 'per second' not in each['metric']
    ],
    'files': sorted(files),
    'events': sorted(n_records(path) for path in events),
  }


@pytest.fixture(scope='module')
def run(launcher, tmp_path_factory):
  """A function that runs BBC News in miniature with some bindings."""
  known: dict[tuple[str, ...], object] = {}
  with pytest.MonkeyPatch.context() as patch:
    for name in ('TRAX_EXPERIMENTS_CACHE', 'TFDS_DATA_DIR'):
      patch.setenv(name, launcher.env[name])
    launcher.trained()  # Makes the data set.

    def run(*flags):
      if flags not in known:
        directory = tmp_path_factory.mktemp('run') / 'run'
        known[flags] = outcome(flags, directory, launcher.cwd / 'tiny.gin')
      return known[flags]

    yield run


def test_every_parameter_has_a_second_value():
  configurables.register()
  assert set(SECOND) == {
    f'{configurables.short(selector)}.{parameter}'
    for selector, parameters in schema.ROOTS.items()
    for parameter in parameters
  }


@pytest.mark.parametrize('name', SECOND)
def test_a_second_value_changes_what_a_run_leaves_behind(name, run):
  value, both = SECOND[name]
  # An encoder has a width of its own.
  quick = QUICK[1:] if 'MODEL = @pretrained_encoder' in both else QUICK
  assert run(*quick, *both) != run(*quick, *both, f'{name} = {value}')


def test_a_run_that_is_repeated_leaves_the_same_behind(run):
  assert run(*QUICK) == run(*QUICK, 'SEED = 0')
