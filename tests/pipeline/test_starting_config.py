import collections

import numpy as np
import pytest

from experiments.config import experiment, gin_config
from experiments.pipeline.starting_config import BASE, write_config
from experiments.text import word_vocabulary
from experiments.text.file_profile import FileProfile


def profile(n_train, n_classes, lengths=(10, 20, 30), n_repeated=1000):
  return FileProfile(
    described='csv',
    n_rows={'train': n_train, 'test': 10},
    is_cut=False,
    labels=collections.Counter(
      {f'class {i}': n_train // n_classes + 1 for i in range(n_classes)}
    ),
    bad=collections.Counter(),
    shown=[],
    lengths=np.sort(np.array(lengths, np.int64)),
    n_words=2 * n_repeated,
    n_repeated=n_repeated,
  )


def write(found):
  return write_config(
    found,
    dataset='rows.csv',
    keys=('text', 'label'),
    keys_reason='Named so.',
    split_by=None,
    separator=None,
    file_name='rows.gin',
  )


def values(found):
  own = write(found).replace(f"include '{BASE}'", '')
  return {b.name: b.value for b in gin_config.parse([BASE], [own]).bindings}


@pytest.mark.parametrize(
  ('n_train', 'n_classes', 'n_steps', 'batch_size', 'width'),
  [
    # Five times every row, in 2,000 steps at least and 20,000 at most.
    (500, 2, 2_000, 64, 16),
    (51_200, 2, 4_000, 64, 16),
    (204_800, 2, 4_000, 256, 16),
    (10_000_000, 2, 20_000, 256, 16),
    # Of nine classes or more, 25 times and four times as wide.
    (12_800, 8, 2_000, 64, 16),
    (12_800, 9, 5_000, 64, 64),
  ],
)
def test_steps_and_width_come_from_rows_and_classes(
  n_train, n_classes, n_steps, batch_size, width
):
  bound = values(profile(n_train, n_classes))
  assert bound['N_STEPS'] == n_steps
  assert bound['N_STEPS_PER_CHECKPOINT'] == n_steps // 5
  assert set(bound['BUCKET_BATCH_SIZES'][:-1]) == {batch_size}
  assert bound['EMBEDDING_SIZE'] == width


def test_all_of_most_texts_and_all_of_their_words_are_read():
  bound = values(profile(100, 2, range(1, 101), n_repeated=500))
  # 1,000 words, and the ids of padding and of unknown words.
  assert bound['VOCAB_SIZE'] == 1000 + word_vocabulary.N_RESERVED
  # 99 rounded up to 16.
  assert bound['MAX_LENGTH'] == 112


def test_lengths_and_words_are_bounded():
  bound = values(profile(100, 2, [5, 5, 5000, 6000], n_repeated=40_000))
  assert bound['VOCAB_SIZE'] == 65_536
  assert bound['BUCKET_BOUNDARIES'] == [16, 2048]
  assert (bound['MAX_LENGTH'], bound['TRUNCATE']) == (2048, True)


@pytest.mark.parametrize(
  'found',
  [
    profile(1, 2, [0], n_repeated=0),
    profile(10**8, 300, [10**5], n_repeated=10**7),
  ],
  ids=['smallest', 'largest'],
)
def test_a_run_takes_what_any_file_makes(found, tmp_path):
  path = tmp_path / 'rows.gin'
  path.write_text(write(found), encoding='utf-8')
  experiment.resolve(gin_config.check(gin_config.parse([str(path)])))
