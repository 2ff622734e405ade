"""What is chosen on a validation split, and what it is on test."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from experiments.comparison import (
  choice,
  compare,
  compare_tables,
  evidence,
  resampling,
  samples,
  statistics,
  sum_metrics,
)
from experiments.foundation.errors import UserError
from tests.fixtures.made_runs import (
  keep_predictions,
  keep_validation,
  log_probs_of,
  write_run,
)

N_TEST, N_VALIDATION = 200, 100
VALIDATION = 'train[80%:]'


def said(n, n_wrong):
  """Returns log-probabilities with some mistakes, and the expected classes."""
  expected = np.arange(n) % 3
  predicted = expected.copy()
  predicted[:n_wrong] = (predicted[:n_wrong] + 1) % 3
  return log_probs_of(predicted), expected


def keep(path, rate, seed, *, on_test, on_validation):
  """Writes a run with as many mistakes on its two splits."""
  bindings = {'RATE': rate, 'SEED': seed, 'experiment.seed': '%SEED'}
  keep_predictions(
    path, bindings | {'Adam.rate': '%RATE'}, *said(N_TEST, on_test)
  )
  if on_validation is not None:
    keep_validation(path, *said(N_VALIDATION, on_validation))


@pytest.fixture
def runs(tmp_path):
  """Two configs of two seeds, of which validation likes one and test the other.

  The second config has 10 and 12 mistakes on validation, 40 and 60 on test.
  """
  for seed in (0, 1):
    keep(tmp_path / f'a{seed}', 0.1, seed, on_test=10, on_validation=30)
    of_b = {'on_test': 40 + 20 * seed, 'on_validation': 10 + 2 * seed}
    keep(tmp_path / f'b{seed}', 0.2, seed, **of_b)
  return tmp_path


def weighed(directory, **arguments):
  comparison = compare.compare(directory, **arguments)
  return comparison, evidence.weigh(comparison)


def rendered(directory, format_='text', **arguments):
  comparison, found = weighed(directory, **arguments)
  return compare_tables.render(comparison, format_, evidence=found)


def test_runs_are_compared_where_they_are_chosen(runs):
  comparison, (found,) = weighed(runs)
  (section,) = comparison.sections
  assert (section.split, section.n_examples) == (VALIDATION, N_VALIDATION)
  assert [run.name for run in section.runs] == ['b0', 'b1', 'a0', 'a1']
  assert section.groups[0].means['accuracy'] == pytest.approx(0.89)
  assert found.groups[0].intervals['accuracy'].value == pytest.approx(0.89)


def test_test_is_reported_of_the_best_alone(runs):
  text = rendered(runs)
  wrong = [said(N_TEST, n) for n in (40, 60)]
  metrics = {'accuracy': sum_metrics.METRICS['accuracy']}
  draws = resampling.resample(metrics, wrong)['accuracy']
  expected = statistics.estimate(*draws, n_examples=N_TEST)
  assert expected.value == pytest.approx(0.75)
  line = (
    'On test, by which nothing is chosen here, RATE=0.2 has accuracy 0.7500 '
    f'[{expected.low:.4f}, {expected.high:.4f}], 200 examples.'
  )
  assert line in text.splitlines()
  # That of the other, which test likes better, is nowhere.
  assert '0.95' not in text
  found = json.loads(rendered(runs, 'json'))
  (best,) = found['best']
  assert (best['runs'], best['test_split']) == (['b0', 'b1'], 'test')
  assert best['test_mean'] == pytest.approx(0.75)
  assert best['test_interval'] == pytest.approx(expected[1:])
  rows = csv.DictReader(io.StringIO(rendered(runs, 'csv')))
  assert [(row['split'], row['accuracy']) for row in rows] == [
    *((VALIDATION, each) for each in ('0.9', '0.88', '0.7', '0.7'))
  ]


def test_without_predictions_test_is_reported_without_an_interval(runs):
  for path in runs.glob('*/predictions/*'):
    path.unlink()
  text = compare_tables.render(compare.compare(runs))
  assert 'RATE=0.2 has accuracy 0.7500, 200 examples.' in text


def test_the_metric_of_one_class_is_chosen_on_validation_too(runs):
  text = rendered(runs, objective='recall:yes')
  # 3 and 4 of 33 are wrong; on test 13 and 20 of 67.
  assert f'{1 - 3.5 / 33:.4f} [' in text
  assert f'RATE=0.2 has recall:yes {1 - 16.5 / 67:.4f} [' in text


def test_another_split_is_compared_on_where_it_is_asked_for(runs):
  comparison, _ = weighed(runs, split='test')
  (section,) = comparison.sections
  assert (section.split, section.n_examples) == ('test', N_TEST)
  assert section.groups[0].name == 'a0'
  assert 'by which nothing is chosen' not in rendered(runs, split='test')
  same, _ = weighed(runs, split=VALIDATION)
  assert same == weighed(runs)[0]


def test_a_split_that_no_run_is_measured_on_is_refused(runs, tmp_path):
  with pytest.raises(UserError) as error:
    compare.compare(runs, split='tset')
  assert str(error.value) == (
    f'--split=tset: no run is measured on it. There are test, {VALIDATION}.'
  )
  write_run(tmp_path / 'new' / 'run', {'RATE': '1'}, status='running')
  with pytest.raises(UserError, match=r'on it\. Nothing is\.$'):
    compare.compare(tmp_path / 'new', split='test')


def test_runs_of_earlier_versions_stay_with_test(runs):
  keep(runs / 'old', 0.3, 0, on_test=20, on_validation=None)
  record = json.loads((runs / 'old' / 'run.json').read_text())
  record['splits']['validation'] = VALIDATION
  (runs / 'old' / 'run.json').write_text(json.dumps(record))
  comparison = compare.compare(runs)
  assert [(x.split, len(x.runs)) for x in comparison.sections] == [
    *((VALIDATION, 4), ('test', 1))
  ]


def test_a_run_that_measured_nothing_stands_with_those_of_its_split(runs):
  splits = f'("train[:80%]", "{VALIDATION}", "test")'
  write_run(
    runs / 'failed',
    {'experiment.splits': splits, 'RATE': '0.3', 'Adam.rate': '%RATE'},
    status='failed',
    data=None,
  )
  (section,) = compare.compare(runs).sections
  assert [run.split for run in section.runs] == [VALIDATION] * 5


def test_the_best_of_several_is_said_to_be_lucky(runs):
  _, (found,) = weighed(runs)
  assert found.choice is not None
  assert found.choice.n_configs == 2
  assert found.choice.measured == pytest.approx(0.89)
  # It wins on nearly every draw, so nearly nothing of it is luck.
  assert found.choice.expected == pytest.approx(0.89, abs=0.01)


@pytest.mark.parametrize(
  ('objective', 'expected', 'words'),
  [
    ('accuracy', 0.875, 'is in part the luckiest: … 0.8750 …, not 0.8900'),
    ('accuracy', 0.895, 'owes little to luck: … 0.8950 …, after 0.8900'),
    ('cross_entropy', 0.5, 'is in part the luckiest: … 0.5000 …, not 0.4500'),
    ('cross_entropy', 0.4, 'owes little to luck: … 0.4000 …, after 0.4500'),
  ],
)
def test_it_is_said_how_much_of_the_best_is_luck(
  runs, objective, expected, words
):
  comparison, (found,) = weighed(runs, objective=objective)
  measured = 0.89 if objective == 'accuracy' else 0.45
  found = dataclasses.replace(
    found, choice=choice.Choice(2, measured, expected)
  )
  luck, number, end = words.split(' …')
  assert (
    f'The best of 2 {luck} of RATE=0.2, measured on other examples, '
    f'{objective}{number} is to be expected{end} on these.'
  ) in compare_tables.render(comparison, evidence=[found]).splitlines()


def test_of_equals_the_best_is_expected_to_be_as_the_others():
  """20 configs, each with three of four right by chance alone, 30 times."""
  generator = np.random.default_rng(0)
  accuracy = sum_metrics.METRICS['accuracy']
  expected = np.ones(200, np.int64)
  rows = []
  for _ in range(30):
    configs = [
      samples.Sample(
        labels=('no', 'yes', 'perhaps'),
        rows=np.arange(200),
        expected=expected,
        text_digests=None,
        log_probs=log_probs_of((generator.random(200) < 0.75).astype(int)),
        has_probabilities=True,
        text_settings=(),
      )
      for _ in range(20)
    ]
    # As a table has them.
    configs.sort(key=lambda x: -accuracy.of(x.log_probs, expected))
    found = choice.find_choice(
      accuracy, {i: [each] for i, each in enumerate(configs)}
    )
    assert found is not None
    assert found.measured == accuracy.of(configs[0].log_probs, expected)
    rows.append((found.measured, found.expected))
  measured, anew = np.mean(rows, axis=0)
  assert measured > 0.8
  # The standard error of this mean is 0.0035.
  assert anew == pytest.approx(0.75, abs=0.012)


@pytest.mark.parametrize('left', [0, 1])
def test_of_one_config_nothing_was_chosen(runs, left):
  for name in ('a0', 'a1', 'b1')[: 2 + left]:
    (runs / name / 'run.json').unlink()
    (runs / name / 'config.gin').unlink()
  _, (found,) = weighed(runs)
  assert found.choice is None
  assert 'luckiest' not in rendered(runs)
  assert 'On test, by which nothing' in rendered(runs)
