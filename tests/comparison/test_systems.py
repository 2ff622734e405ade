"""Predictions of other systems, compared with runs as if they were some."""

import csv
import io
import os
import re

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from sklearn import metrics as sklearn_metrics

from benchmarks import bench_reference
from experiments.comparison import (
  compare,
  compare_plots,
  compare_tables,
  evidence,
)
from experiments.foundation import choices
from experiments.foundation.errors import UserError
from tests.fixtures.made_runs import (
  LABELS,
  keep_predictions,
  keep_validation,
  log_probs_of,
)

N = 100
EXPECTED = np.arange(N) % 3


def predicted(n_wrong):
  """Returns what is right but for the first rows, int64 [rows]."""
  found = EXPECTED.copy()
  found[:n_wrong] = (found[:n_wrong] + 1) % 3
  return found


def keep(path, rate, n_wrong, seed=0):
  bindings = {'RATE': rate, 'SEED': seed, 'experiment.seed': '%SEED'}
  bindings |= {'Adam.rate': '%RATE'}
  return keep_predictions(
    path, bindings, log_probs_of(predicted(n_wrong)), EXPECTED
  )


def write(path, n_wrong, *, rows=range(N), probabilities=False):
  """Writes a CSV file of a system."""
  found = predicted(n_wrong)
  shares = np.exp(log_probs_of(found, 0.6)) if probabilities else [()] * N
  head = ['row', 'expected', 'predicted', *(LABELS if probabilities else ())]
  lines = [
    ','.join(map(str, [i, LABELS[EXPECTED[i]], LABELS[found[i]], *shares[i]]))
    for i in rows
  ]
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text('\n'.join([','.join(head), *lines]) + '\n')
  return path


@pytest.fixture
def runs(tmp_path):
  """Two runs of one config, with 10 and 12 mistakes."""
  for seed in (0, 1):
    keep(tmp_path / f'a{seed}', 0.1, 10 + 2 * seed, seed)
  return tmp_path


def weighed(directory, **arguments):
  comparison = compare.compare(directory, **arguments)
  return comparison, evidence.weigh(comparison)


def rendered(directory, format_='text', **arguments):
  comparison, found = weighed(directory, **arguments)
  return compare_tables.render(comparison, format_, evidence=found)


def test_a_system_stands_in_the_table_and_in_words(runs):
  write(runs / 'svm.csv', 40)
  comparison, (found,) = weighed(runs)
  (section,) = comparison.sections
  assert [group.name for group in section.groups] == ['a0', 'svm.csv']
  assert section.groups[1].means['accuracy'] == 0.6
  # Published tables of Wilson's interval: 60 of 100.
  assert found.groups[1].intervals['accuracy'] == pytest.approx(
    (0.6, 0.5020, 0.6906), abs=5e-5
  )
  contrast = found.groups[1].contrasts['accuracy']
  assert contrast.difference.value == pytest.approx(-0.29)
  assert found.groups[1].n_shared == N
  text = rendered(runs)
  heads, first, second = text.splitlines()[2:5]
  assert heads.split()[:2] == ['config', 'seeds']
  assert first.split()[:2] == ['a0', '2']
  assert second.split()[:3] == ['svm', '1', '0.6000']
  assert second.split()[-1] == 'imported'
  assert re.search(r'By accuracy, .* is better than svm by ', text)


