"""A run with more steps than before is the one long run, bit for bit."""

import json
import shutil

import numpy as np
import pytest

from experiments.config import experiment, gin_config
from experiments.foundation.errors import UserError
from experiments.pipeline import loops, more_steps, runs
from experiments.rundir import run_dir
from experiments.rundir.checkpoints import Checkpoint, Checkpoints
from experiments.training.context import RunContext
from tests.fixtures import same_run

BEST = "experiment.best_metric = 'metrics/Accuracy'"
# What is bound beside N_STEPS.
OPTIONS = {
  'plain': (),
  'one checkpoint': ('experiment.keep_checkpoints = 1',),
  'rich': (
    BEST,
    'EMA_DECAY = 0.9',
    'DROPOUT = 0.2',
    'LR_SCHEDULE = @warmup',
    'warmup.n_warmup_steps = 9',
    'experiment.histograms = True',
  ),
}


@pytest.fixture(scope='module')
def place(launcher, trained):
  del trained
  with launcher.in_process() as cwd:
    yield cwd


def resolve(n_steps, *bindings):
  bindings = ('N_STEPS_PER_CHECKPOINT = 4', *bindings)
  if n_steps is not None:
    bindings = (f'N_STEPS = {n_steps}', *bindings)
  parsed = gin_config.parse(['tiny.gin'], bindings)
  return experiment.resolve(gin_config.check(parsed))


def train(n_steps, bindings, path, context=None):
  return runs.train(
    resolve(n_steps, *bindings), path, context=context or RunContext()
  )


@pytest.fixture(scope='module')
def long(place, tmp_path_factory):
  """Runs of 12 steps at once."""
  directory = tmp_path_factory.mktemp('long')
  for name, bindings in OPTIONS.items():
    train(12, bindings, directory / name)
  return directory


@pytest.mark.parametrize(
  ('name', 'n_steps'),
  [
    # At 8 there is a checkpoint in any case, at 10 because it ends there.
    ('plain', (8,)),
    ('plain', (1, 3, 4, 10)),
    ('one checkpoint', (4, 10)),
    ('rich', (10, 11)),
  ],
)
def test_more_steps_are_one_long_run(long, tmp_path, name, n_steps):
  for n in (*n_steps, 12):
    results = train(n, OPTIONS[name], tmp_path / 'run')
    assert (results.n_steps, results.is_old) == (n, False)
  assert same_run.differences(tmp_path / 'run', long / name) == []
  assert train(12, OPTIONS[name], tmp_path / 'run').is_old


class _Stop(Exception):
  pass


def test_one_that_was_killed_may_take_more_steps(long, tmp_path):
  def stop(records):
    if any(record.step == 8 for record in records):
      raise _Stop

  with pytest.raises(_Stop):
    train(10, (), tmp_path / 'run', RunContext(on_records=stop))
  train(12, (), tmp_path / 'run')
  assert same_run.differences(tmp_path / 'run', long / 'plain') == []


def test_killed_at_its_second_start_it_is_either_run(
  long, tmp_path, monkeypatch
):
  """Wherever that is, the command of before or of now goes on."""
  train(10, (), tmp_path / 'short')
  for name in ('prepare', 'write'):
    path = tmp_path / name
    shutil.copytree(tmp_path / 'short', path)
    with monkeypatch.context() as patch:

      def killed(*args, **kwargs):
        del args, kwargs
        raise _Stop

      if name == 'prepare':
        patch.setattr(run_dir.RunDir, 'store_vocabulary', killed)
      else:
        patch.setattr(loops, 'make_loop', killed)
      with pytest.raises(_Stop):
        train(12, (), path)
    if name == 'prepare':
      train(10, (), path)
      assert same_run.differences(path, tmp_path / 'short') == []
    train(12, (), path)
    assert same_run.differences(path, long / 'plain') == []


@pytest.mark.parametrize(
  ('bindings', 'differing'),
  [
    (
      ('LR_SCHEDULE = @warmup_and_cosine_decay',),
      'warmup_and_cosine_decay.n_steps: 8 in the run directory, 12 now',
    ),
    (
      ('mean_embedding.d_feature = %N_STEPS',),
      'mean_embedding.d_feature: 8 in the run directory, 12 now',
    ),
  ],
)
def test_what_depends_on_the_last_step_is_refused(
  place, tmp_path, bindings, differing
):
  path = tmp_path / 'run'
  path.mkdir()
  (path / 'config.gin').write_text(resolve(8, *bindings).config.text)
  before = sorted(path.rglob('*'))
  with pytest.raises(UserError) as error:
    train(12, bindings, path)
  assert str(error.value) == (
    f'--output_dir={path} holds a run of 8 steps, which cannot go on to 12: '
    'its first steps would have been others.\n'
    f'  {differing}\n'
    'Choose another --output_dir to train anew, or to train its model '
    f'further: --gin_bindings="experiment.init_from={str(path)!r}"'
  )
  assert sorted(path.rglob('*')) == before


@pytest.mark.parametrize(
  ('n_before', 'bindings', 'n_now', 'more', 'found'),
  [
    (8, (), 12, (), more_steps.Added(8, 12, ())),
    (8, (), 8, (), None),
    (12, (), 8, (), None),
    (8, (), 12, ('SEED = 1',), None),
    (8, (), 12, ('N_STEPS_PER_CHECKPOINT = 5',), None),
    (None, ('experiment.n_steps = 9',), 12, (), more_steps.Added(9, 12, ())),
    (8, (), None, ('experiment.n_steps = 9',), more_steps.Added(8, 9, ())),
    (
      8,
      (
        'LR_SCHEDULE = @warmup_and_linear_decay',
        'warmup_and_linear_decay.n_steps = 99',
      ),
      12,
      (
        'LR_SCHEDULE = @warmup_and_linear_decay',
        'warmup_and_linear_decay.n_steps = 99',
      ),
      more_steps.Added(8, 12, ()),
    ),
  ],
)
def test_what_counts_as_more_steps(
  place, n_before, bindings, n_now, more, found
):
  old, new = resolve(n_before, *bindings), resolve(n_now, *more)
  assert more_steps.find_added(old.config.text, new.config.text) == found


def test_the_best_of_the_checkpoint_before_the_last_is_kept(tmp_path):
  """A longer run may go on from there, also after it was started again."""
  for step, value in enumerate([0.5, 0.1, 0.2, 0.3, 0.9], start=1):
    saved = Checkpoints(tmp_path, best_metric='x')
    saved.resume()
    saved.save(Checkpoint(step, [np.zeros(1)], {}, {'x': value}))
  saved.resume()
  assert saved.steps() == [1, 4, 5]
  saved.remove_after(4)
  newest, best = saved.resume(), saved.load_best()
  assert newest is not None
  assert best is not None
  assert (newest.step, best.step) == (4, 1)


def test_metrics_of_fewer_steps_are_not_those_of_more(place, tmp_path):
  train(4, (), tmp_path)
  directory = run_dir.RunDir(tmp_path)
  more_steps.prepare(directory, resolve(8))
  run = json.loads((tmp_path / 'run.json').read_text())
  assert (run['status'], run['metrics']) == ('running', {})
