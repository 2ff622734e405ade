"""Runs side by side: what differs, in which order, and how fast."""

import csv
import io
import json
import subprocess
import sys

import filelock
import pytest

from experiments.commands import compare_runs
from experiments.comparison import compare, compare_tables
from experiments.config import config_text, gin_config
from experiments.foundation.errors import UserError
from tests.fixtures import live_terminal
from tests.fixtures.live_launcher import ROOT
from tests.fixtures.made_runs import write_run


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
      {'LEARNING_RATE': rate, 'SEED': seed},
      metrics={'accuracy': accuracy, 'cross_entropy': 2 - accuracy},
    )
  write_run(
    tmp_path / 'LEARNING_RATE=9.0',
    {'LEARNING_RATE': 9.0, 'SEED': 0},
    status='failed',
    error='ValueError: too high\n  In call to configurable',
    seconds=None,
  )
  return tmp_path


def test_runs_are_sorted_by_the_objective_and_only_differences_are_shown(runs):
  comparison = compare.compare(runs)
  (section,) = comparison.sections
  assert section.columns == ('LEARNING_RATE',)
  assert comparison.columns == ['LEARNING_RATE', 'SEED']
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
  groups = compare.compare(runs).sections[0].groups
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
    {'LEARNING_RATE': 0.01, 'SEED': 0},
    metrics={'accuracy': 0.875, 'cross_entropy': 1.125},
  )
  group = compare.compare(runs).sections[0].groups[0]
  assert sorted(str(run.seed) for run in group.runs) == ['0', '1']
  assert group.means['accuracy'] == 0.75


def test_the_text_table(runs):
  text = compare_tables.render(compare.compare(runs))
  assert text == (
    'made_up:1.0.0, test: 4 examples; 5 runs of 3 configs\n'
    '\n'
    'LEARNING_RATE  seeds         accuracy    cross_entropy  steps  status    '
    'seconds\n'
    '         0.01      2  0.7500 ± 0.1250  1.2500 ± 0.1250     10  finished  '
    '    1.5\n'
    '          0.1      2  0.6250 ± 0.1250  1.3750 ± 0.1250     10  finished  '
    '    1.5\n'
    '          9.0      1                                       10  failed\n'
    '\n'
    'LEARNING_RATE=9.0: ValueError: too high'
  )