def test_of_probabilities_all_metrics_are_those_of_scikit_learn(runs):
  write(runs / 'a.csv', 40, probabilities=True)
  write(runs / 'b.csv', 30)
  names = ('accuracy', 'macro_f1', 'cross_entropy', 'auroc', 'brier_score')
  (section,) = compare.compare(runs).sections
  with_, without = (
    next(run for run in section.runs if run.name == name)
    for name in ('a.csv', 'b.csv')
  )
  shares = np.exp(log_probs_of(predicted(40), 0.6).astype(float))
  assert with_.find_metric('cross_entropy') == pytest.approx(
    sklearn_metrics.log_loss(EXPECTED, shares), rel=1e-5
  )
  assert with_.find_metric('auroc') == pytest.approx(
    sklearn_metrics.roc_auc_score(EXPECTED, shares, multi_class='ovr')
  )
  for run, n_wrong in ((with_, 40), (without, 30)):
    found = predicted(n_wrong)
    assert run.find_metric('macro_f1') == pytest.approx(
      sklearn_metrics.f1_score(EXPECTED, found, average='macro')
    )
    assert run.find_metric('recall:yes') == pytest.approx(
      sklearn_metrics.recall_score(EXPECTED, found, average=None)[1]
    )
  measured = [name for name in names if without.find_metric(name) is not None]
  assert measured == ['accuracy', 'macro_f1']
  _, (weighed_,) = weighed(runs, objective='cross_entropy')
  n_intervals = [len(each.intervals) for each in weighed_.groups]
  # Of the one without probabilities, of the metrics that need none.
  assert n_intervals[0] == n_intervals[1] > n_intervals[2] > 0
  assert 'accuracy' in weighed_.groups[2].intervals


def test_what_a_system_holds_for_impossible_costs_much_and_not_everything(
  runs,
):
  (runs / 'a.csv').write_text(
    'row,expected,predicted,no,yes,perhaps\n0,no,yes,0,1,0\n'
  )
  (section,) = compare.compare(runs).sections
  run = next(run for run in section.runs if run.name == 'a.csv')
  assert run.metrics['cross_entropy'] == pytest.approx(-np.log(1e-7), rel=1e-4)


def test_of_classes_that_are_as_likely_the_system_took_one(runs):
  (runs / 'a.csv').write_text(
    'row,expected,predicted,no,yes,perhaps\n0,no,yes,0.4,0.4,0.2\n'
  )
  (section,) = compare.compare(runs).sections
  run = next(run for run in section.runs if run.name == 'a.csv')
  assert run.metrics['accuracy'] == 0
  assert run.metrics['cross_entropy'] == pytest.approx(-np.log(0.4), rel=1e-4)


@pytest.mark.parametrize(
  'names',
  [('ft/SEED=0.csv', 'ft/SEED=1.csv'), ('ft,SEED=0.csv', 'ft,SEED=1.csv')],
)
def test_seeds_of_a_system_are_one_config(runs, names):
  for name, n_wrong in zip(names, (20, 22), strict=True):
    write(runs / name, n_wrong)
  (section,) = compare.compare(runs).sections
  assert [len(group.runs) for group in section.groups] == [2, 2]
  assert section.groups[1].means['accuracy'] == pytest.approx(0.79)
  assert re.search(r' better than ft by ', rendered(runs))


def test_parquet_is_read_as_csv_is_and_columns_in_any_order(runs):
  path = write(runs / 'a.csv', 40, probabilities=True)
  table = pyarrow.csv.read_csv(path)
  names = [*LABELS, 'predicted', 'row', 'expected']
  parquet.write_table(
    table.select(names).sort_by([('row', 'descending')]), runs / 'b.parquet'
  )
  (section,) = compare.compare(runs).sections
  first, second = (
    next(run for run in section.runs if run.name == name)
    for name in ('a.csv', 'b.parquet')
  )
  assert first.metrics == second.metrics


def test_some_rows_are_enough(runs):
  write(runs / 'svm.csv', 40, rows=range(0, N, 2))
  _, (found,) = weighed(runs)
  assert found.groups[1].n_shared == N // 2
  assert 'svm: compared on the 50 rows in common with' not in rendered(runs)


