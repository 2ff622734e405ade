"""What a search proposes, and that it can be stopped and gone on with."""

import dataclasses
import json
import math
import random
import re
from typing import Any

import pytest

from experiments.config import gin_config
from experiments.foundation.errors import UserError
from experiments.rundir import run_dir, run_names
from experiments.rundir.metric_log import Record
from experiments.sweeps import (
  search,
  sweep_definition,
  sweep_objective,
  sweep_plan,
)
from experiments.sweeps.sweep_plan import Trial
from experiments.sweeps.sweep_settings import (
  Settings,
  check_effects,
  split_bindings,
)

pytest.importorskip('optuna')

RATE = "LEARNING_RATE={'log_uniform': [1e-4, 1]}"
SIZE = "EMBEDDING_SIZE={'int': [8, 64]}"
MODEL = 'MODEL=[@gru, @mean]'


class FakePlanner:
  """Makes trials that need no trax."""

  def __init__(self, directory):
    self._directory = directory

  def describe(self):
    return 'tiny.gin'

  def trial(self, point):
    lines = [f'{name} = {value}' for name, value in point.items()]
    text = '\n'.join([*lines, "experiment.splits = ('train', 'test')"])
    return Trial(
      key=text,
      values={name: str(value) for name, value in point.items()},
      make_config=lambda: gin_config.Config(text, {'N_STEPS': 30}, {}),
      path=self._directory / run_names.safe_name(text),
    )


def open_search(directory, *sweeps, n_trials=10, kind='random', **settings):
  return search.Search(
    FakePlanner(directory),  # type: ignore[arg-type]
    sweep_definition.read_definition([*sweeps]),
    directory=directory,
    search=kind,
    n_trials=n_trials,
    settings=Settings(**settings),
    is_parallel=False,
  )


def open_study(directory):
  """Returns the study as Optuna itself reads it."""
  import optuna
  from optuna.storages import journal

  path = directory / 'study.journal'
  storage = optuna.storages.JournalStorage(
    journal.JournalFileBackend(str(path))
  )
  return optuna.load_study(study_name=None, storage=storage)


def finish(trial, value):
  """Leaves what a finished run leaves."""
  trial.path.mkdir(exist_ok=True)
  (trial.path / 'config.gin').write_text(trial.config.text)
  (trial.path / 'run.json').write_text(
    json.dumps(
      {
        'status': 'finished',
        'metrics': {'accuracy': value, 'cross_entropy': value},
      }
    )
  )


def drain(source, objective=lambda trial: 0.5):
  """Runs a search to its end; returns the values of its trials."""
  values = []
  while (trial := source.next()) is not None:
    finish(trial, objective(trial))
    source.take_status(trial, 'finished')
    values.append(dict(trial.values))
  return values


def test_a_pruner_goes_by_what_is_measured(tmp_path):
  source = open_search(
    tmp_path, RATE, pruner='median', pruning_metric='metrics/Accuray'
  )
  trial = source.next()
  train = Record(1, 'train', 'training/loss', 0.5, 0)
  assert source.take_records(trial, [train])
  with pytest.raises(UserError) as caught:
    source.take_records(
      trial, [train, Record(1, 'eval', 'metrics/Accuracy', 0.5, 0)]
    )
  assert str(caught.value) == (
    "sweep.pruning_metric: 'metrics/Accuray' is not measured while a trial "
    "trains. Choose one of 'metrics/Accuracy'."
  )


def test_values_are_drawn_from_their_distributions(tmp_path):
  values = drain(open_search(tmp_path, RATE, SIZE, MODEL, n_trials=60))
  rates = [float(v['LEARNING_RATE']) for v in values]
  sizes = [int(v['EMBEDDING_SIZE']) for v in values]
  assert len(values) == 60
  assert all(1e-4 <= rate <= 1 for rate in rates)
  # Of a log-uniform on four decades half lie below 0.01.
  assert 20 <= sum(rate < 0.01 for rate in rates) <= 40
  assert all(8 <= size <= 64 for size in sizes)
  assert {v['MODEL'] for v in values} == {'@gru', '@mean'}
  # Names stay readable.
  assert max(len(v['LEARNING_RATE']) for v in values) <= 10


