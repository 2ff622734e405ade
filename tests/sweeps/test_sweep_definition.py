"""What --sweep can say, and how it is refused."""

import pathlib

import pytest

from experiments.config.gin_values import Macro, Reference
from experiments.foundation.errors import UserError
from experiments.sweeps import sweep_definition
from experiments.sweeps.sweep_definition import Axis, Distribution

# As trax publishes them, one of each form.
TRAX_FILES = {
  'product': (
    """
dataset_name: [
    'glue/mrpc',
    'glue/qqp',
]
multifactor.constant: [2.0e-5, 3.0e-5, 5.0e-5]
""",
    [
      {'dataset_name': name, 'multifactor.constant': rate}
      for name in ('glue/mrpc', 'glue/qqp')
      for rate in (2e-5, 3e-5, 5e-5)
    ],
  ),
  'named': (
    """
sweep1:
  n_funnel_blocks: [16]
  d_model: [768]
  dropout: [0.15, 0.3]
sweep2:
  n_funnel_blocks: [12, 16]
  d_model: [512]
""",
    [
      {'n_funnel_blocks': 16, 'd_model': 768, 'dropout': 0.15},
      {'n_funnel_blocks': 16, 'd_model': 768, 'dropout': 0.3},
      {'n_funnel_blocks': 12, 'd_model': 512},
      {'n_funnel_blocks': 16, 'd_model': 512},
    ],
  ),
  'lists of what is a list': (
    """
data.Tokenize.keys: [[0,]]
rel_chunk_len: [null, 512]
train.optimizer: ["%Adam"]
""",
    [
      {
        'data.Tokenize.keys': [0],
        'rel_chunk_len': length,
        'train.optimizer': Macro('Adam'),
      }
      for length in (None, 512)
    ],
  ),
  'strings': (
    """
value__.multifactor.constant: [0.0001, 0.001]
value__.multifactor.factors: ['constant']
""",
    [
      {
        'value__.multifactor.constant': rate,
        'value__.multifactor.factors': 'constant',
      }
      for rate in (0.0001, 0.001)
    ],
  ),
}


def points(*sweeps):
  definition = sweep_definition.read_definition([*map(str, sweeps)])
  return [point for grid in definition.grids for point in grid.points()]


def write(tmp_path, text, name='s.yaml'):
  path = tmp_path / name
  path.write_text(text)
  return path


def test_several_flags_are_their_product():
  assert points('LEARNING_RATE=[0.003, 1e-2]', 'SEED = [0, 1]') == [
    {'LEARNING_RATE': 0.003, 'SEED': 0},
    {'LEARNING_RATE': 0.003, 'SEED': 1},
    {'LEARNING_RATE': 0.01, 'SEED': 0},
    {'LEARNING_RATE': 0.01, 'SEED': 1},
  ]


def test_a_flag_takes_all_that_gin_can_say():
  assert points('MODEL=[@gru, @my/gru()]', "KEYS=[('a', 'b')]") == [
    {'MODEL': Reference('', 'gru', False), 'KEYS': ('a', 'b')},
    {'MODEL': Reference('my', 'gru', True), 'KEYS': ('a', 'b')},
  ]
  assert points('Adam.b1=[None, True]') == [
    {'Adam.b1': None},
    {'Adam.b1': True},
  ]


@pytest.mark.parametrize('form', TRAX_FILES)
def test_sweep_files_of_trax_are_read_as_they_are(form, tmp_path):
  text, expected = TRAX_FILES[form]
  assert points(write(tmp_path, text)) == expected


def test_a_file_may_hold_references_and_any_notation_of_numbers(tmp_path):
  text = """
MODEL: ['@gru', '%OTHER']
LEARNING_RATE: [1e-4, 1E-3, .5e-2, 1.0]
N_STEPS: [100]
NAME: ['1e-4', null]
"""
  found = points(write(tmp_path, text))
  assert [p['LEARNING_RATE'] for p in found[:8:2]] == [1e-4, 1e-3, 0.005, 1.0]
  assert [p['NAME'] for p in found[:2]] == ['1e-4', None]
  assert found[0]['MODEL'] == Reference('', 'gru', False)
  assert len(found) == 16


def test_names_in_a_zip_group_go_together(tmp_path):
  text = """
zip:
  EMBEDDING_SIZE: [50, 100]
  LEARNING_RATE: [0.01, 0.003]
SEED: [0, 1]
"""
  assert points(write(tmp_path, text)) == [
    {'EMBEDDING_SIZE': size, 'LEARNING_RATE': rate, 'SEED': seed}
    for size, rate in ((50, 0.01), (100, 0.003))
    for seed in (0, 1)
  ]


