"""Runs side by side: what differs, in which order, and how fast."""

import csv
import io
import json
import subprocess
import sys
import time

import filelock
import pytest

from experiments.comparison import compare, compare_tables
from experiments.foundation.errors import UserError
from tests.fixtures.live_launcher import ROOT


def write_run(
  path,
  bindings,
  *,
  status='finished',
  metrics=None,
  overrides=(),
  error=None,
  seconds=1.5,
):
  """Writes what `compare` reads of a run directory."""
  path.mkdir(parents=True)
  lines = [f'{name} = {value}' for name, value in bindings.items()]
  (path / 'config.gin').write_text('\n'.join(lines) + '\n')
  run = {
    'status': status,
    'overrides': dict.fromkeys(overrides, ''),
    'steps': 10,
    'seconds': seconds,
    'error': error,
  }
  if metrics:
    run['metrics'] = {'n_examples': 4, 'recall': [1.0], **metrics}
  (path / 'run.json').write_text(json.dumps(run))
  return path


@pytest.fixture
def runs(tmp_path):
  """Two rates with seeds 0 and 1, and one rate that failed."""
  accuracies = {
    (0.1, 0): 0.5,
    (0.1, 1): 0.75,
    (0.01, 0): 0.875,
    (0.01, 1): 0.625,
  }
  for (rate, seed), accuracy in accuracies.items():
    write_run(
      tmp_path / f'LEARNING_RATE={rate},SEED={seed}',
      {'LEARNING_RATE': rate, 'SEED': seed, 'Adam.b1': '%B | 0.9'},
      metrics={'accuracy': accuracy, 'cross_entropy': 2 - accuracy},
    )
  write_run(
    tmp_path / 'LEARNING_RATE=9.0',
    {'LEARNING_RATE': 9.0, 'SEED': 0, 'Adam.b1': '%B | 0.9'},
    status='failed',
    error='ValueError: too high\n  In call to configurable',
    seconds=None,
  )
  return tmp_path


def test_runs_are_sorted_by_the_objective_and_only_differences_are_shown(runs):
  comparison = compare.compare(runs)
  assert comparison.columns == ('LEARNING_RATE', 'SEED')
  assert comparison.metrics == ('accuracy', 'cross_entropy')
  assert [run.metrics.get('accuracy') for run in comparison.runs] == [
    0.875,
    0.75,
    0.625,
    0.5,
    None,
  ]


def test_less_is_better_where_the_name_says_so(runs):
  comparison = compare.compare(runs, 'cross_entropy')
  assert comparison.is_minimized
  assert [run.metrics.get('cross_entropy') for run in comparison.runs] == [
    1.125,
    1.25,
    1.375,
    1.5,
    None,
  ]
  assert comparison.metrics == ('cross_entropy', 'accuracy')


def test_means_and_standard_errors_over_seeds(runs):
  groups = compare.compare(runs).groups
  # Of 0.875 and 0.625 the sample variance is 2 · 0.125² = 0.03125, and the
  # standard error sqrt(0.03125 / 2) = 0.125.
  assert groups[0].means == {'accuracy': 0.75, 'cross_entropy': 1.25}
  assert groups[0].standard_errors == {
    'accuracy': 0.125,
    'cross_entropy': 0.125,
  }
  assert groups[1].means['accuracy'] == 0.625
  assert len(groups) == 3


def test_a_seed_that_was_run_twice_counts_once(runs):
  write_run(
    runs / 'again',
    {'LEARNING_RATE': 0.01, 'SEED': 0, 'Adam.b1': '%B | 0.9'},
    metrics={'accuracy': 0.875, 'cross_entropy': 1.125},
  )
  group = compare.compare(runs).groups[0]
  assert [run.bindings['SEED'] for run in group.runs] == ['0', '1'] or [
    run.bindings['SEED'] for run in group.runs
  ] == ['1', '0']
  assert group.means['accuracy'] == 0.75


def test_the_text_table(runs):
  text = compare_tables.render(compare.compare(runs))
  assert text == (
    'LEARNING_RATE  SEED  accuracy  cross_entropy  steps  status    seconds\n'
    '         0.01     0    0.8750         1.1250     10  finished      1.5\n'
    '          0.1     1    0.7500         1.2500     10  finished      1.5\n'
    '         0.01     1    0.6250         1.3750     10  finished      1.5\n'
    '          0.1     0    0.5000         1.5000     10  finished      1.5\n'
    '          9.0     0                              10  failed\n'
    '\n'
    'Mean ± standard error over SEED:\n'
    '\n'
    'LEARNING_RATE         accuracy    cross_entropy  seeds\n'
    '         0.01  0.7500 ± 0.1250  1.2500 ± 0.1250      2\n'
    '          0.1  0.6250 ± 0.1250  1.3750 ± 0.1250      2\n'
    '          9.0                                        1\n'
    '\n'
    'LEARNING_RATE=9.0: ValueError: too high'
  )


def test_csv_holds_every_run_with_all_digits(runs):
  text = compare_tables.render(compare.compare(runs), 'csv')
  rows = list(csv.DictReader(io.StringIO(text)))
  assert len(rows) == 5
  assert rows[0] == {
    'run': 'LEARNING_RATE=0.01,SEED=0',
    'LEARNING_RATE': '0.01',
    'SEED': '0',
    'accuracy': '0.875',
    'cross_entropy': '1.125',
    'steps': '10',
    'status': 'finished',
    'seconds': '1.5',
  }


