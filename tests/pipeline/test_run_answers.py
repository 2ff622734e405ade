"""CALIBRATION and REJECT_BELOW: fitted once, heeded wherever one asks."""

import json
import pathlib
import shutil

import numpy as np
import pandas as pd
import pytest

import experiments
from experiments.evaluation import temperature

TEXTS = ['Film Oscar film award film actor film.', 'Shares fell.', 'mnopq']
# A model that is sure of some texts, and not of others.
BINDINGS = (
  "SPLITS=('train[:70%]', 'train[70%:]', 'test')",
  'MODEL=@masked_mean_embedding',
  'LEARNING_RATE=0.1',
)


def train(launcher, directory, *bindings):
  """Returns the directory of a run, and what it wrote to stdout."""
  done = launcher(
    '--gin_file=tiny.gin',
    *(f'--gin_bindings={binding}' for binding in (*BINDINGS, *bindings)),
    f'--output_dir={directory}',
  )
  assert done.returncode == 0, done.stderr
  return directory, done.stdout


@pytest.fixture(scope='module')
def plain(launcher, tmp_path_factory):
  return train(launcher, tmp_path_factory.mktemp('plain') / 'run')[0]


@pytest.fixture(scope='module')
def calibrated(launcher, tmp_path_factory):
  return train(
    launcher,
    tmp_path_factory.mktemp('calibrated') / 'run',
    "CALIBRATION='temperature'",
    'REJECT_BELOW=0.7',
  )


def read_json(path):
  return json.loads(path.read_text())


def log_probs_of(directory, split):
  frame = pd.read_parquet(directory / 'predictions' / f'{split}.parquet')
  return np.stack(frame.log_probs), frame.expected.to_numpy()


def test_one_number_is_fitted_on_the_validation_split(plain, calibrated):
  directory = calibrated[0]
  found = read_json(directory / 'calibration.json')
  (validation,) = (
    path.stem
    for path in (plain / 'predictions').iterdir()
    if path.stem != 'test'
  )
  raw, expected = log_probs_of(plain, validation)
  assert found['temperature'] == pytest.approx(
    temperature.fit_temperature(raw, expected), rel=1e-4
  )
  assert found['n_examples'] == len(raw)
  assert not (plain / 'calibration.json').exists()
  before, after = found['cross_entropy']
  assert after < before


def test_what_is_kept_of_a_split_is_at_that_temperature(plain, calibrated):
  directory = calibrated[0]
  found = read_json(directory / 'calibration.json')['temperature']
  raw, expected = log_probs_of(plain, 'test')
  kept, _ = log_probs_of(directory, 'test')
  np.testing.assert_allclose(
    kept, temperature.rescale(raw, found), rtol=1e-4, atol=1e-5
  )
  run, before = (read_json(x / 'run.json') for x in (directory, plain))
  assert run['metrics']['accuracy'] == before['metrics']['accuracy']
  answers = run['answers']
  assert answers['calibration']['cross_entropy_before'] == pytest.approx(
    before['metrics']['cross_entropy'], rel=1e-4
  )
  sure = np.exp(kept.max(axis=1)) >= 0.7
  assert answers['rejection']['coverage'] == pytest.approx(sure.mean())
  right = kept.argmax(axis=1) == expected
  assert answers['rejection']['risk'] == pytest.approx(1 - right[sure].mean())
  assert before['answers'] == {'calibration': None, 'rejection': None}
  assert (directory / 'report/risk_coverage.png').exists()
  assert not (plain / 'report/risk_coverage.png').exists()


def test_the_end_of_a_run_says_so(calibrated):
  directory, stdout = calibrated
  run = read_json(directory / 'run.json')
  found = run['answers']['rejection']
  n = round(found['coverage'] * run['metrics']['n_examples'])
  assert f'At least 0.7 sure: {n} of {run["metrics"]["n_examples"]} ' in stdout
  value = read_json(directory / 'calibration.json')['temperature']
  assert f'Calibrated at temperature {value:.3f}; without it' in stdout


def test_predict_and_python_answer_at_that_temperature(
  launcher, plain, calibrated, tmp_path
):
  (tmp_path / 'texts.txt').write_text('\n'.join(TEXTS))
  done = launcher(
    *('--mode=predict', f'--output_dir={calibrated[0]}'),
    f'--input={tmp_path}/texts.txt',
  )
  answers = [json.loads(line) for line in done.stdout.splitlines()]
  given = np.array([[*each['probabilities'].values()] for each in answers])
  with launcher.in_process():
    raw = experiments.load_classifier(plain).predict_proba(TEXTS)
    labels, probabilities = experiments.load_classifier(calibrated[0]).predict(
      TEXTS
    )
  found = read_json(calibrated[0] / 'calibration.json')['temperature']
  np.testing.assert_allclose(
    given, np.exp(temperature.rescale(np.log(raw), found)), rtol=1e-3
  )
  np.testing.assert_allclose(given, probabilities, rtol=1e-6)
  assert [each['label'] for each in answers] == labels.tolist()
  for label, row in zip(labels, probabilities, strict=True):
    assert (label is None) == (row.max() < 0.7)
  # The test is one of both.
  assert {None} < set(labels.tolist())


def test_a_temperature_that_is_damaged_or_missing(
  launcher, calibrated, tmp_path
):
  directory = pathlib.Path(shutil.copytree(calibrated[0], tmp_path / 'run'))
  path = directory / 'calibration.json'
  ask = ('--mode=predict', f'--output_dir={directory}', '--input=texts.txt')
  (launcher.cwd / 'texts.txt').write_text('Shares fell.\n')
  content = path.read_text()
  path.write_text(content.replace('"step": 30', '"step": 31'))
  done = launcher(*ask)
  assert done.returncode == 2
  assert done.stdout == ''
  assert done.stderr == (
    f'{path} is damaged (its checksum is another). Make it anew: python '
    f'launcher.py --mode=eval --output_dir={directory}\n'
  )
  path.unlink()
  done = launcher(*ask)
  assert json.loads(done.stdout)['n_tokens'] > 0
  assert 'The model of step 30 is not calibrated yet, so it answers' in (
    done.stderr
  )
  launcher('--mode=eval', f'--output_dir={directory}')
  assert path.read_text() == content
