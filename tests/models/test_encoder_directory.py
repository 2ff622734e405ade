"""What an encoder's directory says is honoured, or refused by name."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from safetensors import numpy as safetensors

from experiments.foundation.errors import UserError
from experiments.models import encoder_directory

ENCODERS = pathlib.Path(__file__).parents[1] / 'fixtures' / 'encoders'


@pytest.fixture
def copy(tmp_path):
  """A function that copies an encoder."""

  def copy(family='bert'):
    return pathlib.Path(shutil.copytree(ENCODERS / family, tmp_path / family))

  return copy


def _read(path):
  config = encoder_directory.read_config(path)
  return config, encoder_directory.read_weights(path, config)


def _change_config(path, **changes):
  file = path / 'config.json'
  config = json.loads(file.read_text()) | changes
  file.write_text(json.dumps(config))


def _change_tensors(path, change):
  file = path / 'model.safetensors'
  tensors = safetensors.load_file(file)
  safetensors.save_file(change(tensors) or tensors, file)


def test_what_a_config_says_is_read(copy):
  path = copy('roberta')
  config, _ = _read(path)
  assert config.family == 'roberta'
  assert (config.d_model, config.n_layers, config.n_heads) == (12, 2, 3)
  assert (config.activation, config.epsilon) == ('gelu_tanh', 1e-12)
  assert (config.first_position, config.max_length) == (2, 20)
  assert (config.start, config.end, config.pooling) == ((0,), (2,), 'first')


@pytest.mark.parametrize(
  ('mode', 'pooling'), [('cls_token', 'first'), ('max_tokens', 'max')]
)
def test_the_pooling_of_sentence_transformers_is_read(copy, mode, pooling):
  path = copy()
  (path / '1_Pooling').mkdir()
  modes = {'pooling_mode_mean_tokens': False, f'pooling_mode_{mode}': True}
  (path / '1_Pooling' / 'config.json').write_text(json.dumps(modes))
  assert _read(path)[0].pooling == pooling


def test_names_with_a_prefix_and_heads_beside_are_read(copy):
  path = copy()
  _, plain = _read(path)
  _change_tensors(
    path,
    lambda tensors: {
      **{f'bert.{name}': tensor for name, tensor in tensors.items()},
      'cls.predictions.bias': np.zeros(20, np.float32),
    },
  )
  for one, other in zip(plain, _read(path)[1], strict=True):
    np.testing.assert_array_equal(one, other)


def _without(name):
  return lambda path: _change_tensors(
    path, lambda t: {key: value for key, value in t.items() if key != name}
  )


def _with(**tensors):
  return lambda path: _change_tensors(path, lambda t: t | tensors)


def _written(name, content):
  return lambda path: (path / name).write_bytes(content)


def _cut(path):
  file = path / 'model.safetensors'
  file.write_bytes(file.read_bytes()[:-1])


def _with_larger_tokenizer(path):
  file = path / 'tokenizer.json'
  content = json.loads(file.read_text())
  content['model']['vocab']['more'] = 99
  file.write_text(json.dumps(content))


def _without_markers(path):
  file = path / 'tokenizer.json'
  content = json.loads(file.read_text())
  content['post_processor'] = None
  file.write_text(json.dumps(content))


def _with_pooling(**modes):
  def change(path):
    (path / '1_Pooling').mkdir()
    (path / '1_Pooling' / 'config.json').write_text(json.dumps(modes))

  return change


Q = 'encoder.layer.1.attention.self.query.weight'
BAD = {
  'no config': (
    lambda path: (path / 'config.json').unlink(),
    r'cannot read .*config\.json: No such file .* ENCODER must be a directory',
  ),
  'no JSON': (_written('config.json', b'{'), r'config\.json is no JSON'),
  'no object': (_written('config.json', b'[]'), 'must hold an object of JSON'),
  'no tokenizer': (
    lambda path: (path / 'tokenizer.json').unlink(),
    r'cannot read .*tokenizer\.json: No such file',
  ),
  'a tokenizer that is none': (
    _written('tokenizer.json', b'{}'),
    r'tokenizer\.json is no tokenizer\.json',
  ),
  'a tokenizer of another size': (
    _with_larger_tokenizer,
    r'tokenizer\.json has 100 pieces, and the encoder of .* knows 20',
  ),
  'no markers': (_without_markers, r'tokenizer\.json puts no token before'),
  'another family': (
    lambda path: _change_config(path, model_type='t5'),
    "model_type is 't5', and these are known: bert, distilbert, roberta",
  ),
  'another activation': (
    lambda path: _change_config(path, hidden_act='silu'),
    "the activation is 'silu', and these are known: gelu",
  ),
  'other positions': (
    lambda path: _change_config(path, position_embedding_type='relative_key'),
    "position_embedding_type is 'relative_key', which is not known here",
  ),
  'a decoder': (
    lambda path: _change_config(path, is_decoder=True),
    'is_decoder is True, which is not known here',
  ),
  'heads that do not fit': (
    lambda path: _change_config(path, num_attention_heads=5),
    '5 heads do not divide a width of 12',
  ),
  'a size that is none': (
    lambda path: _change_config(path, hidden_size='12'),
    "hidden_size is '12', and must be a size",
  ),
  'an epsilon that is none': (
    lambda path: _change_config(path, layer_norm_eps=0),
    'layer_norm_eps is 0',
  ),
  'another pooling': (
    _with_pooling(pooling_mode_lasttoken=True),
    r'1_Pooling/config\.json asks for pooling_mode_lasttoken, and one of',
  ),
  'two poolings': (
    _with_pooling(pooling_mode_cls_token=True, pooling_mode_max_tokens=True),
    'asks for pooling_mode_cls_token, pooling_mode_max_tokens, and one of',
  ),
  'no weights': (
    lambda path: (path / 'model.safetensors').unlink(),
    r'cannot read .*model\.safetensors: No such file',
  ),
  'weights that are cut': (_cut, 'is no safetensors file, or is damaged'),
  'a header that lies': (
    _written('model.safetensors', (2**40).to_bytes(8, 'little') + b'{}'),
    'is no safetensors file, or is damaged',
  ),
  'a tensor that is missing': (_without(Q), f"has no tensor '{Q}'"),
  'a tensor that is left over': (
    _with(**{'encoder.layer.2.output.dense.bias': np.zeros(12, np.float32)}),
    r'tensors that are not known: encoder\.layer\.2\.output\.dense\.bias',
  ),
  'a tensor of another shape': (
    _with(**{Q: np.zeros((12, 11), np.float32)}),
    rf"the tensor '{Q}' has the shape \[12, 11\], and \[12, 12\] is expected",
  ),
  'a tensor that is not finite': (
    _with(**{Q: np.full((12, 12), np.nan, np.float32)}),
    f"the tensor '{Q}' is not finite",
  ),
}


@pytest.mark.parametrize('bad', BAD)
def test_what_is_wrong_is_one_line(copy, bad):
  path = copy()
  change, message = BAD[bad]
  change(path)
  with pytest.raises(UserError, match=message) as caught:
    _read(path)
  assert '\n' not in str(caught.value)
