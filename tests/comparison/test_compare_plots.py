"""The pictures of a comparison: which there are, and where values lie."""

import itertools
import json
import subprocess
import sys

import pytest

from experiments.commands import compare_runs
from experiments.comparison import compare, compare_plots
from tests.comparison.test_compare import write_run
from tests.fixtures.live_launcher import ROOT

PNG = b'\x89PNG\r\n\x1a\n'


@pytest.fixture
def swept(tmp_path):
  """Three bindings that differ, two seeds, and a run that failed."""
  for rate, size, model, seed in itertools.product(
    (0.001, 0.1), (16, 64), ('@gru', '@mean'), (0, 1)
  ):
    path = write_run(
      tmp_path / 'runs' / f'{rate},{size},{model[1:]},{seed}',
      {
        'LEARNING_RATE': rate,
        'EMBEDDING_SIZE': size,
        'MODEL': model,
        'SEED': seed,
      },
      metrics={'accuracy': rate * size / 10, 'cross_entropy': 1.0},
    )
    records = [
      {
        'step': step,
        'split': split,
        'metric': metric,
        'value': 1 / step,
        'time': 0.0,
      }
      for step in (1, 10)
      for split, metric in (
        ('eval', 'metrics/Accuracy'),
        ('train', 'training/loss'),
      )
    ]
    (path / 'metrics.jsonl').write_text(
      ''.join(json.dumps(record) + '\n' for record in records)
    )
  write_run(
    tmp_path / 'runs' / 'failed', {'LEARNING_RATE': 9.0}, status='failed'
  )
  return tmp_path / 'runs'


def test_the_launcher_draws_three_pictures(swept, tmp_path):
  done = subprocess.run(
    [
      *(sys.executable, str(ROOT / 'launcher.py'), '--mode=compare'),
      *(f'--output_dir={swept}', f'--plots={tmp_path / "plots"}'),
    ],
    capture_output=True,
    text=True,
    check=True,
  )
  names = ['steps.png', 'values.png', 'parallel.png']
  *drawn, hint = done.stderr.splitlines()
  assert drawn == [f'Drawn: {tmp_path / "plots" / name}' for name in names]
  assert hint == compare_runs.NOTHING_KEPT
  for name in names:
    assert (tmp_path / 'plots' / name).read_bytes().startswith(PNG)


