"""Histograms: what is counted, and that a stop leaves no trace in them."""

import json
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.histogram import summary_v2
from tensorboard.util import tensor_util

from experiments.backend import layer_weights, trax_repairs
from experiments.foundation.signals import Interrupted
from experiments.reporting import run_events, tensorboard
from experiments.rundir import run_dir
from experiments.rundir.checkpoints import Checkpoints
from experiments.training import histograms
from tests.end_to_end.test_faults import start
from tests.fixtures import config_cases, same_run
from tests.training.test_loop import (
  assert_identical,
  dropout_model,
  make_loop,
  measured,
  tokens,
)

trax = trax_repairs.import_trax()

# Fixtures.
__all__ = ['tokens']

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def test_counts_by_hand():
  """Bins of 0.1 from 0 to 3; the last holds its upper edge too."""
  found = histograms.count(
    np.array([[0.0, 0.05, 1.0], [2.95, 3.0, np.nan]]), step=7, tag='x'
  )
  assert found[:4] == (7, 'x', 0.0, 3.0)
  counts = dict(enumerate(found.counts))
  assert {b: n for b, n in counts.items() if n} == {0: 2, 10: 1, 29: 2}
  assert len(counts) == 30


@given(arrays.arrays(np.float32, st.integers(0, 50), elements=FLOATS))
def test_every_finite_value_is_counted_once(values):
  found = histograms.count(values, step=0, tag='x')
  finite = values[np.isfinite(values)]
  assert sum(found.counts) == len(finite)
  if len(finite):
    assert (found.low, found.high) == (finite.min(), finite.max())
  assert json.loads(json.dumps(found)) == [*found[:4], list(found.counts)]


def written(directory):
  """Returns what TensorBoard reads: {tag: [(step, rows)]}."""
  events = event_accumulator.EventAccumulator(
    str(directory), size_guidance={'tensors': 0}
  ).Reload()
  return {
    tag: [
      (e.step, tensor_util.make_ndarray(e.tensor_proto))
      for e in events.Tensors(tag)
    ]
    for tag in events.Tags()['tensors']
  }


@pytest.mark.parametrize(
  'values',
  [
    np.random.default_rng(0).normal(size=1000),
    np.full(5, 2.5),
    np.array([-1.0, 1.0]),
    np.zeros(0),
  ],
)
def test_tensorboard_gets_what_its_own_summary_has(tmp_path, values):
  with tensorboard.EventWriter(tmp_path) as writer:
    writer.histogram(histograms.count(values, step=3, tag='x'))
  [(step, rows)] = written(tmp_path)['x']
  [value] = summary_v2.histogram_pb('x', values).value
  expected = tensor_util.make_ndarray(value.tensor)
  assert step == 3
  np.testing.assert_allclose(rows[:, :2], expected[:, :2], atol=1e-12)
  np.testing.assert_array_equal(rows[:, 2], expected[:, 2])
  events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
  assert events.PluginTagToContent('histograms').keys() == {'x'}


def test_weights_have_the_names_of_their_layers():
  from trax import layers as tl

  shared = tl.Dense(2)
  model = tl.Serial(
    tl.Embedding(5, 2),
    tl.Residual(shared),
    shared,
    tl.GRU(2),
    tl.Mean(axis=1),
    tl.LayerNorm(),
  )
  model.init(trax.shapes.signature(np.zeros((1, 3), np.int32)))
  found = layer_weights.name_arrays(model, model.weights)
  shapes = {name: array.shape for name, array in found.items()}
  assert shapes['0_Embedding_5_2'] == (5, 2)
  assert list(shapes.values()).count((2, 2)) == 1
  # In the order of the tree.
  tree = trax.fastmath.tree_leaves(model.weights)
  assert [a.shape for a in tree] == list(shapes.values())
  dense = tl.Dense(2)
  dense.init(trax.shapes.signature(np.zeros((1, 3), np.float32)))
  assert list(layer_weights.name_arrays(dense, dense.weights)) == ['0', '1']