def test_a_zip_group_is_drawn_as_one(tmp_path):
  path = tmp_path / 's.yaml'
  path.write_text(
    'zip: {A: [1, 2, 3], B: [10, 20, 30]}\n' + 'C: {int: [1, 99]}'
  )
  values = drain(open_search(tmp_path, str(path), n_trials=20))
  assert {(v['A'], v['B']) for v in values} == {
    ('1', '10'),
    ('2', '20'),
    ('3', '30'),
  }


def test_a_random_search_is_the_same_however_often_it_is_stopped(tmp_path):
  (tmp_path / 'a').mkdir()
  (tmp_path / 'b').mkdir()
  whole = drain(open_search(tmp_path / 'a', RATE, SIZE, n_trials=8))
  rng = random.Random(1)
  done: list[dict] = []
  waiting = None
  for _ in range(100):
    source = open_search(tmp_path / 'b', RATE, SIZE, n_trials=8)
    trial = source.next()
    if trial is None:
      break
    if waiting is not None:
      # What has no result is gone on with, not drawn again.
      assert trial.key == waiting.key
    waiting = trial
    if rng.random() < 0.6:
      finish(trial, 0.5)
      source.take_status(trial, 'finished')
      done.append(dict(trial.values))
      waiting = None
  assert done == whole


def test_more_trials_add_to_those_there_are(tmp_path):
  first = drain(open_search(tmp_path, RATE, n_trials=3))
  again = open_search(tmp_path, RATE, n_trials=3)
  assert [dict(t.values) for t in again.trials()] == first
  assert drain(again) == []
  more = open_search(tmp_path, RATE, n_trials=5)
  assert len(drain(more)) == 2
  assert more.n_trials == 5


def test_another_seed_draws_other_values(tmp_path):
  a = drain(open_search(tmp_path, RATE, n_trials=3))
  b = drain(open_search(tmp_path, RATE, n_trials=3, seed=1))
  assert not {v['LEARNING_RATE'] for v in a} & {v['LEARNING_RATE'] for v in b}


def test_tpe_learns_where_to_look(tmp_path):
  def accuracy(trial):
    # The best rate is 0.01.
    distance = math.log10(float(trial.values['LEARNING_RATE'])) + 2
    return 1 - abs(distance) / 4

  values = drain(open_search(tmp_path, RATE, n_trials=40, kind='tpe'), accuracy)
  late = [float(v['LEARNING_RATE']) for v in values[20:]]
  # A twelfth of the space is this near to the best; chance gives it 5 of 20.
  near = sum(10**-2.5 < rate < 10**-1.5 for rate in late)
  assert near >= 10


def test_two_objectives_are_searched_for_at_once(tmp_path):
  source = open_search(
    tmp_path,
    RATE,
    n_trials=5,
    kind='tpe',
    second_objective='expected_calibration_error',
  )
  finished: list[Trial] = []
  while (trial := source.next()) is not None:
    finish(trial, 0.5)
    record = json.loads((trial.path / 'run.json').read_text())
    record['metrics']['expected_calibration_error'] = 0.1 + len(finished)
    (trial.path / 'run.json').write_text(json.dumps(record))
    source.take_status(trial, 'finished')
    finished.append(trial)
  found = open_study(tmp_path)
  assert [x.name for x in found.directions] == ['MAXIMIZE', 'MINIMIZE']
  assert [trial.values for trial in found.get_trials()] == [
    [0.5, 0.1 + i] for i in range(5)
  ]


@pytest.mark.parametrize(
  'objective', ["('accuracy', 'accuracy')", "('accuracy',) * 3", '()']
)
def test_two_objectives_must_be_two(objective):
  with pytest.raises(UserError, match=r'sweep\.objective'):
    split_bindings([f'sweep.objective={objective}'], {})


