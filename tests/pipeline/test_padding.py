"""One text, one answer: padding is a function of its length and the buckets.

The model is the post's, which counts padding, so that it answers otherwise
where a row is padded otherwise.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.backend import trax_repairs
from experiments.batching import batches
from experiments.config import experiment, gin_config
from experiments.evaluation import inference, metrics
from experiments.pipeline import loops
from experiments.pipeline.batch_plans import plan_batches
from experiments.pipeline.data import Data
from experiments.pipeline.models import Models, empty_batch
from experiments.rundir import run_dir
from experiments.rundir.metric_log import read_records
from experiments.text import tokenization
from experiments.training import histograms
from experiments.training.context import RunContext
from tests.fixtures.live_launcher import ROOT

N_CLASSES = 3
CONFIG = f"""
include '{ROOT}/gin/agnews.gin'
VOCAB_SIZE = 60
EMBEDDING_SIZE = 4
MAX_LENGTH = 40
BUCKET_BOUNDARIES = [4, 9]
BUCKET_BATCH_SIZES = [5, 3, 2]
"""


@dataclasses.dataclass
class Named:
  """What is asked of data set and vocabulary once texts are token ids."""

  label_names: tuple[str, ...]
  splits: tuple[str, ...] = ('train', 'test')
  fingerprint: str = 'made up'


@pytest.fixture(scope='module')
def resolve(tmp_path_factory):
  """A function that resolves CONFIG and flags."""
  path = tmp_path_factory.mktemp('padding') / 'tiny.gin'
  path.write_text(CONFIG, encoding='utf-8')

  def resolve(*flags):
    return experiment.resolve(
      gin_config.check(gin_config.parse([str(path)], list(flags)))
    )

  return resolve


@pytest.fixture(scope='module')
def classifier(resolve):
  """A model that is not trained, with its weights as NumPy arrays."""
  trax_repairs.import_trax()
  resolved = resolve()
  model = resolved.make_model(n_classes=N_CLASSES, mode='eval')
  from trax import shapes

  model.init(shapes.signature(empty_batch(resolved.buckets)[0]))
  return classifier_of(resolved, model)


def classifier_of(resolved, model):
  """Returns a classifier of a model that has its weights."""
  return inference.Classifier(
    model,
    forward=inference.compile_forward(model),
    weights=model.weights,
    state=model.state,
    **resolved.buckets.as_arguments(),
  )


def padded_length(n: int) -> int:
  """By hand, for CONFIG: boundaries, then twice the last, up to MAX_LENGTH."""
  return next(length for length in (4, 9, 18, 36, 40) if n <= length)


def expected_log_probs(classifier, ids) -> np.ndarray:
  """By NumPy: the mean of all rows of the embedding, padding's included."""
  embedding, _, (dense, bias), _ = classifier.weights
  row = np.zeros(padded_length(len(ids)), int)
  row[: len(ids)] = ids
  logits = np.asarray(embedding)[row].mean(axis=0) @ np.asarray(dense)
  logits = logits + np.asarray(bias)
  return logits - np.log(np.exp(logits).sum())


def paths(resolved, tokens) -> dict[str, list[np.ndarray]]:
  """Returns the rows [length] that each way through the code has of a text."""
  rows: dict[str, list[np.ndarray]] = {}
  whole = [
    (inputs[at], int(index))
    for inputs, _, _, indices in batches.single_pass(
      tokens, **resolved.buckets.as_arguments()
    )
    for at, index in enumerate(indices)
    if index >= 0
  ]
  rows['exact'] = [row for row, _ in sorted(whole, key=lambda each: each[1])]
  for name, is_trained in (('trained', True), ('sampled', False)):
    plan = plan_batches(
      resolved, tokens.lengths, seed=len(tokens), is_trained=is_trained
    )
    stream = batches.BatchStream(tokens, plan)
    seen: dict[int, np.ndarray] = {}
    while len(seen) < len(tokens):
      indices = plan.batch(stream.position).indices
      seen.update(zip(indices.tolist(), next(stream)[0], strict=True))
    rows[name] = [seen[i] for i in range(len(tokens))]
  return rows


