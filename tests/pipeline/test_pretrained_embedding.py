"""Word vectors give the vocabulary, and what the embedding starts from."""

import json
import re

import numpy as np
import pytest

from experiments.rundir.checkpoints import Checkpoints
from experiments.text import word_vocabulary

# Words of BBC News, in lower case as those of GloVe are, and one that is not.
WORDS = ['the', 'market', 'film', 'minister', 'xyzzy']
VECTORS = np.arange(40, dtype=np.float32).reshape(5, 8) / 40
SHORT = ('N_STEPS = 4', 'N_STEPS_PER_CHECKPOINT = 2')


@pytest.fixture(scope='module')
def vectors(tmp_path_factory):
  path = tmp_path_factory.mktemp('vectors') / 'tiny.vec'
  lines = [
    f'{word} {" ".join(map(str, row))}'
    for word, row in zip(WORDS, VECTORS.tolist(), strict=True)
  ]
  path.write_text('5 8\n' + '\n'.join(lines) + '\n')
  return path


@pytest.fixture
def train(launcher, tmp_path):
  """A function that trains with some bindings."""

  def train(*bindings, name='run', file='tiny.gin'):
    return launcher(
      f'--gin_file={file}',
      *(f'--gin_bindings={each}' for each in (*SHORT, *bindings)),
      f'--output_dir={tmp_path / name}',
    ), tmp_path / name

  return train


def _embedding(path, step=None):
  checkpoints = Checkpoints(path / 'checkpoints')
  found = checkpoints.load_newest() if step is None else checkpoints.load(step)
  assert found is not None
  return found.leaves[0]


def _rows_of(path, table):
  """Returns the rows of the words that have a vector, by word."""
  vocabulary = word_vocabulary.WordVocabulary(path / 'vocabulary.words')
  return {
    vocabulary.piece(i): table[i]
    for i in range(2, vocabulary.size)
    if vocabulary.piece(i).lower() in WORDS
  }


def test_frozen_vectors_stay_what_the_file_has(train, vectors, launcher):
  done, path = train(f"EMBEDDING_FILE = '{vectors}'", 'EMBEDDING_RATE = 0')
  assert done.returncode == 0, done.stderr
  rows = _rows_of(path, _embedding(path))
  assert {'the', 'The', 'market', 'film', 'Film', 'minister'} <= rows.keys()
  for word, row in rows.items():
    np.testing.assert_array_equal(row, VECTORS[WORDS.index(word.lower())])
  # Those with a vector come first, and the most frequent of them.
  lines = (path / 'vocabulary.words').read_text().split('\n')
  assert lines[1] == 'the'
  assert {*lines[1 : len(rows) + 1]} == rows.keys()
  assert len(lines) - 2 == 1000 - 2

  coverage = json.loads((path / 'run.json').read_text())['embedding'][
    'coverage'
  ]
  assert coverage['n_types_found'] == len(rows)
  assert coverage['n_words'] > coverage['n_types'] > coverage['n_types_found']
  assert coverage['missing'][:3] == ['to', 'of', 'and']
  assert len(coverage['missing']) == 10
  assert 'of train have a vector' in done.stderr

  (path.parent / 'texts.txt').write_text('The market fell.\n')
  asked = launcher(
    '--mode=predict',
    f'--output_dir={path}',
    f'--input={path.parent / "texts.txt"}',
  )
  assert asked.returncode == 0, asked.stderr


def test_rows_without_a_vector_are_spread_as_far(train, vectors):
  done, path = train(
    f"EMBEDDING_FILE = '{vectors}'", 'EMBEDDING_RATE = 0', name='one'
  )
  assert done.returncode == 0, done.stderr
  table = _embedding(path)
  given = _rows_of(path, table)
  others = np.array([row for row in table if not (row == VECTORS).all(1).any()])
  assert len(others) == len(table) - len(given)
  np.testing.assert_allclose(
    others.std(), np.stack([*given.values()]).std(), rtol=0.01
  )


def test_they_thaw_when_they_are_asked_to(train, vectors):
  done, path = train(f"EMBEDDING_FILE = '{vectors}'", 'N_FROZEN_STEPS = 2')
  assert done.returncode == 0, done.stderr
  for step, is_moved in ((2, False), (4, True)):
    for word, row in _rows_of(path, _embedding(path, step)).items():
      expected = VECTORS[WORDS.index(word.lower())]
      assert (row != expected).any() == is_moved, word


def test_a_run_that_goes_on_is_one_that_was_not_stopped(train, vectors):
  bindings = (f"EMBEDDING_FILE = '{vectors}'", 'N_FROZEN_STEPS = 3')
  _, whole = train(*bindings, 'N_STEPS = 6')
  train(*bindings, name='parts')
  done, parts = train(*bindings, 'N_STEPS = 6', name='parts')
  assert done.returncode == 0, done.stderr
  np.testing.assert_array_equal(_embedding(whole), _embedding(parts))


BAD = {
  'another width': (
    ('EMBEDDING_SIZE = 9',),
    r'has vectors of 8 numbers, and MODEL has no embedding of 1000 rows of so '
    r'many\. Bind EMBEDDING_SIZE = 8\.',
  ),
  'a vocabulary besides': (
    ("VOCAB_FILE = 'a.words'",),
    'EMBEDDING_FILE gives the vocabulary, and so does macro VOCAB_FILE = '
    r"'a\.words'\. Bind VOCAB_FILE = None",
  ),
  'weights besides': (
    ("experiment.init_from = '/nowhere'",),
    r'EMBEDDING_FILE gives weights, and so does experiment\.init_from',
  ),
  'no such file': (
    ("EMBEDDING_FILE = '/nowhere.txt'",),
    r'cannot read /nowhere\.txt: No such file or directory\.',
  ),
}


@pytest.mark.parametrize('bad', BAD)
def test_what_does_not_go_together_is_one_line(train, vectors, bad):
  bindings, message = BAD[bad]
  done, path = train(f"EMBEDDING_FILE = '{vectors}'", *bindings)
  assert done.returncode == 2
  (line,) = done.stderr.strip().split('\n')[-1:]
  assert 'Traceback' not in done.stderr
  assert re.search(message, line), line
  assert not path.exists()
