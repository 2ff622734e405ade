"""Every gin file that is shipped is a config that passes, and says how to run.

gin/base.gin is no experiment: it leaves DATASET and KEYS to those that include
it.
"""

import json
import math

import pytest

from experiments.config import gin_config
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import ROOT

FILES = sorted(
  path.relative_to(ROOT).as_posix()
  for path in (ROOT / 'gin').rglob('*.gin')
  # Those of models go after an experiment, in tests/test_models_training.py.
  if path.name != 'base.gin' and path.parent.name != 'models'
)
AG_NEWS = ROOT.parent / 'shared' / 'data' / 'ag_news_csv'


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
  monkeypatch.chdir(ROOT)


@pytest.mark.parametrize('name', FILES)
def test_passes_the_checks(name, tmp_path):
  checked = gin_config.check(gin_config.parse([name]))
  written = tmp_path / 'config.gin'
  written.write_text(checked.text)
  assert gin_config.check(gin_config.parse([str(written)])) == checked


@pytest.mark.parametrize('name', FILES)
def test_opens_with_how_to_run_it(name):
  lines = (ROOT / name).read_text().splitlines()
  end = next(n for n, line in enumerate(lines) if not line.startswith('#'))
  header = '\n'.join(lines[:end])
  assert f'python launcher.py --gin_file={name}' in header
  assert '--gin_bindings=' in header
  assert '2 CPU cores' in header
  assert 'accuracy' in header


def test_base_gin_asks_for_the_data():
  with pytest.raises(UserError, match='DATASET has no value yet'):
    gin_config.parse(['gin/base.gin'])


def test_there_is_no_package_that_shadows_gin():
  assert not list((ROOT / 'gin').rglob('__init__.py'))


def test_agnews_has_the_values_of_the_post():
  checked = gin_config.check(gin_config.parse(['gin/agnews.gin']))
  expected = {
    'DATASET': 'ag_news_subset',
    'KEYS': ('description', 'label'),
    'SPLITS': ('train', 'test'),
    'VOCAB_FILE': 'en_8k.subword',
    'VOCAB_SIZE': 8192,
    'MAX_LENGTH': 2048,
    'BUCKET_BOUNDARIES': [32, 128, 512, 2048],
    'BUCKET_BATCH_SIZES': [512, 128, 32, 8, 1],
    'MODEL': '@mean_embedding',
    'EMBEDDING_SIZE': 50,
    'OPTIMIZER': '@Adam',
    'LEARNING_RATE': 0.01,
    'N_STEPS': 2000,
    'N_STEPS_PER_CHECKPOINT': 500,
    'N_EVAL_BATCHES': 20,
  }
  assert {name: checked.macros[name] for name in expected} == expected
  assert 'TrainTask.loss_layer = @cross_entropy_loss\n' in checked.text
  assert 'EvalTask.metrics = [@CrossEntropyLoss, @Accuracy]\n' in checked.text


@pytest.fixture(scope='module')
def data_of(launcher):
  """Prepares what has to be prepared by hand; returns more bindings."""

  def prepare(name):
    if name != 'gin/agnews.gin':
      return []
    if not AG_NEWS.is_dir():
      pytest.skip('needs ../shared/data/ag_news_csv, a slice of AG News')
    done = launcher(
      '--mode=prepare', f'--gin_file={ROOT}/{name}', f'--source={AG_NEWS}'
    )
    assert done.returncode == 0, done.stderr
    return [f"--gin_bindings=VOCAB_DIR='{AG_NEWS.parent}'"]

  return prepare


@pytest.mark.parametrize(
  'name',
  [
    name
    if name == 'gin/bbc_news.gin'
    else pytest.param(name, marks=pytest.mark.slow)
    for name in FILES
  ],
)
def test_trains_for_a_few_shrunken_steps(name, launcher, data_of, tmp_path):
  bindings = data_of(name)
  if not bindings:
    # One that other tests build, too.
    bindings = ['--gin_bindings=VOCAB_SIZE=1000']
  done = launcher(
    f'--gin_file={ROOT}/{name}',
    *bindings,
    '--gin_bindings=EMBEDDING_SIZE=4',
    '--gin_bindings=N_STEPS=4',
    '--gin_bindings=N_STEPS_PER_CHECKPOINT=2',
    '--gin_bindings=N_EVAL_BATCHES=1',
    f'--output_dir={tmp_path}/run',
  )
  assert done.returncode == 0, done.stderr
  run = json.loads((tmp_path / 'run' / 'run.json').read_text())
  assert (run['status'], run['steps']) == ('finished', 4)
  evaluation = run['metrics']
  assert evaluation['n_dropped'] <= 0.05 * run['n_examples']['test']
  n_classes = len(run['labels'])
  # Near to guessing: as many steps cannot teach it much.
  assert abs(evaluation['cross_entropy'] - math.log(n_classes)) < 0.2