def test_csv_holds_every_run_with_all_digits(runs):
  text = compare_tables.render(compare.compare(runs), 'csv')
  rows = list(csv.DictReader(io.StringIO(text)))
  assert len(rows) == 5
  assert rows[0] == {
    'run': 'LEARNING_RATE=0.01,SEED=0',
    'dataset': 'made_up:1.0.0',
    'split': 'test',
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
  assert found['runs'][0]['bindings'] == {'LEARNING_RATE': '0.01', 'SEED': '0'}
  assert found['groups'][0]['standard_errors']['accuracy'] == 0.125
  assert found['groups'][2]['means'] == {}


def test_markdown_hides_no_bar(tmp_path):
  for name, value in (('a', "'x|y'"), ('b', "'z'")):
    write_run(tmp_path / name, {'N': value}, metrics={'accuracy': 0.5})
  lines = compare_tables.render(compare.compare(tmp_path), 'markdown')
  assert lines.splitlines()[2:] == [
    '| N | accuracy | steps | status | seconds |',
    '|---|---|---|---|---|',
    "| 'x\\|y' | 0.5000 | 10 | finished | 1.5 |",
    "| 'z' | 0.5000 | 10 | finished | 1.5 |",
  ]


def test_a_parameter_of_another_model_is_no_difference(tmp_path):
  model = {'experiment.model': '%MODEL'}
  write_run(
    tmp_path / 'a', {**model, 'MODEL': '@gru', 'gru.n': 3, 'dense.n': 1}
  )
  write_run(tmp_path / 'b', {**model, 'MODEL': '@mean', 'dense.n': 1})
  assert compare.compare(tmp_path).columns == ['MODEL']


def test_a_parameter_that_was_swept_is_one(tmp_path):
  model = {'experiment.model': '%MODEL'}
  bindings = {**model, 'MODEL': '@gru', 'gru.n': 3}
  write_run(tmp_path / 'a', bindings, overrides=('gru.n',))
  write_run(tmp_path / 'b', {**model, 'MODEL': '@mean'})
  assert compare.compare(tmp_path).columns == ['MODEL', 'gru.n']


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
  # Two of them are one config, but for the seed that they do not have.
  assert compare_tables.render(comparison) == (
    '3 runs of 2 configs, nothing measured yet\n'
    '\n'
    'N  steps  status    seconds\n'
    '1     10  finished      1.5\n'
    '2     10  finished      1.5'
  )


def test_configs_that_no_column_tells_apart_have_names(tmp_path):
  for name, models in (('a', {'gru.n': 3}), ('b', {'kim.n': 3})):
    write_run(tmp_path / name, {'N': 1, **models}, metrics={'accuracy': 0.5})
  text = compare_tables.render(compare.compare(tmp_path))
  assert text.splitlines()[2:] == [
    'run  accuracy  steps  status    seconds',
    'a      0.5000     10  finished      1.5',
    'b      0.5000     10  finished      1.5',
  ]


@pytest.fixture(scope='module')
def bindings():
  """All that the first experiment consumes, as its config.gin has it."""
  parsed = gin_config.parse([str(ROOT / 'gin' / 'bbc_news.gin')])
  return config_text.read_bindings(gin_config.check(parsed).text)


def test_a_value_is_the_same_by_a_macro_and_by_itself(bindings, tmp_path):
  """Of every parameter that a macro feeds."""
  fed = {
    name: config_text.resolve(value, bindings)
    for name, value in bindings.items()
    if '.' in name and value.startswith('%')
  }
  assert len(fed) > 20
  write_run(tmp_path / 'macros', bindings)
  for name, value in fed.items():
    write_run(tmp_path / name, {**bindings, name: value})
  comparison = compare.compare(tmp_path)
  (section,) = comparison.sections
  (group,) = section.groups
  assert len(section.runs) == len(fed) + 1
  assert len(group.runs) == 1
  assert section.columns == ()


def test_a_parameter_stands_where_some_bind_it_past_its_macro(tmp_path):
  common = {'WEIGHT_DECAY': 0.5, 'RATE': 1, 'Adam.rate': '%RATE'}
  by_macro = {**common, 'Adam.decay': '%WEIGHT_DECAY'}
  write_run(tmp_path / 'a', by_macro, metrics={'accuracy': 0.5})
  write_run(
    tmp_path / 'b', {**common, 'Adam.decay': 0.5}, metrics={'accuracy': 0.75}
  )
  write_run(
    tmp_path / 'c', {**common, 'Adam.decay': 0.25}, metrics={'accuracy': 0.25}
  )
  write_run(tmp_path / 'd', {**by_macro, 'RATE': 2}, metrics={'accuracy': 0.0})
  (section,) = compare.compare(tmp_path).sections
  assert section.columns == ('RATE', 'Adam.decay')
  assert [dict(group.bindings) for group in section.groups] == [
    {'RATE': '1', 'Adam.decay': '0.5'},
    {'RATE': '1', 'Adam.decay': '0.25'},
    {'RATE': '2', 'Adam.decay': '0.5'},
  ]


@pytest.mark.parametrize('name', ['SEED', 'experiment.seed'])
def test_seeds_are_merged_however_they_are_bound(tmp_path, name):
  write_run(
    tmp_path / 'a',
    {'SEED': 0, 'experiment.seed': '%SEED'},
    metrics={'accuracy': 0.5},
  )
  bindings = {'SEED': 0, 'experiment.seed': '%SEED', name: 1}
  write_run(tmp_path / 'b', bindings, metrics={'accuracy': 0.75})
  (section,) = compare.compare(tmp_path).sections
  (group,) = section.groups
  assert group.means['accuracy'] == 0.625
  assert [run.seed for run in group.runs] == ['1', '0']


def test_data_sets_and_splits_are_kept_apart(tmp_path):
  for i, data in enumerate(
    [('a:1.0.0', 'test')] * 4
    + [('a:1.0.0', 'train[80%:]'), ('b:1.0.0', 'test')]
  ):
    write_run(
      tmp_path / str(i), {'N': i}, metrics={'accuracy': i / 8}, data=data
    )
  # One that failed before its data were open, and one that never began.
  config = {
    'TFDS.dataset_name': "'b'",
    'experiment.splits': "('train', 'test')",
  }
  write_run(tmp_path / 'x', config, status='failed', data=None)
  write_run(tmp_path / 'y', {}, status='interrupted', data=None)
  comparison = compare.compare(tmp_path)
  assert [
    (x.dataset, x.split, [run.name for run in x.runs])
    for x in comparison.sections
  ] == [
    ('a:1.0.0', 'test', ['3', '2', '1', '0', 'y']),
    ('b:1.0.0', 'test', ['5', 'x']),
    ('a:1.0.0', 'train[80%:]', ['4']),
  ]
  text = compare_tables.render(comparison)
  assert [line for line in text.splitlines() if ' run' in line] == [
    'a:1.0.0, test: 4 examples; 5 runs',
    'b:1.0.0, test: 4 examples; 2 runs',
    'a:1.0.0, train[80%:]: 4 examples; 1 run',
  ]


def test_the_objective_of_a_sweep_is_that_of_its_directory(runs):
  (runs / 'sweep.json').write_text(
    json.dumps({'objective': 'accuracy', 'direction': 'minimize', 'trials': {}})
  )
  first = compare.compare(runs).runs[0]
  assert first.metrics['accuracy'] == 0.5
  # Asked for something else, its direction says nothing.
  assert compare.compare(runs, 'cross_entropy').is_minimized


@pytest.mark.parametrize(
  'text',
  [
    'A = %B\nB = %A\nexperiment.seed = %A\n',
    'A0 = [1, 1]\n'
    + ''.join(f'A{i} = [%A{i - 1}, %A{i - 1}]\n' for i in range(1, 50)),
    ''.join(f'A{i} = %A{i + 1}\n' for i in range(5000)),
  ],
)
def test_a_config_without_an_end_blinds_for_no_other_run(runs, text):
  whole = compare.compare(runs).runs
  (runs / 'endless').mkdir()
  (runs / 'endless' / 'config.gin').write_text(text)
  found = {run.name: run for run in compare.compare(runs).runs}
  endless = found.pop('endless')
  assert endless.status == 'damaged'
  assert f'{runs}/endless/config.gin is damaged (macros' in str(endless.error)
  assert sorted(found) == sorted(run.name for run in whole)


def test_what_cannot_be_compared_is_refused(runs, tmp_path):
  with pytest.raises(UserError) as error:
    compare.compare(runs, 'f1')
  assert str(error.value) == (
    '--objective=f1: no run has the metric f1. There are accuracy, '
    'cross_entropy.'
  )
  (tmp_path / 'empty').mkdir()
  for name in ('empty', 'none'):
    with pytest.raises(UserError) as error:
      compare.compare(tmp_path / name)
    assert str(error.value) == (
      f'--output_dir={tmp_path / name}: there is no run in it. Give a '
      'directory of runs, e.g. runs/agnews.'
    )


def test_the_launcher_compares_a_thousand_runs(tmp_path):
  bindings = {f'name_{i}': i for i in range(45)}
  for i in range(1000):
    write_run(
      tmp_path / f'LEARNING_RATE={i}',
      {**bindings, 'LEARNING_RATE': i},
      metrics={'accuracy': i / 1000, 'confusion': [[1, 2], [3, 4]]},
    )
  command = [sys.executable, str(ROOT / 'launcher.py'), '--mode=compare']
  done = subprocess.run(
    [*command, f'--output_dir={tmp_path}', '--top=0'],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stderr == f'{compare_runs.NOTHING_KEPT}\n'
  lines = done.stdout.splitlines()
  assert len(lines) == 1003
  assert lines[3].split() == ['999', '0.9990', '10', 'finished', '1.5']


def test_comparing_imports_no_jax():
  command = (
    'import sys; from experiments.comparison import compare_tables; '
    "sys.exit(any(m in sys.modules for m in ('jax', 'numpy', 'trax', 'gin')))"
  )
  subprocess.run([sys.executable, '-c', command], cwd=ROOT, check=True)


def test_a_terminal_has_the_best_20_in_80_columns(tmp_path):
  for i in range(60):
    write_run(
      tmp_path / f'LEARNING_RATE=0.{i:02}',
      {
        'LEARNING_RATE': f'0.{i:02}',
        'Adam.learning_rate': '%LEARNING_RATE',
        'some_configurable.with_a_parameter': i * 10**6,
        'experiment.keep_checkpoints': i,
        'DROPOUT': i / 64,
        'MODEL': f'@model_{i % 3}_with_a_very_long_name_of_its_own',
        'experiment.model': '%MODEL',
      },
      metrics={'accuracy': i / 64, 'cross_entropy': 1.0, 'macro_f1': 0.5},
    )
  command = [sys.executable, str(ROOT / 'launcher.py'), '--mode=compare']
  with live_terminal.Terminal(
    [*command, f'--output_dir={tmp_path}'], columns=80, has_stdout=True
  ) as terminal:
    lines = terminal.read_until(None).replace('\r', '').splitlines()
  assert max(map(len, lines)) <= 80
  accuracies = [line.split()[-1] for line in lines if '@model' in line]
  assert accuracies == [f'{i / 64:.4f}' for i in range(59, 39, -1)]
  assert 'The best 20 of 60: --mode=compare --top=0 shows all.' in lines
