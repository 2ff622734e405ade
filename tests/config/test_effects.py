"""Every parameter that can be bound has an effect, or is refused.

For each parameter of the optimizers, schedules, models, losses and metrics that
a config can name, values are tried until one changes what the part does. One
that is refused as overridden must say by what, and have an effect where nothing
overrides it. All are found in gin's registry, and so new ones join by
themselves. What the framework itself reads is tried by whole runs, in
tests/pipeline/test_root_effects.py.
"""

import hashlib

import numpy as np
import pytest

from experiments.config import (
  configurables,
  experiment,
  gin_config,
  overrides,
  schema,
)
from experiments.foundation.errors import UserError
from experiments.models import encoder_config
from tests.fixtures.config_cases import ROOT

BASE = str(ROOT / 'gin' / 'bbc_news.gin')
# Tried in turn, where the spec takes them and they are not the default.
VALUES = (
  *('True', 'False', 'None', '0.25', '0.5', '1.5', '2', '3', '1', '7', '40'),
  *('0', '0.001', '1e-9', '100', '(2, 3)', '(4,)', "'sqrtn'", "'mean'"),
  "'max'",
  *("'constant * decay_every'", "'constant * cosine_decay'"),
  *("'two_constants'", "'linear_warmup * constant'", "'rsqrt_decay'"),
  *(
    '@Gelu',
    '@Tanh',
    '@CausalAttention',
    "'learned'",
    "'Block'",
    "'1inN'",
    "'axial'",
  ),
)
# So small that a model takes a moment.
SMALL = {
  **{'d_feature': 4, 'd_model': 4, 'd_ff': 6, 'n_layers': 1, 'n_heads': 2},
  **{'max_len': 40, 'd_hidden': 4, 'd_attention': 4, 'n_buckets': 5},
  **{'n_filters': 4, 'dropout': 0.5},
}
COMMON = ('VOCAB_SIZE = 20',)
# What another parameter needs besides to have an effect.
ALSO = {
  'pos_axial_shape': (
    'ConfigurableTransformerEncoder.pos_d_axial_embs = (2, 2)',
  )
}
N_STEPS = 6


def of_part(role: str, selector: str) -> list[str]:
  """Returns flags that put a configurable to use."""
  short = configurables.short(selector)
  name = {'metric': 'EvalTask.metrics', 'loss': 'TrainTask.loss_layer'}
  macro = (
    name.get(role)
    or {
      'optimizer': 'OPTIMIZER',
      'schedule': 'LR_SCHEDULE',
      'model': 'MODEL',
    }[role]
  )
  value = f'[@{short}]' if role == 'metric' else f'@{short}'
  flags = [*COMMON, f'{macro} = {value}']
  if role == 'model':
    known = configurables.signature(selector).defaults
    flags += [f'{short}.{k} = {v}' for k, v in SMALL.items() if k in known]
    if configurables.takes_encoder(selector):
      flags.append("ENCODER = 'any'")
  return flags


def digest(tree) -> str:
  """Returns a hash of arrays in any nest of containers."""
  import jax

  result = hashlib.sha256()
  for leaf in jax.tree_util.tree_leaves(tree):
    array = np.asarray(leaf)
    result.update(f'{array.shape} {array.dtype}'.encode())
    result.update(array.tobytes())
  return result.hexdigest()


def log_probs_and_targets():
  random = np.random.default_rng(0)
  logits = random.normal(size=(6, 3)).astype(np.float32)
  log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
  return (
    log_probs.astype(np.float32),
    np.array([0, 1, 2, 0, 1, 2], np.int32),
    np.array([1, 1, 1, 1, 1, 0], np.float32),
  )


def of_layer(layer) -> str:
  from trax import fastmath, shapes

  batch = log_probs_and_targets()[: layer.n_in]
  layer.init(shapes.signature(batch), fastmath.random.get_prng(0))
  return digest(layer(batch))


def outcome(role: str, made: experiment.Experiment) -> str:
  """Returns what a part does, as a hash."""
  import jax
  from trax import fastmath, shapes

  if role == 'schedule':
    rate = made.make_schedule()
    assert rate is not None
    steps = [*range(1, 3 * N_STEPS), 9_999, 10_001, 30_000, 120_000]
    return digest([np.float32(rate(step)) for step in steps])
  if role == 'optimizer':
    optimizer = made.make_optimizer()
    rate = made.make_schedule()
    random = np.random.default_rng(0)
    weights = [random.normal(size=s).astype(np.float32) for s in ((3, 2), (4,))]
    slots, _ = optimizer.tree_init(weights)
    for step in range(1, N_STEPS):
      gradients = [
        random.normal(size=w.shape).astype(np.float32) for w in weights
      ]
      parameters = {**optimizer.opt_params}
      if rate is not None:
        parameters['learning_rate'] = np.float32(rate(step))
      weights, slots, _ = optimizer.tree_update(
        np.int32(step), gradients, weights, slots, parameters
      )
    return digest([weights, slots])
  if role == 'model':
    encoder = encoder_config.SMALL if made.model.encoder else None
    model = made.make_model(n_classes=3, mode='train', encoder=encoder)
    ids = np.zeros((2, 12), np.int32)
    ids[0, :9] = [3, 1, 4, 1, 5, 9, 2, 6, 5]
    ids[1, :4] = [2, 7, 1, 8]
    key = fastmath.random.get_prng(0)
    with made.bound():
      weights, state = model.init(shapes.signature(ids), key)
      scores = model.pure_fn(ids, weights, state, jax.random.fold_in(key, 1))
    return digest([weights, scores[0]])
  if role == 'loss':
    return of_layer(made.make_loss())
  return ' '.join(map(of_layer, made.make_metrics()))


