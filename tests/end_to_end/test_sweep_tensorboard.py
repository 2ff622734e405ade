"""What a real TensorBoard shows of sweeps: trials of every status."""

import time

import pytest

from experiments.comparison import run_reader
from tests.fixtures import live_browser, live_tensorboard
from tests.fixtures.live_sweep import read_json, start, wait_for

# A sweep of every status, TensorBoard and a browser take long to start.
pytestmark = pytest.mark.slow

# What TensorBoard says of each status: it knows a running one by the end that
# it lacks, and pruning not at all.
STATUSES = {
  'finished': 'STATUS_SUCCESS',
  'running': 'STATUS_UNKNOWN',
  'failed': 'STATUS_FAILURE',
  'diverged': 'STATUS_FAILURE',
  'pruned': 'STATUS_FAILURE',
}

# What TensorBoard shows of metrics of run.json, beside sampled ones.
EXACT = {
  'accuracy': 'Accuracy',
  'cross_entropy': 'CrossEntropyLoss',
  'macro_f1': 'macro_f1',
}


@pytest.fixture(scope='module')
def logdir(launcher, tmp_path_factory):
  """Sweeps with trials of every status; one trial is running."""
  directory = tmp_path_factory.mktemp('sweeps')
  gin = directory / 'short.gin'
  # A learning rate that is far too high or low for N_STEPS = 20.
  gin.write_text(f"include '{launcher.cwd}/tiny.gin'\nN_STEPS = 20\n")
  searched = launcher(
    *(f'--gin_file={gin}', '--search=random', '--trials=6'),
    *('--sweep=LEARNING_RATE=[0.05, 1e-7, 1e30]', '--sweep=SEED=[0, 1]'),
    "--gin_bindings=sweep.pruner='median'",
    '--gin_bindings=sweep.pruner_startup_trials=1',
    f'--output_dir={directory / "search"}',
  )
  assert searched.returncode == 1, searched.stderr
  # No example is as short as this, which only reading the data shows.
  failed = launcher(
    *(f'--gin_file={gin}', '--sweep=SEED=[7]', '--gin_bindings=MAX_LENGTH=1'),
    f'--output_dir={directory / "failing"}',
  )
  assert failed.returncode == 1, failed.stderr
  process = start(
    launcher,
    *('--sweep=LEARNING_RATE=[0.03]', '--gin_bindings=N_STEPS=1000000'),
    f'--output_dir={directory / "running"}',
  )
  try:
    wait_for(lambda: list(directory.glob('running/*/checkpoints/step_*')))
    yield directory
  finally:
    process.kill()
    process.communicate()


@pytest.fixture(scope='module')
def runs(logdir):
  return {
    str(path.relative_to(logdir)): run_reader.read_run(path, path.name)
    for path in run_reader.find_runs(logdir)
  }


def hparams(group):
  return group['hparams']


def metric_values(group):
  return {
    f'{value["name"]["group"]}/{value["name"]["tag"]}': value['value']
    for value in group['metricValues']
  }


def test_there_are_trials_of_every_status(runs):
  assert {run.status for run in runs.values()} == set(STATUSES)


@pytest.mark.parametrize(
  'load_fast', [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_session_groups_are_what_run_json_says(logdir, runs, load_fast):
  with live_tensorboard.LiveTensorBoard(logdir, load_fast=load_fast) as board:

    def groups():
      return {
        group['sessions'][0]['name']: group for group in board.session_groups()
      }

    board.wait_until(lambda: len(groups()) == len(runs))
    finished = [n for n, run in runs.items() if run.status == 'finished']
    board.wait_until(
      lambda: all(
        any(
          'test/metrics/Accuracy' in name for name in metric_values(groups()[n])
        )
        for n in finished
      )
    )
    found = groups()
    assert set(found) == set(runs)
    for name, run in runs.items():
      session = found[name]['sessions'][0]
      assert session['status'] == STATUSES[run.status], name
      values = hparams(found[name])
      # What its sweep tries, and nothing else.
      tried = read_json(run.path.parent / 'sweep.json')['definition'][0]
      assert values == {
        key: pytest.approx(float(run.bindings[key])) for key in tried
      }
      shown = metric_values(found[name])
      for metric, tag in EXACT.items():
        if metric in run.metrics:
          assert shown[f'test/metrics/{tag}'] == pytest.approx(
            run.metrics[metric], rel=1e-6
          )
        else:
          assert f'test/metrics/{tag}' not in shown
    # Hyper-parameters are there before a trial has ended.
    (running,) = (n for n, run in runs.items() if run.status == 'running')
    assert hparams(found[running]) == {'LEARNING_RATE': pytest.approx(0.03)}
    assert 'eval/metrics/Accuracy' in metric_values(found[running])
    by_rate = board.session_groups(
      {'hparam': 'LEARNING_RATE', 'order': 'ORDER_ASC'}
    )
    rates = [
      hparams(group)['LEARNING_RATE']
      for group in by_rate
      if 'LEARNING_RATE' in hparams(group)
    ]
    assert rates == sorted(rates)
    by_accuracy = board.session_groups(
      {
        'metric': {'group': 'test', 'tag': 'metrics/Accuracy'},
        'order': 'ORDER_DESC',
      }
    )
    accuracies = [
      metric_values(group)['test/metrics/Accuracy']
      for group in by_accuracy
      if 'test/metrics/Accuracy' in metric_values(group)
    ]
    assert accuracies == sorted(accuracies, reverse=True)


@pytest.mark.browser
@pytest.mark.skipif(
  bool(live_browser.missing()),
  reason='not installed: ' + ' and '.join(live_browser.missing()),
)
def test_the_hparams_page_has_a_row_for_every_trial(logdir, runs, tmp_path):
  with (
    live_tensorboard.LiveTensorBoard(logdir, load_fast=True) as board,
    live_browser.open_browser() as browser,
  ):
    board.wait_until(lambda: len(board.session_groups()) == len(runs))
    time.sleep(2)
    live_browser.open_tab(browser, board.url, 'hparams')
    live_browser.wait_for_text(
      browser,
      [
        f'Number of matching session groups: {len(runs)}',
        *runs,
        'test.metrics/Accuracy',
      ],
    )
    live_browser.save_picture(browser, tmp_path / 'hparams.png')


@pytest.mark.browser
@pytest.mark.skipif(
  bool(live_browser.missing()),
  reason='not installed: ' + ' and '.join(live_browser.missing()),
)
def test_the_first_page_opens_on_curves(logdir, runs):
  with (
    live_tensorboard.LiveTensorBoard(logdir, load_fast=True) as board,
    live_browser.open_browser() as browser,
  ):
    board.wait_until(lambda: len(board.session_groups()) == len(runs))
    browser.get(board.url)
    names = ['/Accuracy', '/CrossEntropyLoss', 'training', 'visuals']
    shown = live_browser.wait_for_text(browser, names)
  places = [shown.index(name) for name in names]
  assert places == sorted(places)


def test_sweep_json_is_beside_the_runs_and_no_run(logdir, runs):
  for name in ('search', 'failing', 'running'):
    trials = read_json(logdir / name / 'sweep.json')['trials'].values()
    for trial in trials:
      assert f'{name}/{trial["directory"]}' in runs
