"""Each repair is still needed, and does what it says."""

import json
import subprocess
import sys
import textwrap

import pytest


def run_python(code: str) -> dict:
  """Runs code in a new process; returns the JSON of its last line."""
  result = subprocess.run(
    [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)],
    capture_output=True,
    text=True,
    check=True,
  )
  return json.loads(result.stdout.splitlines()[-1])


def test_a_training_step_imports_no_tensorflow():
  loaded = run_python("""
    import json, sys
    from experiments.backend import trax_repairs
    trax = trax_repairs.import_trax()
    import numpy as np
    from trax import layers as tl
    from trax.supervised import training
    batch = np.ones((2, 3), np.int32), np.ones(2, np.int32), np.ones(2)
    def batches():
      while True:
        yield batch
    task = training.TrainTask(
        batches(), tl.CrossEntropyLoss(), trax.optimizers.Adam(0.01))
    model = tl.Serial(
        tl.Embedding(9, 4), tl.Mean(axis=1), tl.Dense(2), tl.LogSoftmax())
    training.Loop(model, task, random_seed=0).run(1)
    names = ('tensorflow', 'tensorflow_datasets', 'tensorflow_text', 'gym')
    print(json.dumps([name for name in names if name in sys.modules]))
  """)
  assert loaded == []


def test_what_is_deferred_works_when_it_is_asked_for():
  values = run_python("""
    import json
    from experiments.backend import trax_repairs
    trax = trax_repairs.import_trax()
    from trax import fastmath, shapes
    import numpy as np
    with fastmath.use_backend('tensorflow-numpy'):
      total = float(fastmath.numpy.sum(np.ones(3)))
    tokens = trax.data.tokenizer.encode('two words')
    import tensorflow as tf
    print(json.dumps({
        'tokens': tokens,
        'tfnp': total,
        'shape': shapes.ShapeDtype(tf.TensorShape([2, 3])).shape,
        'keras': issubclass(
            type(trax.AsKeras(trax.layers.Dense(2))), tf.keras.layers.Layer),
        'split': trax.data.tf_inputs.tfds.Split.TRAIN == 'train',
    }))
  """)
  assert values == {
    'tokens': ['two', 'words'],
    'tfnp': 3.0,
    'shape': [2, 3],
    'keras': True,
    'split': True,
  }


@pytest.mark.slow
def test_plain_trax_still_imports_tensorflow_and_takes_seconds_for_nothing():
  values = run_python("""
    import inspect, json, sys
    calls = 0
    original = inspect.getmodule
    def count(*args):
      global calls
      calls += args[1:] == ('<frozen importlib._bootstrap>',)
      return original(*args)
    inspect.getmodule = count
    import trax
    print(json.dumps({'tf': 'tensorflow' in sys.modules, 'calls': calls}))
  """)
  assert values['tf']
  assert values['calls'] > 100


def test_plain_trax_cannot_unflatten_jax_arrays_and_repaired_trax_can():
  values = run_python("""
    import json
    from experiments.backend import trax_repairs
    repair = trax_repairs._repair_tree_unflatten
    trax_repairs._repair_tree_unflatten = lambda: None
    trax_repairs.import_trax()
    import jax.numpy as jnp
    from trax import fastmath
    tree = [jnp.ones(2), (), {'a': (jnp.ones(3), None)}]
    arguments = ([1, 2], tree, [None, ()])
    try:
      fastmath.tree_unflatten(*arguments)
      plain = 'works'
    except TypeError:
      plain = 'TypeError'
    repair()
    print(json.dumps([plain, fastmath.tree_unflatten(*arguments)]))
  """)
  assert values == ['TypeError', [[1, [], {'a': [2, None]}], []]]


def test_jax_still_lacks_or_deprecates_what_trax_asks_for():
  values = run_python("""
    import json, warnings
    import jax
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter('always')
      plain = getattr(jax, 'host_count', lambda: None)()
    from experiments.backend import trax_repairs
    trax_repairs.import_trax()
    print(json.dumps([plain is None or bool(caught), jax.host_count()]))
  """)
  assert values == [True, 1]


def test_a_program_of_plain_trax_holds_a_random_seed_and_of_repaired_none():
  values = run_python("""
    import json, random
    from experiments.backend import trax_repairs
    repair = trax_repairs._repair_layer_rng
    trax_repairs._repair_layer_rng = lambda: None
    trax_repairs.import_trax()
    import jax, numpy as np
    from experiments.training import update
    from trax import layers as tl, optimizers, shapes
    inputs, targets = np.ones((2, 4, 5), np.float32), np.ones((2, 4), np.int32)
    batches = inputs, targets, np.ones((2, 4))
    def program(seed):
      random.seed(seed)
      model = tl.Serial(tl.Dense(3), tl.WeightedCategoryCrossEntropy())
      weights, state = model.init(shapes.signature([b[0] for b in batches]))
      sgd = optimizers.SGD(0.1)
      slots, _ = sgd.tree_init(weights)
      start = update.TrainState(weights, slots, state, np.zeros(2, np.uint32))
      many = update.UpdateMany(update.make_update(model, sgd))
      return many._program._jitted.lower(
          start, 0, 0, {}, np.zeros(2, np.float32), batches).as_text()
    plain = program(1) == program(2)
    repair()
    print(json.dumps([plain, program(1) == program(2)]))
  """)
  assert values == [False, True]
