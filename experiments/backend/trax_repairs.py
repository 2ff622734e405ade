"""The repairs that trax 1.4.1 needs on a current JAX, each with its cause.

`import_trax()` is the one way in, and once it or `mend_imports()` was called
also `import trax`, whoever says it. Each repair is undone by deleting its
function; tests/backend/test_trax_repairs.py shows that each is still needed.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import types
import warnings

from experiments.backend import tensorflow_start
from experiments.foundation import signals

_TRAX_VERSION = '1.4.1'

# What trax imports at its top level and a run with a warm token cache never
# uses. TensorFlow alone is most of the start-up time.
_DEFERRED = (
  'gym',
  'tensorflow',
  'tensorflow.compat',
  'tensorflow.compat.v2',
  'tensorflow_datasets',
  'tensorflow_text',
  # Its table of all alphanumeric characters takes 0.5 s.
  'trax.data.tokenizer',
  'trax.fastmath.tf',
  'trax.jaxboard',
  'trax.rl',
  'trax.rl.serialization_utils',
  'trax.trax2keras',
)


def import_trax():
  """Imports trax, repaired, even where it was imported before as it is.

  Returns:
    The module `trax`. `trax.supervised.training` is imported too.

  Raises:
    ImportError: trax, or something that it needs, is not installed.
  """
  mend_imports()
  with signals.held():
    trax = importlib.import_module('trax')
    # If trax was imported before the finder was there.
    _repair()
  return trax


def mend_imports() -> None:
  """Makes every later `import trax` of this process import it repaired."""
  if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
  """Finds trax where the others do, for `_Loader` to load."""

  def find_spec(
    self, fullname, path=None, target=None
  ) -> importlib.machinery.ModuleSpec | None:
    if fullname != 'trax':
      return None
    for finder in sys.meta_path:
      if isinstance(finder, _Finder):
        continue
      spec = finder.find_spec(fullname, path, target)
      if spec is not None and spec.loader is not None:
        spec.loader = _Loader(spec.loader)
        return spec
    return None


class _Loader(importlib.abc.Loader):
  """Loads trax as its own loader does, without what it need not import."""

  def __init__(self, own: importlib.abc.Loader):
    self._own = own

  def create_module(self, spec):
    return self._own.create_module(spec)

  def exec_module(self, module) -> None:
    # For whoever looks at where it is from.
    module.__loader__ = module.__spec__.loader = self._own
    _seed_inspect_cache()
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    with signals.held():
      stand_ins = _defer_imports()
      try:
        self._own.exec_module(module)
        importlib.import_module('trax.supervised.training')
      finally:
        for name, stand_in in stand_ins.items():
          if sys.modules.get(name) is stand_in:
            del sys.modules[name]
      for name, stand_in in stand_ins.items():
        parent, _, child = name.rpartition('.')
        if parent.startswith('trax') and parent in sys.modules:
          vars(sys.modules[parent]).setdefault(child, stand_in)
      _repair()


def _repair() -> None:
  """Makes each repair that has not been made."""
  importlib.import_module('trax.supervised.training')
  _repair_host_count()
  _repair_tree_unflatten()
  _repair_layer_rng()
  # BatchNorm asks for an int64 counter at each start; int32 counts far enough.
  warnings.filterwarnings(
    'ignore', message='Explicitly requested dtype int64', module=r'trax\.'
  )


def _seed_inspect_cache():
  """Makes trax's import 11 s faster.

  trax's `assert_shape` calls `inspect.stack()` at each of its 65 uses, and for
  every frame of the frozen import machinery `inspect.getmodule` searches all of
  `sys.modules`, since no module has the file '<frozen importlib…>'. Telling
  inspect's own cache the answer ends the search.
  """
  for name in ('importlib._bootstrap', 'importlib._bootstrap_external'):
    file = f'<frozen {name}>'
    inspect.modulesbyfile[file] = name
    path = os.path.normcase(os.path.abspath(file))
    inspect.modulesbyfile[path] = name


def _defer_imports() -> dict[str, types.ModuleType]:
  """Puts stand-ins for `_DEFERRED` into `sys.modules`.

  Returns:
    The stand-ins by name, for the caller to remove once trax is imported.
    trax's modules keep them; each loads the module it stands for when it is
    asked for something that it cannot answer without.
  """
  stand_ins: dict[str, types.ModuleType] = {}
  for name in _DEFERRED:
    if name in sys.modules:
      continue
    if name == 'tensorflow' or name.startswith('tensorflow.'):
      stand_ins[name] = _TensorFlow(name)
    elif name == 'trax.fastmath.tf':
      stand_ins[name] = _Deferred(name, TF_BACKEND=_TensorFlowBackend())
    elif name == 'trax.trax2keras':
      stand_ins[name] = _Deferred(name, AsKeras=_AsKeras)
    else:
      stand_ins[name] = _Deferred(name)
  sys.modules.update(stand_ins)
  for name, module in stand_ins.items():
    parent, _, child = name.rpartition('.')
    if parent in stand_ins:
      vars(stand_ins[parent])[child] = module
  return stand_ins


class _Deferred(types.ModuleType):
  """Stands for a module, and loads it when an attribute is asked for."""

  def __init__(self, name: str, **attributes):
    super().__init__(name, f'Loads {name} on first use.')
    self.__path__: list[str] = []
    self.__spec__ = importlib.util.spec_from_loader(name, loader=None)
    vars(self).update(attributes)

  def __getattr__(self, attribute: str):
    if attribute.startswith('__'):
      raise AttributeError(attribute)
    if sys.modules.get(self.__name__) is self:
      # Only while trax itself is being imported.
      raise ImportError(
        f'trax needs {self.__name__}.{attribute} at import time; '
        'experiments/backend/trax_repairs.py was written for trax '
        f'{_TRAX_VERSION}.'
      )
    if self.__name__.startswith('tensorflow'):
      tensorflow_start.import_tensorflow()
    return getattr(importlib.import_module(self.__name__), attribute)


class _TensorFlow(_Deferred):
  """Answers what trax asks of TensorFlow in a run that does not use it.

  Before TensorFlow is loaded no object is an instance of its types, and its
  random generator has drawn nothing.
  """

  def __getattr__(self, attribute: str):
    if 'tensorflow' not in sys.modules:
      if attribute in ('TensorShape', 'DType'):
        return _NoInstances
      if attribute == 'random':
        return types.SimpleNamespace(set_seed=lambda seed: None)
    return super().__getattr__(attribute)


class _NoInstances:
  """The type of no object."""


class _TensorFlowBackend(dict):
  """trax's TensorFlow-NumPy backend, filled when something asks for it."""

  def __missing__(self, key):
    backend = importlib.import_module('trax.fastmath.tf').TF_BACKEND
    self.update(backend)
    return backend[key]


