"""Experiments: values with types, and parts that keep to their own config."""

import concurrent.futures
import dataclasses

import numpy as np
import pytest

import gin
from experiments.backend import trax_repairs
from experiments.config import experiment, gin_config, schema
from tests.fixtures.config_cases import ROOT

trax_repairs.import_trax()

from trax import shapes  # noqa: E402

BASE = str(ROOT / 'gin' / 'agnews.gin')


def resolve(*bindings):
  return experiment.resolve(
    gin_config.check(gin_config.parse([BASE], bindings))
  )


def test_values_are_those_of_the_config():
  resolved = resolve(
    "SPLITS = ('train[:80%]', 'train[80%:]', 'test')",
    'TRUNCATE = True',
    'MAX_LENGTH = 99',
    'BUCKET_BOUNDARIES = [8, 16]',
    'BUCKET_BATCH_SIZES = [4, 2, 1]',
    'FilterByLength.min_length = 2',
    'experiment.patience = 3',
    "experiment.best_metric = 'metrics/Accuracy'",
    'CLIP_GRAD_NORM = 2',
  )
  assert resolved.data == experiment.DataConfig(
    name='ag_news_subset',
    keys=('description', 'label'),
    splits=('train[:80%]', 'train[80%:]', 'test'),
    data_dir=None,
    text_separator=' ',
    split_by=None,
    skip_bad_rows=False,
  )
  assert resolved.text.max_tokens == 99
  assert resolved.buckets.as_arguments() == {
    'boundaries': (8, 16),
    'batch_sizes': (4, 2, 1),
    'min_length': 2,
    'max_length': 99,
  }
  assert resolved.optimization.clip_grad_norm == 2.0
  assert resolved.optimization.patience == 3
  assert resolved.evaluation.best_metric == 'metrics/Accuracy'
  assert resolve().text.max_tokens is None


def test_every_value_that_the_framework_reads_is_there():
  """Of each parameter in the table of what it reads, a value comes through."""
  made_by_methods = {'model', 'optimizer', 'loss_layer', 'lr_schedule'}
  made_by_methods |= {'metrics'}
  bound = {
    parameter
    for parameters in schema.ROOTS.values()
    for parameter in parameters
  }
  renamed = {
    'dataset_name': 'name',
    'n_steps_per_checkpoint': 'every_n_steps',
    'n_eval_batches': 'n_batches',
    'truncate': 'max_tokens',
  }
  fields = {
    field.name
    for kind in (
      *(experiment.DataConfig, experiment.FoldConfig, experiment.TextConfig),
      experiment.BucketConfig,
      *(experiment.ModelConfig, experiment.OptimizationConfig),
      *(experiment.EvaluationConfig, experiment.RunConfig),
    )
    for field in dataclasses.fields(kind)
  }
  named = {renamed.get(name, name) for name in bound - made_by_methods}
  assert named <= fields


def test_an_experiment_does_not_change():
  with pytest.raises(dataclasses.FrozenInstanceError):
    resolve().optimization.n_steps = 3


def test_parts_take_what_their_own_config_binds():
  narrow = resolve('EMBEDDING_SIZE = 7', 'OPTIMIZER = @Adam()', 'Adam.b1=0.5')
  wide = resolve(
    'EMBEDDING_SIZE = 9',
    'LEARNING_RATE = 0.5',
    'LR_SCHEDULE = @warmup',
    'warmup.n_warmup_steps = 10',
    'CLIP_GRAD_NORM = 3.0',
  )
  for _ in range(2):
    assert 'Embedding_8192_7' in str(
      narrow.make_model(n_classes=4, mode='train')
    )
    assert 'Embedding_8192_9' in str(wide.make_model(n_classes=4, mode='eval'))
    assert narrow.make_optimizer()._init_opt_params['b1'] == 0.5
    assert wide.make_optimizer()._init_opt_params['b1'] == 0.9
    assert narrow.make_optimizer()._clip_grad_norm is None
    assert wide.make_optimizer()._clip_grad_norm == 3.0
    assert float(narrow.make_schedule()(5)) == pytest.approx(0.01)
    assert float(wide.make_schedule()(5)) == pytest.approx(0.5 * 5 / 11)
    assert [
      metric.name.partition('_')[0] for metric in wide.make_metrics()
    ] == [
      'CrossEntropyLoss',
      'Accuracy',
    ]


# Asks gin only when a layer or a schedule is at work.
LATE_PARTS = """
import gin
from trax import layers as tl


@gin.configurable
def factor(value=1.0):
  return value


@gin.configurable
def late_model(*, vocab_size, n_classes, mode):
  return tl.Fn('Late', lambda x: x * factor())


@gin.configurable
def late_schedule():
  return lambda step: step * factor()
"""
LATE_GIN = """
import late_parts
include '{base}'
MODEL = @late_model
LR_SCHEDULE = @late_schedule
"""


def test_what_asks_late_is_answered_by_its_own_config(tmp_path, monkeypatch):
  (tmp_path / 'late_parts.py').write_text(LATE_PARTS)
  (tmp_path / 'late.gin').write_text(LATE_GIN.format(base=BASE))
  monkeypatch.syspath_prepend(tmp_path)
  both = [
    experiment.resolve(
      gin_config.check(
        gin_config.parse([str(tmp_path / 'late.gin')], [f'factor.value={n}'])
      )
    )
    for n in (2.0, 3.0)
  ]
  schedules = [each.make_schedule() for each in both]
  assert [rate and rate(10) for rate in schedules] == [20.0, 30.0]
  ones = np.ones(1, np.float32)
  found = []
  for each in both:
    model = each.make_model(n_classes=1, mode='eval')
    with each.bound():
      model.init(shapes.signature(ones))
      found.append(float(model(ones)[0]))
  assert found == [2.0, 3.0]


def test_a_users_own_bindings_are_as_they_were():
  resolve()
  gin.bind_parameter('Adam.b1', 0.25)
  gin.parse_config('warmup.max_value = 8.0')
  before = gin.config_str()
  resolved = resolve('Adam.b1 = 0.75')
  assert resolved.make_optimizer()._init_opt_params['b1'] == 0.75
  with pytest.raises(RuntimeError), resolved.bound():
    raise RuntimeError
  assert gin.config_str() == before
  assert gin.query_parameter('Adam.b1') == 0.25


def test_two_experiments_in_threads_do_not_disturb_each_other():
  both = {
    size: resolve(f'EMBEDDING_SIZE = {size}', f'Adam.b1 = 0.{size}')
    for size in (7, 9)
  }

  def check(size):
    for _ in range(20):
      model = both[size].make_model(n_classes=4, mode='train')
      assert f'Embedding_8192_{size}' in str(model)
      optimizer = both[size].make_optimizer()
      assert optimizer._init_opt_params['b1'] == size / 10

  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for done in [pool.submit(check, size) for size in (7, 9) * 2]:
      done.result()