def test_several_zip_groups_are_a_product(tmp_path):
  text = 'zip: [{A: [1, 2], B: [3, 4]}, {C: [5, 6], D: [7, 8]}]'
  assert points(write(tmp_path, text)) == [
    {'A': 1, 'B': 3, 'C': 5, 'D': 7},
    {'A': 1, 'B': 3, 'C': 6, 'D': 8},
    {'A': 2, 'B': 4, 'C': 5, 'D': 7},
    {'A': 2, 'B': 4, 'C': 6, 'D': 8},
  ]


def test_distributions_and_settings(tmp_path):
  text = """
LEARNING_RATE: {log_uniform: [1e-4, 1e-1]}
EMBEDDING_SIZE: {int: [8, 64]}
MODEL: {choice: ['@gru', '@mean']}
SEED: [0, 1]
sweep.objective: macro_f1
"""
  path = write(tmp_path, text)
  definition = sweep_definition.read_definition([str(path)])
  (grid,) = definition.grids
  assert grid.axes == (Axis(('SEED',), ((0,), (1,)), f'{path}: SEED'),)
  gru, mean = (Reference('', name, False) for name in ('gru', 'mean'))
  assert grid.distributions == (
    Distribution(
      'LEARNING_RATE', 'log_uniform', (1e-4, 0.1), f'{path}: LEARNING_RATE'
    ),
    Distribution('EMBEDDING_SIZE', 'int', (8, 64), f'{path}: EMBEDDING_SIZE'),
    Distribution('MODEL', 'choice', (gru, mean), f'{path}: MODEL'),
  )
  assert definition.settings == {'objective': 'macro_f1'}


def test_a_distribution_by_a_flag():
  definition = sweep_definition.read_definition(
    ["LEARNING_RATE={'uniform': [0.1, 1]}"]
  )
  (distribution,) = definition.distributions
  assert distribution.kind == 'uniform'
  assert distribution.values == (0.1, 1)


def test_what_json_holds(tmp_path):
  text = 'zip: {A: [1, 2], B: [x, null]}\nC: {uniform: [0, 1]}\n'
  definition = sweep_definition.read_definition([str(write(tmp_path, text))])
  assert definition.to_json() == [
    {'A': ['1', '2'], 'B': ["'x'", 'None'], 'C': {'uniform': ['0', '1']}}
  ]


REFUSED_FLAGS = {
  'LEARNING_RATE': (
    "--sweep='LEARNING_RATE': neither NAME=[values] nor a .yaml file. For "
    "example, --sweep='LEARNING_RATE=[0.003, 0.01]'."
  ),
  'LEARNING_RATE=0.1': (
    "--sweep='LEARNING_RATE=0.1': a list of values was expected, not 0.1. Put "
    'it in square brackets.'
  ),
  'SEED=[]': "--sweep='SEED=[]': the list of values is empty.",
  'SEED=[1': (
    "--sweep='SEED=[1': cannot read SEED=[1: a bracket or a string is not "
    'closed.'
  ),
  'MODEL=[gru]': (
    "--sweep='MODEL=[gru]': cannot read MODEL=[gru]: gru is no value. A string "
    "needs quotes, 'gru'; a configurable an @, @gru."
  ),
  'A=[1]\nB=[2]': (
    "--sweep='A=[1]\\nB=[2]': one name a flag. For example, "
    "--sweep='LEARNING_RATE=[0.003, 0.01]'."
  ),
  "A={'log_unifrom': [1, 2]}": (
    '--sweep="A={\'log_unifrom\': [1, 2]}": a distribution is one of uniform, '
    "log_uniform, int, log_int, choice, not {'log_unifrom': [1, 2]}. Did you "
    'mean log_uniform?'
  ),
  "A={'log_uniform': [0, 2]}": (
    '--sweep="A={\'log_uniform\': [0, 2]}": log_uniform needs two numbers '
    'above 0, the lower first, not [0, 2].'
  ),
  "A={'int': [1, 2.5]}": (
    '--sweep="A={\'int\': [1, 2.5]}": int needs two whole numbers, the lower '
    'first, not [1, 2.5].'
  ),
  "A={'uniform': [2, 1]}": (
    '--sweep="A={\'uniform\': [2, 1]}": uniform needs two numbers, the lower '
    'first, not [2, 1].'
  ),
  'none.yaml': ('--sweep=none.yaml: none.yaml does not exist.'),
}