def test_of_two_objectives_none_is_pruned():
  _, settings = split_bindings(
    ["sweep.objective=('accuracy', 'n_weights')", "sweep.pruner='median'"], {}
  )
  assert settings.directions == ['maximize', 'minimize']
  with pytest.raises(UserError) as error:
    check_effects(settings, 'tpe')
  assert str(error.value) == (
    'sweep.pruner is for a single sweep.objective: of two, none is hopeless '
    'early.'
  )


def test_a_trial_that_was_proposed_before_is_not_run_again(tmp_path):
  source = open_search(tmp_path, "SEED={'int': [0, 1]}", n_trials=12)
  values = drain(source)
  assert sorted(v['SEED'] for v in values) == ['0', '1']
  assert source.n_trials == 2
  assert all(t.state.name == 'COMPLETE' for t in open_study(tmp_path).trials)


def records(step, value, metric='metrics/Accuracy'):
  return [
    Record(step, 'train', metric, 0.0, 0.0),
    Record(step, 'eval', metric, value, 0.0),
  ]


def test_the_median_pruner_gives_up_what_is_behind(tmp_path):
  source = open_search(tmp_path, RATE, n_trials=10, pruner='median')
  for i in range(6):
    trial = source.next()
    # The first sampled evaluation says nothing.
    assert source.take_records(trial, records(1, 0.0))
    assert source.take_records(trial, records(10, 0.5 + i / 100))
    finish(trial, 0.5)
    source.take_status(trial, 'finished')
  behind, ahead = source.next(), source.next()
  assert not source.take_records(behind, records(10, 0.4))
  assert source.take_records(ahead, records(10, 0.9))
  # At its end a trial is not given up any more.
  assert source.take_records(ahead, records(30, 0.0))
  source.take_status(behind, 'pruned')
  assert open_study(tmp_path).trials[6].state.name == 'PRUNED'


def test_successive_halving_lets_the_best_quarter_go_on(tmp_path):
  source = open_search(tmp_path, RATE, n_trials=9, pruner='halving')
  # Optuna takes its rungs from the length of the first trial: 1, 4, 16, ...
  first = source.next()
  for step in (10, 20, 30):
    assert source.take_records(first, records(step, 0.5))
  finish(first, 0.5)
  source.take_status(first, 'finished')
  went_on = [
    source.take_records(source.next(), records(10, value))
    for value in (0.1, 0.2, 0.3, 0.9, 0.8, 0.4, 0.7, 0.95)
  ]
  # Each is compared with those before it: of up to seven the best goes on.
  assert went_on == [True, True, True, True, False, False, False, True]


def test_hyperband_gives_up_what_is_behind_and_never_the_best(tmp_path):
  source = open_search(tmp_path, RATE, n_trials=40, pruner='hyperband')
  # Evaluated at steps 10 and 30: of two brackets one has a rung at 10.
  best, went_on = 0.0, []
  for i in range(40):
    trial = source.next()
    value = (i * 7 % 40) / 40
    assert source.take_records(trial, records(1, 0.0))
    went_on.append(source.take_records(trial, records(10, value)))
    assert went_on[-1] or value < best
    best = max(best, value)
    if went_on[-1]:
      assert source.take_records(trial, records(30, value))
    finish(trial, value)
    source.take_status(trial, 'finished' if went_on[-1] else 'pruned')
  assert 5 < went_on.count(False) < 30


def test_records_from_before_are_reported_once(tmp_path):
  source = open_search(tmp_path, RATE, n_trials=2, pruner='median')
  trial = source.next()
  source.take_records(trial, records(10, 0.5))
  again = open_search(tmp_path, RATE, n_trials=2, pruner='median')
  trial = again.next()
  assert again.take_records(trial, records(10, 0.5) + records(20, 0.6))
  assert open_study(tmp_path).trials[0].intermediate_values == {
    10: 0.5,
    20: 0.6,
  }


