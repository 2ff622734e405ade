"""What passes the checks: rendered in one form, applied and compared."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gin
from experiments.config import experiment, gin_config, schema
from experiments.config.config_differences import find_differences
from experiments.config.gin_values import render
from experiments.foundation import paths
from experiments.foundation.data_paths import is_data_path
from tests.fixtures.config_cases import HEAD, ROOT, Bad, write

BASE = str(ROOT / 'gin' / 'agnews.gin')

MY_MODELS = b"""
import gin
from trax import layers as tl


@gin.configurable
def my_block(width=3):
  return tl.Dense(width)


@gin.configurable
def my_model(*, vocab_size, n_classes, mode, depth: int = 2, rate: float = 0.5,
             head: str | None = None):
  return tl.Serial(my_block(), tl.LayerNorm())


gin.constant('my_models.WIDE', 7)
"""


@pytest.fixture
def checked(tmp_path, monkeypatch):
  """A function that checks HEAD, text and flags in a new project."""

  def check(text='', *flags, **fields):
    write(Bad('', flags, text, **fields), tmp_path, monkeypatch)
    gin_files = fields.get('gin_files', ['gin/x.gin'])
    return gin_config.check(gin_config.parse(gin_files, flags))

  yield check
  sys.modules.pop('my_models', None)


def lines(checked_config) -> list[str]:
  return checked_config.text.splitlines()


def test_parsing_imports_nothing_heavy():
  command = (
    'import sys\n'
    'from experiments.config import gin_config\n'
    'gin_config.parse(sys.argv[1:2], ["SEED = 3"])\n'
    'heavy = {"jax", "numpy", "tensorflow", "trax"} & set(sys.modules)\n'
    'sys.exit(str(heavy) if heavy else 0)\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', command, BASE], cwd=ROOT, check=False
  )
  assert done.returncode == 0


def test_writes_macros_in_order_then_all_that_is_consumed(checked):
  text = checked('LR_SCHEDULE = None\n').text
  assert (
    text
    == """\
DATASET = 'bbc_news'
KEYS = ('text', 'label')
TEXT_SEPARATOR = ' '
SPLITS = ('train', 'test')
N_FOLDS = None
FOLD = None
SPLIT_BY = None
SKIP_BAD_ROWS = False
DATA_DIR = None
LOWER_CASE = False
VOCAB_FILE = None
VOCAB_DIR = None
VOCAB_TYPE = 'subword'
VOCAB_SIZE = 8192
MAX_LENGTH = 2048
TRUNCATE = False
BUCKET_BOUNDARIES = [32, 128, 512, 2048]
BUCKET_BATCH_SIZES = [512, 128, 32, 8, 1]
MODEL = @mean_embedding
EMBEDDING_SIZE = 50
EMBEDDING_FILE = None
EMBEDDING_RATE = 1.0
N_FROZEN_STEPS = 0
ENCODER = None
ENCODER_RATE = 1.0
LAYER_DECAY = 1.0
N_FROZEN_LAYERS = 0
DROPOUT = 0.0
OPTIMIZER = @Adam
LEARNING_RATE = 0.01
LR_SCHEDULE = None
WEIGHT_DECAY = 1e-05
CLIP_GRAD_NORM = None
LABEL_SMOOTHING = 0.0
EMA_DECAY = None
N_STEPS = 2000
N_STEPS_PER_CHECKPOINT = 500
N_EVAL_BATCHES = 20
SEED = 0
CALIBRATION = None
REJECT_BELOW = None