def resolved(flags) -> experiment.Experiment:
  return experiment.resolve(gin_config.check(gin_config.parse([BASE], flags)))


def find_effect(role, selector, parameter, flags) -> str:
  """Returns '' for a value that has an effect, else what is said of others."""
  short = configurables.short(selector)
  name = f'{short}.{parameter}'
  flags = [flag for flag in flags if not flag.startswith(f'{name} = ')]
  missing = [
    f'{short}.{each} = 3'
    for each, default in configurables.signature(selector).defaults.items()
    if default is configurables.MISSING
    and each.startswith('n_')
    and each not in (*schema.SET_FOR_MODELS, 'n_steps', parameter)
  ]
  said, seen = [], set()
  for value in VALUES:
    try:
      made = resolved([*flags, *missing, f'{name} = {value}'])
    except UserError as error:
      said.append(str(error))
      continue
    try:
      seen.add(outcome(role, made))
    except Exception as error:  # Not silent, at least.
      seen.add(type(error).__name__)
    if len(seen) > 1:
      return ''
  refused = [each for each in said if 'is bound but nothing uses it: ' in each]
  return refused[0] if refused and not seen else f'no effect: {seen} {said}'


def roles() -> dict[str, list[str]]:
  """Returns the configurables that a config can name, by what for."""
  configurables.register()
  found: dict[str, list[str]] = {
    'optimizer': [], 'schedule': [], 'model': [], 'loss': [], 'metric': []
  }  # fmt: skip
  for selector in sorted(configurables.names()):
    known = configurables.signature(selector).defaults
    if configurables.is_optimizer(selector):
      found['optimizer'].append(selector)
    elif '.lr_schedules.' in selector or '.schedules.' in selector:
      found['schedule'].append(selector)
    elif set(schema.MODELS_TAKE) <= set(known):
      found['model'].append(selector)
    elif selector.startswith(('trax.layers.', 'experiments.losses.')):
      # Of what may have the role, a config takes what computes one number.
      if configurables.is_loss(selector):
        found['loss'].append(selector)
      if configurables.is_metric(selector):
        assert is_measure(selector), selector
        found['metric'].append(selector)
  return found


def is_measure(selector: str) -> bool:
  """Tells whether a layer makes one number of log-probabilities and targets."""
  if not selector.startswith(('trax.layers.', 'experiments.losses.')):
    return False
  try:
    layer = configurables.function_of(selector)()
    batch = log_probs_and_targets()[: layer.n_in]
    return layer.n_in in (2, 3) and np.shape(layer(batch)) == ()
  except Exception:
    # Whatever a layer of another kind makes of them.
    return False


ROLES = roles()


# One of each; the others take minutes.
FAST = ('SGD', 'warmup', 'max_embedding', 'cross_entropy_loss')


@pytest.mark.parametrize(
  ('role', 'selector'),
  [
    pytest.param(
      role,
      each,
      marks=[] if each.rpartition('.')[2] in FAST else pytest.mark.slow,
    )
    for role, selectors in ROLES.items()
    for each in selectors
  ],
)
def test_each_parameter_has_an_effect_or_is_refused(role, selector):
  failed = {}
  for parameter in configurables.signature(selector).defaults:
    last = selector.rpartition('.')[2]
    if (last, parameter) in schema.SET_BY_FRAMEWORK or (
      role == 'model' and parameter in schema.SET_FOR_MODELS
    ):
      continue
    flags = of_part(role, selector)
    said = find_effect(role, selector, parameter, flags)
    if 'nothing uses it' in said:
      # Where what overrides it has another value, it must have an effect.
      enabled = (
        find_effect(role, selector, parameter, [*flags, *enabling])
        for enabling in deciding(selector, parameter)
      )
      said = next((each for each in enabled if not each), said)
    if said:
      failed[parameter] = said
  assert not failed


def deciding(selector, parameter):
  """Yields bindings of what overrides a parameter."""
  for override in overrides.OVERRIDES:
    if override.parameter == parameter and override.selector in ('', selector):
      name = '.'.join(override.by)
      also = ALSO.get(parameter, ())
      yield from ([f'{name} = {value}', *also] for value in VALUES)


def test_finds_the_parts():
  assert {'trax.optimizers.Adam', 'trax.optimizers.SM3'} <= {
    *ROLES['optimizer']
  }
  assert 'experiments.models.kim_cnn' in ROLES['model']
  assert 'experiments.losses.cross_entropy_loss' in ROLES['loss']
  assert 'trax.layers.MacroAveragedFScore' in ROLES['metric']
  assert len(ROLES['schedule']) == 6
