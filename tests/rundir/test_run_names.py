"""Names of run directories: readable, safe everywhere, and never shared."""

import re

import hypothesis
import pytest
from hypothesis import strategies

from experiments.config import schema, specs
from experiments.config.gin_values import Macro, Reference, render
from experiments.rundir import run_names

# Few characters and words, so that values nearly meet.
WORDS = strategies.one_of(
  strategies.text("""ab'"@%,()[]=+. -1e_/{}:\\\n""", max_size=6),
  strategies.sampled_from(
    ['None', 'True', 'relu', '1e-05', '1e+30', '1e30', '0.5', 'nan', 'f()']
  ),
)
LETTERS = strategies.sampled_from('a1')
BOOLEANS = strategies.booleans()
SELECTORS = strategies.sampled_from(['relu', 'a.b', 'None', 'ab'])
SCALARS = strategies.one_of(
  strategies.none(),
  strategies.booleans(),
  strategies.integers(-9, 9),
  strategies.floats(allow_nan=False),
  WORDS,
  strategies.builds(Macro, SELECTORS),
  strategies.builds(
    Reference,
    strategies.sampled_from(['', 's']),
    SELECTORS,
    strategies.booleans(),
  ),
)
VALUES = strategies.recursive(
  SCALARS,
  lambda inner: strategies.one_of(
    strategies.lists(inner, max_size=3),
    strategies.lists(inner, max_size=3).map(tuple),
    strategies.dictionaries(WORDS, inner, max_size=2),
  ),
  max_leaves=4,
).map(render)
NAMES = strategies.sampled_from(
  ['A', 'B', 'a.b', 's/a.b', 'MODEL', 'VOCAB_FILE', 'EvalTask.metrics']
)
OVERRIDES = strategies.dictionaries(NAMES, VALUES, max_size=3)
# One character of each kind and every way to mark it.
NEARLY_EQUAL = strategies.fixed_dictionaries(
  {
    'MODEL': strategies.one_of(
      strategies.builds(Reference, strategies.just(''), LETTERS, BOOLEANS),
      strategies.builds(Macro, LETTERS),
      strategies.text('a1=,()[]+-"@%', max_size=3),
      strategies.lists(LETTERS, max_size=2),
      strategies.integers(0, 1),
    ).map(render)
  },
  optional={'A': strategies.sampled_from(["'a'", '1'])},
)
SAFE = r'[A-Za-z0-9_.,=()\[\]-]{1,120}'


@pytest.mark.parametrize(
  ('gin_files', 'overrides', 'expected'),
  [
    (['gin/agnews.gin'], {}, 'runs/agnews/default'),
    (
      ['gin/agnews.gin'],
      {'LEARNING_RATE': '0.003'},
      'runs/agnews/LEARNING_RATE=0.003',
    ),
    # The last file wins, in bindings as in names; the order of flags is none.
    (
      ['gin/base.gin', 'a/b/my.run.gin'],
      {'SEED': '1', 'MODEL': '@gru_classifier'},
      'runs/my.run/MODEL=gru_classifier,SEED=1',
    ),
    (
      ['x.gin'],
      {'KEYS': "('title', 'label')", 'BUCKET_BOUNDARIES': '[32, 128]'},
      'runs/x/BUCKET_BOUNDARIES=[32,128],KEYS=(title,label)',
    ),
    (
      ['x.gin'],
      {'VOCAB_DIR': "'../a b/*'"},
      'runs/x/VOCAB_DIR=.._a_b__-d5ae8b3ba8',
    ),
    (['.gin'], {}, 'runs/gin-5694d08a2e'),
  ],
)
def test_default_output_dir(gin_files, overrides, expected):
  found = run_names.default_output_dir(gin_files, overrides).as_posix()
  if '-' in expected:
    # A hash: which one does not matter.
    assert re.fullmatch(re.escape(expected[:-10]) + '[0-9a-f]{10}.*', found)
  else:
    assert found == expected


