"""Training: the same numbers as trax's own Trainer, and exact to resume."""

import itertools
from typing import Any

import numpy as np
import pytest

from experiments.backend import trax_repairs
from experiments.batching import batches
from experiments.foundation.directory import File
from experiments.foundation.signals import Interrupted, StopSignal
from experiments.rundir.checkpoints import Checkpoints
from experiments.rundir.metric_log import Records, read_records
from experiments.text import tokenization

trax = trax_repairs.import_trax()

from trax import fastmath  # noqa: E402
from trax import layers as tl  # noqa: E402
from trax.supervised import training as trax_training  # noqa: E402

from experiments.training import loop as training_loop  # noqa: E402
from experiments.training import update  # noqa: E402
from experiments.training.context import RunContext  # noqa: E402

_VOCAB_SIZE = 50
_BUCKETS: dict[str, Any] = {'boundaries': [4, 8], 'batch_sizes': [8, 4, 2]}


@pytest.fixture(scope='module')
def tokens():
  """Two classes, told apart by their ids; lengths 1 to 8."""
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 2, 60)
  ids = [
    list(rng.integers(1, 25, rng.integers(1, 9)) + 24 * label)
    for label in labels
  ]
  return tokenization.Tokens.from_lists(ids, labels.tolist())


def plain_model(mode):
  del mode
  return [tl.Embedding(_VOCAB_SIZE, 6), tl.Mean(axis=1)]


def dropout_model(mode):
  return [
    tl.Embedding(_VOCAB_SIZE, 6),
    tl.Dropout(rate=0.3, mode=mode),
    tl.Mean(axis=1),
  ]


def batch_norm_model(mode):
  return [
    tl.Embedding(_VOCAB_SIZE, 6),
    tl.Mean(axis=1),
    tl.BatchNorm(axis=(0,), mode=mode),
  ]


def gru_model(mode):
  del mode
  return [tl.Embedding(_VOCAB_SIZE, 6), tl.GRU(6), tl.Mean(axis=1)]


def build(body, mode):
  return tl.Serial(*body(mode), tl.Dense(2), tl.LogSoftmax())


def stream(tokens, seed=3):
  plan = batches.BatchPlan(lengths=tokens.lengths, seed=seed, **_BUCKETS)
  return batches.BatchStream(tokens, plan)


def sample(tokens):
  return next(stream(tokens))


class Stopped(StopSignal):
  """A SIGTERM that comes while the first steps are taken."""

  def __init__(self):
    super().__init__()
    self._n_asked = 0

  def __call__(self):
    self._n_asked += 1
    return 15 if self._n_asked > 1 else None


def make_loop(
  tokens,
  directory,
  *,
  body=plain_model,
  optimizer=None,
  schedule=None,
  n_steps=50,
  period=20,
  is_stopped=False,
  stop_signal=None,
  on_records=lambda new: None,
  best=None,
  **more,
):
  context = RunContext(
    stop_signal=stop_signal or (Stopped() if is_stopped else StopSignal()),
    on_records=on_records,
  )
  return training_loop.Loop(
    build(body, 'train'),
    trax_training.TrainTask(
      stream(tokens),
      tl.CrossEntropyLoss(),
      optimizer or trax.optimizers.Adam(0.01),
      lr_schedule=schedule,
      n_steps_per_checkpoint=period,
      sample_batch=sample(tokens),
    ),
    eval_model=build(body, 'eval'),
    eval_task=trax_training.EvalTask(
      stream(tokens, seed=4),
      [tl.CrossEntropyLoss(), tl.Accuracy()],
      n_eval_batches=3,
      sample_batch=sample(tokens),
    ),
    n_steps=n_steps,
    random_seed=7,
    checkpoints=Checkpoints(directory / 'checkpoints', **(best or {})),
    records=Records(directory / 'metrics.jsonl'),
    context=context,
    **more,
  )


def leaves(loop):
  import jax

  state = loop.state.train_state
  return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(state)]


def average_of(loop):
  return loop.state.train_state.average


def with_loss(loop):
  """Trax's own layer from batches to the loss, with the loop's weights."""
  return loop.trax.model_with_loss


