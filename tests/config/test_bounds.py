"""What int32, float32 and memory cannot hold is refused with the bound."""

import pytest

from experiments.config import gin_config, schema, specs
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import ROOT, Bad, assert_refused

BASE = str(ROOT / 'gin' / 'agnews.gin')
HUGE = 10**20
LISTS = ('BUCKET_BOUNDARIES', 'BUCKET_BATCH_SIZES')
WHOLE = [
  name
  for name, entry in schema.MACROS.items()
  if entry.spec.expected.startswith('a whole number of')
]
NUMBERS = ('LEARNING_RATE', 'WEIGHT_DECAY', 'CLIP_GRAD_NORM')

BAD = [
  Bad(
    "--gin_bindings='N_STEPS=100000000000000000000': macro N_STEPS must be at "
    'most 2147483647, since steps are counted in int32, not '
    '100000000000000000000.',
    flags=[f'N_STEPS={HUGE}'],
  ),
  Bad(
    "--gin_bindings='EMBEDDING_SIZE=1048577': macro EMBEDDING_SIZE must be at "
    'most 1048576, beyond which no layer fits into memory, not 1048577.',
    flags=['EMBEDDING_SIZE=1048577'],
  ),
  Bad(
    "--gin_bindings='EMBEDDING_SIZE=1000000': the embedding of @mean_embedding "
    'would have 8192 rows of 1000000 numbers, more than 2147483647 in all, '
    'which do not fit into memory. Bind VOCAB_SIZE or EMBEDDING_SIZE to less.',
    flags=['EMBEDDING_SIZE=1000000'],
  ),
  Bad(
    "--gin_bindings='ngram_embedding.n_buckets=2000000000': the embedding of "
    '@ngram_embedding would have 2000008192 rows of 50 numbers, more than '
    '2147483647 in all, which do not fit into memory. Bind VOCAB_SIZE or '
    'EMBEDDING_SIZE to less.',
    flags=['MODEL=@ngram_embedding', 'ngram_embedding.n_buckets=2000000000'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BATCH_SIZES=[512, 1000000, 1, 1, 1]': macro "
    'BUCKET_BATCH_SIZES asks for a batch of 1000000 rows of 512 tokens, more '
    'than 268435456 in all, which do not fit into memory. Give long texts '
    'smaller batches.',
    flags=[
      'BUCKET_BOUNDARIES=[32, 512, 600, 2048]',
      'BUCKET_BATCH_SIZES=[512, 1000000, 1, 1, 1]',
    ],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=1e300': macro LEARNING_RATE must be at most "
    '3.402823e+38, the largest float32, not 1e+300.',
    flags=['LEARNING_RATE=1e300'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=1e-50': macro LEARNING_RATE must be at "
    'least 1.1754944e-38, for a float32 below it is 0, not 1e-50.',
    flags=['LEARNING_RATE=1e-50'],
  ),
  Bad(
    "--gin_bindings='Adam.b2=0.99999999999': Adam.b2 must be below 1 as a "
    'float32, which it rounds to, not 0.99999999999.',
    flags=['Adam.b2=0.99999999999'],
  ),
  Bad(
    "--gin_bindings='transformer_classifier.n_layers=1000000': "
    'transformer_classifier.n_layers must be at most 1000, beyond which no '
    'model can be made in useful time, not 1000000.',
    flags=[
      'MODEL=@transformer_classifier',
      'transformer_classifier.n_layers=1000000',
    ],
  ),
  Bad(
    '--gin_bindings="multifactor.factors=\'constat\'": multifactor.factors '
    'must be a product of constant, two_constants, linear_warmup, rsqrt_decay, '
    'rsqrt_normalized_decay, decay_every, cosine_decay, such as '
    "'constant * linear_warmup', not 'constat'.",
    flags=['LR_SCHEDULE=@multifactor', "multifactor.factors='constat'"],
  ),
  Bad(
    "--gin_bindings='SM3.momentum_type=7': SM3.momentum_type must be 1 (an "
    'average), 2 (heavy ball) or 3 (Nesterov), not 7.',
    flags=['OPTIMIZER=@SM3', 'SM3.momentum_type=7'],
  ),
]


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)


@pytest.mark.parametrize('name', WHOLE)
def test_every_whole_number_has_a_bound(name):
  with pytest.raises(UserError) as caught:
    gin_config.parse([BASE], [f'{name}={HUGE}'])
  assert f'macro {name} must be at most ' in str(caught.value)


@pytest.mark.parametrize('name', LISTS)
def test_every_list_of_numbers_has_a_bound(name):
  with pytest.raises(UserError) as caught:
    gin_config.parse([BASE], [f'{name}=[1, 2, 3, {HUGE}]'])
  assert f'macro {name} must be at most ' in str(caught.value)


@pytest.mark.parametrize('name', NUMBERS)
def test_every_number_is_one_of_float32(name):
  for value in ('1e39', '1e-39'):
    with pytest.raises(UserError, match='float32'):
      gin_config.parse([BASE], [f'{name}={value}'])


@pytest.mark.parametrize(
  'spec',
  [
    *(spec for each in schema.ROOTS.values() for spec in each.values()),
    *schema.PARAMETERS.values(),
  ],
  ids=lambda spec: spec.expected[:30],
)
def test_no_parameter_takes_what_cannot_be_computed_with(spec):
  for value in (10**50, 1e300, [1, HUGE], (1, HUGE)):
    with pytest.raises(specs.WrongValueError):
      spec.normalize(value)


def test_the_bounds_themselves_are_taken():
  flags = (
    'N_STEPS=2147483647',
    'MAX_LENGTH=2147483647',
    'LEARNING_RATE=1e38',
    'BUCKET_BOUNDARIES=[256, 300, 400, 2147483647]',
    'BUCKET_BATCH_SIZES=[1048576, 1, 1, 1, 1]',
  )
  text = gin_config.check(gin_config.parse([BASE], flags[:3])).text
  assert 'N_STEPS = 2147483647\n' in text
  with pytest.raises(UserError, match='2147483647 tokens'):
    gin_config.check(gin_config.parse([BASE], flags))