@pytest.mark.parametrize('flag', REFUSED_FLAGS)
def test_a_flag_that_says_nothing_is_refused(flag):
  with pytest.raises(UserError) as error:
    sweep_definition.read_definition([flag])
  assert str(error.value) == REFUSED_FLAGS[flag]


BOMB = 'A0: &a0 [1, 1]\n' + ''.join(
  f'A{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n' for i in range(1, 40)
)
REFUSED_FILES = {
  '': (
    '--sweep={}: no sweep. Each line is a gin name and its values, such as '
    'LEARNING_RATE: [0.003, 0.01].'
  ),
  'A: [1': "{}:1: cannot read this YAML: expected ',' or ']', but got "
  "'<stream end>'.",
  'A: [1]\nB: [2]\nA: [3]\n': (
    '{}:3: A is there twice, first on line 1. Keep one.'
  ),
  'A: [@gru]': (
    "{}:1: cannot read this YAML: found character '@' that cannot start any "
    "token. YAML wants quotes around a reference: '@gru_classifier'."
  ),
  'A: 0.1': (
    '{}: A: a list of values was expected, not 0.1. Put it in square brackets.'
  ),
  'zip: [1]': (
    '{}: zip: names with a list of values each were expected, such as '
    'EMBEDDING_SIZE: [50, 100].'
  ),
  'zip: {A: [1, 2], B: [3]}': (
    '{}: zip: as many values for each name: A has 2, B has 1.'
  ),
  'A: [.nan]': ('{}: A: nan is no gin value. Put it in quotes.'),
  'A: [None]': (
    '{}:1: None is a string in YAML. Write null, or put it in quotes.'
  ),
  'A:\n- 010\n': (
    '{}:2: 010 is a number in YAML 1.1 and another in YAML 1.2. Put it in '
    'quotes if it is a string, or write it as Python does.'
  ),
  'sweep.seed: 1': '--sweep={}: there is nothing to try in it.',
  'sweep_a: {{}}': '--sweep={}: there is nothing to try in it.',
  '{{? [a]: [1]}}': ('{}:1: a name or number was expected before the colon.'),
  '{{? {{b: 1}}: [1]}}': (
    '{}:1: a name or number was expected before the colon.'
  ),
  'A: &x [*x]': '{}:1: this holds itself, by an alias.',
  BOMB: (
    '{}:16: this is more than 100,000 values, with all that its aliases repeat.'
  ),
  'A: ' + '[' * 5000 + ']' * 5000: (
    '--sweep={}: is nested too deeply. Names and lists of values are enough.'
  ),
  'A: [' + '9' * 5000 + ']': (
    '{}:1: ' + '9' * 60 + ' is no number that can be read.'
  ),
  'A: [0x' + 'f' * 5000 + ']': (
    '{}:1: 0x' + 'f' * 58 + ' is no number that can be read.'
  ),
  "A: ['@']": ("{0}: A: '@' is no gin reference, such as @gru or %NAME."),
  'zip: {A: [1], B: [2]}\nB: [3]': (
    '{0}: B: B is swept twice, first by {0}: zip. Keep one.'
  ),
}


@pytest.mark.parametrize('text', REFUSED_FILES, ids=lambda text: text[:20])
def test_a_file_that_says_nothing_is_refused(text, tmp_path):
  path = write(tmp_path, text.replace('{{', '{').replace('}}', '}'))
  with pytest.raises(UserError) as error:
    sweep_definition.read_definition([str(path)])
  assert str(error.value) == REFUSED_FILES[text].format(path)


@pytest.mark.parametrize(
  'word',
  [
    *('yes', 'Yes', 'NO', 'no', 'on', 'Off', 'OFF'),
    *('010', '-010', '0o10', '0b11', '1_000', '-0x1F'),
    *('1:30', '-1:30:59', '1:30.5', '1_0.5'),
    *('2026-01-01', '2026-01-01T10:00:00Z', '='),
  ],
)
def test_what_yaml_1_1_and_1_2_read_differently_is_refused(word, tmp_path):
  path = write(tmp_path, f'SEED: [0]\nA: [1, {word}]\n')
  with pytest.raises(UserError) as error:
    sweep_definition.read_definition([str(path)])
  assert str(error.value).startswith(f'{path}:2: {word} is ')
  # In quotes it is what it looks like.
  assert points(write(tmp_path, f'A: ["{word}"]')) == [{'A': word}]


