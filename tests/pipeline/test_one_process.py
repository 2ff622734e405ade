"""Several experiments in one process, one after the other and at once."""

import concurrent.futures
import contextlib
import io
import sys

import numpy as np
import pytest

from experiments.config import experiment, gin_config
from experiments.pipeline import (
  prediction,
  run_config,
  runs,
  saved_model,
  vocabularies,
)
from experiments.rundir import run_dir
from experiments.training.context import Cache, RunContext
from experiments.training.structure import structure
from tests.fixtures import same_run

# They differ in model, schedule and optimizer, all of which ask gin.
BOTH = {
  'mean': (
    'EMBEDDING_SIZE = 6',
    'LR_SCHEDULE = @warmup',
    'warmup.n_warmup_steps = 9',
    'DROPOUT = 0.2',
  ),
  'masked': (
    'MODEL = @masked_mean_embedding',
    'OPTIMIZER = @Momentum',
    'CLIP_GRAD_NORM = 0.5',
    'experiment.histograms = True',
  ),
}
TEXTS = ['The striker scored twice.', 'Shares fell after the report.', 'Vote!']


@pytest.fixture(scope='module')
def place(launcher, trained):
  """This process, with the data and the caches of the launcher's."""
  del trained
  with launcher.in_process() as cwd:
    yield cwd


def resolve(name, *more):
  return experiment.resolve(
    gin_config.check(gin_config.parse(['tiny.gin'], [*BOTH[name], *more]))
  )


@pytest.fixture(scope='module')
def alone(place, tmp_path_factory):
  """Directories of runs that came one after the other."""
  directory = tmp_path_factory.mktemp('alone')
  for name in BOTH:
    runs.train(resolve(name), directory / name, context=RunContext())
  return directory


def test_two_runs_at_once_are_what_each_is_alone(alone, tmp_path):
  stdout = sys.stdout
  both = {name: resolve(name) for name in BOTH}
  with concurrent.futures.ThreadPoolExecutor() as pool:
    futures = [
      pool.submit(runs.train, each, tmp_path / name, context=RunContext())
      for name, each in both.items()
    ]
    for future in futures:
      future.result()
  assert sys.stdout is stdout
  for name in BOTH:
    assert same_run.differences(tmp_path / name, alone / name) == []


def test_a_run_prints_nothing(place, tmp_path):
  with contextlib.redirect_stdout(io.StringIO()) as stdout:
    results = runs.train(
      resolve('mean', 'N_STEPS = 2'), tmp_path / 'run', context=RunContext()
    )
  assert stdout.getvalue() == ''
  assert (results.step, results.n_steps, results.is_old) == (2, 2, False)


def test_what_runs_share_changes_none_of_them(alone, tmp_path):
  """The second compiles nothing, whatever of it differs in numbers."""
  cache = Cache()
  compiled: list[object] = []
  for path, bindings in (
    ('first', ('SEED = 5', 'warmup.n_warmup_steps = 7')),
    ('mean', ()),
  ):
    resolved = resolve('mean', *bindings)
    keep = cache.of(structure(resolved.config.text))
    runs.train(resolved, tmp_path / path, context=RunContext(keep=keep))
    compiled.append(keep('update_many', lambda: None))
  assert compiled[0] is compiled[1] is not None
  assert same_run.differences(tmp_path / 'mean', alone / 'mean') == []


def classify(loaded):
  resolved, classifier, vocabulary = loaded
  return prediction.classify(
    TEXTS,
    classifier=classifier,
    vocabulary=vocabulary,
    max_tokens=resolved.text.max_tokens,
  ).probabilities


def load(path):
  directory = run_dir.RunDir(path)
  resolved = run_config.load_experiment(directory)
  vocabulary = vocabularies.run_vocabulary(resolved, directory)
  classifier, _ = saved_model.load_classifier(
    resolved, directory, vocabulary=vocabulary
  )
  return resolved, classifier, vocabulary


def test_classifiers_can_be_asked_from_threads(alone):
  expected = {name: classify(load(alone / name)) for name in BOTH}
  assert not np.allclose(expected['mean'], expected['masked'])
  # Loaded together, and first asked when others are.
  loaded = {name: load(alone / name) for name in BOTH}
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    found = [
      (name, pool.submit(classify, loaded[name])) for name in [*BOTH] * 8
    ]
    for name, future in found:
      np.testing.assert_array_equal(future.result(), expected[name])