def test_a_directory_that_cannot_be_made_is_explained(swept, tmp_path):
  (tmp_path / 'file').write_text('')
  done = subprocess.run(
    [
      *(sys.executable, str(ROOT / 'launcher.py'), '--mode=compare'),
      *(f'--output_dir={swept}', f'--plots={tmp_path / "file" / "plots"}'),
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 2
  assert done.stderr == (
    f'--plots={tmp_path / "file" / "plots"}: cannot be written: Not a '
    'directory.\n'
  )


def test_every_run_has_its_line(swept):
  comparison = compare.compare(swept)
  picture = compare_plots.draw_steps(comparison, comparison.sections[0])
  sampled, loss = picture.axes
  assert len(sampled.lines) == len(loss.lines) == 16
  assert list(sampled.lines[0].get_xdata()) == [1, 10]
  assert list(sampled.lines[0].get_ydata()) == [1.0, 0.1]
  measured = [run for run in comparison.runs if run.metrics]
  columns = ['LEARNING_RATE', 'EMBEDDING_SIZE', 'MODEL']
  parallel = compare_plots.draw_parallel(comparison, measured, columns)
  lines = [
    line for line in parallel.axes[0].lines if len(line.get_xdata()) == 4
  ]
  assert len(lines) == 16
  # The best is drawn last: rate 0.1 (top), size 64 (top), a model, accuracy.
  assert lines[-1].get_ydata()[:2] == pytest.approx([1.0, 1.0], abs=0.021)
  assert lines[-1].get_ydata()[3] == 1.0
  # Half of the runs have either rate, and none hides another.
  assert len({line.get_ydata()[0] for line in lines}) == 16


def test_points_and_medians_against_a_value(swept):
  comparison = compare.compare(swept)
  measured = [run for run in comparison.runs if run.metrics]
  picture = compare_plots.draw_values(comparison, measured, ['LEARNING_RATE'])
  (panel,) = (axes for axes in picture.axes if axes.get_visible())
  *_, median = panel.lines
  assert list(median.get_xdata()) == [0.001, 0.1]
  # 0.1 · (16 + 64) / 2 / 10 at the higher rate, a hundredth at the lower.
  assert median.get_ydata() == pytest.approx([0.004, 0.4])
  assert panel.get_xscale() == 'log'
  shown = [label.get_text() for label in panel.get_xticklabels()]
  assert sorted(shown) == ['0.001', '0.1']


def test_values_that_a_search_drew_are_not_joined_one_by_one(tmp_path):
  # As the search of gin/sweeps/search.yaml: each rate once, each width often.
  for i in range(20):
    write_run(
      tmp_path / 'runs' / str(i),
      {'RATE': 0.001 * 1.2**i, 'WIDTH': (16, 64)[i % 2]},
      metrics={'accuracy': (i % 2) / 2 + i / 100},
    )
  comparison = compare.compare(tmp_path / 'runs')
  picture = compare_plots.draw_values(
    comparison, comparison.runs, ['RATE', 'WIDTH']
  )
  rate, width = picture.axes
  *dots, line = rate.lines
  assert len(dots) == 20
  # Four parts of five runs each; the alternation of the two widths is gone.
  assert len(line.get_xdata()) == 4
  assert line.get_label() == 'median of 5 neighbours'
  assert list(line.get_xdata()) == pytest.approx(
    [0.001 * 1.2**i for i in (2, 7, 12, 17)]
  )
  assert list(width.lines[-1].get_xdata()) == [16, 64]


def test_few_values_that_a_search_drew_are_dots_alone(tmp_path):
  for i in range(8):
    write_run(
      tmp_path / 'runs' / str(i), {'RATE': i}, metrics={'accuracy': i / 8}
    )
  comparison = compare.compare(tmp_path / 'runs')
  picture = compare_plots.draw_values(comparison, comparison.runs, ['RATE'])
  assert len(picture.axes[0].lines) == 8


def test_each_data_set_has_pictures_of_its_own(tmp_path):
  for i, data in enumerate(
    [('a:1.0.0', 'test'), ('b:1.0.0', 'train[80%:]')] * 2
  ):
    write_run(
      tmp_path / 'runs' / str(i), {'N': i}, metrics={'accuracy': 0.5}, data=data
    )
  paths = compare_plots.write_plots(
    compare.compare(tmp_path / 'runs'), tmp_path / 'plots'
  )
  names = [str(path.relative_to(tmp_path / 'plots')) for path in paths]
  assert [name.partition('/')[2] for name in names] == [
    *('steps.png', 'values.png'),
    *('steps.png', 'values.png'),
  ]
  assert names[0].startswith('a_1.0.0,test')
  assert names[2].startswith('b_1.0.0,train')


def test_one_binding_makes_no_parallel_coordinates(tmp_path):
  for value in (1, 2):
    write_run(
      tmp_path / 'runs' / str(value), {'N': value}, metrics={'accuracy': 0.5}
    )
  paths = compare_plots.write_plots(
    compare.compare(tmp_path / 'runs'), tmp_path / 'plots'
  )
  assert [path.name for path in paths] == ['steps.png', 'values.png']


@pytest.mark.parametrize(
  ('texts', 'shares'),
  [
    (['1', '3', '2'], [0.0, 1.0, 0.5]),
    # A decade is as far from the next as from the last.
    (['0.001', '0.1', '0.01'], [0.0, 1.0, 0.5]),
    (['@b', '@a', "'c'"], [1.0, 0.5, 0.0]),
    (['5'], [0.5]),
    (['-1', '100', '49.5'], [0.0, 1.0, 0.5]),
    (['True', 'False'], [1.0, 0.0]),
    (['None', '1'], [1.0, 0.0]),
  ],
)
def test_where_values_lie_on_an_axis(texts, shares):
  scale = compare_plots.Scale(texts)
  assert [scale.share(text) for text in texts] == pytest.approx(shares)
