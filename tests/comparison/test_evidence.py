"""What runs have kept: matched row by row, and told apart or not."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from experiments.commands import compare_runs
from experiments.comparison import (
  compare,
  compare_tables,
  evidence,
  resampling,
  statistics,
  sum_metrics,
)
from experiments.foundation.errors import UserError
from tests.fixtures import live_terminal
from tests.fixtures.live_launcher import ROOT
from tests.fixtures.made_runs import (
  keep_predictions,
  log_probs_of,
  write_run,
)

N = 100
EXPECTED = np.arange(N) % 3


def predicted(wrong):
  """Returns what is right but for some rows, int64 [rows]."""
  found = EXPECTED.copy()
  wrong = list(wrong)
  found[wrong] = (found[wrong] + 1) % 3
  return found


def keep(path, rate, wrong, seed=0, **fields):
  bindings = {'RATE': rate, 'SEED': seed, 'experiment.seed': '%SEED'}
  bindings |= {'Adam.rate': '%RATE', **fields.pop('bindings', {})}
  said = {'log_probs': log_probs_of(predicted(wrong)), 'expected': EXPECTED}
  return keep_predictions(path, bindings, **{**said, **fields})


@pytest.fixture
def runs(tmp_path):
  """One with 10 mistakes and one with 20, of which they share 8."""
  keep(tmp_path / 'a', 0.1, range(10))
  keep(tmp_path / 'b', 0.2, range(2, 22))
  return tmp_path


def weighed(directory, **arguments):
  comparison = compare.compare(directory, **arguments)
  return comparison, evidence.weigh(comparison)


def rendered(directory, **arguments):
  comparison, found = weighed(directory, **arguments)
  return compare_tables.render(comparison, evidence=found)


def test_one_seed_has_wilsons_interval_and_mcnemars_test(runs):
  _, (found,) = weighed(runs)
  first, second = found.groups
  assert found.baseline == 0
  assert first.contrasts == {}
  # Published tables of Wilson's interval: 90 and 80 of 100.
  assert first.intervals['accuracy'] == pytest.approx(
    (0.9, 0.8256, 0.9448), abs=5e-5
  )
  assert second.intervals['accuracy'] == pytest.approx(
    (0.8, 0.7112, 0.8666), abs=5e-5
  )
  contrast = second.contrasts['accuracy']
  # One has 2 right that the other has wrong, and 12 the other way round.
  expected = stats.binomtest(2, 14).pvalue
  assert contrast.difference.p_value == pytest.approx(expected)
  assert contrast.corrected_p_value == pytest.approx(expected)
  assert contrast.is_certain
  # Of paired differences, their standard error, and an example more for each.
  error = np.sqrt((0.14 - 0.01) / 99 + 2 / N**2)
  half = stats.t.ppf(0.975, 99) * error
  assert contrast.difference[:3] == pytest.approx(
    (-0.1, -0.1 - half, -0.1 + half), abs=0.005
  )
  assert second.n_shared == N


def test_seeds_are_compared_as_a_set(tmp_path):
  for seed in range(3):
    keep(tmp_path / f'a{seed}', 0.1, range(seed, 8 + seed), seed)
    keep(tmp_path / f'b{seed}', 0.2, range(5, 30 + 2 * seed), seed)
  _, (found,) = weighed(tmp_path)
  both = [
    [
      (log_probs_of(predicted(range(*wrong))), EXPECTED)
      for wrong in by_seed
    ]
    for by_seed in (
      [(0, 8), (1, 9), (2, 10)],
      [(5, 30), (5, 32), (5, 34)],
    )
  ]  # fmt: skip
  names = ('accuracy', 'macro_f1', 'cross_entropy')
  metrics = {name: sum_metrics.METRICS[name] for name in names}
  first, second = (resampling.resample(metrics, each) for each in both)
  for name in names:
    bounds = metrics[name].bounds
    assert found.groups[0].intervals[name] == pytest.approx(
      statistics.estimate(*first[name], n_examples=N, bounds=bounds)
    )
    difference = found.groups[1].contrasts[name].difference
    expected = statistics.difference(
      second[name],
      first[name],
      n_examples=N,
      is_bounded=metrics[name].is_bounded,
    )
    assert tuple(difference) == pytest.approx(tuple(expected), rel=1e-4)
    assert found.groups[1].contrasts[name].is_certain
  assert found.n_tests == 1


DIGESTS = np.array([f'{i:016x}' for i in range(N)], 'S16')


@pytest.mark.parametrize(
  ('fields', 'n_shared', 'reason'),
  [
    ({}, N, ''),
    # Rows that the other has left out for their length.
    (
      {
        'rows': np.arange(N)[10:],
        'expected': EXPECTED[10:],
        'log_probs': log_probs_of(predicted(range(2, 22))[10:]),
        'text_digests': DIGESTS[10:],
      },
      N - 10,
      '',
    ),
    ({'rows': np.arange(N) + N}, 0, 'no row in common'),
    (
      {'text_digests': np.roll(DIGESTS, 1)},
      0,
      'other texts or classes in 100 of 100 rows',
    ),
    (
      {'expected': np.where(np.arange(N) < 3, 0, EXPECTED)},
      0,
      'other texts or classes in 2 of 100 rows',
    ),
    ({'labels': ('a', 'b', 'c')}, 0, 'other classes'),
    # Other columns make another text of the same row.
    (
      {
        'text_digests': np.roll(DIGESTS, 1),
        'bindings': {'TFDS.keys': "('title', 'label')"},
      },
      N,
      '',
    ),
  ],
)
def test_a_row_is_matched_by_number_class_and_text(
  tmp_path, fields, n_shared, reason
):
  keep(tmp_path / 'a', 0.1, range(10))
  keep(tmp_path / 'b', 0.2, range(2, 22), **fields)
  _, (found,) = weighed(tmp_path)
  other = next(x for i, x in enumerate(found.groups) if i != found.baseline)
  assert (other.n_shared, other.reason) == (n_shared, reason)
  assert bool(other.contrasts) is bool(n_shared)


def test_on_the_rows_that_both_have_each_is_measured_anew(tmp_path):
  keep(tmp_path / 'a', 0.1, range(10))
  rest = slice(10, None)
  keep(
    tmp_path / 'b',
    0.2,
    [],
    rows=np.arange(N)[rest],
    expected=EXPECTED[rest],
    log_probs=log_probs_of(predicted(range(12, 22))[rest]),
    text_digests=DIGESTS[rest],
  )
  comparison, (found,) = weighed(tmp_path)
  assert found.groups[1].contrasts['accuracy'].difference.value == (
    pytest.approx(-10 / 90)
  )
  text = compare_tables.render(comparison, evidence=[found])
  assert 'RATE=0.2: compared on the 90 rows in common with RATE=0.1.' not in (
    text
  )
  keep(tmp_path / 'c', 0.3, range(3))
  comparison, found = weighed(tmp_path)
  text = compare_tables.render(comparison, evidence=found)
  assert 'RATE=0.2: compared on the 90 rows in common with RATE=0.3.' in text


def test_what_was_kept_must_be_of_what_was_measured(runs):
  write_run(runs / 'old', {'RATE': 0.3}, metrics={'accuracy': 0.5})
  path = runs / 'b' / 'run.json'
  record = json.loads(path.read_text())
  record['metrics']['accuracy'] = 0.81
  path.write_text(json.dumps(record))
  keep(runs / 'c', 0.4, range(30))
  broken = runs / 'c' / 'predictions' / 'test.parquet'
  broken.write_bytes(broken.read_bytes()[:-9])
  comparison, (found,) = weighed(runs)
  reasons = [each.reason for each in found.groups]
  assert reasons[:2] == [
    '',
    'predictions of another evaluation than run.json has; --mode=eval keeps '
    'them',
  ]
  assert 'test.parquet is damaged (' in reasons[2]
  assert reasons[3] == 'no predictions kept; --mode=eval keeps them'
  # They stand in the table with what they have.
  text = compare_tables.render(comparison, evidence=[found])
  assert re.search(r'\n *0\.3 +0\.5000 ', text)
  assert (
    'Not compared: RATE=0.3 (no predictions kept; --mode=eval keeps them).'
  ) in text.splitlines()


def test_a_baseline_is_named_by_a_run_or_by_its_seeds(runs, tmp_path):
  for seed in (1, 2):
    keep(runs / 'seeds' / f'b{seed}', 0.2, range(2, 22), seed)
  elsewhere = keep(tmp_path / 'other' / 'x', 0.5, range(40))
  inside = runs / 'b'
  for baseline, name in (
    (inside, '0.2'),
    (runs / 'seeds', '0.2'),
    (elsewhere, '0.5'),
  ):
    comparison, (found,) = weighed(runs, baseline=baseline)
    (section,) = comparison.sections
    assert found.baseline is not None
    assert section.groups[found.baseline].bindings == {'RATE': name}
    assert found.n_tests == len(section.groups) - 1


def test_a_baseline_that_is_none_is_refused(runs):
  with pytest.raises(UserError) as caught:
    compare.compare(runs, baseline=runs / 'none')
  assert str(caught.value) == (
    f'--baseline={runs / "none"}: there is no run. Give the directory of one, '
    f'e.g. {runs / "a"}.'
  )
  with pytest.raises(UserError, match='holds runs of 2 configs'):
    compare.compare(runs, baseline=runs)
  write_run(runs / 'old', {'RATE': 0.3}, metrics={'accuracy': 0.5})
  with pytest.raises(UserError) as caught:
    weighed(runs, baseline=runs / 'old')
  assert str(caught.value) == (
    '--baseline: old: no predictions kept; --mode=eval keeps them.'
  )


def test_other_examples_are_not_compared_with_the_baseline(runs):
  for name, dataset in (('c', 'other:1.0.0'), ('d', 'other:1.0.0')):
    keep(runs / name, name, range(5), dataset=dataset)
  comparison, found = weighed(runs, baseline=runs / 'a')
  text = compare_tables.render(comparison, evidence=found)
  (line,) = (x for x in text.splitlines() if 'Not comparable' in x)
  assert line == 'Not comparable with the baseline: other examples.'


def test_the_best_of_equals_is_called_better_in_5_of_100_cases():
  """The best is chosen on the rows that it is then tested on."""
  generator = np.random.default_rng(0)
  n_configs, n_cases = 10, 400
  n_wrong = {True: 0, False: 0}
  for _ in range(n_cases):
    hard = generator.uniform(size=400) < 0.15
    right = ~hard ^ (generator.uniform(size=(n_configs, 400)) < 0.1)
    order = np.argsort(-right.sum(axis=1))
    best, *rest = right[order]
    p_values = [
      statistics.mcnemar_p_value(
        int((best & ~other).sum()), int((other & ~best).sum())
      )
      for other in rest
    ]
    for is_given in n_wrong:
      n_tests = evidence.count_tests(len(rest), is_given)
      corrected = statistics.correct_p_values(p_values, n_tests)
      n_wrong[is_given] += corrected.min() < evidence.LEVEL
  assert n_wrong[False] / n_cases <= 0.05
  # Why: as if someone had named it beforehand, it would be more.
  assert n_wrong[True] / n_cases > 0.05


def test_words_say_what_the_numbers_do(runs):
  keep(runs / 'c', 0.3, range(1, 12))
  text = rendered(runs)
  assert re.search(
    r'By accuracy, RATE=0\.1 is better than RATE=0\.2 by [23]\.\d to 17\.\d '
    r'points; it cannot be told apart from RATE=0\.3\.\n'
    r'The smallest difference that these 100 examples would show in 4 of 5 '
    r'cases: \d+\.\d points \(3 tests\)\.\n',
    text,
  )
  # It is of what was not told apart; what is far off has another variance.
  _, found = weighed(runs)
  contrasts = [each.contrasts.get('accuracy') for each in found[0].groups]
  (smallest,) = [
    each.difference.smallest
    for each in contrasts
    if each and not each.is_certain
  ]
  assert f'cases: {100 * smallest:.1f} points' in text
  text = rendered(runs, baseline=runs / 'b')
  assert re.search(
    r'RATE=0\.2 is worse than RATE=0\.1 by [23]\.\d to 17\.\d points and than '
    r'RATE=0\.3 by',
    text,
  )
  text = rendered(runs, objective='cross_entropy')
  # The other way round: less is better.
  assert re.search(
    r'By cross_entropy, RATE=0\.1 is better than RATE=0\.2 by 0\.\d+ to 0\.\d+',
    text,
  )
  text = rendered(runs, objective='auroc')
  assert re.search(r'By auroc, RATE=0\.\d (is better than|cannot be)', text)
  assert re.search(r'0\.\d{4} \[0\.\d{4}, [01]\.\d{4}\]', text)


def test_json_has_all_of_it(runs):
  comparison, found = weighed(runs)
  shown = json.loads(compare_tables.render(comparison, 'json', evidence=found))[
    'groups'
  ]
  assert [each['is_baseline'] for each in shown] == [True, False]
  assert shown[0]['intervals']['accuracy'] == pytest.approx(
    [0.8256, 0.9448], abs=5e-5
  )
  assert set(shown[1]['differences']) == set(sum_metrics.METRICS)
  assert shown[1]['differences']['accuracy']['value'] == pytest.approx(-0.1)
  assert shown[1]['n_shared_examples'] == N


def test_the_launcher_shows_it_in_80_columns(runs):
  # Two runs of other systems, which differ in much.
  many = {f'some.parameter_{i}': i for i in range(30)}
  keep(runs / 'c', 0.3, range(60), bindings=many)
  command = [sys.executable, str(ROOT / 'launcher.py'), '--mode=compare']
  with live_terminal.Terminal(
    [*command, f'--output_dir={runs}', f'--baseline={runs / "b"}'],
    columns=80,
    has_stdout=True,
  ) as terminal:
    lines = terminal.read_until(None).replace('\r', '').splitlines()
  assert max(map(len, lines)) <= 80
  text = '\n'.join(lines)
  assert re.search(r'0\.9000 \[0\.8256, 0\.9448\] +\+10\.0 \[2\.\d', text)
  assert '0.4000 [' in text
  assert '<0.0001' in text


def test_without_kept_predictions_nothing_is_counted(tmp_path):
  write_run(tmp_path / 'a', {'N': 1}, metrics={'accuracy': 0.5})
  code = (
    'import sys; import launcher; from absl import flags; '
    'flags.FLAGS(["x", "--mode=compare", f"--output_dir={sys.argv[1]}"]); '
    'launcher.main(); sys.exit("numpy" in sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code, tmp_path], cwd=ROOT, check=True)


@pytest.mark.parametrize('is_measured', [True, False])
def test_where_nothing_is_kept_it_says_what_keeps_it(
  tmp_path, caplog, is_measured
):
  caplog.set_level('INFO')
  metrics = {'accuracy': 0.5} if is_measured else None
  write_run(tmp_path / 'old', {'RATE': '0.1'}, metrics=metrics)
  assert compare_runs.weigh(compare.compare(tmp_path), None) == []
  line = 'No intervals: no run has kept its predictions, as --mode=eval does'
  assert caplog.messages == [line] * is_measured
