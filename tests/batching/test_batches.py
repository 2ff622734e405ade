"""Batches: the ones of trax, at any step, each example once an epoch."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.backend.trax_repairs import import_trax
from experiments.batching import batches, buckets
from experiments.foundation.errors import UserError
from experiments.text import tokenization

BASE: dict[str, Any] = {
  'boundaries': [32, 128, 512, 2048],
  'batch_sizes': [512, 128, 32, 8, 1],
  'max_length': 2048,
}


def make_tokens(lengths, seed=1) -> tokenization.Tokens:
  """Examples of given lengths; ids from 1, so that padding is told apart."""
  rng = np.random.default_rng(seed)
  ids = [rng.integers(1, 9000, n).tolist() for n in lengths]
  return tokenization.Tokens.from_lists(
    ids, rng.integers(0, 5, len(ids)).tolist()
  )


def row(tokens, i) -> np.ndarray:
  return tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]]


def trax_batches(
  tokens, plan, *, max_length=None, min_length=None, cut_to=None, **bucketing
):
  """What trax makes of the plan's order, dropped examples mixed in."""
  trax = import_trax()

  def examples():
    for epoch in itertools.count():
      kept = plan.epoch_order(epoch).tolist()
      dropped = sorted({*range(len(tokens))} - {*kept})
      for i in [*dropped[::2], *kept, *dropped[1::2]]:
        label = np.array(tokens.labels[i])
        # trax cannot pad scalars strictly, so there a label is an array [1].
        label = label[None] if bucketing.get('strict_pad_on_len') else label
        yield row(tokens, i).astype(np.int64), label

  return trax.data.Serial(
    trax.data.TruncateToLength({0: (cut_to,)} if cut_to else None),
    trax.data.FilterByLength(
      max_length, min_length=min_length or 0, length_keys=[0]
    ),
    trax.data.BucketByLength(length_keys=[0], **bucketing),
    trax.data.AddLossWeights(),
  )(examples())


@st.composite
def cases(draw, min_example_length=1):
  lengths = draw(st.lists(st.integers(min_example_length, 24), min_size=1))
  boundaries = draw(st.lists(st.integers(1, 22), unique=True, max_size=4))
  sizes = st.integers(1, 7)
  n = len(boundaries) + 1
  return {
    'lengths': np.array(lengths),
    'boundaries': sorted(boundaries),
    'batch_sizes': draw(st.lists(sizes, min_size=n, max_size=n)),
    'seed': draw(st.integers(0, 2**40)),
    'max_length': draw(st.sampled_from([None, max(lengths), min(lengths)])),
    'min_length': draw(st.sampled_from([None, 0, min(lengths)])),
    'strict_pad_on_len': draw(st.booleans()),
  }


def assert_same_batches(tokens, case, n_batches, cut_to=None):
  plan = batches.BatchPlan(**case)
  bucketing = {k: v for k, v in case.items() if k not in ('lengths', 'seed')}
  expected = trax_batches(tokens, plan, cut_to=cut_to, **bucketing)
  stream = batches.BatchStream(tokens, plan)
  for _ in range(n_batches):
    theirs, ours = next(expected), next(stream)
    assert [a.dtype for a in ours] == [np.int32, np.int32, np.float32]
    if case.get('strict_pad_on_len'):
      theirs = theirs[0], *(a[:, 0] for a in theirs[1:])
    for a, b in zip(ours, theirs, strict=True):
      assert a.shape == b.shape
      np.testing.assert_array_equal(a, b)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_batches_are_those_of_trax(case):
  assert_same_batches(make_tokens(case['lengths']), case, n_batches=25)


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(1, 24))
def test_cut_examples_are_batched_as_by_trax(case, cut_to):
  tokens = make_tokens(case['lengths']).cut(cut_to)
  case['lengths'] = tokens.lengths
  case['min_length'] = min(case['min_length'] or 0, cut_to)
  case['max_length'] = max(case['max_length'] or 0, cut_to)
  assert_same_batches(tokens, case, n_batches=25, cut_to=cut_to)


