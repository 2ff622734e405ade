"""Every gin file that is shipped is a config that passes, and says how to run.

gin/base.gin is no experiment: it leaves DATASET and KEYS to those that include
it.
"""

import pytest
from config_cases import ROOT

from experiments import config
from experiments.errors import UserError

FILES = sorted(
  path.relative_to(ROOT).as_posix()
  for path in (ROOT / 'gin').rglob('*.gin')
  if path.name != 'base.gin'
)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
  monkeypatch.chdir(ROOT)


@pytest.mark.parametrize('name', FILES)
def test_passes_the_checks(name, tmp_path):
  checked = config.check(config.parse([name]))
  written = tmp_path / 'config.gin'
  written.write_text(checked.text)
  assert config.check(config.parse([str(written)])) == checked


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
    config.parse(['gin/base.gin'])


def test_there_is_no_package_that_shadows_gin():
  assert not list((ROOT / 'gin').rglob('__init__.py'))


def test_agnews_has_the_values_of_the_post():
  checked = config.check(config.parse(['gin/agnews.gin']))
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
  assert 'TrainTask.loss_layer = @CrossEntropyLoss\n' in checked.text
  assert 'EvalTask.metrics = [@CrossEntropyLoss, @Accuracy]\n' in checked.text