def _AsKeras(*args, **kwargs):  # noqa: N802 (trax's name)
  """`trax.AsKeras`, which subclasses a Keras layer and so loads TensorFlow."""
  trax2keras = importlib.import_module('trax.trax2keras')
  return trax2keras.AsKeras(*args, **kwargs)


def _repair_host_count():
  """Gives trax `jax.host_count`, deprecated in JAX with a warning a call."""
  import jax

  jax.host_count = jax.process_count


def _repair_tree_unflatten():
  """Lets `Loop.load_checkpoint` restore optimizer slots.

  `tree_unflatten` asks `tree in [None, ()]`, which compares a JAX array with
  the empty tuple; JAX raises TypeError. Only a container or None can be equal
  to one of those, so other leaves skip the test.
  """
  from trax import fastmath

  module = sys.modules['trax.fastmath.numpy']
  original = module.tree_unflatten
  if original.__module__ == __name__:
    return

  def tree_unflatten(flat, tree, copy_from_tree=None):
    """`trax.fastmath.tree_unflatten`; see there."""
    if tree is not None and not isinstance(tree, (list, tuple, dict)):
      return flat[0], flat[1:]
    return original(flat, tree, copy_from_tree)

  vars(module)['tree_unflatten'] = tree_unflatten
  vars(fastmath)['tree_unflatten'] = tree_unflatten


def _repair_layer_rng():
  """Lets JAX's cache know the first program of a process again.

  A layer makes its own key, from a seed that differs at each start, when it is
  first asked for it. `pure_fn` asks, so that happened under tracing: the first
  program to use a layer had the seed in it, though nothing used the key, and
  was compiled anew by every process.
  """
  import jax
  from trax.layers import base

  original = base.Layer.rng
  if original.fget.__module__ == __name__:
    return

  def rng(self):
    """`trax.layers.Layer.rng`; see there."""
    with jax.ensure_compile_time_eval():
      return original.fget(self)

  base.Layer.rng = property(rng, original.fset)