def test_a_file_finds_the_split_that_it_is_of(runs):
  other = (EXPECTED + 1) % 3
  for seed in (0, 1):
    keep_validation(runs / f'a{seed}', log_probs_of(other), other)
  write(runs / 'svm.csv', 40)
  sections = compare.compare(runs).sections
  assert [(x.split, len(x.runs)) for x in sections] == [
    *(('train[80%:]', 2), ('test', 1))
  ]
  (section,) = compare.compare(runs, split='test').sections
  assert (section.split, len(section.runs)) == ('test', 3)


def test_a_system_may_be_the_baseline_wherever_it_is(runs, tmp_path_factory):
  elsewhere = write(tmp_path_factory.mktemp('other') / 'svm.csv', 40)
  inside = write(runs / 'nb.csv', 50)
  for path, name in ((elsewhere, str(elsewhere)), (inside, 'nb.csv')):
    comparison, (found,) = weighed(runs, baseline=path)
    (section,) = comparison.sections
    assert found.baseline is not None
    assert section.groups[found.baseline].name == name
  text = rendered(runs, baseline=inside)
  assert re.search(r'By accuracy, nb is worse than ', text)


def test_systems_alone_are_compared_too(tmp_path):
  write(tmp_path / 'svm.csv', 40)
  write(tmp_path / 'nb.csv', 10)
  text = rendered(tmp_path)
  assert text.startswith('100 examples; 2 runs\n')
  assert 'By accuracy, nb is better than svm by' in text


def test_every_format_and_picture_has_systems(runs, tmp_path):
  keep(runs / 'b0', 0.2, 20)
  write(runs / 'svm.csv', 40)
  for format_ in choices.FORMATS:
    assert 'svm' in rendered(runs, format_)
  (row,) = (
    row
    for row in csv.DictReader(io.StringIO(rendered(runs, 'csv')))
    if row['run'] == 'svm.csv'
  )
  assert (row['status'], row['accuracy']) == ('imported', '0.6')
  assert (row['RATE'], row['seconds']) == ('', '')
  pictures = compare_plots.write_plots(
    compare.compare(runs), tmp_path / 'plots'
  )
  assert [path.name for path in pictures] == ['steps.png', 'values.png']


def test_rows_that_expect_something_else_stand_apart(runs, caplog):
  path = write(runs / 'svm.csv', 40)
  path.write_text(path.read_text().replace('3,no,', '3,yes,', 1))
  (first, second) = compare.compare(runs).sections
  assert (len(first.runs), len(second.runs)) == (2, 1)
  assert (second.dataset, second.split) == ('', '')
  assert caplog.messages == [
    f"{path} stands apart: it expects 'yes' in row 3, and a0 expects 'no'"
  ]
  caplog.clear()
  path.write_text('row,expected,predicted\n100,no,no\n')
  assert len(compare.compare(runs).sections) == 2
  assert caplog.messages == [f'{path} stands apart: it has no row that a0 has']


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    ('row,expected,predicted\n', 'it has no row.'),
    ('row,expected,predicted\n0,no\n', 'CSV parse error: Row #2: Expected '
     '3 columns, got 2: 0,no.'),
    ('row,expected,predicted\n0,no,yes\n0,no,no\n', 'row 0 is there twice.'),
    ('row,expected,predicted\n-1,no,yes\n', 'row -1; the first of a split is '
     '0.'),
    ('row,expected,predicted\n,no,yes\n', "an empty cell in the column 'row'."),
    ('row,expected,predicted\n1.5,no,yes\n', 'In CSV column #0: Row #2: CSV '
     "conversion error to int64: invalid value '1.5'."),
    ('row,expected,predicted,row\n0,no,yes,1\n', 'two columns have the same '
     'name.'),
    ('row,expected,predicted\n0,no,maybe\n', "'maybe' is no class of "
     'made_up:1.0.0. There are no, yes, perhaps.'),
    ('row,expected,predicted,no,yes\n0,no,perhaps,0.4,0.6\n', 'predicted is '
     "'perhaps', which is none of the columns of probabilities, no, yes."),
    ('row,expected,predicted,no,yes\n0,no,yes,0.4,0.7\n', 'the probabilities '
     'of no, yes must be 0 to 1, and 1 in all.'),
    ('row,expected,predicted,no,yes\n0,no,yes,nan,1\n', 'the probabilities of '
     'no, yes must be 0 to 1, and 1 in all.'),
    ('row,expected,predicted,no,yes\n0,no,yes,-1,2\n', 'the probabilities of '
     'no, yes must be 0 to 1, and 1 in all.'),
    ('row,expected,predicted,no,yes\n0,no,yes,inf,1\n', 'the probabilities of '
     'no, yes must be 0 to 1, and 1 in all.'),
    ('row,expected,predicted,no,yes\n0,no,yes,0.6,0.4\n', "predicted is 'yes', "
     "but 'no' has a higher probability."),
    ('row,expected,predicted,no,yes\n0,no,yes,,1\n', "an empty cell in the "
     "column 'no'."),
  ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_in_a_line(runs, content, message):
  path = runs / 'svm.csv'
  path.write_text(content)
  with pytest.raises(UserError) as error:
    compare.compare(runs)
  text = str(error.value)
  assert text.startswith(str(path))
  assert text.endswith(message)
  assert '\n' not in text


