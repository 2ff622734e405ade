"""Encoders give the hidden states that transformers computes.

fixtures/make_encoders.py has made the encoders and the numbers.
"""

import pathlib

import numpy as np
import pytest

from benchmarks import real_data
from experiments.backend import trax_repairs
from experiments.models import encoder_directory, encoder_layers, encoders
from experiments.text import vocabulary_files

trax_repairs.import_trax()

from trax import layers as tl  # noqa: E402

ENCODERS = pathlib.Path(__file__).parents[1] / 'fixtures' / 'encoders'
FAMILIES = sorted(path.name for path in ENCODERS.iterdir())
TEXTS = ['the cat sat', 'a dog ran far away and the cat sat on the mat', 'mat']
PAIRS = [('the cat', 'a dog ran'), ('the mat and the dog sat', 'cat')]
SEPARATORS = {
  'bert': ' [SEP] ',
  'distilbert': ' [SEP] ',
  'roberta': ' </s> </s> ',
}


def _ids(path, texts, length=0):
  vocabulary = vocabulary_files.read_vocabulary(
    encoder_directory.tokenizer_of(path)
  )
  rows = [vocabulary.encode(text) for text in texts]
  ids = np.zeros((len(rows), max(length, *map(len, rows))), np.int32)
  for row, found in zip(ids, rows, strict=True):
    row[: len(found)] = found
  return ids


def _compute(path, ids, *, dropout=0.0, mode='eval', seed=0):
  """Returns hidden states and mask."""
  import jax

  config = encoder_directory.read_config(path)
  model = tl.Serial(encoder_layers.layers(config, dropout=dropout, mode=mode))
  weights, state = model.init(jax.ShapeDtypeStruct(ids.shape, ids.dtype))
  leaves, tree = jax.tree_util.tree_flatten(weights)
  arrays = encoder_directory.read_weights(path, config)
  assert [x.shape for x in leaves] == [x.shape for x in arrays]
  weights = jax.tree_util.tree_unflatten(tree, arrays)
  return [
    np.array(x)
    for x in model.pure_fn(ids, weights, state, jax.random.PRNGKey(seed))[0]
  ]


@pytest.mark.parametrize('kind', ['texts', 'pairs'])
@pytest.mark.parametrize('family', FAMILIES)
def test_hidden_states_are_those_of_transformers(family, kind):
  path = ENCODERS / family
  expected = np.load(path / 'expected.npz')
  texts = TEXTS
  if kind == 'pairs':
    texts = [SEPARATORS[family].join(pair) for pair in PAIRS]
  hidden, mask = _compute(path, _ids(path, texts))
  np.testing.assert_array_equal(mask, expected[f'{kind}_mask'])
  assert np.abs(hidden[mask]).mean() > 0.5
  np.testing.assert_allclose(
    hidden[mask], expected[f'{kind}_hidden'][mask], atol=1e-4
  )


@pytest.mark.parametrize('family', FAMILIES)
def test_padding_changes_nothing(family):
  path = ENCODERS / family
  config = encoder_directory.read_config(path)
  hidden, mask = _compute(path, _ids(path, TEXTS))
  for length in (17, config.max_length, config.max_length + 9):
    more, more_mask = _compute(path, _ids(path, TEXTS, length))
    np.testing.assert_allclose(more[more_mask], hidden[mask], atol=1e-5)


def test_dropout_is_for_training_alone():
  path = ENCODERS / 'bert'
  ids = _ids(path, TEXTS)
  plain, mask = _compute(path, ids)
  for mode, is_other in (('eval', False), ('train', True)):
    dropped, _ = _compute(path, ids, dropout=0.3, mode=mode)
    assert (dropped[mask] != plain[mask]).any() == is_other
  again, _ = _compute(path, ids, dropout=0.3, mode='train')
  other, _ = _compute(path, ids, dropout=0.3, mode='train', seed=1)
  np.testing.assert_array_equal(dropped, again)
  assert (dropped[mask] != other[mask]).any()


@pytest.mark.parametrize('how', ['first', 'mean', 'max'])
def test_a_text_is_pooled_as_asked(how):
  rng = np.random.default_rng(0)
  hidden = rng.normal(size=(2, 4, 3)).astype(np.float32)
  mask = np.array([[True] * 4, [True, True, False, False]])
  expected = {
    'first': [hidden[0, 0], hidden[1, 0]],
    'mean': [hidden[0].mean(0), hidden[1, :2].mean(0)],
    'max': [hidden[0].max(0), hidden[1, :2].max(0)],
  }[how]
  found = encoder_layers.pool(how).pure_fn((hidden, mask), (), (), None)[0]
  np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_model_is_probabilities_of_its_classes():
  path = ENCODERS / 'distilbert'
  ids = _ids(path, TEXTS)
  model = encoders.pretrained_encoder(
    vocab_size=5,
    n_classes=3,
    encoder=encoder_directory.read_config(path),
    mode='eval',
  )
  import jax

  model.init(jax.ShapeDtypeStruct(ids.shape, ids.dtype))
  found = np.exp(model(ids))
  assert found.shape == (3, 3)
  np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


# What transformers 5.24 on PyTorch 2.14 computes of "The striker scored twice."
# with all-MiniLM-L6-v2: the first numbers of the first and of the last token.
MINILM = {
  0: [0.15162, -0.25361, -0.33527, 0.28762],
  -1: [0.09736, 0.07093, -0.64783, 0.69244],
}


@pytest.mark.skipif(
  not real_data.MINILM.exists(), reason='make data fetches all-MiniLM-L6-v2'
)
def test_a_real_encoder():
  path = real_data.MINILM
  config = encoder_directory.read_config(path)
  assert (config.n_layers, config.pooling, config.max_length) == (
    6,
    'mean',
    510,
  )
  hidden, mask = _compute(path, _ids(path, ['The striker scored twice.']))
  for place, expected in MINILM.items():
    np.testing.assert_allclose(hidden[mask][place][:4], expected, atol=1e-4)