def test_merge_keys_are_refused(tmp_path):
  path = write(tmp_path, 'zip: &z\n  A: [1]\nsweep_b:\n  <<: *z\n')
  with pytest.raises(UserError, match=f'{path}:4: << is a command to merge'):
    sweep_definition.read_definition([str(path)])


@pytest.mark.parametrize(
  ('word', 'value'),
  [
    *(('null', None), ('~', None), ('true', True), ('False', False)),
    *(('0', 0), ('+7', 7), ('-12', -12), ('0x1F', 31), ('0.5', 0.5)),
    *(('1e-4', 1e-4), ('.5', 0.5), ('2.', 2.0), ('1E3', 1000.0)),
    *(('y', 'y'), ('word', 'word'), ('1.2.3', '1.2.3'), ('"None"', 'None')),
    *(('!!str 010', '010'), ('-.inf', float('-inf'))),
    *(('!!int "-5"', -5), ('!!float 5', 5.0)),
    *(('!!bool "true"', True), ('!!null ""', None), ('!!seq [1]', [1])),
  ],
)
def test_what_both_read_alike_is_read(word, value, tmp_path):
  [point] = points(write(tmp_path, f'A: [{word}]'))
  assert point == {'A': value}
  assert type(point['A']) is type(value)


# Of PyYAML, of YAML 1.2, and of nobody.
TAGS = (
  *('!!int', '!!float', '!!bool', '!!null', '!!timestamp', '!!binary'),
  *('!!seq', '!!map', '!!set', '!!omap', '!!pairs', '!!merge', '!!value'),
  *('!', '!foo', '!!python/tuple', '!!python/object/apply:os.system'),
)
# What each of them may stand before.
FITTING = {
  '!!float': ('010',),
  '!!null': ('""',),
  '!!seq': ('[a]',),
  '!!map': ('{b: 1}',),
  '!': ('""', '"0x"', '[a]', '{b: 1}'),
}


@pytest.mark.parametrize('tag', TAGS)
def test_a_tag_that_does_not_fit_is_refused(tag, tmp_path):
  """Whatever it stands before, the name of a list included."""
  for content in ('word', '""', '"0x"', '010', '2001-99-99', '[a]', '{b: 1}'):
    if content in FITTING.get(tag, ()):
      continue
    for text in (f'A:\n- {tag} {content}\n', f'B: 1\n{tag} {content}: [1]\n'):
      path = write(tmp_path, text)
      with pytest.raises(UserError) as error:
        sweep_definition.read_definition([str(path)])
      assert str(error.value) == (
        f'{path}:2: the tag {tag} does not fit what it stands before. Remove '
        'it.'
      )


def test_an_alias_repeats_what_it_names(tmp_path):
  path = write(tmp_path, 'A: &x [1, 2]\nB: *x\n')
  assert len(points(path)) == 4


def test_the_same_name_twice_is_refused():
  with pytest.raises(UserError) as error:
    sweep_definition.read_definition(['SEED=[1]', 'SEED=[2]'])
  assert str(error.value) == (
    "--sweep='SEED=[2]': SEED is swept twice, first by --sweep='SEED=[1]'. "
    'Keep one.'
  )


def test_a_file_that_is_no_text_is_refused(tmp_path):
  path = pathlib.Path(tmp_path / 's.yml')
  path.write_bytes(b'A: [\xff]')
  with pytest.raises(UserError, match='is not UTF-8 text'):
    sweep_definition.read_definition([str(path)])


def test_files_of_the_project_are_found_as_gin_files_are(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  names = ('gin/sweeps/learning_rate.yaml', 'sweeps/learning_rate.yaml')
  for name in names:
    assert sweep_definition.read_definition([name]).grids
  (tmp_path / 'mine').mkdir()
  (tmp_path / 'mine' / 'x.yaml').write_text('SEED: [7, 8]\n')
  (grid,) = sweep_definition.read_definition(['x.yaml'], ['mine']).grids
  assert [*grid.points()] == [{'SEED': 7}, {'SEED': 8}]
  with pytest.raises(UserError) as caught:
    sweep_definition.read_definition(['gin/sweeps/learing_rate.yaml'])
  assert str(caught.value) == (
    '--sweep=gin/sweeps/learing_rate.yaml: gin/sweeps/learing_rate.yaml does '
    'not exist. Did you mean gin/sweeps/learning_rate.yaml?'
  )
