"""Folds of a data set: of equal texts and of groups, and computed once."""

import csv

import numpy as np
import pytest

from experiments.datasets import file_import, fold_rows
from experiments.datasets import source as datasets
from experiments.datasets.file_survey import ImportOptions
from experiments.foundation.errors import UserError

KEYS = ('text', 'label')


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  """A file with 40 texts of 12 authors, four of them written twice."""
  path = tmp_path_factory.mktemp('folds') / 'reviews.csv'
  rows = [
    (f'Text {i}', 'ab'[i % 2], f'author {i % 12}' if i % 5 else '')
    for i in range(40)
  ]
  # Equal for a reader; and the last by another author than the first.
  rows += [(f' TEXT  {i} ', 'ab'[i % 2], '') for i in range(1, 4)]
  rows += [('text 1', 'b', 'author 2')]
  with path.open('w', newline='') as file:
    csv.writer(file).writerows([('text', 'label', 'author'), *rows])
  return path


def open_folds(path, cache_dir, n_folds=3, *, split_by=None, splits=None):
  """Returns the source of a file, and the folds of its train split."""
  options = ImportOptions(keys=KEYS, split_by=split_by)
  source = datasets.open_directory(
    file_import.import_files(path, options, cache_dir),
    name=path.name,
    keys=KEYS,
    splits=splits or ('train+validation', 'test'),
    text_separator=' ',
  )
  return source, fold_rows.open_folds(
    source, n_folds, cache_dir=cache_dir, files=path, options=options
  )


def train_rows(source, path):
  """Returns normalized text and author of each row of the train split."""
  with path.open(newline='') as file:
    authors = {
      row['text'].strip(): row['author'] for row in csv.DictReader(file)
    }
  return [
    (' '.join(text.casefold().split()), authors[text])
    for texts, _ in source.read('train')
    for text in texts
  ]


@pytest.mark.parametrize('split_by', [None, 'author'])
def test_rows_that_belong_together_are_in_one_fold(path, tmp_path, split_by):
  source, found = open_folds(path, tmp_path, 2, split_by=split_by)
  rows = train_rows(source, path)
  assert len(found) == len(rows) == source.n_examples['train']
  assert set(found.tolist()) == {0, 1}
  for i in range(2 if split_by else 1):
    folds_of: dict[str, set[int]] = {}
    for row, fold in zip(rows, found.tolist(), strict=True):
      if row[i]:
        folds_of.setdefault(row[i], set()).add(fold)
    assert all(len(folds) == 1 for folds in folds_of.values())


def test_groups_are_those_of_the_rows_that_are_cut(path, tmp_path):
  """Of a slice that begins inside a file as well."""
  options = {'split_by': 'author', 'splits': ('train[20%:]', 'test')}
  source, found = open_folds(path, tmp_path, 2, **options)
  folds_of: dict[str, set[int]] = {}
  for (_, author), fold in zip(
    train_rows(source, path), found.tolist(), strict=True
  ):
    if author:
      folds_of.setdefault(author, set()).add(fold)
  assert all(len(folds) == 1 for folds in folds_of.values())


def test_they_are_computed_once(path, tmp_path):
  _, found = open_folds(path, tmp_path)
  (entry,) = [each for each in (tmp_path / 'folds').iterdir() if each.is_dir()]
  before = (entry / 'folds.bin').stat().st_mtime_ns
  np.testing.assert_array_equal(open_folds(path, tmp_path)[1], found)
  assert (entry / 'folds.bin').stat().st_mtime_ns == before
  assert len(set(open_folds(path, tmp_path, 4)[1].tolist())) == 4


def test_too_many_folds_are_refused_and_nothing_is_kept(path, tmp_path):
  with pytest.raises(UserError) as raised:
    open_folds(path, tmp_path, 30)
  message = str(raised.value)
  assert message.startswith("N_FOLDS is 30, and the class 'a' has ")
  assert message.endswith(
    'not one for each fold. Bind fewer folds, or give it more rows.'
  )
  assert not [each for each in (tmp_path / 'folds').iterdir() if each.is_dir()]
