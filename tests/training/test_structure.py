"""Which configs can share compiled programs."""

import json
import os
import subprocess
import sys

import pytest

from experiments.backend import trax_repairs
from experiments.config import gin_config
from experiments.training.structure import structure
from tests.fixtures.config_cases import ROOT

trax_repairs.import_trax()

BASE = str(ROOT / 'gin' / 'agnews.gin')


def of(*bindings):
  return structure(gin_config.check(gin_config.parse([BASE], bindings)).text)


FREE = [
  ('LEARNING_RATE = 0.5',),
  ('SEED = 7',),
  ('N_STEPS = 7', 'N_STEPS_PER_CHECKPOINT = 3', 'N_EVAL_BATCHES = 9'),
  ('WEIGHT_DECAY = 0.1', 'Adam.b1 = 0.5', 'Adam.eps = 0.1'),
  ('LR_SCHEDULE = @warmup', 'warmup.n_warmup_steps = 5'),
  ('experiment.histograms = True', 'experiment.projector = False'),
]
STRUCTURAL = [
  ('EMBEDDING_SIZE = 7',),
  ('OPTIMIZER = @SGD',),
  ('Adam.clip_grad_norm = 1.0',),
  ('CLIP_GRAD_NORM = 1.0',),
  ('BUCKET_BOUNDARIES = [30, 128, 512, 2048]',),
  ('LABEL_SMOOTHING = 0.1',),
  ('EMA_DECAY = 0.9',),
  ('DROPOUT = 0.2',),
]


@pytest.mark.parametrize('bindings', FREE)
def test_what_programs_take_as_arrays_is_free(bindings):
  assert of(*bindings) == of()


@pytest.mark.parametrize('bindings', STRUCTURAL)
def test_what_is_in_the_program_is_not(bindings):
  assert of(*bindings) != of()


OWN_PARTS = """
import gin
import trax
from trax import layers as tl


@gin.configurable(module='own_parts')
class Adam(trax.optimizers.Adam):
  def __init__(self, learning_rate=0.01, b1=0.9):
    super().__init__(learning_rate, b1=b1)


@gin.configurable(module='own_parts')
def constant(value=1):
  return tl.Dense(value)


@gin.configurable(module='own_parts')
class Around(trax.optimizers.SGD):
  def __init__(self, learning_rate=0.01, inner=None):
    super().__init__(learning_rate)
    self.inner = inner()


@gin.configurable(module='own_parts')
def model(*, vocab_size, n_classes, mode, head=None, schedule=None):
  return tl.Serial(head(), tl.Dense(n_classes))
"""


# A user's own names stand in the way of base.gin's short ones.
WHOLE = {
  '@Adam': '@trax.optimizers.Adam',
  '@constant': '@trax.supervised.lr_schedules.constant',
  '\nAdam.': '\ntrax.optimizers.Adam.',
  '\nconstant.': '\ntrax.supervised.lr_schedules.constant.',
}
FIND = """
import json, sys
from experiments.config import gin_config
from experiments.training.structure import structure

path, cases = json.loads(sys.argv[1])
print(json.dumps([
  structure(gin_config.check(gin_config.parse([path], each)).text)
  for each in cases
]))
"""


@pytest.fixture(scope='module')
def own(tmp_path_factory):
  """The structures of CASES, in a process whose registry they do not leave."""
  directory = tmp_path_factory.mktemp('own')
  text = (ROOT / 'gin' / 'base.gin').read_text(encoding='utf-8')
  for short, whole in WHOLE.items():
    text = text.replace(short, whole)
  bound = "DATASET = 'x'\nKEYS = ('text', 'label')\n"
  (directory / 'base.gin').write_text(text, encoding='utf-8')
  (directory / 'own.gin').write_text(
    f"import own_parts\ninclude 'base.gin'\n{bound}", encoding='utf-8'
  )
  (directory / 'own_parts.py').write_text(OWN_PARTS, encoding='utf-8')
  bindings = [[*common, each] for common, *both in CASES for each in both]
  done = subprocess.run(
    [
      *(sys.executable, '-c', FIND),
      json.dumps([str(directory / 'own.gin'), bindings]),
    ],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{directory}'},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


HEAD = (
  'MODEL = @own_parts.model',
  'own_parts.model.head = @own_parts.constant',
)


# What two configs have in common, in what they differ.
CASES = [
  # A name that ends like one of trax's.
  (HEAD, 'own_parts.constant.value = 3', 'own_parts.constant.value = 4'),
  (
    ('OPTIMIZER = @own_parts.Adam',),
    'own_parts.Adam.b1 = 0.5',
    'own_parts.Adam.b1 = 0.6',
  ),
  # One of trax's own that something else takes, too.
  (
    (
      *HEAD,
      'own_parts.model.schedule = @trax.supervised.lr_schedules.constant',
      'own_parts.constant.value = 3',
    ),
    'LEARNING_RATE = 0.5',
    'LEARNING_RATE = 0.6',
  ),
  (
    (
      'OPTIMIZER = @own_parts.Around',
      'own_parts.Around.inner = @trax.optimizers.Adam',
    ),
    'trax.optimizers.Adam.b1 = 0.5',
    'trax.optimizers.Adam.b1 = 0.6',
  ),
  # Beside a user's, trax's own stays free.
  ((), 'trax.optimizers.Adam.b1 = 0.5', 'trax.optimizers.Adam.b1 = 0.6'),
]


def test_names_are_not_taken_for_identities(own):
  pairs = list(zip(own[::2], own[1::2], strict=True))
  assert [first == second for first, second in pairs] == [
    *[False] * (len(CASES) - 1),
    True,
  ]
