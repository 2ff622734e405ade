"""A real TensorBoard over real runs of the launcher, against their files."""

import json
import math
import shutil

import numpy as np
import pytest

from tests.fixtures import live_tensorboard

SPLITS = ('train', 'eval', 'test')
# What is shown of the exact evaluation beside a sampled one has its tag.
TAGS = {
  'exact/accuracy': 'metrics/Accuracy',
  'exact/cross_entropy': 'metrics/CrossEntropyLoss',
  'exact/macro_f1': 'metrics/macro_f1',
  'exact/expected_calibration_error': 'metrics/expected_calibration_error',
}


@pytest.fixture(scope='module')
def runs(trained, seed_1, tmp_path_factory):
  """The directory above two runs, and nothing else."""
  logdir = tmp_path_factory.mktemp('logdir')
  for path, _, _ in (trained, seed_1):
    shutil.copytree(path, logdir / path.name)
  return logdir


@pytest.fixture(scope='module')
def board(runs):
  with live_tensorboard.LiveTensorBoard(runs, load_fast=True) as result:
    result.wait_until(lambda: len(result.get('runs')) == 2 * (1 + len(SPLITS)))
    yield result


NAMES = ['default', 'SEED=1']


@pytest.mark.parametrize('name', NAMES)
def test_scalars_are_those_of_metrics_jsonl(board, runs, name):
  expected: dict[tuple[str, str], list] = {}
  for line in (runs / name / 'metrics.jsonl').read_text().splitlines():
    record = json.loads(line)
    tag = TAGS.get(record['metric'], record['metric'])
    series = expected.setdefault((record['split'], tag), [])
    series.append((record['step'], pytest.approx(record['value'], rel=1e-6)))
  assert {split for split, _ in expected} == set(SPLITS)
  tags = board.get('plugin/scalars/tags')
  shown = {
    (split, tag): board.scalars(f'{name}/{split}', tag)
    for split in SPLITS
    for tag in tags[f'{name}/{split}']
  }
  assert shown == expected


def test_hparams_and_exact_metrics_are_those_of_run_json(board, runs):
  groups = {group['name']: group for group in board.session_groups()}
  assert set(groups) == set(NAMES)
  for name, group in groups.items():
    run = json.loads((runs / name / 'run.json').read_text())
    hparams = group['hparams']
    assert hparams['SEED'] == run['seed']
    for key, value in run['overrides'].items():
      assert hparams[key] == pytest.approx(float(value))
    [session] = group['sessions']
    assert session['status'] == 'STATUS_SUCCESS'
    shown = {
      (metric['name']['group'], metric['name']['tag']): metric['value']
      for metric in group['metricValues']
    }
    for metric, tag in TAGS.items():
      value = run['metrics'][metric.removeprefix('exact/')]
      assert math.isclose(shown['test', tag], value, rel_tol=1e-6)
  assert groups['default']['hparams']['LEARNING_RATE'] == pytest.approx(0.01)
  # What is neither overridden nor usually is would only be in the way.
  assert set(groups['default']['hparams']) == {
    *('MODEL', 'LEARNING_RATE', 'SEED'),
    *json.loads((runs / 'default' / 'run.json').read_text())['overrides'],
  }
  # A None would hide the runs that have a text instead.
  assert not [
    name
    for group in groups.values()
    for name, value in group['hparams'].items()
    if value in (None, 'None')
  ]


@pytest.mark.parametrize('name', NAMES)
def test_config_report_and_predictions_are_those_on_disk(board, runs, name):
  [config] = board.get('plugin/text/text', run=name, tag='config.gin')
  written = (runs / name / 'config.gin').read_text()
  assert 'LEARNING_RATE = ' in config['text']
  for line in written.splitlines():
    assert line.replace("'", '&#39;') in config['text'].replace("'", '&#39;')
  test = f'{name}/test'
  for picture in ('confusion_matrix', 'calibration', 'accuracy_by_length'):
    [image] = board.get(
      'plugin/images/images', run=test, tag=f'visuals/{picture}', sample=0
    )
    png = board.get_bytes(f'plugin/images/individualImage?{image["query"]}')
    written_png = runs / name / 'report' / f'{picture}.png'
    assert png == written_png.read_bytes()
  [predictions] = board.get('plugin/text/text', run=test, tag='predictions')
  assert predictions['text'].count('<tr>') == 1 + 5


@pytest.mark.parametrize('name', NAMES)
def test_the_projector_shows_the_weights_by_token(board, runs, name):
  """Against the checkpoint and the vocabulary of the run."""
  from experiments.rundir import checkpoints
  from experiments.text import vocabulary_files

  place = f'run={name}&name=0_Embedding_1000_8'
  content = board.get_bytes(f'plugin/projector/tensor?{place}')
  rows = np.frombuffer(content, '<f4').reshape(-1, 8)
  lines = board.get_bytes(f'plugin/projector/metadata?{place}').decode()
  header, *tokens = [line.split('\t') for line in lines.splitlines()]
  assert header == ['token', 'id', 'count']
  ids = [int(i) for _, i, _ in tokens]
  saved = checkpoints.Checkpoints(runs / name / 'checkpoints').load_newest()
  assert saved is not None
  [table] = [leaf for leaf in saved.leaves[:3] if leaf.shape == (1000, 8)]
  np.testing.assert_array_equal(rows, table[ids])
  vocabulary = vocabulary_files.load_vocabulary(
    vocab_file=str(runs / name / 'vocabulary.subword')
  )
  assert sorted(ids) == list(range(vocabulary.size))
  assert 'the_' in [piece for piece, _, _ in tokens[:10]]
  counts = [int(count) for _, _, count in tokens]
  assert counts == sorted(counts, reverse=True)
