"""Which trials a sweep has, and what it believes of their directories."""

import json

import pytest

from experiments.config import gin_config
from experiments.foundation.errors import UserError
from experiments.sweeps import sweep_definition, sweep_plan
from experiments.sweeps.sweep_plan import Trial


def make_trial(path, text='SEED = 1\n'):
  return Trial(
    key=text,
    values={'SEED': '1'},
    make_config=lambda: gin_config.Config(text, {}, {}),
    path=path,
  )


def leave_run(path, text, status='finished'):
  path.mkdir()
  (path / 'config.gin').write_text(text)
  (path / 'run.json').write_text(
    json.dumps({'status': status, 'metrics': {'accuracy': 0.5}})
  )


def test_a_status_is_that_of_the_same_config_only(tmp_path):
  trial = make_trial(tmp_path / 'run')
  assert sweep_plan.status(trial) == sweep_plan.NEW
  leave_run(trial.path, 'SEED = 2\n')
  run = sweep_plan.read_run(trial)
  assert (run.status, dict(run.metrics)) == (sweep_plan.NEW, {})
  # As written by hand, or by an earlier version.
  (trial.path / 'config.gin').write_text('SEED=1')
  run = sweep_plan.read_run(trial)
  assert (run.status, dict(run.metrics)) == ('finished', {'accuracy': 0.5})


class PlannerOfOnePath:
  """Gives every trial the same directory, as a hash that meets another's."""

  def __init__(self, path):
    self._path = path

  def trial(self, point):
    return make_trial(self._path, f'SEED = {point["SEED"]}\n')


def test_two_trials_never_share_a_directory(tmp_path):
  definition = sweep_definition.read_definition(['SEED=[1, 2]'])
  with pytest.raises(UserError) as error:
    sweep_plan.plan_grid(
      PlannerOfOnePath(tmp_path / 'run'),  # type: ignore[arg-type]
      definition,
    )
  assert str(error.value).startswith(
    f'Two trials would write to {tmp_path / "run"}: '
  )