def test_batches_are_those_of_trax_with_the_base_config():
  rng = np.random.default_rng(0)
  lengths = np.clip(rng.gamma(2, 60, 3000), 1, 4000).astype(int)
  lengths[:7] = 1, 32, 33, 128, 129, 2048, 2049
  case: dict[str, Any] = {'lengths': lengths, 'seed': 3, **BASE}
  assert_same_batches(make_tokens(lengths), case, n_batches=300)


def test_an_empty_text_is_a_row_of_padding_as_in_trax():
  case: dict[str, Any] = {
    'lengths': np.array([0, 3, 0, 2]),
    'boundaries': [4],
    'batch_sizes': [4, 1],
    'seed': 0,
  }
  assert_same_batches(make_tokens(case['lengths']), case, n_batches=5)


def test_a_batch_of_empty_texts_has_the_shape_that_trax_cannot_give():
  tokens = make_tokens([0, 0])
  plan = batches.BatchPlan(
    lengths=tokens.lengths, boundaries=[4], batch_sizes=[2, 1], seed=0
  )
  inputs, _, _ = next(batches.BatchStream(tokens, plan))
  np.testing.assert_array_equal(inputs, np.zeros((2, 1)))


@given(cases(min_example_length=0), st.randoms())
def test_access_in_any_order_gives_the_same_batches(case, random):
  sequence = batches.BatchPlan(**case)
  steps = list(range(40))
  in_order = [sequence.batch(step) for step in steps]
  random.shuffle(steps)
  shuffled = batches.BatchPlan(**case)
  for step in steps:
    batch = shuffled.batch(step)
    assert batch.bucket == in_order[step].bucket
    assert batch.length == in_order[step].length
    np.testing.assert_array_equal(batch.indices, in_order[step].indices)


@given(cases(min_example_length=0))
def test_every_epoch_uses_every_kept_example_once(case):
  """Cuts what each bucket emits into epochs: nothing is lost at the seam."""
  plan = batches.BatchPlan(**case)
  lengths = case['lengths']
  kept = np.ones(len(lengths), bool)
  if case['max_length'] is not None:
    kept &= lengths <= case['max_length']
  if case['min_length'] is not None:
    kept &= lengths >= case['min_length']
  assert plan.n_kept == kept.sum()
  assert plan.n_dropped == (~kept).sum()
  np.testing.assert_array_equal(
    np.sort(plan.epoch_order(2)), np.flatnonzero(kept)
  )
  emitted: dict[int, list[int]] = {}
  for step in range(60):
    batch = plan.batch(step)
    emitted.setdefault(batch.bucket, []).extend(batch.indices.tolist())
  bounds = [-1, *case['boundaries'], 1000]
  for bucket, indices in emitted.items():
    low, high = bounds[bucket], bounds[bucket + 1]
    members = np.flatnonzero(kept & (lengths > low) & (lengths <= high))
    for start in range(0, len(indices) - len(members) + 1, len(members)):
      epoch = indices[start : start + len(members)]
      assert sorted(epoch) == members.tolist()


def test_a_batch_is_cut_from_the_epochs_laid_end_to_end():
  plan = batches.BatchPlan(
    lengths=np.full(3, 5), boundaries=[], batch_sizes=[7], seed=9
  )
  endless = np.concatenate([plan.epoch_order(e) for e in range(20)])
  for step in (0, 1, 5, 7):
    np.testing.assert_array_equal(
      plan.batch(step).indices, endless[7 * step : 7 * step + 7]
    )
  assert plan.batches_per_epoch == 3 / 7


def test_the_order_is_that_of_the_generator_s_raw_numbers():
  """By hand: sort by the random high bits, then by the index."""
  n, seed, epoch = 50, 4, 3
  plan = batches.BatchPlan(
    lengths=np.full(n, 5), boundaries=[5], batch_sizes=[4, 1], seed=seed
  )
  raw = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(n)
  keys = [(int(r) >> 6, i) for i, r in enumerate(raw)]  # 50 < 2**6
  assert plan.epoch_order(epoch).tolist() == [i for _, i in sorted(keys)]


