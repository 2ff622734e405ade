"""A real TensorBoard over real runs of the launcher, against their files."""

import json
import math
import shutil

import live_tensorboard
import pytest

SPLITS = ('train', 'eval', 'test')


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
    series = expected.setdefault((record['split'], record['metric']), [])
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
    for metric in ('accuracy', 'cross_entropy', 'macro_f1'):
      value = shown['test', f'exact/{metric}']
      assert math.isclose(value, run['metrics'][metric], rel_tol=1e-6)
  assert groups['default']['hparams']['LEARNING_RATE'] == pytest.approx(0.01)
  assert groups['SEED=1']['hparams']['EMBEDDING_SIZE'] == 8
  assert groups['default']['hparams']['OPTIMIZER'] == '@Adam'
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
  [image] = board.get(
    'plugin/images/images', run=test, tag='confusion_matrix', sample=0
  )
  png = board.get_bytes(f'plugin/images/individualImage?{image["query"]}')
  assert png == (runs / name / 'report' / 'confusion_matrix.png').read_bytes()
  [predictions] = board.get('plugin/text/text', run=test, tag='predictions')
  assert predictions['text'].count('<tr>') == 1 + 5
