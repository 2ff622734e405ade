"""The directory of a pretrained encoder, in Hugging Face's layout."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import read_regular
from experiments.foundation.safetensors_file import read_tensors
from experiments.models import encoder_config, encoder_layers
from experiments.models.encoder_config import EncoderConfig

_MAX_JSON_BYTES = 2**20
# What stands in such files beside the encoder: heads of other tasks.
_OTHER_PARTS = (
  'pooler.',
  'cls.',
  'lm_head.',
  'classifier.',
  'pre_classifier.',
  'vocab_layer_norm.',
  'vocab_projector.',
  'vocab_transform.',
  'qa_outputs.',
  'embeddings.position_ids',
)
# By family: of the tensors of the embedding and of a block, the names, in the
# order of `encoder_layers`.
_BERT = (
  (
    'embeddings.word_embeddings.weight',
    'embeddings.position_embeddings.weight',
    'embeddings.token_type_embeddings.weight',
    'embeddings.LayerNorm.weight',
    'embeddings.LayerNorm.bias',
  ),
  'encoder.layer.{}.',
  ('attention.self.query', 'attention.self.key', 'attention.self.value'),
  ('attention.output.dense', 'intermediate.dense', 'output.dense'),
  ('attention.output.LayerNorm', 'output.LayerNorm'),
)
_NAMES: Mapping[str, Any] = {
  'bert': _BERT,
  'roberta': _BERT,
  'distilbert': (
    (*_BERT[0][:2], *_BERT[0][3:]),
    'transformer.layer.{}.',
    ('attention.q_lin', 'attention.k_lin', 'attention.v_lin'),
    ('attention.out_lin', 'ffn.lin1', 'ffn.lin2'),
    ('sa_layer_norm', 'output_layer_norm'),
  ),
}


def tokenizer_of(path: pathlib.Path) -> pathlib.Path:
  """Returns where the tokenizer of an encoder is.

  Args:
    path: the directory.
  """
  return path / 'tokenizer.json'


def read_config(path: pathlib.Path) -> EncoderConfig:
  """Reads what an encoder is.

  Args:
    path: the directory.

  Raises:
    UserError: a file is missing or damaged, or what it says is not known.
  """
  config = _read_json(path / 'config.json')
  pooling_file = path / '1_Pooling' / 'config.json'
  pooling = _read_json(pooling_file) if pooling_file.exists() else None
  start, end, n_tokens = _read_markers(tokenizer_of(path))
  try:
    found = encoder_config.parse(config, pooling, start=start, end=end)
  except encoder_config.UnknownEncoderError as error:
    raise UserError(f'{path / "config.json"}: {error}.') from error
  if n_tokens > found.n_tokens:
    raise UserError(
      f'{tokenizer_of(path)} has {n_tokens:,} pieces, and the encoder of '
      f'{path / "config.json"} knows {found.n_tokens:,}.'
    )
  if found.max_length < 1:
    raise UserError(
      f'{path / "config.json"}: {found.n_positions} positions leave no room '
      'for a text.'
    )
  return found


def _read_json(path: pathlib.Path) -> dict[str, Any]:
  try:
    content = json.loads(read_regular(path, _MAX_JSON_BYTES))
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}. ENCODER must be a directory with '
      'config.json, model.safetensors and tokenizer.json.'
    ) from error
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path} is no JSON: {error}.') from error
  if not isinstance(content, dict):
    raise UserError(f'{path} must hold an object of JSON.')
  return content


def _read_markers(
  path: pathlib.Path,
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
  """Returns what a tokenizer puts before and after a text, and its size."""
  import tokenizers

  try:
    content = read_regular(path)
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}.') from error
  try:
    tokenizer = tokenizers.Tokenizer.from_buffer(content)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoded = tokenizer.encode('a')
    bare = tokenizer.encode('a', add_special_tokens=False)
  # The library raises nothing narrower.
  except Exception as error:
    raise UserError(f'{path} is no tokenizer.json of tokenizers.') from error
  n_start = encoded.special_tokens_mask.index(0)
  start, end = encoded.ids[:n_start], encoded.ids[n_start + len(bare.ids) :]
  if not start or not end:
    raise UserError(
      f'{path} puts no token before and after a text, as [CLS] and [SEP] are, '
      'and an encoder needs them.'
    )
  sizes = tokenizer.get_vocab(with_added_tokens=True).values()
  return tuple(start), tuple(end), max(sizes) + 1


def read_weights(path: pathlib.Path, config: EncoderConfig) -> list[np.ndarray]:
  """Reads the weights of an encoder.

  Args:
    path: the directory.
    config: from `read_config`.

  Returns:
    Float32 arrays, in the order of the layers of `encoder_layers.layers`.

  Raises:
    UserError: the file is missing or damaged; or a tensor is missing, left
      over or of another shape.
  """
  file = path / 'model.safetensors'
  tensors = read_tensors(file)
  prefix = f'{config.family}.'
  if any(name.startswith(prefix) for name in tensors):
    tensors = {
      name.removeprefix(prefix): tensor for name, tensor in tensors.items()
    }
  taken: set[str] = set()

  def take(name: str, shape: tuple[int, ...]) -> np.ndarray:
    # As files of TensorFlow's time have it.
    older = name.replace('Norm.weight', 'Norm.gamma').replace(
      'Norm.bias', 'Norm.beta'
    )
    found = tensors.get(name, tensors.get(older))
    if found is None:
      raise UserError(f'{file} has no tensor {name!r}.')
    if found.shape != shape:
      raise UserError(
        f'{file}: the tensor {name!r} has the shape {list(found.shape)}, and '
        f'{list(shape)} is expected.'
      )
    taken.update((name, older))
    array = found.astype(np.float32)
    if not np.isfinite(array).all():
      raise UserError(f'{file}: the tensor {name!r} is not finite.')
    return array

  weights = _collect(config, take)
  rest = [
    name
    for name in tensors
    if name not in taken and not name.startswith(_OTHER_PARTS)
  ]
  if rest:
    raise UserError(
      f'{file} has tensors that are not known: {", ".join(sorted(rest))[:200]}.'
    )
  return weights


def _collect(config: EncoderConfig, take: Any) -> list[np.ndarray]:
  embedding, block, attention, dense, norms = _NAMES[config.family]
  if not config.n_types:
    embedding = [name for name in embedding if 'token_type' not in name]
  shapes = encoder_layers.embedding_shapes(config)
  weights = [
    take(name, shape) for name, shape in zip(embedding, shapes, strict=True)
  ]
  d = config.d_model
  for i in range(config.n_layers):
    prefix = block.format(i)
    weights.append(
      np.concatenate(
        [take(f'{prefix}{name}.weight', (d, d)).T for name in attention], axis=1
      )
    )
    weights.append(
      np.concatenate([take(f'{prefix}{name}.bias', (d,)) for name in attention])
    )
    kernels = encoder_layers.block_shapes(config)[2:8:2]
    for name, (n_in, n_out) in zip(dense, kernels, strict=True):
      weights.append(take(f'{prefix}{name}.weight', (n_out, n_in)).T)
      weights.append(take(f'{prefix}{name}.bias', (n_out,)))
    for name in norms:
      weights.append(take(f'{prefix}{name}.weight', (d,)))
      weights.append(take(f'{prefix}{name}.bias', (d,)))
  return [np.ascontiguousarray(each) for each in weights]
