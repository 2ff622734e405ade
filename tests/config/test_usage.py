"""What code takes from gin can be bound, and nothing else of what it calls."""

import pytest

from experiments.config import configurables, gin_config, schema, usage
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import ROOT

BASE = str(ROOT / 'gin' / 'bbc_news.gin')
SMALL = {'d_feature': 4, 'd_model': 4, 'd_ff': 6, 'n_layers': 1, 'n_heads': 2}
HEAD = {'LogSoftmax.axis'}
NORM = {'LayerNorm.center', 'LayerNorm.epsilon'}
# Read off the code of the models: what they call, and do not give themselves.
TAKEN = {
  'attention_embedding': HEAD,
  'gru_classifier': HEAD | {'GRUCell.forget_bias'},
  'kim_cnn': HEAD,
  'lstm_classifier': HEAD | {'LSTMCell.forget_bias'},
  'masked_mean_embedding': HEAD,
  'max_embedding': HEAD,
  'mean_embedding': HEAD,
  'ngram_embedding': HEAD,
  'pretrained_encoder': HEAD,
  'transformer_classifier': HEAD | NORM,
  'TransformerEncoder': NORM,
  'ConfigurableTransformerEncoder': NORM,
  'ReZeroTransformerEncoder': NORM,
}
# Of the same layers what the models give, and of others that none calls.
OTHERS = {
  'GRUCell.n_units': 3,
  'LSTMCell.n_units': 3,
  'PositionalEncoding.max_len': 7,
  'Attention.dropout': 0.1,
  'BatchNorm.momentum': 0.5,
}
VALUES = {'axis': 0, 'center': False, 'epsilon': 0.25, 'forget_bias': 2.0}


def flags(model):
  configurables.register()
  selector = configurables.complete(model)
  known = configurables.signature(selector).defaults
  return [
    'VOCAB_SIZE = 20',
    f'MODEL = @{model}',
    *(f'{model}.{k} = {v}' for k, v in SMALL.items() if k in known),
    *(["ENCODER = 'any'"] if configurables.takes_encoder(selector) else []),
  ]


def check(*bindings):
  return gin_config.check(gin_config.parse([BASE], bindings))


def models():
  """Returns those of the framework and of trax, not of other tests."""
  configurables.register()
  return [
    configurables.short(selector)
    for selector in configurables.names()
    if configurables.function_of(selector).__module__.startswith(
      ('experiments.', 'trax.')
    )
    and {*schema.MODELS_TAKE} <= {*configurables.signature(selector).defaults}
  ]


def test_every_model_has_a_row():
  assert set(models()) == set(TAKEN)


@pytest.mark.parametrize(
  'model',
  [
    each
    if each in ('lstm_classifier', 'transformer_classifier')
    else pytest.param(each, marks=pytest.mark.slow)
    for each in TAKEN
  ],
)
def test_takes_what_it_leaves_to_gin_and_refuses_the_rest(model):
  known = {name for names in TAKEN.values() for name in names}
  bindings = {name: VALUES[name.split('.')[1]] for name in known} | OTHERS
  for name, value in bindings.items():
    binding = f'{name} = {value}'
    if name in TAKEN[model]:
      assert f'{binding}\n' in check(*flags(model), binding).text
      continue
    with pytest.raises(UserError) as caught:
      check(*flags(model), binding)
    message = f'{name} is bound but nothing uses it: '
    assert message in str(caught.value)


def test_what_is_taken_is_what_gin_gave():
  text = check(*flags('lstm_classifier')).text
  taken = usage.find_taken(text)
  assert taken['', 'trax.layers.LSTMCell'] == {'forget_bias'}
  assert ('', 'trax.layers.GRUCell') not in taken


def test_says_what_is_wrong_of_what_is_taken():
  with pytest.raises(UserError) as caught:
    check(*flags('transformer_classifier'), "LayerNorm.epsilon = 'x'")
  assert str(caught.value).startswith(
    '--gin_bindings="LayerNorm.epsilon = \'x\'": LayerNorm.epsilon must be '
  )


def test_a_flag_may_put_what_a_file_gives_to_code_out_of_use(tmp_path):
  path = tmp_path / 'x.gin'
  path.write_text(
    f"include '{BASE}'\nMODEL = @transformer_classifier\n"
    'EMBEDDING_SIZE = 4\nLayerNorm.epsilon = 0.25\n'
  )
  parsed = gin_config.parse([str(path)], ['MODEL = @mean_embedding'])
  assert 'LayerNorm' not in gin_config.check(parsed).text