texts = st.lists(st.lists(st.integers(1, 59), max_size=40), min_size=1)


@settings(max_examples=40, deadline=None)
@given(texts)
def test_every_way_pads_a_text_alike_whoever_is_with_it(resolve, examples):
  tokens = tokenization.Tokens.from_lists(examples, [0] * len(examples))
  for rows in paths(resolve(), tokens).values():
    for row, ids in zip(rows, examples, strict=True):
      assert row.tolist() == ids + [0] * (padded_length(len(ids)) - len(ids))


@settings(max_examples=25, deadline=None)
@given(texts)
def test_a_text_has_one_answer_alone_and_in_any_company(classifier, examples):
  tokens = tokenization.Tokens.from_lists(examples, [0] * len(examples))
  together, kept = classifier.log_probs(tokens)
  assert kept.all()
  for row, ids in zip(together, examples, strict=True):
    alone, _ = classifier.log_probs(tokenization.Tokens.from_lists([ids], [0]))
    np.testing.assert_array_equal(row, alone[0])
    np.testing.assert_allclose(
      row, expected_log_probs(classifier, ids), atol=1e-6
    )


def test_a_text_alone_in_its_batch_beyond_the_last_boundary_is_as_it_is(
  resolve,
):
  resolved = resolve('BUCKET_BATCH_SIZES = [5, 3, 1]')
  examples = [[7] * 11, [8] * 39, [9] * 3]
  tokens = tokenization.Tokens.from_lists(examples, [0, 1, 2])
  for rows in paths(resolved, tokens).values():
    assert [len(row) for row in rows] == [11, 39, 4]


def test_training_pads_as_trax_does_by_default_where_that_is_asked_for(resolve):
  resolved = resolve('BucketByLength.strict_pad_on_len = False')
  tokens = tokenization.Tokens.from_lists([[7] * 10, [8] * 11, [9]], [0, 1, 2])
  rows = paths(resolved, tokens)
  assert [len(row) for row in rows['trained']] == [11, 11, 1]
  # An evaluation has one answer for each text, however it was trained.
  for name in ('sampled', 'exact'):
    assert [len(row) for row in rows[name]] == [18, 18, 4]


def test_a_sampled_evaluation_of_all_texts_is_the_exact_one(resolve, tmp_path):
  resolved = resolve(
    'BUCKET_BOUNDARIES = [32]',
    'BUCKET_BATCH_SIZES = [40, 1]',
    'N_STEPS = 30',
    'N_STEPS_PER_CHECKPOINT = 30',
    'N_EVAL_BATCHES = 1',
  )
  rng = np.random.default_rng(0)
  labels = np.arange(40) % N_CLASSES
  # All texts are shorter than half of the boundary: trax pads to 16.
  ids = [(rng.integers(1, 20, 12) + 18 * label).tolist() for label in labels]
  tokens = tokenization.Tokens.from_lists(ids, labels.tolist())
  source = Named(('a', 'b', 'c'))
  loop = loops.make_loop(
    resolved,
    data=Data(source, source, *[tokens] * 3, *[np.zeros(0, 'S16')] * 2),  # type: ignore[arg-type]
    models=Models(resolved, n_classes=N_CLASSES),
    directory=run_dir.RunDir(tmp_path),
    start=None,
    rates=(),
    counted=histograms.Histograms(),
    context=RunContext(),
  )
  loop.run()
  sampled = {
    record.metric: record.value
    for record in read_records(tmp_path / 'metrics.jsonl')
    if record.step == 30 and record.split == 'eval'
  }
  exact = metrics.evaluate_log_probs(
    log_probs=classifier_of(resolved, loop.eval_model).log_probs(tokens)[0],
    targets=labels,
    label_names=source.label_names,
    n_dropped=0,
  ).scalars()
  assert sampled['metrics/Accuracy'] == exact['accuracy']
  assert sampled['metrics/CrossEntropyLoss'] == pytest.approx(
    exact['cross_entropy'], abs=1e-5
  )