Adam.b1 = 0.9
Adam.b2 = 0.999
Adam.clip_grad_norm = None
Adam.eps = 1e-05
Adam.learning_rate = %LEARNING_RATE
Adam.weight_decay_rate = %WEIGHT_DECAY
BucketByLength.batch_sizes = %BUCKET_BATCH_SIZES
BucketByLength.boundaries = %BUCKET_BOUNDARIES
BucketByLength.strict_pad_on_len = True
EvalTask.metrics = [@CrossEntropyLoss, @Accuracy]
EvalTask.n_eval_batches = %N_EVAL_BATCHES
FilterByLength.max_length = %MAX_LENGTH
FilterByLength.min_length = 0
TFDS.data_dir = %DATA_DIR
TFDS.dataset_name = %DATASET
TFDS.keys = %KEYS
Tokenize.vocab_dir = %VOCAB_DIR
Tokenize.vocab_file = %VOCAB_FILE
Tokenize.vocab_type = %VOCAB_TYPE
TrainTask.loss_layer = @cross_entropy_loss
TrainTask.lr_schedule = %LR_SCHEDULE
TrainTask.n_steps_per_checkpoint = %N_STEPS_PER_CHECKPOINT
TrainTask.optimizer = %OPTIMIZER
cross_entropy_loss.label_smoothing = %LABEL_SMOOTHING
experiment.best_direction = 'maximize'
experiment.best_metric = None
experiment.calibration = %CALIBRATION
experiment.clip_grad_norm = %CLIP_GRAD_NORM
experiment.ema_decay = %EMA_DECAY
experiment.embedding_file = %EMBEDDING_FILE
experiment.embedding_rate = %EMBEDDING_RATE
experiment.encoder = %ENCODER
experiment.encoder_rate = %ENCODER_RATE
experiment.fold = %FOLD
experiment.histograms = False
experiment.init_from = None
experiment.keep_checkpoints = 2
experiment.layer_decay = %LAYER_DECAY
experiment.lower_case = %LOWER_CASE
experiment.model = %MODEL
experiment.n_folds = %N_FOLDS
experiment.n_frozen_layers = %N_FROZEN_LAYERS
experiment.n_frozen_steps = %N_FROZEN_STEPS
experiment.n_steps = %N_STEPS
experiment.patience = None
experiment.projector = True
experiment.reject_below = %REJECT_BELOW
experiment.seed = %SEED
experiment.skip_bad_rows = %SKIP_BAD_ROWS
experiment.split_by = %SPLIT_BY
experiment.splits = %SPLITS
experiment.text_separator = %TEXT_SEPARATOR
experiment.truncate = %TRUNCATE
experiment.vocab_size = %VOCAB_SIZE
mean_embedding.d_feature = %EMBEDDING_SIZE
mean_embedding.dropout = %DROPOUT
mean_embedding.init_range = None
"""
  )


def test_equal_experiments_have_equal_texts():
  def text(*flags):
    return gin_config.check(gin_config.parse([BASE], flags)).text

  assert text('SEED=3', 'LEARNING_RATE=1') == text(
    'LEARNING_RATE = 1.0', 'SEED = 4', 'SEED = 3'
  )
  assert text("KEYS=['a', 'b']") == text("KEYS=('a', 'b')")
  assert text('OPTIMIZER=@SGD') == text('OPTIMIZER=@trax.optimizers.SGD')
  assert text('Adam.b1=0.9') == text()


def test_lists_macros_and_overrides():
  checked_config = gin_config.check(
    gin_config.parse(
      [BASE],
      ['OPTIMIZER=@Momentum', 'SEED=1\ntrax.optimizers.Momentum.mass=0'],
    )
  )
  assert list(checked_config.macros) == list(schema.MACROS)
  assert checked_config.macros['OPTIMIZER'] == '@Momentum'
  assert checked_config.macros['KEYS'] == ('description', 'label')
  assert checked_config.overrides == {
    'OPTIMIZER': '@Momentum',
    'SEED': '1',
    'Momentum.mass': '0.0',
  }


def test_takes_the_later_file_and_the_flags_last(checked):
  done = checked(
    'SEED = 1\nN_STEPS = 1\nN_EVAL_BATCHES = 1\n',
    'SEED = 3',
    files={'gin/y.gin': b'SEED = 2\nN_STEPS = 2\n'},
    gin_files=['gin/x.gin', 'gin/y.gin'],
  )
  assert [
    done.macros[name] for name in ('SEED', 'N_STEPS', 'N_EVAL_BATCHES')
  ] == [3, 2, 1]


def test_reads_any_layout_that_gin_reads(checked):
  text = """