def test_json_holds_runs_and_groups(runs):
  found = json.loads(compare_tables.render(compare.compare(runs), 'json'))
  assert found['objective'] == 'accuracy'
  assert found['direction'] == 'maximize'
  assert (
    found['runs'][-1]['error']
    == 'ValueError: too high\n  In call to configurable'
  )
  assert found['groups'][0]['standard_errors']['accuracy'] == 0.125
  assert found['groups'][2]['means'] == {}


def test_markdown_hides_no_bar(tmp_path):
  for name, value in (('a', "'x|y'"), ('b', "'z'")):
    write_run(tmp_path / name, {'N': value}, metrics={'accuracy': 0.5})
  lines = compare_tables.render(compare.compare(tmp_path), 'markdown')
  assert lines.splitlines() == [
    '| N | accuracy | steps | status | seconds |',
    '|---|---|---|---|---|',
    "| 'x\\|y' | 0.5000 | 10 | finished | 1.5 |",
    "| 'z' | 0.5000 | 10 | finished | 1.5 |",
  ]


def test_a_parameter_of_another_model_is_no_difference(tmp_path):
  write_run(
    tmp_path / 'a', {'MODEL': '@gru', 'gru.n': 3, 'dense.n': 1}, overrides=()
  )
  write_run(tmp_path / 'b', {'MODEL': '@mean', 'dense.n': 1})
  assert compare.compare(tmp_path).columns == ('MODEL',)


def test_a_parameter_that_was_swept_is_one(tmp_path):
  bindings = {'MODEL': '@gru', 'gru.n': 3}
  write_run(tmp_path / 'a', bindings, overrides=('gru.n',))
  write_run(tmp_path / 'b', {'MODEL': '@mean'})
  assert compare.compare(tmp_path).columns == ('MODEL', 'gru.n')


def test_a_run_whose_process_has_gone_is_no_longer_running(tmp_path):
  path = write_run(tmp_path / 'a', {'N': 1}, status='running')
  assert compare.compare(tmp_path).runs[0].status == 'interrupted'
  with filelock.FileLock(path / '.lock'):
    assert compare.compare(tmp_path).runs[0].status == 'running'
  assert compare.compare(tmp_path).runs[0].status == 'interrupted'


def test_runs_are_found_at_any_depth_and_named_by_their_path(tmp_path):
  write_run(tmp_path / 'agnews' / 'a', {'N': 1})
  write_run(tmp_path / 'agnews' / 'b', {'N': 2})
  write_run(tmp_path / 'bbc' / 'a', {'N': 1})
  (tmp_path / 'agnews' / 'a' / 'train').mkdir()
  (tmp_path / '.hidden').mkdir()
  (tmp_path / 'notes.txt').write_text('')
  comparison = compare.compare(tmp_path)
  assert [run.name for run in comparison.runs] == [
    'agnews/a',
    'agnews/b',
    'bbc/a',
  ]
  # Two runs have the same bindings: only the name tells them apart.
  assert compare_tables.render(comparison).startswith('run       N')


def test_the_objective_of_a_sweep_is_that_of_its_directory(runs):
  (runs / 'sweep.json').write_text(
    json.dumps({'objective': 'accuracy', 'direction': 'minimize', 'trials': {}})
  )
  first = compare.compare(runs).runs[0]
  assert first.metrics['accuracy'] == 0.5
  # Asked for something else, its direction says nothing.
  assert compare.compare(runs, 'cross_entropy').is_minimized


def test_what_cannot_be_compared_is_refused(runs, tmp_path):
  with pytest.raises(UserError) as error:
    compare.compare(runs, 'f1')
  assert str(error.value) == (
    '--objective=f1: no run has this metric. There are accuracy, cross_entropy.'
  )
  (tmp_path / 'empty').mkdir()
  for name in ('empty', 'none'):
    with pytest.raises(UserError) as error:
      compare.compare(tmp_path / name)
    assert str(error.value) == (
      f'--output_dir={tmp_path / name}: there is no run in it. Give a '
      'directory of runs, e.g. runs/agnews.'
    )


def test_the_launcher_compares_a_thousand_runs_in_two_seconds(tmp_path):
  bindings = {f'name_{i}': i for i in range(45)}
  for i in range(1000):
    write_run(
      tmp_path / f'LEARNING_RATE={i}',
      {**bindings, 'LEARNING_RATE': i},
      metrics={'accuracy': i / 1000, 'confusion': [[1, 2], [3, 4]]},
    )
  command = [sys.executable, str(ROOT / 'launcher.py'), '--mode=compare']
  best = float('inf')
  # A machine that others use is slow by chance, never fast.
  for _ in range(3):
    start = time.monotonic()
    done = subprocess.run(
      [*command, f'--output_dir={tmp_path}'],
      capture_output=True,
      text=True,
      check=True,
    )
    best = min(best, time.monotonic() - start)
  assert best < 2
  assert done.stderr == ''
  lines = done.stdout.splitlines()
  assert len(lines) == 1001
  assert lines[1].split() == ['999', '0.9990', '10', 'finished', '1.5']


def test_comparing_imports_no_jax():
  command = (
    'import sys; from experiments.comparison import compare_tables; '
    "sys.exit(any(m in sys.modules for m in ('jax', 'numpy', 'trax', 'gin')))"
  )
  subprocess.run([sys.executable, '-c', command], cwd=ROOT, check=True)
