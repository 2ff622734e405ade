"""What the answers of a run depend on is what its checkpoints were made with.

Config, vocabulary and labels of a run directory are damaged in every way that a
file can be; each damage is noticed before there is an answer.
"""

import json
import random
import shutil

import pytest

from experiments.config import configurables
from experiments.foundation.errors import UserError
from experiments.pipeline import (
  run_config,
  run_identity,
  saved_model,
  vocabularies,
)
from experiments.rundir import run_dir
from experiments.rundir.checkpoints import Checkpoint, ForeignError

CONFIG = """import my_models
LEARNING_RATE = 0.1
SEED = 0
DATA_DIR = None
TFDS.data_dir = %DATA_DIR
"""
PARTS = {'vocabulary': 'f' * 64, 'labels': ['a', 'b'], 'config_text': CONFIG}


def identity(**fields):
  return run_identity.identity(**{**PARTS, **fields})


def checkpoint(**fields):
  return Checkpoint(3, [], {}, identity=identity(**fields))


@pytest.mark.parametrize(
  'text',
  [
    CONFIG,
    CONFIG + '\n# A comment.\n',
    CONFIG.replace('LEARNING_RATE = 0.1', 'LEARNING_RATE=0.10'),
    CONFIG.replace('DATA_DIR = None', "DATA_DIR = '/elsewhere'"),
    CONFIG.replace('TFDS.data_dir = %DATA_DIR', "TFDS.data_dir = '/x'"),
    '\n'.join(reversed(CONFIG.splitlines())),
  ],
)
def test_the_same_config_is_the_same(text):
  run_identity.check(checkpoint(), identity(config_text=text))
  run_identity.check(checkpoint(config_text=text), identity())


@pytest.mark.parametrize(
  ('what', 'fields'),
  [
    (
      'config that the run directory has now, which differs in LEARNING_RATE',
      {'config_text': CONFIG.replace('0.1', '0.2')},
    ),
    (
      'config that the run directory has now, which differs in import others, '
      'import my_models',
      {'config_text': CONFIG.replace('my_models', 'others')},
    ),
    (
      'config that the run directory has now, which differs in MAX_LENGTH',
      {'config_text': CONFIG + 'MAX_LENGTH = 1\n'},
    ),
    (
      'config that the run directory has now, which differs in SEED',
      {'config_text': CONFIG.replace('SEED = 0', '')},
    ),
    ('labels that the run directory has now', {'labels': ['b', 'a']}),
    ('labels that the run directory has now', {'labels': ['a']}),
    ('labels that the run directory has now', {'labels': ['a, b']}),
    ('vocabulary that the run directory has now', {'vocabulary': '0' * 64}),
  ],
)
def test_another_one_is_refused_by_name(what, fields):
  with pytest.raises(ForeignError) as error:
    run_identity.check(checkpoint(), identity(**fields))
  assert str(error.value) == (
    f'The checkpoint of step 3 was not made with the {what}.\n'
    'Put that back from a copy, or train again in another directory.'
  )


def test_a_parameter_that_came_later_is_no_difference():
  """One that a newer version has, and that has its default."""
  configurables.register()
  newer = CONFIG + 'experiment.patience = None\n'
  run_identity.check(checkpoint(), identity(config_text=newer))
  newer = CONFIG + 'experiment.patience = 3\n'
  with pytest.raises(ForeignError):
    run_identity.check(checkpoint(), identity(config_text=newer))


def test_an_old_one_says_nothing_and_is_used(caplog):
  caplog.set_level('INFO')
  run_identity.check(Checkpoint(3, [], {}), identity())
  assert caplog.messages == [
    'The checkpoint of step 3 is of an earlier version, which does not say '
    'what config, vocabulary and labels it belongs to'
  ]


@pytest.fixture
def run(trained, tmp_path):
  shutil.copytree(trained[0], tmp_path / 'run')
  return run_dir.RunDir(tmp_path / 'run')


def load(run):
  experiment = run_config.load_experiment(run)
  saved_model.load_classifier(
    experiment, run, vocabulary=vocabularies.run_vocabulary(experiment, run)
  )


def damages(content, seed):
  """Yields a file's content in all ways that disks and editors damage it."""
  chance = random.Random(seed)
  lines = content.splitlines(keepends=True)
  i, j = sorted(chance.sample(range(len(lines) - 1), 2))
  at = chance.randrange(len(content))
  yield b''
  yield content[:at]
  yield content[at:]
  yield content + lines[i]
  yield content.replace(b'\n', b'\r\n')
  yield content[:-1] + b' \n'
  yield b'\xef\xbb\xbf' + content
  yield (
    content[:at]
    + bytes([content[at] ^ (1 << chance.randrange(7))])
    + (content[at + 1 :])
  )
  yield b''.join(lines[:i] + lines[i + 1 :])
  yield b''.join([*lines[:i], lines[j], *lines[i + 1 : j], lines[i]])
  yield b''.join([*lines[:i], lines[i], *lines[i:]])
  yield b''.join(sorted(lines))


def test_every_damage_of_the_vocabulary_is_noticed(run):
  load(run)
  file = run.vocabulary
  content = file.read_bytes()
  n = 0
  for seed in range(3):
    for damaged in damages(content, seed):
      if damaged == content:
        continue
      file.write(damaged)
      with pytest.raises(UserError):
        load(run)
      n += 1
  assert n > 28
  file.write(content)
  load(run)
  # One of another kind, which would be taken first.
  run.root.file('vocabulary.words').write('a\nb\n')
  with pytest.raises(UserError, match='was not made with the vocabulary'):
    load(run)


def test_every_change_of_the_labels_is_noticed(run):
  record = json.loads(run.run.read_bytes())
  labels = record['labels']
  for changed in (
    labels[::-1],
    labels[:-1],
    [*labels, 'more'],
    [labels[0].upper(), *labels[1:]],
    [labels[0] + ' ', *labels[1:]],
    [labels[1], *labels[1:]],
    [],
  ):
    run.run.write(json.dumps({**record, 'labels': changed}))
    with pytest.raises(UserError):
      load(run)


def test_every_change_of_the_config_is_noticed(run):
  """Of one that its own checks let through; places may change.

  And there may be more steps, which a run is then on its way to.
  """
  text = run.config.read_text(encoding='utf-8-sig')
  for before, after in (
    ('LOWER_CASE = False', 'LOWER_CASE = True'),
    ('MAX_LENGTH = 1200', 'MAX_LENGTH = 1201'),
    ('TRUNCATE = False', 'TRUNCATE = True'),
    ('N_STEPS = 30', 'N_STEPS = 29'),
    ("KEYS = ('text', 'label')", "KEYS = ('title', 'label')"),
    ('DROPOUT = 0.0', 'DROPOUT = 0.1'),
  ):
    changed = text.replace(before, after)
    assert changed != text, before
    run.config.write(changed)
    with pytest.raises(UserError, match='was not made with the config'):
      load(run)
  for before, after in (
    ('DATA_DIR = None', "DATA_DIR = '/elsewhere'"),
    ('N_STEPS = 30', 'N_STEPS = 31'),
  ):
    assert before in text
    run.config.write(text.replace(before, after))
    load(run)