# Sizes follow.
BUCKET_BOUNDARIES = [
    16,  # short
    64,
]
BUCKET_BATCH_SIZES = [4, 2, 1]

Adam:
  # Both at once.
  b1 = 0.5
  b2 = 0.25
"""
  data = ('\ufeff' + HEAD + text).replace('\n', '\r\n').encode()
  done = checked(files={'gin/x.gin': data})
  assert done.macros['BUCKET_BOUNDARIES'] == [16, 64]
  assert {'Adam.b1 = 0.5', 'Adam.b2 = 0.25'} <= set(lines(done))


def test_looks_for_files_in_the_search_paths(tmp_path, monkeypatch):
  write(Bad('', files={}), tmp_path, monkeypatch)
  (tmp_path / 'mine').mkdir()
  (tmp_path / 'mine' / 'z.gin').write_text(HEAD)
  parsed = gin_config.parse(['z.gin'], [], ['mine', 'gin'])
  assert parsed.bindings[-1].name == 'KEYS'
  assert str(parsed.bindings[-1].place) == 'mine/z.gin:3'


def test_a_flag_may_put_what_a_file_binds_out_of_use(checked):
  done = checked('Adam.b1 = 0.8\n', 'OPTIMIZER = @SGD')
  assert not [line for line in lines(done) if 'Adam' in line]
  assert 'SGD.learning_rate = %LEARNING_RATE' in lines(done)


def test_a_later_file_may_put_what_an_earlier_one_binds_out_of_use(checked):
  done = checked(
    'EMBEDDING_SIZE = 8\n',
    files={'gin/y.gin': b'MODEL = @TransformerEncoder\n'},
    gin_files=['gin/x.gin', 'gin/y.gin'],
  )
  assert 'EMBEDDING_SIZE' not in done.macros
  assert 'TransformerEncoder.n_layers = 6' in lines(done)
  assert not [line for line in lines(done) if 'n_classes' in line]


def test_a_scope_gives_what_it_binds_and_inherits_the_rest(checked):
  checked_config = checked(
    'OPTIMIZER = @slow/Adam\nslow/Adam.b1 = 0.5\nAdam.b2 = 0.25\n'
  )
  assert 'slow/Adam.b1 = 0.5' in lines(checked_config)
  assert 'Adam.b2 = 0.25' in lines(checked_config)
  assert 'Adam.b1 = 0.9' not in lines(checked_config)
  optimizer = experiment.resolve(checked_config).make_optimizer()
  assert optimizer._init_opt_params['b1'] == 0.5
  assert optimizer._init_opt_params['b2'] == 0.25


def test_a_model_of_ones_own_with_what_it_calls(checked):
  checked_config = checked(
    'MODEL = @my_model\n'
    'my_block.width = %SIZE\n'
    'SIZE = %my_models.WIDE\n'
    'LayerNorm.epsilon = 0.001\n',
    'my_model.rate = 1',
    before='import my_models\n',
    files={'my_models.py': MY_MODELS},
  )
  assert lines(checked_config)[0] == 'import my_models'
  assert {
    'SIZE = %my_models.WIDE',
    'my_block.width = %SIZE',
    'LayerNorm.epsilon = 0.001',
    'my_model.rate = 1.0',
    'my_model.depth = 2',
    'my_model.head = None',
  } <= set(lines(checked_config))
  with experiment.resolve(checked_config).bound():
    assert gin.get_bindings('my_block') == {'width': 7}


def test_names_each_difference():
  old = 'import a\n\nSEED = 1\nLEARNING_RATE = 0.01\n\nAdam.b1 = 0.9\n'
  new = 'SEED = 1\nLEARNING_RATE = 0.003\n\nSGD.clip_grad_norm = 1.0\n'
  assert find_differences(old, new) == [
    'LEARNING_RATE: 0.01 in the run directory, 0.003 now',
    'SGD.clip_grad_norm: not bound in the run directory, 1.0 now',
    'import a: there in the run directory, not bound now',
    'Adam.b1: 0.9 in the run directory, not bound now',
  ]
  assert find_differences(old, old) == []


def test_a_parameter_that_came_later_has_its_default_in_older_texts():
  old = 'SEED = 1\n\nexperiment.seed = %SEED\n'
  new = 'SEED = 1\nX = {}\n\nexperiment.seed = %SEED\n' + (
    'experiment.text_separator = %X\n'
  )
  assert find_differences(old, new.format("' '")) == []
  assert find_differences(old, new.format("'|'")) == [
    "X: not bound in the run directory, '|' now",
    'experiment.text_separator: not bound in the run directory, %X now',
  ]


# Paths that can be, such as `experiments.foundation.paths` takes.
_PATHS = st.text(
  st.characters(exclude_characters='\0', exclude_categories=['Cs']),
  min_size=1,
  max_size=60,
).filter(lambda text: text.strip() and not text.startswith('~'))


def _sizes(n):
  return st.lists(st.integers(1, 200), min_size=n, max_size=n)


@st.composite
def _macros(draw):
  boundaries = sorted(draw(st.sets(st.integers(1, 10**6), min_size=1)))
  strings = st.text(min_size=1).filter(str.strip)
  return {
    'KEYS': draw(st.lists(strings, min_size=2).map(tuple)),
    'DATASET': draw(strings.filter(lambda name: not is_data_path(name))),
    'DATA_DIR': draw(st.none() | _PATHS),
    'VOCAB_SIZE': draw(st.integers(1, 10**7)),
    'BUCKET_BOUNDARIES': boundaries,
    'BUCKET_BATCH_SIZES': draw(_sizes(len(boundaries) + 1)),
    'LEARNING_RATE': draw(
      st.floats(2.0**-126, 1e38, allow_infinity=False, allow_nan=False)
    ),
    'SEED': draw(st.integers(0, 2**32 - 1)),
  }


@settings(max_examples=50, deadline=None)
@given(_macros(), st.randoms())
def test_any_values_come_back_as_they_were_given(macros, random):
  flags = [f'{name} = {render(value)}' for name, value in macros.items()]
  first = gin_config.check(gin_config.parse([BASE], flags))
  random.shuffle(flags)
  assert gin_config.check(gin_config.parse([BASE], flags)).text == first.text
  resolved = experiment.resolve(first)
  assert resolved.data.name == macros['DATASET']
  assert resolved.data.keys == macros['KEYS']
  data_dir = macros['DATA_DIR']
  assert resolved.data.data_dir == (data_dir and paths.absolute(data_dir))
  assert resolved.buckets.boundaries == tuple(macros['BUCKET_BOUNDARIES'])
  assert resolved.buckets.batch_sizes == tuple(macros['BUCKET_BATCH_SIZES'])
  assert resolved.optimization.seed == macros['SEED']
  with resolved.bound():
    rate = gin.get_bindings('Adam')['learning_rate']
  assert rate == macros['LEARNING_RATE']
  assert isinstance(rate, float)


@settings(max_examples=30, deadline=None)
@given(_macros())
def test_checking_a_text_gives_the_same_text(tmp_path_factory, macros):
  flags = [f'{name} = {render(value)}' for name, value in macros.items()]
  text = gin_config.check(gin_config.parse([BASE], flags)).text
  path = tmp_path_factory.mktemp('run') / 'gin_config.gin'
  path.write_text(text, encoding='utf-8')
  assert gin_config.check(gin_config.parse([str(path)])).text == text


def test_the_table_of_macros_is_that_of_base_gin():
  named = [
    line.split(' = ')[0]
    for line in (ROOT / 'gin' / 'base.gin').read_text().splitlines()
    if ' = ' in line and line[0].isupper() and '.' not in line.split(' = ')[0]
  ]
  assert named == list(schema.MACROS)