def test_gradients_are_those_of_the_next_step(tokens, tmp_path, monkeypatch):
  """Of SGD with rate 1 they are what the step takes off the weights."""
  at: dict[int, tuple[dict, dict]] = {}
  counting = histograms.count_all

  def keep_too(model, weights, gradients, *, step):
    at[step] = (
      layer_weights.name_arrays(model, weights),
      layer_weights.name_arrays(model, gradients),
    )
    return counting(model, weights, gradients, step=step)

  monkeypatch.setattr(histograms, 'count_all', keep_too)
  counted = histograms.Histograms()
  # Evaluates at each step.
  loop = make_loop(
    tokens,
    tmp_path,
    body=dropout_model,
    optimizer=trax.optimizers.SGD(1.0),
    n_steps=4,
    period=1,
    counted=counted,
  )
  loop.run()
  assert list(at) == [1, 2, 3, 4]
  for step in (1, 2, 3):
    weights, gradients = at[step]
    after, _ = at[step + 1]
    assert weights.keys() == gradients.keys()
    for name, gradient in gradients.items():
      assert np.abs(gradient).max() > 1e-4
      np.testing.assert_allclose(
        gradient, weights[name] - after[name], atol=1e-6
      )
  tags = {f'{k}/{name}' for k in ('weights', 'gradients') for name in weights}
  assert {each.tag for each in counted} == tags
  assert len(counted) == 4 * len(tags)


def run_with_events(tokens, directory, **options):
  """Trains with TensorBoard's copy, as the launcher does."""
  with run_events.RunEvents(run_dir.RunDir(directory)) as events:
    make_loop(
      tokens,
      directory,
      body=dropout_model,
      counted=events.histograms,
      on_records=events.write,
      **options,
    ).run()


def test_going_on_shows_each_once(tokens, tmp_path, monkeypatch):
  for name in ('undisturbed', 'stopped'):
    (tmp_path / name).mkdir()
  run_with_events(tokens, tmp_path / 'undisturbed')
  with pytest.raises(Interrupted):
    run_with_events(tokens, tmp_path / 'stopped', is_stopped=True)

  def fail(self, checkpoint):
    raise OSError('full')

  # Step 20 is measured, and never saved.
  with monkeypatch.context() as patch:
    patch.setattr(Checkpoints, 'save', fail)
    with pytest.raises(OSError, match='full'):
      run_with_events(tokens, tmp_path / 'stopped')
  run_with_events(tokens, tmp_path / 'stopped')
  expected = same_run.shown(tmp_path / 'undisturbed' / 'train')
  assert same_run.shown(tmp_path / 'stopped' / 'train') == expected
  steps = [step for tag, step, _ in expected if tag.startswith('weights/0')]
  assert steps == [1, 20, 40, 50]
  # Nothing else is changed by them, and without them nothing is kept.
  (tmp_path / 'off').mkdir()
  make_loop(tokens, tmp_path / 'off', body=dropout_model).run()
  assert measured(tmp_path / 'off') == measured(tmp_path / 'undisturbed')
  off, on = (
    Checkpoints(tmp_path / name / 'checkpoints').load(50)
    for name in ('off', 'undisturbed')
  )
  assert_identical(off.leaves, on.leaves)
  assert off.record['histograms'] == []
  assert len(on.record['histograms']) == 4 * 2 * 3


@pytest.mark.slow
def test_a_killed_run_shows_them_as_an_undisturbed_one(launcher, tmp_path):
  flag = '--gin_bindings=experiment.histograms=True'
  undisturbed, killed = tmp_path / 'undisturbed', tmp_path / 'killed'
  assert start(launcher, undisturbed, flag).returncode == 0
  # Step 20 is measured, and its checkpoint half written.
  disturbance = {
    'do': 'kill',
    'kind': 'write',
    'match': 'step_0000000020',
    'when': 'during',
  }
  done = start(launcher, killed, flag, disturbance=disturbance)
  assert done.returncode == -signal.SIGKILL
  done = start(launcher, killed, flag)
  assert done.returncode == 0, done.stderr
  assert same_run.differences(killed, undisturbed) == []
  shown = written(killed / 'train')
  assert set(shown) == {
    f'{kind}/{name}'
    for kind in ('weights', 'gradients')
    for name in ('0_Embedding_1000_8', '2_Dense_5/0', '2_Dense_5/1')
  }
  for values in shown.values():
    assert [step for step, _ in values] == [1, 10, 20, 30]
  for _, rows in shown['weights/0_Embedding_1000_8']:
    assert rows[:, 2].sum() == 8000


@pytest.mark.parametrize('name', ['histograms', 'projector'])
def test_what_is_neither_true_nor_false_is_refused(tmp_path, monkeypatch, name):
  flag = f'experiment.{name}=1'
  case = config_cases.Bad(
    f"--gin_bindings='{flag}': experiment.{name} must be True or False, not 1.",
    flags=[flag],
  )
  config_cases.assert_refused(case, tmp_path, monkeypatch)
