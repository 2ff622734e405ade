"""What an encoder of the BERT family is, as its directory's config says.

The layout is that of Hugging Face: config.json, model.safetensors and
tokenizer.json, and for sentence-transformers 1_Pooling/config.json. What is
said there and changes what the encoder computes is honoured, or refused by
name.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

POOLINGS = ('first', 'mean', 'max')
_ACTIVATIONS = {
  'gelu': 'gelu',
  'gelu_new': 'gelu_tanh',
  'gelu_pytorch_tanh': 'gelu_tanh',
  'gelu_python': 'gelu',
  'relu': 'relu',
}
# By family: fields of ours, and what its config.json calls them.
_FIELDS: Mapping[str, Mapping[str, str]] = {
  'bert': {
    'n_tokens': 'vocab_size',
    'd_model': 'hidden_size',
    'n_layers': 'num_hidden_layers',
    'n_heads': 'num_attention_heads',
    'd_ff': 'intermediate_size',
    'n_positions': 'max_position_embeddings',
  },
  'distilbert': {
    'n_tokens': 'vocab_size',
    'd_model': 'dim',
    'n_layers': 'n_layers',
    'n_heads': 'n_heads',
    'd_ff': 'hidden_dim',
    'n_positions': 'max_position_embeddings',
  },
}
_FIELDS = {**_FIELDS, 'roberta': _FIELDS['bert']}
FAMILIES = tuple(_FIELDS)
# What would change what is computed: the name, and the values that change
# nothing.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
  'position_embedding_type': ('absolute', None),
  'is_decoder': (False, None),
  'add_cross_attention': (False, None),
  'is_encoder_decoder': (False, None),
  'sinusoidal_pos_embds': (False, True, None),
  'embedding_size': (None,),
  'pruned_heads': ({}, None),
  'quantization_config': (None,),
}
# Of sentence-transformers' 1_Pooling/config.json.
_POOLING_MODES = {
  'pooling_mode_cls_token': 'first',
  'pooling_mode_mean_tokens': 'mean',
  'pooling_mode_max_tokens': 'max',
}


class UnknownEncoderError(ValueError):
  """A config that says something that is not known; the message says what."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
  """The architecture of an encoder, and how texts come to it.

  Attributes:
    family: one of `FAMILIES`.
    n_tokens: rows of the embedding of tokens.
    d_model: width of what each layer gives.
    n_layers: how many there are.
    n_heads: attention heads of each.
    d_ff: width of the dense layer between, of each.
    activation: after it, 'gelu', 'gelu_tanh' or 'relu'.
    n_positions: rows of the embedding of positions.
    first_position: the row of the first token.
    n_types: rows of the embedding of segments; 0: there is none.
    epsilon: of the layer normalization.
    pooling: how a text's vector is made, one of `POOLINGS`.
    start: ids before a text.
    end: ids after it; the last of them ends a segment.
  """

  family: str
  n_tokens: int
  d_model: int
  n_layers: int
  n_heads: int
  d_ff: int
  activation: str
  n_positions: int
  first_position: int
  n_types: int
  epsilon: float
  pooling: str
  start: tuple[int, ...]
  end: tuple[int, ...]

  @property
  def max_length(self) -> int:
    """How many tokens of a text it can read, beside those around it."""
    n_markers = len(self.start) + len(self.end)
    return self.n_positions - self.first_position - n_markers


# What a model is made with where only its parameters are looked at.
SMALL = EncoderConfig(
  family='bert',
  n_tokens=8,
  d_model=4,
  n_layers=1,
  n_heads=2,
  d_ff=8,
  activation='gelu',
  n_positions=512,
  first_position=0,
  n_types=2,
  epsilon=1e-12,
  pooling='mean',
  start=(1,),
  end=(2,),
)


def parse(
  config: Mapping[str, Any],
  pooling: Mapping[str, Any] | None,
  *,
  start: tuple[int, ...],
  end: tuple[int, ...],
) -> EncoderConfig:
  """Returns what an encoder is.

  Args:
    config: of config.json.
    pooling: of 1_Pooling/config.json, if there is one.
    start: ids before a text.
    end: ids after it.

  Raises:
    UnknownEncoderError: it is of another family, or says something that is not
      known here.
  """
  family = str(config.get('model_type'))
  if family not in _FIELDS:
    raise UnknownEncoderError(
      f'model_type is {family!r}, and these are known: {", ".join(FAMILIES)}'
    )
  for name, neutral in _NEUTRAL.items():
    if config.get(name) not in neutral:
      raise UnknownEncoderError(
        f'{name} is {config.get(name)!r}, which is not known here'
      )
  sizes = {
    ours: _size(config, theirs) for ours, theirs in _FIELDS[family].items()
  }
  if sizes['d_model'] % sizes['n_heads']:
    raise UnknownEncoderError(
      f'{sizes["n_heads"]} heads do not divide a width of {sizes["d_model"]}'
    )
  is_distilled = family == 'distilbert'
  activation = config.get('activation' if is_distilled else 'hidden_act')
  if activation not in _ACTIVATIONS:
    raise UnknownEncoderError(
      f'the activation is {activation!r}, and these are known: '
      f'{", ".join(_ACTIVATIONS)}'
    )
  epsilon = 1e-12 if is_distilled else config.get('layer_norm_eps', 1e-12)
  if not isinstance(epsilon, float) or not 0 < epsilon < 1:
    raise UnknownEncoderError(f'layer_norm_eps is {epsilon!r}')
  first_position = 0
  if family == 'roberta':
    first_position = _size(config, 'pad_token_id', least=0) + 1
  return EncoderConfig(
    family=family,
    **sizes,
    activation=_ACTIVATIONS[activation],
    first_position=first_position,
    n_types=0 if is_distilled else _size(config, 'type_vocab_size', default=2),
    epsilon=epsilon,
    pooling=_parse_pooling(pooling),
    start=start,
    end=end,
  )


def _size(
  config: Mapping[str, Any], name: str, *, least: int = 1, default: Any = None
) -> int:
  value = config.get(name, default)
  if type(value) is not int or not least <= value < 2**31:
    raise UnknownEncoderError(f'{name} is {value!r}, and must be a size')
  return value


def _parse_pooling(pooling: Mapping[str, Any] | None) -> str:
  if pooling is None:
    return 'first'
  modes = [
    name
    for name, value in pooling.items()
    if name.startswith('pooling_mode_') and value
  ]
  if len(modes) != 1 or modes[0] not in _POOLING_MODES:
    raise UnknownEncoderError(
      f'1_Pooling/config.json asks for {", ".join(modes) or "no pooling"}, and '
      f'one of these is needed: {", ".join(_POOLING_MODES)}'
    )
  return _POOLING_MODES[modes[0]]
