"""Classes that are measured and were never seen: said, with the way out."""

import numpy as np

from experiments.pipeline import missing_classes

NAMES = ('a', 'b', 'c', 'd', 'e', 'f')


def warned(caplog, train, measured, splits=('train[:80%]', 'train[80%:]')):
  caplog.clear()
  missing_classes.warn(
    np.array(train), np.array(measured), label_names=NAMES, splits=splits
  )
  return [record.getMessage() for record in caplog.records]


def test_slices_of_sorted_rows(caplog):
  assert warned(caplog, [0, 0, 1, 1], [1, 2, 3, 4, 5, 5]) == [
    'train[:80%] has no example of c, d, e, 1 more, which 5 of the 6 examples '
    'of train[80%:] are. If its rows are sorted by class, cut folds instead of '
    'slices: N_FOLDS = 5 and FOLD = 0 keep the shares of all classes.'
  ]


def test_whole_splits_are_what_they_are(caplog):
  assert warned(caplog, [0, 1], [2, 0], ('train', 'test')) == [
    'train has no example of c, which 1 of the 2 examples of test are.'
  ]


def test_what_is_missing_on_both_sides_is_none(caplog):
  assert warned(caplog, [0, 1, 2], [0, 1]) == []


def test_a_run_says_so(launcher, tmp_path):
  rows = ['text,label', *(f'some words {i},{"ab"[i // 20]}' for i in range(40))]
  (tmp_path / 'rows.csv').write_text('\n'.join(rows) + '\n')
  (tmp_path / 'rows').mkdir()
  for split, part in (('train', rows[1:31]), ('test', rows[31:])):
    path = tmp_path / 'rows' / f'{split}.csv'
    path.write_text('\n'.join([rows[0], *part]) + '\n')
  done = launcher(
    '--gin_file=tiny.gin',
    f"--gin_bindings=DATASET='{tmp_path}/rows'",
    "--gin_bindings=SPLITS=('train[:50%]', 'train[50%:]')",
    '--gin_bindings=N_STEPS=1',
    "--gin_bindings=VOCAB_TYPE='word'",
    f'--output_dir={tmp_path}/run',
  )
  assert done.returncode == 0, done.stderr
  assert (
    'train[:50%] has no example of b, which 10 of the 15 examples of '
    'train[50%:] are.'
  ) in done.stderr
