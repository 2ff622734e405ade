"""run.json and sweep.json, damaged at random: read right, or refused in a line.

Every user of them goes through one reader, and one bad run hides no other.
"""

import copy
import json
import random

import pytest

from experiments.commands import sweep_dry_run
from experiments.comparison import compare, compare_tables
from experiments.foundation.choices import FORMATS
from experiments.foundation.errors import UserError
from experiments.pipeline import results
from experiments.reporting import report
from experiments.rundir import run_dir, run_record, sweep_file
from experiments.sweeps import sweep_definition

METRICS = {
  'n_examples': 5,
  'n_dropped': 0,
  'accuracy': 0.6,
  'cross_entropy': 1.5,
  'macro_f1': 0.5,
  'expected_calibration_error': 0.1,
  'label_names': ['a', 'b'],
  'precision': [0.5, None],
  'recall': [0.5, 0.75],
  'f1': [0.5, 0.5],
  'support': [2, 3],
  'confusion': [[1, 1], [1, 2]],
  'balanced_accuracy': 0.625,
  'matthews_correlation': 0.2,
  'auroc': 0.75,
  'average_precision': None,
  'brier_score': 0.5,
  'class_auroc': [0.75, 0.75],
  'class_average_precision': [0.5, None],
  'rank_counts': [3, 2],
}
RUN = {
  'status': 'finished',
  'overrides': {'LEARNING_RATE': '0.1'},
  'seed': 0,
  'steps': 30,
  'evaluated_step': 30,
  'start': '2026-01-01T00:00:00+00:00',
  'end': '2026-01-01T00:00:09+00:00',
  'seconds': 9.25,
  'error': None,
  'dataset': 'bbc_news:1.0.0',
  'splits': {'train': 'train', 'test': 'test'},
  'n_examples': {'train': 7, 'test': 5},
  'labels': ['a', 'b'],
  'data': 'f' * 64,
  'vocabulary': '0' * 64,
  'embedding': {
    'file': 'a.vec',
    'size': 50,
    'coverage': {
      'n_types': 30,
      'n_types_found': 20,
      'n_words': 300,
      'n_words_found': 290,
      'missing': ['Brexit'],
    },
  },
  'n_threads': 2,
  'n_weights': 400_000,
  'metrics': METRICS,
  'validation_metrics': METRICS,
  'answers': {
    'calibration': {
      'temperature': 1.5,
      'cross_entropy_before': 0.5,
      'expected_calibration_error_before': 0.1,
    },
    'rejection': {'threshold': 0.8, 'coverage': 0.9, 'risk': None, 'area': 0.1},
  },
  'host': 'here',
  'python': '3.11.7',
  'versions': {'trax': '1.4.1'},
  'git_commit': None,
  'git_dirty': None,
}
SWEEP: dict = {
  'definition': [{'LEARNING_RATE': ['0.1', '0.2']}],
  'gin_files': ['gin/bbc_news.gin'],
  'gin_bindings': [],
  'objective': 'accuracy',
  'direction': 'maximize',
  'search': {'sampler': 'tpe', 'trials': 3, 'seed': 0, 'pruner': 'none'},
  'status': 'finished',
  'start': '2026-01-01T00:00:00+00:00',
  'end': None,
  'trials': {
    '0123456789abcdef': {
      'attempts': 1,
      'directory': 'LEARNING_RATE=0.1',
      'bindings': {'LEARNING_RATE': '0.1'},
      'status': 'finished',
      'steps': 30,
      'seconds': 9.25,
      'metrics': {'accuracy': 0.6, 'cross_entropy': None},
      'error': None,
    }
  },
}
DEFINITION = sweep_definition.read_definition(['LEARNING_RATE=[0.1, 0.2]'])
ODD: tuple = (
  *(None, True, False, 0, -1, 10**400, 2**63, 1.5, 1e999, float('nan')),
  *('', 'x', '\x1b[2J', '\ud800', '../..', [], [[]], [None], {}, {'a': {}}),
  *(['a'] * 3, [[1]], {'': None}, [1e999], 'finished', 'running', [2**70]),
)


def places(value, path=()):
  """Yields the path of each value in JSON."""
  yield path
  if isinstance(value, dict | list):
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
      yield from places(value[key], (*path, key))