def assert_identical(some, others):
  for a, b in zip(some, others, strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


OPTIMIZERS = {
  'Adam': lambda: trax.optimizers.Adam(0.01),
  'SGD': lambda: trax.optimizers.SGD(0.1),
  'Momentum': lambda: trax.optimizers.Momentum(0.05),
  'RMSProp': lambda: trax.optimizers.RMSProp(0.01),
  'Adafactor': lambda: trax.optimizers.Adafactor(0.05),
  'SM3': lambda: trax.optimizers.SM3(0.1),
  'clipped Adam': lambda: trax.optimizers.Adam(0.01, clip_grad_norm=0.1),
}


def schedule():
  return trax.lr.warmup_and_rsqrt_decay(n_warmup_steps=10, max_value=0.05)


# Compiling takes most of the time; the others of the optimizers are for CI.
CASES = [
  ('Adam', dropout_model, True),
  ('SGD', batch_norm_model, False),
  ('Adafactor', plain_model, False),
  *(
    pytest.param(*case, marks=pytest.mark.slow)
    for case in (
      ('Adam', plain_model, False),
      ('clipped Adam', plain_model, False),
      ('SGD', gru_model, True),
      ('Momentum', plain_model, False),
      ('RMSProp', plain_model, False),
      ('SM3', plain_model, False),
    )
  ),
]


@pytest.mark.parametrize(('optimizer', 'body', 'scheduled'), CASES)
def test_weights_after_50_steps_are_those_of_trax_trainer(
  tokens, tmp_path, optimizer, body, scheduled
):
  """Reference: `Trainer.one_step`, one batch after the other."""
  lr_schedule = schedule() if scheduled else None
  # Evaluations draw random keys too: the only one would come at step 51.
  loop = make_loop(
    tokens,
    tmp_path,
    n_steps=51,
    body=body,
    optimizer=OPTIMIZERS[optimizer](),
    schedule=lr_schedule,
    period=None,
  )
  plain = trax_training.Loop(
    build(body, 'train'),
    trax_training.TrainTask(
      stream(tokens),
      tl.CrossEntropyLoss(),
      OPTIMIZERS[optimizer](),
      lr_schedule=lr_schedule,
      sample_batch=sample(tokens),
    ),
    random_seed=7,
  )
  for _ in range(50):
    plain._step += 1
    plain._run_one_step(task_index=0, task_changed=False)
  loop.run(50)
  trainer = plain._trainer_per_task[0]
  expected = update.TrainState(
    trainer.accelerated_model_with_loss.weights,
    trainer.slots,
    trainer.accelerated_model_with_loss.state,
    plain._rng,
  )
  import jax

  for ours, theirs in zip(
    leaves(loop), jax.tree_util.tree_leaves(expected), strict=True
  ):
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize(('optimizer', 'body', 'scheduled'), CASES)
def test_going_on_after_any_stop_gives_the_same_weights_bit_for_bit(
  tokens, tmp_path, optimizer, body, scheduled
):
  options = {'body': body, 'schedule': schedule() if scheduled else None}

  def loop(name, **more):
    (tmp_path / name).mkdir(exist_ok=True)
    made = OPTIMIZERS[optimizer]()
    return make_loop(tokens, tmp_path / name, optimizer=made, **options, **more)

  undisturbed = loop('undisturbed')
  undisturbed.run()
  stopped = loop('stopped', is_stopped=True)
  with pytest.raises(Interrupted):
    stopped.run()
  assert 0 < stopped.step < 20
  with pytest.raises(Interrupted):
    loop('stopped', is_stopped=True).run()
  resumed = loop('stopped')
  resumed.run()
  assert resumed.step == 50
  assert_identical(leaves(resumed), leaves(undisturbed))
  assert measured(tmp_path / 'stopped') == measured(tmp_path / 'undisturbed')


def measured(directory):
  """All records but those of the clock."""
  return [
    (record.step, record.split, record.metric, record.value)
    for record in read_records(directory / 'metrics.jsonl')
    if 'per second' not in record.metric
  ]


def test_evaluates_and_saves_at_step_1_at_each_period_and_at_the_end(
  tokens, tmp_path
):
  loop = make_loop(tokens, tmp_path)
  loop.run()
  steps = sorted({record[0] for record in measured(tmp_path)})
  assert steps == [1, 20, 40, 50]
  assert Checkpoints(tmp_path / 'checkpoints').steps() == [40, 50]
  # trax's own history has the same.
  accuracy = loop.history.get('eval', 'metrics/Accuracy')
  assert [step for step, _ in accuracy] == [1, 20, 40, 50]


def test_the_recorded_training_loss_is_the_mean_since_the_record_before(
  tokens, tmp_path
):
  make_loop(tokens, tmp_path, optimizer=trax.optimizers.SGD(0.0)).run()
  (tmp_path / 'fresh').mkdir()
  loop = make_loop(
    tokens, tmp_path / 'fresh', optimizer=trax.optimizers.SGD(0.0)
  )
  model, rng = with_loss(loop), loop.state.train_state.rng
  losses = []
  source = stream(tokens)
  for _ in range(20):
    losses.append(
      float(model.pure_fn(next(source), model.weights, model.state, rng)[0])
    )
  recorded = {
    (record[0], record[2]): record[3]
    for record in measured(tmp_path)
    if record[1] == 'train'
  }
  mean = np.mean(losses[1:])
  assert recorded[20, 'metrics/CrossEntropyLoss'] == pytest.approx(mean)
  assert recorded[20, 'training/loss'] == pytest.approx(mean)


def test_the_recorded_norms_are_those_of_the_last_step(tokens, tmp_path):
  # Weights stay as they are, so that all steps have the same ones.
  loop = make_loop(tokens, tmp_path, optimizer=trax.optimizers.SGD(0.0))
  loop.run()
  model = with_loss(loop)
  last = next(batches.BatchStream(tokens, stream(tokens).plan, position=19))
  gradients, _ = fastmath.grad(model.pure_fn, argnums=1, has_aux=True)(
    last, model.weights, model.state, loop.state.train_state.rng
  )

  def norm(tree):
    flat = [np.ravel(leaf) for leaf in fastmath.tree_flatten(tree)]
    return np.linalg.norm(np.concatenate(flat))

  recorded = {
    record[2]: record[3] for record in measured(tmp_path) if record[0] == 20
  }
  assert recorded['training/gradients_l2'] == pytest.approx(norm(gradients))
  assert recorded['training/weights_l2'] == pytest.approx(norm(model.weights))


def test_learns_what_can_be_told_apart(tokens, tmp_path):
  make_loop(
    tokens, tmp_path, optimizer=trax.optimizers.Adam(0.05), n_steps=150
  ).run()
  last = [r for r in measured(tmp_path) if r[2] == 'metrics/Accuracy'][-1]
  assert last[3] == 1.0


def test_a_loss_that_is_not_finite_names_its_step_and_keeps_the_checkpoint(
  tokens, tmp_path
):
  def at_step_30(step):
    return 0.01 if step < 30 else float('inf')

  loop = make_loop(tokens, tmp_path, schedule=at_step_30)
  with pytest.raises(
    training_loop.Diverged, match=r'^The loss of step 31 is nan\.'
  ):
    loop.run()
  newest = Checkpoints(tmp_path / 'checkpoints').load_newest()
  assert newest is not None
  assert newest.step == 20
  assert max(record[0] for record in measured(tmp_path)) == 20


def test_a_checkpoint_of_another_model_is_refused(tokens, tmp_path):
  make_loop(tokens, tmp_path).run()
  with pytest.raises(
    ValueError, match='The checkpoint of step 50 does not fit the model'
  ):
    make_loop(tokens, tmp_path, body=gru_model)


def test_the_average_of_the_weights_is_what_is_evaluated(tokens, tmp_path):
  import jax

  loop = make_loop(tokens, tmp_path, ema_decay=0.9, n_steps=30, period=30)
  average = [np.asarray(w) for w in jax.tree_util.tree_leaves(average_of(loop))]
  for step in range(1, 31):
    loop.run(1)
    decay = np.float32(min(0.9, (1 + step) / (10 + step)))
    weights = jax.tree_util.tree_leaves(loop.state.train_state.weights)
    average = [
      a + (1 - decay) * (np.asarray(w) - a)
      for a, w in zip(average, weights, strict=True)
    ]
  ours = jax.tree_util.tree_leaves(average_of(loop))
  for a, b in zip(ours, average, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
  assert not np.allclose(ours[0], weights[0], rtol=1e-3)

  loop.export(File.at(tmp_path / 'model.pkl.gz'))
  model = build(plain_model, 'eval')
  model.init_from_file(str(tmp_path / 'model.pkl.gz'))
  np.testing.assert_array_equal(model.weights[0], ours[0])
  losses = [
    float(tl.CrossEntropyLoss()((model(inputs), targets, weights)))
    for inputs, targets, weights in itertools.islice(
      _from(stream(tokens, seed=4), 3), 3
    )
  ]
  recorded = {r[:3]: r[3] for r in measured(tmp_path)}
  assert recorded[30, 'eval', 'metrics/CrossEntropyLoss'] == pytest.approx(
    np.mean(losses)
  )


def _from(batches_, position):
  """The batches from a position on; step 1 was evaluated before."""
  batches_.position = position
  return batches_


def test_going_on_with_an_average_gives_the_same_one_bit_for_bit(
  tokens, tmp_path
):
  undisturbed, stopped = (
    tmp_path / name for name in ('undisturbed', 'stopped')
  )
  for path in (undisturbed, stopped):
    path.mkdir()
  whole = make_loop(tokens, undisturbed, ema_decay=0.99)
  whole.run()
  with pytest.raises(Interrupted):
    make_loop(tokens, stopped, ema_decay=0.99, is_stopped=True).run()
  resumed = make_loop(tokens, stopped, ema_decay=0.99)
  resumed.run()
  assert_identical(leaves(resumed), leaves(whole))
  assert measured(stopped) == measured(undisturbed)


# The loss falls, so that it was highest when it was first evaluated.
HIGHEST_LOSS = {
  'best_metric': 'metrics/CrossEntropyLoss',
  'best_direction': 'maximize',
}


def test_training_ends_when_its_patience_does(tokens, tmp_path, caplog):
  caplog.set_level('INFO')
  options = {'period': 5, 'best': HIGHEST_LOSS, 'patience': 2}
  loop = make_loop(tokens, tmp_path, **options)
  loop.run()
  assert loop.step == 10
  assert sorted({record[0] for record in measured(tmp_path)}) == [1, 5, 10]
  assert caplog.messages[-1] == (
    'Ended early at step 10: 2 evaluations in a row without a better '
    'metrics/CrossEntropyLoss'
  )
  again = make_loop(tokens, tmp_path, **options)
  again.run()
  assert again.step == 10
  assert_identical(leaves(again), leaves(loop))


def test_patience_is_not_lost_by_a_stop(tokens, tmp_path):
  options = {'period': 20, 'best': HIGHEST_LOSS, 'patience': 2}
  with pytest.raises(Interrupted):
    make_loop(tokens, tmp_path, is_stopped=True, **options).run()
  loop = make_loop(tokens, tmp_path, **options)
  loop.run()
  assert loop.step == 40


def test_the_best_weights_can_be_taken(tokens, tmp_path):
  loop = make_loop(tokens, tmp_path, best=HIGHEST_LOSS)
  loop.run(1)
  first = np.asarray(loop.model.weights[0])
  loop.run()
  assert not np.array_equal(loop.model.weights[0], first)
  loop.take_best()
  np.testing.assert_array_equal(loop.model.weights[0], first)


def test_export_is_what_trax_reads(tokens, tmp_path):
  loop = make_loop(tokens, tmp_path, body=batch_norm_model)
  loop.run()
  loop.export(File.at(tmp_path / 'model.pkl.gz'))
  model = build(batch_norm_model, 'eval')
  model.init_from_file(str(tmp_path / 'model.pkl.gz'))
  inputs = sample(tokens)[0]
  loop.eval_model.weights, loop.eval_model.state = (
    loop.model.weights,
    loop.model.state,
  )
  np.testing.assert_array_equal(model(inputs), loop.eval_model(inputs))
