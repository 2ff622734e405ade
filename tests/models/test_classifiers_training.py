"""Models in the training loop, and the gin files that choose them."""

import json
import math
from typing import Any

import jax
import numpy as np
import pytest

from experiments.backend import trax_repairs
from experiments.batching import batches
from experiments.config import experiment, gin_config
from experiments.foundation.errors import UserError
from experiments.models import classifiers
from experiments.pipeline.models import Models
from experiments.rundir.checkpoints import Checkpoints
from experiments.rundir.metric_log import Records, read_records
from experiments.text import tokenization
from tests.fixtures.config_cases import ROOT

trax = trax_repairs.import_trax()

from trax import layers as tl  # noqa: E402
from trax.supervised import training as trax_training  # noqa: E402

from experiments.training import loop  # noqa: E402

_NAMES = sorted(
  name
  for name, value in vars(classifiers).items()
  if getattr(value, '__module__', None) == classifiers.__name__
)
_FILES = sorted(
  path.relative_to(ROOT).as_posix() for path in ROOT.glob('gin/models/*.gin')
)
_SIZES: dict[str, dict[str, Any]] = {
  'kim_cnn': {'widths': (2, 3), 'n_filters': 8},
  'ngram_embedding': {'n_buckets': 100},
  'transformer_classifier': {'n_layers': 1, 'd_ff': 16, 'max_len': 8},
}


def some_are_slow(*fast):
  return [
    name if name in fast else pytest.param(name, marks=pytest.mark.slow)
    for name in _NAMES
  ]


@pytest.fixture(scope='module')
def tokens():
  """Two classes, told apart by half of their ids; lengths 1 to 8."""
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 2, 60)
  ids = [
    [1 + 10 * label, *rng.integers(1, 12, rng.integers(0, 8))]
    for label in labels
  ]
  return tokenization.Tokens.from_lists(ids, labels.tolist())


@pytest.mark.parametrize('name', some_are_slow('max_embedding'))
def test_the_loss_falls_on_what_can_be_told_apart(name, tokens, tmp_path):
  buckets: dict[str, Any] = {'boundaries': [4, 8], 'batch_sizes': [16, 16, 1]}

  def make(mode):
    return getattr(classifiers, name)(
      vocab_size=12,
      n_classes=2,
      d_feature=8,
      dropout=0.1,
      mode=mode,
      **_SIZES.get(name, {}),
    )

  def stream():
    plan = batches.BatchPlan(lengths=tokens.lengths, seed=3, **buckets)
    return batches.BatchStream(tokens, plan)

  sample = next(stream())
  loop.Loop(
    make('train'),
    trax_training.TrainTask(
      stream(),
      tl.CrossEntropyLoss(),
      trax.optimizers.Adam(0.05),
      n_steps_per_checkpoint=100,
      sample_batch=sample,
    ),
    eval_model=make('eval'),
    eval_task=trax_training.EvalTask(
      stream(), [tl.CrossEntropyLoss()], n_eval_batches=4, sample_batch=sample
    ),
    n_steps=100,
    random_seed=7,
    checkpoints=Checkpoints(tmp_path / 'checkpoints'),
    records=Records(tmp_path / 'metrics.jsonl'),
  ).run()
  first, last = (
    record.value
    for record in read_records(tmp_path / 'metrics.jsonl')
    if (record.split, record.metric) == ('eval', 'metrics/CrossEntropyLoss')
  )
  assert last < 0.2 < first


# Gin files -------------------------------------------------------------------


@pytest.fixture
def _in_the_repository(monkeypatch):
  monkeypatch.chdir(ROOT)


def test_each_model_has_a_gin_file():
  assert set(_FILES) == {f'gin/models/{name}.gin' for name in _NAMES}


@pytest.mark.usefixtures('_in_the_repository')
@pytest.mark.parametrize('name', _NAMES)
@pytest.mark.parametrize('base', ['gin/bbc_news.gin', 'gin/agnews.gin'])
def test_goes_after_any_experiment(base, name):
  checked = gin_config.check(gin_config.parse([base, f'gin/models/{name}.gin']))
  alone = gin_config.check(gin_config.parse([base]))
  assert checked.macros['MODEL'] == f'@{name}'
  for macro in ('DATASET', 'KEYS', 'SPLITS', 'VOCAB_SIZE'):
    assert checked.macros[macro] == alone.macros[macro]
  assert f'{name}.d_feature = %EMBEDDING_SIZE\n' in checked.text
  assert f'{name}.dropout = %DROPOUT\n' in checked.text


@pytest.mark.parametrize('name', _NAMES)
def test_opens_with_how_to_run_it(name):
  lines = (ROOT / f'gin/models/{name}.gin').read_text().splitlines()
  end = next(n for n, line in enumerate(lines) if not line.startswith('#'))
  header = '\n'.join(lines[:end])
  command = (
    'python launcher.py --gin_file=gin/bbc_news.gin \\\n#     --gin_file='
  )
  assert f'{command}gin/models/{name}.gin' in header
  assert '2 CPU cores' in header
  assert 'accuracy' in header


@pytest.mark.usefixtures('_in_the_repository')
@pytest.mark.parametrize('name', _NAMES)
def test_has_the_weights_of_the_documented_table(name):
  files = ['gin/bbc_news.gin', f'gin/models/{name}.gin']
  resolved = experiment.resolve(gin_config.check(gin_config.parse(files)))
  weights, _ = Models(resolved, n_classes=5).signatures('train')
  n_weights = sum(
    math.prod(w.shape) for w in jax.tree_util.tree_leaves(weights)
  )
  document = (ROOT / 'docs' / 'models.md').read_text()
  (row,) = (
    line.split(' | ')
    for line in document.splitlines()
    if line.startswith(f'| [`{name}`]')
  )
  assert row[3] == f'{n_weights:,}'


@pytest.mark.usefixtures('_in_the_repository')
@pytest.mark.parametrize(
  ('binding', 'message'),
  [
    (
      'DROPOUT=1',
      'macro DROPOUT must be a number from 0 to below 1, not 1.',
    ),
    (
      'kim_cnn.widths=[3, 0]',
      'kim_cnn.widths must be whole numbers of at least 1, such as (3, 4, 5), '
      'not [3, 0].',
    ),
    (
      'kim_cnn.n_filters=0',
      'kim_cnn.n_filters must be a whole number of at least 1, not 0.',
    ),
  ],
)
def test_refuses_wrong_values(binding, message):
  with pytest.raises(UserError) as caught:
    gin_config.check(
      gin_config.parse(
        ['gin/bbc_news.gin', 'gin/models/kim_cnn.gin'], [binding]
      )
    )
  assert str(caught.value) == f"--gin_bindings='{binding}': {message}"


@pytest.mark.parametrize('name', some_are_slow('ngram_embedding'))
def test_trains_for_a_few_shrunken_steps(name, launcher, tmp_path):
  done = launcher(
    '--gin_file=tiny.gin',
    f'--gin_file={ROOT}/gin/models/{name}.gin',
    '--gin_bindings=EMBEDDING_SIZE=4',
    '--gin_bindings=N_STEPS=2',
    '--gin_bindings=N_STEPS_PER_CHECKPOINT=2',
    '--gin_bindings=N_EVAL_BATCHES=1',
    f'--output_dir={tmp_path}/run',
  )
  assert done.returncode == 0, done.stderr
  run = json.loads((tmp_path / 'run' / 'run.json').read_text())
  assert (run['status'], run['steps']) == ('finished', 2)