def damaged(value, chance):
  """Returns JSON with a field of another type, gone, or cut off."""
  value = copy.deepcopy(value)
  path = chance.choice([path for path in places(value) if path])
  inner = value
  for key in path[:-1]:
    inner = inner[key]
  if chance.random() < 0.2:
    del inner[path[-1]]
  else:
    inner[path[-1]] = chance.choice(ODD)
  text = json.dumps(value)
  if chance.random() < 0.1:
    return text[: chance.randrange(len(text))].encode()
  if chance.random() < 0.1:
    content = bytearray(text.encode())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)
  return text.encode()


@pytest.fixture
def directory(tmp_path):
  found = run_dir.RunDir(tmp_path / 'runs' / 'LEARNING_RATE=0.1')
  found.root.make()
  found.config.write('Adam.learning_rate = 0.1\n')
  other = run_dir.RunDir(tmp_path / 'runs' / 'LEARNING_RATE=0.2')
  other.root.make()
  other.config.write('Adam.learning_rate = 0.2\n')
  other.write_run(**RUN)
  return found


def test_every_field_that_is_written_has_a_type():
  assert set(RUN) == set(run_record.RunRecord.__annotations__)
  assert set(METRICS) == set(run_record.Metrics.__annotations__)
  assert set(SWEEP) == set(sweep_file.Sweep.__annotations__)
  (trial,) = SWEEP['trials'].values()
  assert set(trial) == set(sweep_file.Trial.__annotations__)


def test_a_whole_one_is_read(directory):
  directory.write_run(**RUN)
  assert directory.read_run() == RUN
  assert directory.read_labels() == ['a', 'b']
  assert results.read_results(directory).evaluation.accuracy == 0.6


def refusals(readers):
  """Returns what reading is refused with; any other error is a failure."""
  found = []
  for read in readers:
    try:
      read()
    except UserError as error:
      found.append(str(error))
  return found


def test_a_damaged_run_is_refused_or_read(directory):
  """By all that read it: a wrong type would end one in a traceback."""

  def show():
    found = results.read_results(directory)
    report.format_results(found.evaluation, found.examples)

  readers = (directory.read_run, directory.read_labels, show)
  for seed in range(600):
    content = damaged(RUN, random.Random(seed))
    directory.run.path.write_bytes(content)
    for message in refusals(readers):
      assert message.startswith(f'{directory.run} is damaged ('), content
      assert len(message) < 1000
    comparison = compare.compare(directory.path.parent)
    for format_ in FORMATS:
      assert '0.2' in compare_tables.render(comparison, format_)
    by_name = {run.name: run for run in comparison.runs}
    assert by_name['LEARNING_RATE=0.2'].metrics['accuracy'] == 0.6
    assert len(by_name) == 2


def test_a_damaged_sweep_is_refused_or_read(directory, caplog):
  directory.write_run(**RUN)
  path = directory.path.parent / 'sweep.json'

  def show():
    sweep_dry_run.show_search(
      DEFINITION, directory=path.parent, n_trials=3, jobs=1
    )

  for seed in range(600):
    content = damaged(SWEEP, random.Random(seed))
    path.write_bytes(content)
    for message in refusals([show]):
      assert message.startswith(f'{path} is damaged ('), content
    assert len(compare.compare(path.parent).runs) == 2
    caplog.clear()


@pytest.mark.parametrize('name', ['..', '.', '', '../x', '/etc', 'a/b', 'a\0'])
def test_a_trial_has_no_path(tmp_path, name):
  trial = {'directory': name, 'bindings': {}, 'status': 'finished'}
  content = json.dumps({'trials': {'x': trial}})
  (tmp_path / 'sweep.json').write_text(content)
  with pytest.raises(UserError, match=r'trials\.x\.directory is no name of'):
    sweep_file.read_sweep(tmp_path)


def test_a_damaged_run_is_listed_as_damaged(directory):
  directory.run.write('{"steps": "many"}')
  comparison = compare.compare(directory.path.parent)
  text = compare_tables.render(comparison)
  assert 'damaged' in text
  assert "steps is 'many', not a whole number" in text