def test_a_loss_is_searched_downwards(tmp_path):
  source = open_search(
    tmp_path, RATE, n_trials=9, pruner='median', objective='cross_entropy'
  )
  assert open_study(tmp_path).direction.name == 'MINIMIZE'
  for _ in range(6):
    trial = source.next()
    source.take_records(trial, records(10, 1.0, 'metrics/CrossEntropyLoss'))
    finish(trial, 1.0)
    source.take_status(trial, 'finished')
  worse = source.next()
  assert not source.take_records(
    worse, records(10, 2.0, 'metrics/CrossEntropyLoss')
  )


@pytest.mark.parametrize(
  ('best_metric', 'told'), [("'metrics/Accuracy'", 0.9), ('None', 0.7)]
)
def test_a_search_takes_old_trials_by_their_sampled_evaluation(
  tmp_path, best_metric, told
):
  text = (
    "SPLITS = ('train[:80%]', 'train[80%:]', 'test')\n\n"
    f'experiment.best_metric = {best_metric}\n'
    'experiment.splits = %SPLITS\n'
  )
  source = open_search(tmp_path, RATE, n_trials=1)
  trial = source.next()
  trial = dataclasses.replace(
    trial, make_config=lambda: gin_config.Config(text, {}, {})
  )
  finish(trial, 0.1)
  (trial.path / 'metrics.jsonl').write_text(
    ''.join(
      json.dumps(record._asdict()) + '\n'
      for record in [*records(1, 0.3), *records(10, 0.9), *records(20, 0.7)]
    )
  )
  run = sweep_plan.read_run(trial)
  assert run.metrics['accuracy'] == 0.1
  assert sweep_objective.value(trial, run, Settings()) == told


@pytest.mark.parametrize('objective', ['accuracy', 'auroc', 'f1:yes'])
def test_a_search_is_told_of_the_validation_split(tmp_path, objective):
  source = open_search(tmp_path, RATE, n_trials=1, objective=objective)
  trial = source.next()
  text = "experiment.splits = ('train', 'unseen', 'test')\n"
  trial = dataclasses.replace(
    trial, make_config=lambda: gin_config.Config(text, {}, {})
  )
  finish(trial, 0.1)
  measured = {
    **{'n_examples': 4, 'accuracy': 0.75, 'auroc': 0.75},
    **{'label_names': ['no', 'yes'], 'f1': [0.5, 0.75]},
  }
  run_dir.RunDir(trial.path).write_run(
    splits={'train': 'train', 'validation': 'unseen', 'test': 'test'},
    validation_metrics=measured,
  )
  source.take_status(trial, 'finished')
  assert open_study(tmp_path).trials[0].value == 0.75


@pytest.mark.parametrize(
  ('splits', 'is_test'),
  [
    ("('train', 'test')", True),
    ("('train', 'test[:50%]')", True),
    ("('train', 'validation', 'test')", False),
    ("('train', 'test[:50%]', 'test[50%:]')", False),
    ("('train[:80%]', 'train[80%:]')", False),
    ("('train', 'validation')", False),
  ],
)
def test_a_sweep_says_by_which_split_it_ranks(tmp_path, splits, is_test):
  config = gin_config.Config(f'experiment.splits = {splits}\n', {}, {})

  def described(name):
    trial = Trial('key', {name: '1'}, lambda: config, tmp_path)
    return sweep_objective.describe([trial], Settings(objective='macro_f1'))

  chosen = splits.split("'")[3]
  line = f'Ranked by:       macro_f1 of {chosen}'
  assert described('N_STEPS').startswith(line)
  assert ('flatters' in described('N_STEPS')) == is_test
  # Among seeds there is nothing to choose.
  assert 'flatters' not in described('SEED')


def test_a_half_written_line_does_no_harm(tmp_path):
  drain(open_search(tmp_path, RATE, n_trials=2))
  with open(tmp_path / 'study.journal', 'ab') as file:
    file.write(b'{"op_code": 4, "wor')
  assert len(drain(open_search(tmp_path, RATE, n_trials=3))) == 1