@pytest.mark.parametrize(
  'name',
  [
    'LEARNING_RATE=0.003',
    'LEARNING_RATE=1e-05,SEED=1',
    'MODEL=gru_classifier',
    'OPTIMIZER=SM3',
    'LR_SCHEDULE=warmup_and_rsqrt_decay',
    'CLIP_GRAD_NORM=None',
    'DATASET=imdb_reviews',
    'VOCAB_FILE=en_8k.subword',
    'VOCAB_TYPE=word',
    'TRUNCATE=True',
    'BUCKET_BATCH_SIZES=[64,8]',
    'experiment.best_direction=minimize',
    'Adam.weight_decay_rate=0.0001,kim_cnn.widths=(3,4,5)',
  ],
)
def test_common_names_are_what_they_always_were(name):
  """Names of runs that exist: they must be found again."""
  marked = {
    'MODEL': '@{}',
    'OPTIMIZER': '@{}',
    'LR_SCHEDULE': '@{}',
    'DATASET': "'{}'",
    'VOCAB_FILE': "'{}'",
    'VOCAB_TYPE': "'{}'",
    'experiment.best_direction': "'{}'",
  }
  overrides = {}
  for part in re.split(r',(?=[A-Za-z])', name):
    key, _, value = part.partition('=')
    overrides[key] = marked.get(key, '{}').format(value.replace(',', ', '))
  assert run_names.run_name(overrides) == name


@pytest.mark.parametrize(
  'values',
  [
    ("'ab.words'", "'a@b.words'", "'a%b.words'", "'a+b.words'"),
    ('None', "'None'", '@None', '%None'),
    ("'relu'", '@relu', '%relu', '@relu()', "'relu()'"),
    ('1e+30', "'1e+30'", "'1e30'"),
    ("('a', 'b')", "('a, b',)", "'(a,b)'", "['a', 'b']"),
    ('1', "'1'", "'1-0123456789'"),
  ],
)
def test_values_that_look_alike_have_names_of_their_own(values):
  for binding in ('VOCAB_FILE', 'MODEL', 'a.b'):
    names = {run_names.run_name({binding: value}) for value in values}
    assert len(names) == len(values)


@hypothesis.given(
  strategies.lists(
    strategies.one_of(OVERRIDES, NEARLY_EQUAL),
    min_size=2,
    max_size=30,
    unique_by=repr,
  )
)
def test_different_overrides_have_different_names(several):
  different = {tuple(sorted(overrides.items())) for overrides in several}
  names = {run_names.run_name(dict(overrides)) for overrides in different}
  assert len(names) == len(different)


def test_a_value_that_looks_like_a_hashed_name_has_another():
  hashed = run_names.run_name({'A': '@x'})
  assert hashed.startswith('A=x-')
  assert run_names.run_name({'A': repr(hashed[2:])}) != hashed


@hypothesis.given(OVERRIDES)
def test_any_overrides_make_a_name_that_every_file_system_takes(overrides):
  name = run_names.run_name(overrides)
  assert re.fullmatch(SAFE, name)
  assert name.strip('.') == name
  assert name == run_names.run_name(dict(reversed(overrides.items())))


@hypothesis.given(strategies.lists(strategies.text(), unique=True, max_size=50))
def test_different_texts_have_different_safe_names(texts):
  names = {run_names.safe_name(text) for text in texts}
  assert len(names) == len(texts)
  assert all(re.fullmatch(SAFE, name) for name in names)


@hypothesis.given(OVERRIDES)
@hypothesis.example({'A': "'x'" * 100})
def test_long_names_that_differ_at_the_end_differ(overrides):
  longer = {**overrides, 'Z' * 130: '1'}
  other = {**overrides, 'Z' * 130: '2'}
  assert run_names.run_name(longer) != run_names.run_name(other)


def test_a_plain_word_is_a_reference_where_gin_wants_one():
  """What may be a reference by the schema is one in names, and nothing else."""
  reference = Reference('', 'x', False)

  def accepts(spec):
    for value in (reference, [reference]):
      try:
        spec.normalize(value)
        return True
      except specs.WrongValueError:
        pass
    return False

  expected = {
    name for name, macro in schema.MACROS.items() if accepts(macro.spec)
  }
  for selector, parameters in schema.ROOTS.items():
    short = selector.rpartition('.')[2]
    expected |= {
      f'{short}.{name}' for name, spec in parameters.items() if accepts(spec)
    }
  assert expected == run_names.REFERENCES


@pytest.mark.parametrize(
  ('split', 'name'),
  [
    ('test', 'test'),
    ('validation', 'validation'),
    ('train[80%:]', 'train[80%..]'),
    ('train[:-20%]', 'train[..-20%]'),
    ('train', 'train,exact'),
    ('eval', 'eval,exact'),
  ],
)
def test_an_exact_evaluation_is_called_by_its_split(split, name):
  assert run_names.split_name(split) == name


@hypothesis.given(
  strategies.lists(strategies.text(max_size=20), unique=True, max_size=5)
)
def test_different_splits_have_different_names(splits):
  names = {run_names.split_name(split) for split in splits}
  assert len(names) == len(splits)
  for name in names:
    assert re.fullmatch(r'[\w.,%()\[\]=-]+', name, re.ASCII)
    assert name.strip('.')
