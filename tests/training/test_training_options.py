"""Averages, early stopping and the best checkpoint, as a user binds them."""

import gzip
import io
import json

import numpy as np
import pytest

from experiments.evaluation import metrics
from experiments.rundir import predictions_file, run_dir
from experiments.rundir.checkpoints import Checkpoints
from experiments.training import loop_state

BINDINGS = (
  "SPLITS = ('train[:60%]', 'train[60%:80%]', 'test[:50%]')",
  "experiment.best_metric = 'metrics/CrossEntropyLoss'",
  # The loss falls: an early evaluation is the best.
  "experiment.best_direction = 'maximize'",
  'experiment.patience = 2',
  'experiment.keep_checkpoints = 1',
  'N_STEPS_PER_CHECKPOINT = 5',
)


@pytest.fixture(scope='module')
def best(launcher, tmp_path_factory):
  path = tmp_path_factory.mktemp('options') / 'best'
  done = launcher(
    '--gin_file=tiny.gin',
    *(f'--gin_bindings={binding}' for binding in BINDINGS),
    f'--output_dir={path}',
  )
  assert done.returncode == 0, done.stderr
  return path, done


def records(path, split, metric):
  lines = map(json.loads, (path / 'metrics.jsonl').read_text().splitlines())
  return [
    (line['step'], line['value'])
    for line in lines
    if (line['split'], line['metric']) == (split, metric)
  ]


@pytest.fixture(scope='module')
def best_step(best):
  """The step of the best evaluation, after which there are just two more."""
  evaluations = records(best[0], 'eval', 'metrics/CrossEntropyLoss')
  steps, losses = zip(*evaluations, strict=True)
  where = int(np.argmax(losses))
  assert len(steps) == where + 3
  return steps[where], steps[-1]


def test_stops_early_and_says_so(best, best_step):
  path, done = best
  said = (
    f'Ended early at step {best_step[1]}: 2 evaluations in a row without a '
    'better metrics/CrossEntropyLoss'
  )
  assert said in done.stderr.splitlines()
  run = json.loads((path / 'run.json').read_text())
  assert run['status'] == 'finished'
  assert run['steps'] == best_step[1] < 30
  assert run['splits'] == {
    'train': 'train[:60%]',
    'validation': 'train[60%:80%]',
    'test': 'test[:50%]',
  }
  assert run['evaluated_step'] == best_step[0]
  evaluated = (
    f'Evaluated at step {best_step[0]} of {best_step[1]}: the best by '
    'metrics/CrossEntropyLoss'
  )
  assert evaluated in done.stdout.splitlines()
  counts = run['metrics']
  assert run['n_examples']['test'] == 213
  assert counts['n_examples'] + counts['n_dropped'] == 213


def test_the_kept_model_is_measured_on_validation_as_on_test(best):
  path, _ = best
  run = json.loads((path / 'run.json').read_text())
  for split, n, measured in (
    ('test[:50%]', 213, run['metrics']),
    ('train[60%:80%]', 340, run['validation_metrics']),
  ):
    kept = predictions_file.read(run_dir.RunDir(path).predictions_of(split))
    assert (kept.split, kept.step) == (split, run['evaluated_step'])
    assert measured['n_examples'] + measured['n_dropped'] == n
    evaluation = metrics.evaluate_log_probs(
      log_probs=kept.log_probs,
      targets=kept.expected,
      label_names=kept.labels,
      n_dropped=measured['n_dropped'],
    )
    assert evaluation.to_dict() == measured


def test_the_best_checkpoint_is_evaluated_exported_and_kept(best, best_step):
  path, _ = best
  step, last = best_step
  assert Checkpoints(path / 'checkpoints').steps() == [step, last]
  assert [at for at, _ in records(path, 'test', 'exact/accuracy')] == [step]
  with gzip.open(path / 'model.weights.npy.gz') as file:
    embedding = np.load(io.BytesIO(file.read()), allow_pickle=False)
  saved = Checkpoints(path / 'checkpoints')
  np.testing.assert_array_equal(embedding, saved.load(step).leaves[0])
  assert not np.array_equal(embedding, saved.load(last).leaves[0])


def test_evaluating_again_takes_the_best_again(launcher, best, best_step):
  path, _ = best
  done = launcher('--mode=eval', f'--output_dir={path}')
  assert done.returncode == 0, done.stderr
  assert f'Evaluated at step {best_step[0]}: {path}/report' in done.stdout


def test_the_average_is_what_is_evaluated(launcher, tmp_path):
  path = tmp_path / 'averaged'
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=EMA_DECAY = 0.9',
    '--gin_bindings=LABEL_SMOOTHING = 0.1',
    '--gin_bindings=CLIP_GRAD_NORM = 0.01',
    '--gin_bindings=LR_SCHEDULE = @warmup_and_cosine_decay',
    f'--output_dir={path}',
  )
  assert done.returncode == 0, done.stderr
  newest = Checkpoints(path / 'checkpoints').load_newest()
  assert newest is not None
  (average, *_), _ = loop_state.find_leaves(newest)
  assert not np.array_equal(average, newest.leaves[0])
  assert average.shape == newest.leaves[0].shape == (1000, 8)
  with gzip.open(path / 'model.weights.npy.gz') as file:
    embedding = np.load(io.BytesIO(file.read()), allow_pickle=False)
  np.testing.assert_array_equal(embedding, average)
  assert not np.allclose(average, newest.leaves[0])
  rates = records(path, 'train', 'training/learning_rate')
  assert rates == [
    (1, pytest.approx(0.005 * (1 + np.cos(np.pi / 30)))),
    (10, pytest.approx(0.0075)),
    (20, pytest.approx(0.0025)),
    (30, 0.0),
  ]
  # Smoothed labels keep the loss away from 0, and give it its own name.
  losses = records(path, 'train', 'metrics/WeightedCategoryCrossEntropy')
  assert [step for step, _ in losses] == [1, 10, 20, 30]


def test_the_average_survives_predicting(launcher, tmp_path):
  """An average of nothing but the last weights predicts as these do."""
  answers = []
  (tmp_path / 'in.txt').write_text('shares fell\nthe match was won\n')
  for bindings in ([], ['--gin_bindings=EMA_DECAY=0.0']):
    path = tmp_path / f'run{len(bindings)}'
    done = launcher('--gin_file=tiny.gin', *bindings, f'--output_dir={path}')
    assert done.returncode == 0, done.stderr
    done = launcher(
      *('--mode=predict', f'--output_dir={path}'),
      f'--input={tmp_path}/in.txt',
    )
    assert done.returncode == 0, done.stderr
    answers.append(done.stdout)
  assert answers[0] == answers[1]