def test_orders_differ_by_epoch_and_seed_and_are_fair():
  def plan(seed):
    return batches.BatchPlan(
      lengths=np.ones(4), boundaries=[1], batch_sizes=[1, 1], seed=seed
    )

  first = np.array([plan(0).epoch_order(e) for e in range(2400)])
  other = np.array([plan(1).epoch_order(e) for e in range(2400)])
  assert (first != other).any(axis=1).mean() > 0.9
  _, counts = np.unique(first, axis=0, return_counts=True)
  # 24 orders, 100 times each on average; chi-square with 23 degrees of freedom
  # stays below 58 in all but 1 of 10,000 cases.
  assert len(counts) == 24
  assert ((counts - 100) ** 2 / 100).sum() < 58


def test_a_rare_bucket_is_in_the_same_order_whichever_way_it_is_computed():
  lengths = np.full(30_000, 3)
  lengths[[5, 77, 29_999]] = 9
  case: dict[str, Any] = {
    'lengths': lengths,
    'boundaries': [4],
    'batch_sizes': [1000, 8],
    'seed': 2,
  }
  plan = batches.BatchPlan(**case)
  order = np.concatenate([plan.epoch_order(e) for e in range(40)])
  rare = order[lengths[order] == 9]
  step = next(s for s in range(10**4) if plan.batch(s).bucket == 1)
  # One that has not walked there must look up what earlier epochs left.
  for someone in (plan, batches.BatchPlan(**case)):
    np.testing.assert_array_equal(someone.batch(step).indices, rare[:8])


def test_a_far_step_costs_no_walk():
  lengths = np.random.default_rng(0).integers(1, 200, 20_000)
  computed = []

  class Counting(batches.BatchPlan):
    def epoch_keys(self, epoch, wanted):
      computed.append(epoch)
      return super().epoch_keys(epoch, wanted)

  batch = Counting(lengths=lengths, seed=0, **BASE).batch(10**9)
  assert len(np.unique(batch.indices)) == len(batch.indices)
  # The step's own epoch, and the one before for what each bucket carries over.
  assert len(computed) <= 4
  assert max(computed) - min(computed) <= 1


@given(cases(min_example_length=0), st.integers(0, 40), st.integers(0, 60))
def test_runs_are_maximal_and_stack_to_the_same_batches(case, start, n):
  plan = batches.BatchPlan(**case)
  tokens = make_tokens(case['lengths'])
  planned = [plan.batch(step) for step in range(start, start + n)]
  expected = []
  step = start
  for (bucket, _), group in itertools.groupby(
    planned, key=lambda b: (b.bucket, b.length)
  ):
    expected.append((bucket, step, len(list(group))))
    step += expected[-1][2]
  assert list(batches.BatchPlan(**case).runs(start, start + n)) == expected
  for _, first, count in expected:
    stacked = batches.gather_many(tokens, plan, first, count)
    stream = batches.BatchStream(tokens, plan, position=first)
    for k in range(count):
      for many, one in zip(stacked, next(stream), strict=True):
        np.testing.assert_array_equal(many[k], one)


