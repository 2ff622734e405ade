"""What of a sweep is refused before the first of its trials."""

import pytest

from experiments.foundation.errors import UserError
from experiments.sweeps import sweep

pytest.importorskip('optuna')


@pytest.fixture(scope='module')
def place(launcher):
  launcher.trained()
  with launcher.in_process() as cwd:
    yield cwd


def read(tmp_path, *, sweeps=('SEED=[0]',), bindings=(), **more):
  return sweep.read_sweep(
    sweeps,
    gin_files=['tiny.gin'],
    gin_bindings=bindings,
    output_dir=str(tmp_path / 'sweep'),
    **more,
  )


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (
      {'search': 'bogus'},
      "search must be grid, random or tpe, not 'bogus'.",
    ),
    (
      {'search': 'tp'},
      "search must be grid, random or tpe, not 'tp'. Did you mean tpe?",
    ),
    (
      {'search': 'random', 'n_trials': 0},
      'n_trials must be a whole number of at least 1, not 0.',
    ),
    ({'n_trials': 0}, 'n_trials must be a whole number of at least 1, not 0.'),
    (
      {'executor': 'rays'},
      "executor must be local or ray, not 'rays'. Did you mean ray?",
    ),
    ({'jobs': 0}, 'jobs must be a whole number of at least 1, not 0.'),
    ({'retries': -1}, 'retries must be a whole number of at least 0, not -1.'),
    ({'jobs': 1.5}, 'jobs must be a whole number of at least 1, not 1.5.'),
  ],
)
def test_what_no_flag_could_say_is_refused(place, tmp_path, arguments, message):
  reading = {'search', 'n_trials'} & set(arguments)
  wanted = None if reading else read(tmp_path)
  with pytest.raises(UserError) as caught:
    sweep.run_sweep(wanted or read(tmp_path, **arguments), **arguments)
  assert str(caught.value) == message
  assert not (tmp_path / 'sweep').exists()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (
      {'bindings': ['FOLD = 1']},
      "--gin_bindings='FOLD = 1': --folds=3 binds FOLD itself, for each trial. "
      'Leave one of them out.',
    ),
    (
      {'bindings': ['experiment.n_folds = 4']},
      "--gin_bindings='experiment.n_folds = 4': --folds=3 binds "
      'experiment.n_folds itself, for each trial. Leave one of them out.',
    ),
    (
      {'sweeps': ['FOLD=[0, 1]']},
      "--folds=3: FOLD is swept twice, first by --sweep='FOLD=[0, 1]'. Keep "
      'one.',
    ),
    (
      {'search': 'random', 'n_trials': 4},
      '--folds=3 does not go with --search=random, which would try a config on '
      'one fold and not on the others. Search with three SPLITS, and try the '
      'best on all folds.',
    ),
  ],
)
def test_folds_are_tried_by_nothing_else(place, tmp_path, arguments, message):
  with pytest.raises(UserError) as caught:
    read(tmp_path, n_folds=3, **arguments)
  assert str(caught.value) == message


def test_each_config_is_tried_on_each_fold(place, tmp_path):
  wanted = read(tmp_path, sweeps=['SEED=[0, 1]'], n_folds=3)
  trials = sweep.check_trials(wanted)
  assert [(t.values['SEED'], t.values['FOLD']) for t in trials] == [
    (seed, fold) for seed in '01' for fold in '012'
  ]
  assert {trial.values['N_FOLDS'] for trial in trials} == {'3'}
  # They share their compiled programs.
  assert len({trial.structure for trial in trials}) == 1


@pytest.mark.parametrize('names', [{}, {'search': 'random', 'n_trials': 1}])
def test_a_class_that_the_data_have_not_is_met_at_once(place, tmp_path, names):
  wanted = read(tmp_path, bindings=["sweep.objective='f1:teck'"], **names)
  with pytest.raises(UserError) as caught:
    sweep.run_sweep(wanted)
  assert str(caught.value) == (
    "sweep.objective is 'f1:teck', and bbc_news:1.0.0 has no class 'teck'. Did "
    'you mean tech?'
  )
  assert not list((tmp_path / 'sweep').glob('*'))


def test_the_class_must_be_in_the_data_of_every_trial(place, tmp_path):
  other = tmp_path / 'mail.csv'
  rows = ''.join(f'text {i},{"spam" if i % 2 else "ham"}\n' for i in range(90))
  other.write_text(f'text,label\n{rows}')
  wanted = read(
    tmp_path,
    sweeps=[f"DATASET=['bbc_news', '{other}']", 'SEED=[0, 1]'],
    bindings=["sweep.objective='recall:tech'", "KEYS=('text', 'label')"],
  )
  with pytest.raises(UserError, match=r"and mail\S* has no class 'tech'"):
    sweep.run_sweep(wanted)
  assert not list((tmp_path / 'sweep').glob('*'))
