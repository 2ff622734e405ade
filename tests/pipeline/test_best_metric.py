"""The best checkpoint by metrics that trax does not measure."""

import pytest

from experiments.config import experiment, gin_config
from experiments.foundation.errors import UserError
from experiments.pipeline import runs
from experiments.rundir import metric_log, run_dir
from experiments.training.context import RunContext

SPLITS = "SPLITS = ('train[:80%]', 'train[80%:]', 'test')"


@pytest.fixture(scope='module')
def place(launcher, trained):
  del trained
  with launcher.in_process() as cwd:
    yield cwd


def resolve(metric, direction='maximize', *bindings):
  bindings = (
    *(SPLITS, 'N_STEPS = 12', 'N_STEPS_PER_CHECKPOINT = 3'),
    *('N_EVAL_BATCHES = 1', f'experiment.best_metric = {metric!r}'),
    *(f'experiment.best_direction = {direction!r}', *bindings),
  )
  return experiment.resolve(
    gin_config.check(gin_config.parse(['tiny.gin'], bindings))
  )


def records(path, name):
  return [
    record.value
    for record in metric_log.read_records(run_dir.RunDir(path).metrics)
    if (record.split, record.metric) == ('eval', name)
  ]


@pytest.mark.parametrize(
  ('metric', 'same_as', 'direction'),
  [
    ('top_1_accuracy', 'metrics/Accuracy', 'maximize'),
    ('cross_entropy', 'metrics/CrossEntropyLoss', 'minimize'),
  ],
)
def test_by_another_name_the_same_is_chosen(
  place, tmp_path, metric, same_as, direction
):
  """Of one batch, trax's mean over batches is the share of all."""
  for name in (metric, same_as):
    path = tmp_path / name.replace('/', '_')
    runs.train(resolve(name, direction), path, context=RunContext())
  path, other = (tmp_path / x.replace('/', '_') for x in (metric, same_as))
  found = records(path, metric_log.name_sampled(metric))
  assert len(found) == 5
  assert found == pytest.approx(records(other, same_as))
  name = 'model.weights.npy.gz'
  assert (path / name).read_bytes() == (other / name).read_bytes()


def test_of_one_class_and_with_a_pace_of_its_own(place, tmp_path):
  results = runs.train(
    resolve('recall:tech', 'maximize', 'experiment.patience = 2'),
    tmp_path,
    context=RunContext(),
  )
  found = records(tmp_path, 'metrics/recall:tech')
  assert len(found) > 2
  steps = [1, 3, 6, 9, 12]
  assert results.step == steps[found.index(max(found))]


@pytest.mark.parametrize(
  ('metric', 'direction', 'message'),
  [
    (
      'f1:teck',
      'maximize',
      "experiment.best_metric is 'f1:teck', and bbc_news:1.0.0 has no class "
      "'teck'. Did you mean tech?",
    ),
    (
      'brier_score',
      'maximize',
      "experiment.best_metric is 'brier_score', of which less is better. Bind "
      "experiment.best_direction = 'minimize'.",
    ),
    (
      'auroc',
      'minimize',
      "experiment.best_metric is 'auroc', of which more is better. Bind "
      "experiment.best_direction = 'maximize'.",
    ),
  ],
)
def test_what_would_choose_badly_is_refused(
  place, tmp_path, metric, direction, message
):
  with pytest.raises(UserError) as error:
    runs.train(
      resolve(metric, direction), tmp_path / 'run', context=RunContext()
    )
  assert str(error.value) == message
  assert not (tmp_path / 'run').exists()