def changed(number, **fields):
  """Returns what changes fields of a line of a journal; None removes one."""

  def change(lines):
    entry = json.loads(lines[number]) | fields
    entry = {name: v for name, v in entry.items() if v is not None}
    lines[number] = json.dumps(entry).encode()
    return lines

  return change


# Lines: the study; and of each trial its start, what is drawn, its result.
DAMAGES = {
  'nothing in it': lambda lines: [],
  'no study': lambda lines: lines[1:],
  'no start of a trial': lambda lines: lines[:1] + lines[2:],
  'a line twice': lambda lines: [*lines[:3], lines[2], *lines[3:]],
  'a result twice': lambda lines: [*lines[:4], lines[3], *lines[4:]],
  'a line of zeros': lambda lines: [*lines[:3], b'\0' * 90, *lines[4:]],
  'no UTF-8': lambda lines: [*lines[:2], b'\xff' + lines[2], *lines[3:]],
  'half a line': lambda lines: [*lines[:2], lines[2][:50], *lines[3:]],
  'a list': lambda lines: [*lines[:2], b'[1, 2]', *lines[3:]],
  'null': lambda lines: [*lines[:2], b'null', *lines[3:]],
  'deep nesting': lambda lines: [*lines[:2], b'[' * 10**5, *lines[3:]],
  'lines swapped': lambda lines: [lines[0], lines[3], lines[2], lines[1]],
  'unknown operation': changed(2, op_code=99),
  'no operation': changed(2, op_code=None),
  'no worker': changed(2, worker_id=None),
  'no such trial': changed(2, trial_id=77),
  'no such study': changed(1, study_id=5),
  'a string for a trial': changed(2, trial_id='x'),
  'another name': changed(2, param_name='DROPOUT'),
  'a string drawn': changed(2, param_value_internal='x'),
  'no distribution': changed(2, distribution=None),
  'a broken distribution': changed(2, distribution='{'),
  'another distribution': changed(
    2, distribution='{"name": "CategoricalDistribution", "attributes": {}}'
  ),
  'unknown state': changed(3, state=44),
  'a string measured': changed(3, values=['x']),
  'no values': changed(3, values=None),
  'no date': changed(3, datetime_complete='yesterday'),
  'no directions': changed(0, directions=None),
  'two directions': changed(0, directions=[1, 2]),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_journal_is_explained_and_no_trial_lost(damage, tmp_path):
  whole = drain(open_search(tmp_path, RATE, n_trials=4))
  path = tmp_path / 'study.journal'
  lines = path.read_bytes().splitlines()
  path.write_bytes(b''.join(x + b'\n' for x in DAMAGES[damage](lines)))
  before = sorted(tmp_path.rglob('*'))
  try:
    drain(open_search(tmp_path, RATE, n_trials=4))
  except UserError as error:
    message = str(error)
    assert message.startswith(str(path))
    assert 'move this file away' in message
    assert sorted(tmp_path.rglob('*')) == before
    path.unlink()
    # Each is drawn again, and found finished.
    assert drain(open_search(tmp_path, RATE, n_trials=4)) == whole


def test_corners_hold_every_choice_and_bound():
  definition = sweep_definition.read_definition(
    [RATE, 'OPTIMIZER=[@Adam, @SGD, @SM3]']
  )
  assert [
    (p['LEARNING_RATE'], p['OPTIMIZER'].selector)
    for p in search.corners(definition)
  ] == [(1e-4, 'Adam'), (1, 'SGD'), (1, 'SM3')]


def test_settings_are_taken_out_of_the_bindings():
  rest, settings = split_bindings(
    ['N_STEPS = 3', "sweep.objective = 'macro_f1'", 'sweep.num_gpus = 0.5'],
    {'pruner': 'halving', 'objective': 'accuracy'},
  )
  assert rest == ['N_STEPS = 3']
  assert settings == Settings(
    objective='macro_f1', pruner='halving', num_gpus=0.5
  )
  assert not settings.is_minimized
  assert Settings(direction='minimize').is_minimized
  assert Settings(objective='expected_calibration_error').is_minimized


@pytest.mark.parametrize(
  ('binding', 'message'),
  [
    (
      "sweep.pruner='fast'",
      "--gin_bindings=\"sweep.pruner='fast'\": sweep.pruner must be 'none' or "
      "'median' or 'halving' or 'hyperband', not 'fast'.",
    ),
    (
      "sweep.resources={'tpu': 0}",
      '--gin_bindings="sweep.resources={\'tpu\': 0}": sweep.resources must be '
      "amounts above 0 by name, such as {'fast_disk': 1}, not {'tpu': 0}.",
    ),
    (
      "sweep.objective='f1'",
      '--gin_bindings="sweep.objective=\'f1\'": sweep.objective must be '
      'one of accuracy, cross_entropy, macro_f1, expected_calibration_error, '
      'balanced_accuracy, matthews_correlation, auroc, average_precision, '
      'brier_score, top_3_accuracy, or of one class f1:CLASS, precision:CLASS, '
      'recall:CLASS, auroc:CLASS, average_precision:CLASS, or two such as '
      "('accuracy', 'n_weights'), not 'f1'.",
    ),
    (
      'sweep.seed=1\nSEED=2',
      "--gin_bindings='sweep.seed=1\\nSEED=2': give what is for the sweep and "
      'what is for its trials by two flags.',
    ),
  ],
)
def test_settings_that_are_wrong_are_refused(binding, message):
  with pytest.raises(UserError) as error:
    split_bindings([binding], {})
  assert str(error.value) == message


REFUSED = {
  'no trials': (
    ['--sweep=SEED=[0, 1]', '--search=random'],
    '--search=random needs --trials, e.g. --trials=20.\n',
  ),
  'a grid of a distribution': (
    [f'--sweep={RATE}'],
    f'--sweep="{RATE}": LEARNING_RATE has a distribution, which a grid cannot '
    'hold. Add --search=random or --search=tpe.\n',
  ),
  'trials of a grid': (
    ['--sweep=SEED=[0, 1]', '--trials=3'],
    '--trials is for --search=random and --search=tpe.\n',
  ),
  'pruning of a grid': (
    ['--sweep=SEED=[0, 1]', "--gin_bindings=sweep.pruner='median'"],
    'sweep.pruner is for --search=random and --search=tpe.\n',
  ),
  'a bound that would be refused': (
    ["--sweep=EMBEDDING_SIZE={'int': [0, 8]}", '--search=tpe', '--trials=3'],
    '--sweep="EMBEDDING_SIZE={\'int\': [0, 8]}": EMBEDDING_SIZE = 0: macro '
    'EMBEDDING_SIZE must be a whole number of at least 1, not 0.\n',
  ),
}


# What each setting of a sweep is for; the others have an effect in any sweep,
# or on Ray.
EFFECTS: dict[str, tuple[Any, dict[str, Any], str]] = {
  'pruner': ('median', {}, '--search=random and --search=tpe'),
  'seed': (1, {}, '--search=random and --search=tpe'),
  'pruning_metric': (
    'metrics/Accuracy',
    {},
    "a sweep.pruner, such as 'median'",
  ),
  'pruner_startup_trials': (
    *(1, {'pruner': 'halving', 'search': 'tpe'}),
    "sweep.pruner = 'median'",
  ),
}
# second_objective is the second of sweep.objective.
IN_ANY = ('objective', 'second_objective', 'direction')
ON_RAY = ('num_cpus', 'num_gpus', 'memory_mib', 'resources')


def test_a_setting_of_which_nothing_would_come_is_refused():
  fields = {field.name for field in dataclasses.fields(Settings)}
  assert fields == {*EFFECTS, *IN_ANY, *ON_RAY}
  for name, (value, others, what) in EFFECTS.items():
    bound = {**others, name: value}
    search = bound.pop('search', 'grid')
    with pytest.raises(UserError) as caught:
      check_effects(Settings(**bound), search)
    assert str(caught.value) == f'sweep.{name} is for {what}.'
    check_effects(Settings(**{'pruner': 'median', name: value}), 'random')
  check_effects(Settings(), 'grid')


@pytest.mark.parametrize('case', REFUSED)
def test_a_search_that_would_go_wrong_does_not_start(case, launcher, tmp_path):
  arguments, message = REFUSED[case]
  directory = tmp_path / 'sweep'
  done = launcher(
    '--gin_file=tiny.gin', *arguments, f'--output_dir={directory}'
  )
  assert done.stderr == message
  assert done.returncode == 2
  assert not directory.exists()


def test_optuna_that_is_not_installed_is_explained(launcher, tmp_path):
  (tmp_path / 'optuna.py').write_text('raise ImportError("no optuna")\n')
  done = launcher(
    *('--gin_file=tiny.gin', f'--sweep={RATE}', '--search=tpe', '--trials=3'),
    f'--output_dir={tmp_path / "sweep"}',
    env={'PYTHONPATH': str(tmp_path)},
  )
  assert done.returncode == 2
  assert done.stderr == (
    '--search needs the package optuna. Install it: pip install '
    "'trax-experiments[search]', or pip install optuna.\n"
  )


@pytest.mark.slow
def test_the_launcher_searches_prunes_and_goes_on(launcher, tmp_path):
  directory = tmp_path / 'sweep'
  command = (
    *('--gin_file=tiny.gin', f'--sweep={RATE}', '--search=random'),
    *("--gin_bindings=sweep.pruner='median'", f'--output_dir={directory}'),
  )
  first = launcher(*command, '--trials=6')
  assert first.returncode == 0, first.stderr
  sweep = json.loads((directory / 'sweep.json').read_text())
  assert sweep['search'] == {
    'sampler': 'random',
    'trials': 6,
    'seed': 0,
    'pruner': 'median',
  }
  statuses = [trial['status'] for trial in sweep['trials'].values()]
  # Five must have finished before one can be behind their median.
  assert statuses[:5] == ['finished'] * 5
  second = launcher(*command, '--trials=9')
  assert second.returncode == 0, second.stderr
  assert second.stderr.splitlines()[0] == '6 of 9 done before'
  sweep = json.loads((directory / 'sweep.json').read_text())
  assert len(sweep['trials']) == 9
  assert {trial['attempts'] for trial in sweep['trials'].values()} == {1}
  for trial in sweep['trials'].values():
    run = json.loads((directory / trial['directory'] / 'run.json').read_text())
    assert run['status'] == trial['status']
    assert (run['status'] == 'pruned') == ('metrics' not in run)
  pruned = [
    line for line in second.stderr.splitlines() if 'Pruned at step' in line
  ]
  statuses = [trial['status'] for trial in sweep['trials'].values()]
  assert statuses.count('pruned') >= len(pruned)
  assert 'pruned' in statuses
  shown = launcher(*command, '--trials=12', '--dry_run', '--jobs=2')
  assert shown.returncode == 0, shown.stderr
  space, drawn, summary = shown.stdout.split('\n\n')
  assert space.splitlines()[1].split() == [
    *('LEARNING_RATE', 'log_uniform', '0.0001,', '1')
  ]
  head, *rows = [line.split() for line in drawn.splitlines()]
  assert head == ['LEARNING_RATE', 'status', 'directory']
  assert [row[1:] for row in rows] == [
    [trial['status'], str(directory / trial['directory'])]
    for trial in sweep['trials'].values()
  ]
  first, second_line, _, ranked = summary.splitlines()
  assert ranked.startswith('Ranked by:       accuracy of test, the test split')
  assert first == '12 trials, 9 of them done.'
  # Three are left, so two at once take twice the time of one.
  match = re.fullmatch(
    r'About (\d+) s with --jobs=2: a trial of this sweep took (.+) s\.',
    second_line,
  )
  assert match
  assert float(match[1]) == pytest.approx(2 * float(match[2]), abs=0.7)