def test_bytes_that_are_no_text_are_refused(runs):
  (runs / 'svm.csv').write_bytes(b'row,expected,predicted\n0,no,\xff\n')
  with pytest.raises(UserError, match=r'svm\.csv: .*UTF8'):
    compare.compare(runs)


@pytest.mark.parametrize(
  ('name', 'content', 'is_told'),
  [
    ('a.csv', b'run,accuracy\nx,0.5\n', False),
    ('a.csv', b'', False),
    ('a.csv', b'\xff\xfe\x00', False),
    ('a.csv', b'row,predicted\n0,no\n', False),
    ('a.parquet', b'', True),
    ('a.parquet', b'PAR1 of a kind', True),
    ('.a.csv', b'row,expected,predicted\nx\n', False),
    ('a.txt', b'row,expected,predicted\nx\n', False),
  ],
)
def test_a_file_of_another_kind_is_left_alone(
  runs, caplog, name, content, is_told
):
  (runs / name).write_bytes(content)
  (section,) = compare.compare(runs).sections
  assert len(section.runs) == 2
  assert bool(caplog.messages) == is_told
  if is_told:
    assert caplog.messages[0].startswith(f'{runs / name} is left out: ')
  if content.startswith(b'row,expected'):
    # By its whole name it is read.
    with pytest.raises(UserError, match='CSV parse error'):
      compare.compare(runs, baseline=runs / name)
    return
  with pytest.raises(UserError, match=r'--baseline=.*: there is no run\.'):
    compare.compare(runs, baseline=runs / name)


def test_what_is_no_file_is_left_alone(runs):
  os.mkfifo(runs / 'a.csv')
  (runs / 'b.csv').symlink_to(runs / 'a.csv')
  (runs / 'c.csv').symlink_to(runs / 'nowhere')
  (section,) = compare.compare(runs).sections
  assert len(section.runs) == 2


def test_the_benchmark_of_other_systems_writes_what_is_read(runs):
  shares = np.exp(log_probs_of(predicted(40)).astype(float)).tolist()
  for name, probabilities in (('svm', None), ('ft/SEED=0', shares)):
    bench_reference.write_predictions(
      runs / f'{name}.csv',
      names=LABELS,
      expected=EXPECTED,
      predicted=predicted(40),
      probabilities=probabilities,
    )
  (section,) = compare.compare(runs).sections
  found = {run.name: run for run in section.runs}
  assert found['svm.csv'].metrics['accuracy'] == 0.6
  assert found['ft/SEED=0.csv'].metrics['accuracy'] == 0.6
  assert 'cross_entropy' in found['ft/SEED=0.csv'].metrics