def test_a_stream_goes_on_from_where_it_is_put():
  tokens = make_tokens(range(1, 60))
  plan = batches.BatchPlan(
    lengths=tokens.lengths, seed=0, **BASE | {'batch_sizes': [3, 2, 1, 1, 1]}
  )
  stream = batches.BatchStream(tokens, plan)
  seen = [next(stream) for _ in range(30)]
  assert stream.position == 30
  stream.position = 17
  for a, b in zip(next(stream), seen[17], strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('dtype', [np.uint16, np.int32])
@given(st.lists(st.integers(0, 9), min_size=1), st.integers(0, 9), st.data())
def test_gather_copies_rows_and_pads_them(dtype, lengths, extra, data):
  tokens = make_tokens(lengths)
  tokens = tokenization.Tokens(
    tokens.ids.astype(dtype), tokens.offsets, tokens.labels
  )
  index = st.integers(0, len(lengths) - 1)
  indices = np.array(data.draw(st.lists(index, min_size=1)))
  length = max(max(lengths[i] for i in indices) + extra, 1)
  inputs, targets, weights = batches.gather(tokens, indices, length)
  assert inputs.dtype == np.int32
  assert inputs.shape == (len(indices), length)
  for got, i in zip(inputs, indices, strict=True):
    expected = row(tokens, i).tolist()
    assert got.tolist() == expected + [0] * (length - len(expected))
  assert targets.tolist() == [tokens.labels[i] for i in indices]
  assert weights.tolist() == [1.0] * len(indices)


@given(cases(min_example_length=0))
def test_a_single_pass_has_every_kept_example_once(case):
  tokens = make_tokens(case['lengths'])
  plan = batches.BatchPlan(**case)
  del case['lengths'], case['seed'], case['strict_pad_on_len']
  seen = []
  sizes = case['batch_sizes']
  for inputs, targets, weights, indices in batches.single_pass(tokens, **case):
    real = indices >= 0
    assert weights.tolist() == real.astype(float).tolist()
    assert not inputs[~real].any()
    assert not targets[~real].any()
    where = buckets.bucket_of(tokens.lengths[indices[real]], case['boundaries'])
    assert len(set(where.tolist())) == 1
    assert len(indices) == sizes[where[0]]
    if where[0] < len(case['boundaries']):
      assert inputs.shape[1] == case['boundaries'][where[0]]
    for got, i in zip(inputs[real], indices[real], strict=True):
      expected = row(tokens, i).tolist()
      assert got.tolist() == expected + [0] * (len(got) - len(expected))
    assert targets[real].tolist() == tokens.labels[indices[real]].tolist()
    seen += indices[real].tolist()
  assert sorted(seen) == sorted(plan.epoch_order(0).tolist())


def test_padded_lengths_by_hand():
  def padded(longest, bucket, strict=False):
    return buckets.pad_lengths(
      np.array(longest), [10, 100], bucket, strict=strict
    ).tolist()

  # Below half of the boundary a power of two: 4 for 3, 64 for 33 and for 49.
  assert padded([0, 1, 2, 3, 4, 5, 10], 0) == [1, 1, 2, 4, 4, 10, 10]
  assert padded([11, 33, 49, 50, 100], 1) == [16, 64, 64, 100, 100]
  assert padded([11, 33], 1, strict=True) == [100, 100]
  assert padded([0, 101, 345], 2) == [1, 101, 345]


def test_summary_by_hand():
  plan = batches.BatchPlan(
    lengths=np.array([1, 2, 3, 10, 14, 99]),
    boundaries=[4, 8],
    batch_sizes=[5, 6, 2],
    seed=0,
    max_length=50,
  )
  assert plan.summary() == [
    batches.BucketSummary(4, 4, 5, 3, 0.5),
    batches.BucketSummary(8, 8, 6, 0, 0.0),
    batches.BucketSummary(None, 14, 2, 2, 1 - 24 / 28),
  ]
  assert (plan.n_kept, plan.n_dropped) == (5, 1)


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (
      {'boundaries': [4, 4]},
      'BucketByLength.boundaries must be increasing lengths of at least 1, but '
      'is [4, 4].',
    ),
    (
      {'batch_sizes': [1, 1]},
      'BucketByLength.batch_sizes must be 3 sizes of at least 1, one for each '
      'boundary and one for what is longer, but is [1, 1].',
    ),
    (
      {'max_length': 2},
      'all 2 examples are dropped by their length: they have 3 to 7 tokens, '
      'MAX_LENGTH is 2 and FilterByLength.min_length is 0. Raise MAX_LENGTH.',
    ),
    (
      {'lengths': np.zeros(0)},
      'the split has no examples. Bind SPLITS to one that has.',
    ),
  ],
)
def test_what_makes_no_plan_is_refused(changes, message):
  case: dict[str, Any] = {
    'lengths': np.array([3, 7]),
    'boundaries': [4, 8],
    'batch_sizes': [1, 1, 1],
    'seed': 0,
  }
  with pytest.raises(UserError) as error:
    batches.BatchPlan(**case | changes)
  assert str(error.value) == message
