"""Configs that differ in a few bindings: checked as each is by itself."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies

from experiments.config import gin_config, schema, specs, variants
from experiments.config.gin_values import Macro, Reference, render
from experiments.foundation.errors import UserError
from tests.fixtures.live_launcher import ROOT

FILE = str(ROOT / 'gin' / 'bbc_news.gin')
PARAMETERS = [
  f'{selector.rpartition(".")[2]}.{parameter}'
  for selector, parameters in schema.ROOTS.items()
  for parameter in parameters
]
NAMES = [
  *schema.MACROS,
  *PARAMETERS,
  *('Adam.b1', 'Adam.eps', 'Adam.learning_rate', 'SM3.weight_decay'),
  *('mean_embedding.d_feature', 'a/mean_embedding.d_feature', 'kim_cnn.widths'),
  *('warmup.n_warmup_steps', 'constant.value', 'OWN', 'NOTHING', 'Adam.b3'),
]
REFERENCES = [
  Reference(scope, name, is_called)
  for scope, name, is_called in (
    *(('', name, False) for name in ('mean_embedding', 'gru_classifier')),
    *(('', name, False) for name in ('Adam', 'SM3', 'constant', 'warmup')),
    *(('', name, False) for name in ('CrossEntropyLoss', 'nothing', 'kim_cnn')),
    ('a', 'mean_embedding', False),
    ('', 'Adam', True),
  )
]
MACROS = [Macro(name) for name in (*schema.MACROS, 'OWN', 'gin.REQUIRED')]
LITERALS = [
  *(None, True, False, 0, 1, 2, 3, 32, 64, 512, 2000, -1, 2**33),
  *(0.0, 0.5, 1.0, 1e-05, 1e30, -0.5, float('inf'), float('nan')),
  *('', 'word', 'subword', 'maximize', 'metrics/Accuracy', 'ab.words', ' '),
  *([1], [32, 512], [512, 32], [8, 4, 2], (3, 4), [64, 8, 4, 2, 1], []),
  *(('text', 'label'), ['a', 'b', 'c'], ('train', 'test'), {'a': 1}),
]


def accepted(name):
  """Values that a name accepts by itself, if the tables know it."""
  spec = None
  if name in schema.MACROS:
    spec = schema.MACROS[name].spec
  for selector, parameters in schema.ROOTS.items():
    short = selector.rpartition('.')[2]
    spec = parameters.get(name.removeprefix(f'{short}.'), spec)
  found = []
  for value in [*LITERALS, *REFERENCES]:
    try:
      found.append(spec.normalize(value) and value if spec else value)
    except specs.WrongValueError:
      continue
  return found or LITERALS


def values_of(name):
  anything = strategies.one_of(
    strategies.sampled_from(LITERALS),
    strategies.sampled_from(REFERENCES),
    strategies.sampled_from(MACROS),
    strategies.lists(
      strategies.sampled_from([*LITERALS[:20], *REFERENCES, *MACROS]),
      max_size=3,
    ),
  )
  good = strategies.sampled_from(accepted(name))
  return strategies.lists(
    strategies.one_of(good, good, good, anything), min_size=2, max_size=3
  )


AXES = strategies.lists(
  strategies.sampled_from(NAMES), min_size=1, max_size=3
).flatmap(
  lambda names: strategies.tuples(
    *(
      strategies.tuples(strategies.just(name), values_of(name))
      for name in names
    )
  )
)
BASES = strategies.lists(
  strategies.sampled_from(
    [
      *("experiment.best_metric = 'metrics/Accuracy'", 'OWN = 3'),
      *('experiment.vocab_size = %OWN', 'experiment.patience = 2'),
      *('FilterByLength.min_length = 40', 'FilterByLength.min_length = %OWN'),
      *('BUCKET_BATCH_SIZES = [%OWN, 8, 4, 2, %N_STEPS]', 'SEED = 5'),
      *('MODEL = @a/mean_embedding', 'N_STEPS = %gin.REQUIRED'),
      'LEARNING_RATE = %WEIGHT_DECAY',
    ]
  ),
  max_size=3,
  unique=True,
)


def outcome(check, *arguments):
  """Returns a config, or the message with which it is refused."""
  try:
    return check(*arguments)
  except UserError as error:
    return str(error)


def check_fully(base, bindings):
  return gin_config.check(gin_config.parse([FILE], [*base, *bindings], []))


def assert_same(base, axes):
  """Compares every config of a grid with the check that it gets alone.

  Returns:
    For each whether it passes.
  """
  family = variants.Variants([FILE], base)
  passes = []
  for point in itertools.product(*(values for _, values in axes)):
    bindings = [
      f'{name} = {render(value)}'
      for (name, _), value in zip(axes, point, strict=True)
    ]
    expected = outcome(check_fully, base, bindings)
    assert outcome(family.check, bindings) == expected, bindings
    passes.append(not isinstance(expected, str))
  return passes


@hypothesis.settings(max_examples=60)
@hypothesis.given(BASES, AXES)
def test_a_grid_is_checked_as_each_of_its_configs(base, axes):
  assert_same(base, axes)


# What several values decide together. The first config of each passes.
TOGETHER = {
  'lengths': (
    [],
    *('FilterByLength.min_length', [2, 40, 600], 'MAX_LENGTH', [512, 32]),
  ),
  'lengths by macro': (
    ['OWN = 1', 'FilterByLength.min_length = %OWN'],
    *('OWN', [1, 70, 2], 'MAX_LENGTH', [64, 32]),
  ),
  'sizes': (
    [],
    *('BUCKET_BOUNDARIES', [[32], [16, 32], [8]]),
    *('BUCKET_BATCH_SIZES', [[4, 2], [4, 2, 1], [8, 1]]),
  ),
  'a list of two': (
    [
      *('OWN = 1', 'BUCKET_BATCH_SIZES = [4, 3, 2, 1]'),
      'BUCKET_BOUNDARIES = [%OWN, %N_EVAL_BATCHES, 2048]',
    ],
    *('OWN', [1, 40, 2], 'N_EVAL_BATCHES', [20, 50, 4000]),
  ),
  'a number beside a macro': (
    ['OWN = 1', 'BUCKET_BATCH_SIZES = [4, 2, 1]'],
    *('BUCKET_BOUNDARIES', [[Macro('OWN'), 40], [Macro('OWN'), 3]]),
    *('OWN', [1, 5, 2]),
  ),
  'patience': (
    [],
    *('experiment.patience', [None, 1, 2]),
    *('experiment.best_metric', [None, 'metrics/Accuracy']),
  ),
  'a macro of a macro': (
    ['LEARNING_RATE = %WEIGHT_DECAY'],
    *('WEIGHT_DECAY', [0.1, 0.0, 0.2], 'SEED', [0, 1]),
  ),
  'one name twice': ([], 'Adam.b1', [0.1, 0.2], 'Adam.b1', [0.3, 2.0]),
  'two names for one': (
    [],
    *('Adam.b1', [0.1, 2.0], 'trax.optimizers.Adam.b1', [0.3, 0.4]),
  ),
  'equal in the end': ([], 'LEARNING_RATE', [1, 1.0, 2], 'SEED', [1, -1]),
  'several statements': ([], 'SEED = 1\nN_STEPS', [1, 0], 'SEED', [2]),
}


@pytest.mark.parametrize('case', TOGETHER)
def test_what_values_decide_together(case):
  base, first, first_values, second, second_values = TOGETHER[case]
  axes = ((first, first_values), (second, second_values))
  passes = assert_same(base, axes)
  assert passes[0]
  assert not all(passes) or 'Adam.b1' in first
  assert_same(base, axes[::-1])


def test_files_are_read_once(tmp_path):
  path = tmp_path / 'x.gin'
  path.write_text(f"include '{FILE}'\n")
  family = variants.Variants([str(path)])
  first = family.check(['SEED = 1'])
  path.unlink()
  assert family.check(['SEED = 2']).text == first.text.replace(
    '\nSEED = 1\n', '\nSEED = 2\n'
  )
