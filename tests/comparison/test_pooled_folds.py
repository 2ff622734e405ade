"""Folds of a cross-validation, compared as one run over all their rows."""

import shutil

import numpy as np
import pytest

from experiments.comparison import compare, evidence
from tests.fixtures.made_runs import (
  LABELS,
  keep_predictions,
  log_probs_of,
  write_run,
)

N = 120
EXPECTED = np.arange(N) % 3
DIGESTS = np.array([f'{i:016x}' for i in range(N)], 'S16')


def said(n_wrong, seed):
  """Returns what a model says of all rows, float32 [rows, classes]."""
  found = EXPECTED.copy()
  wrong = np.random.default_rng(seed).permutation(N)[:n_wrong]
  found[wrong] = (found[wrong] + 1) % 3
  return log_probs_of(found)


def bound(rate, seed, **more):
  macros = {'RATE': rate, 'SEED': seed, **more}
  places = {'SEED': 'experiment.seed', 'RATE': 'Adam.rate'}
  places |= {'N_FOLDS': 'experiment.n_folds', 'FOLD': 'experiment.fold'}
  return {**macros, **{places[name]: f'%{name}' for name in macros}}


def keep_folds(directory, rate, n_wrong, *, seed=0, n_folds=4, only=None):
  """Writes a run for each fold, of which the last has most rows."""
  fold_of = np.minimum(np.arange(N) * 5 % N // 25, n_folds - 1)
  for fold in range(n_folds) if only is None else only:
    rows = np.flatnonzero(fold_of == fold)
    keep_predictions(
      directory / f'{rate},{seed},{fold}',
      bound(rate, seed, N_FOLDS=n_folds, FOLD=fold),
      said(n_wrong, seed)[rows],
      EXPECTED[rows],
      split=f'train[fold_{fold}_of_{n_folds}]',
      rows=rows,
      text_digests=DIGESTS[rows],
    )


def test_they_come_to_what_one_run_over_all_rows_comes_to(tmp_path):
  for rate, n_wrong in ((0.1, 20), (0.2, 40)):
    for seed in (0, 1):
      keep_folds(tmp_path / 'cut', rate, n_wrong + seed, seed=seed)
      keep_predictions(
        tmp_path / 'whole' / f'{rate},{seed}',
        bound(rate, seed),
        said(n_wrong + seed, seed),
        EXPECTED,
      )
  cut, whole = (compare.compare(tmp_path / name) for name in ('cut', 'whole'))
  (section,) = cut.sections
  assert (section.split, section.n_examples) == ('train[4_folds]', N)
  assert section.columns == ('RATE',)
  assert [(x.n_seeds, x.folds) for x in section.groups] == [(2, '4')] * 2
  for one, other in zip(section.groups, whole.sections[0].groups, strict=True):
    for name in ('accuracy', 'cross_entropy'):
      assert one.means[name] == pytest.approx(other.means[name])
      assert one.standard_errors[name] == pytest.approx(
        other.standard_errors[name]
      )
  (weighed,), (expected,) = evidence.weigh(cut), evidence.weigh(whole)
  assert weighed.choice == pytest.approx(expected.choice)
  for own, others in zip(weighed.groups, expected.groups, strict=True):
    assert own.n_shared == others.n_shared
    assert set(own.intervals) == set(others.intervals)
    for name, interval in own.intervals.items():
      assert interval == pytest.approx(others.intervals[name])
    for name, contrast in own.contrasts.items():
      assert contrast.difference == pytest.approx(
        others.contrasts[name].difference
      )


def test_folds_that_are_missing_are_counted(tmp_path):
  keep_folds(tmp_path, 0.1, 20)
  keep_folds(tmp_path, 0.1, 20, seed=1, only=(0, 2))
  (section,) = compare.compare(tmp_path).sections
  (group,) = section.groups
  assert (group.n_seeds, group.folds) == (2, '2 of 4')
  # What only one of the seeds has is not compared, but it has been measured.
  assert section.n_examples == N


def test_one_that_waits_stands_with_the_others(tmp_path):
  keep_folds(tmp_path, 0.1, 20, only=(0, 1))
  bindings = bound(0.1, 0, N_FOLDS=4, FOLD=2)
  bindings['experiment.splits'] = "('train', 'test')"
  for path in tmp_path.iterdir():
    with (path / 'config.gin').open('a') as file:
      file.write("experiment.splits = ('train', 'test')\n")
  bindings['TFDS.dataset_name'] = "'made_up'"
  for path in tmp_path.iterdir():
    with (path / 'config.gin').open('a') as file:
      file.write("TFDS.dataset_name = 'made_up'\n")
  write_run(tmp_path / 'waits', bindings, status='failed', data=None)
  (section,) = compare.compare(tmp_path).sections
  (group,) = section.groups
  assert (len(group.runs), group.folds) == (3, '2 of 4')
  (weighed,) = evidence.weigh(compare.compare(tmp_path))
  assert weighed.groups[0].reason == ''


def test_folds_of_other_rows_are_not_pooled(tmp_path):
  keep_folds(tmp_path, 0.1, 20, only=(0,))
  keep_predictions(
    tmp_path / 'other',
    bound(0.1, 0, N_FOLDS=4, FOLD=1),
    said(20, 0),
    EXPECTED,
    split='train[fold_1_of_4]',
  )
  (weighed,) = evidence.weigh(compare.compare(tmp_path))
  assert weighed.groups[0].reason == (
    'folds with rows in common: the data have changed'
  )


def test_without_predictions_a_fold_counts_as_often_as_it_has_rows(tmp_path):
  for fold, (accuracy, n) in enumerate([(0.5, 10), (0.8, 20)]):
    write_run(
      tmp_path / str(fold),
      bound(0.1, 0, N_FOLDS=2, FOLD=fold),
      metrics={'accuracy': accuracy, 'n_examples': n},
      data=('made_up:1.0.0', f'train[fold_{fold}_of_2]'),
    )
  (section,) = compare.compare(tmp_path).sections
  assert section.groups[0].means['accuracy'] == pytest.approx(0.7)
  assert section.n_examples == 30


def test_a_system_is_compared_on_all_rows(tmp_path):
  keep_folds(tmp_path, 0.1, 20)
  lines = [f'{i},{LABELS[c]},{LABELS[c]}' for i, c in enumerate(EXPECTED)]
  text = '\n'.join(['row,expected,predicted', *lines])
  (tmp_path / 'svm.csv').write_text(f'{text}\n')
  (section,) = compare.compare(tmp_path).sections
  assert [group.runs[0].system for group in section.groups] == ['svm', '']
  (weighed,) = evidence.weigh(compare.compare(tmp_path))
  assert weighed.groups[1].n_shared == N


def test_a_split_names_all_folds_or_one(tmp_path):
  keep_folds(tmp_path, 0.1, 20)
  shutil.rmtree(tmp_path / '0.1,0,3')
  for split, n in (('train[4_folds]', 3), ('train[fold_1_of_4]', 1)):
    (section,) = compare.compare(tmp_path, split=split).sections
    assert len(section.runs) == n
