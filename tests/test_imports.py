"""Modules import one way, and nothing heavy before it is used."""

import ast
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'experiments'
HEAVY = (
  'jax',
  'matplotlib',
  'sklearn',
  'tensorboard',
  'tensorflow',
  'tensorflow_datasets',
  'trax',
)
# These subclass what TFDS and trax define: to import one is to want them.
MAY_BE_HEAVY = {
  'experiments.datasets.bbc_news',
  'experiments.backend.trax_loop',
  'experiments.training.loop',
}
# The rooms of the house, from the ground up: a module imports from its own
# package and from those above its line, itself or by way of others.
PACKAGES = (
  'foundation',
  'rundir',
  'backend',
  'models',
  'config',
  'datasets',
  'text',
  'batching',
  'training',
  'evaluation',
  'reporting',
  'pipeline',
  'comparison',
  'audit',
  'sweeps',
  'api',
  'commands',
)


def _modules() -> dict[str, pathlib.Path]:
  """Dotted names of all modules, without the packages' own files."""
  return {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts): path
    for path in sorted(PACKAGE.rglob('*.py'))
    if path.name != '__init__.py'
  }


def _imports(path: pathlib.Path) -> set[str]:
  """Modules of ours that a file imports, at its top or inside a function."""
  names = set()
  for node in ast.walk(ast.parse(path.read_bytes())):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f'{path}: imports are absolute'
      names.add(str(node.module))
      names |= {f'{node.module}.{alias.name}' for alias in node.names}
  return names & {*_modules(), 'launcher'}


def _reached(module: str, graph: dict[str, set[str]]) -> set[str]:
  """All modules that importing one brings in, sooner or later."""
  reached: set[str] = set()
  waiting = [module]
  while waiting:
    for name in graph.get(waiting.pop(), set()) - reached:
      reached.add(name)
      waiting.append(name)
  return reached


@pytest.fixture(scope='module')
def graph() -> dict[str, set[str]]:
  return {name: _imports(path) for name, path in _modules().items()}


def test_no_module_imports_itself_in_a_circle(graph):
  circles = [name for name in graph if name in _reached(name, graph)]
  assert not circles


def test_every_module_has_a_room():
  rooms = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob('*.py')}
  assert rooms == {*PACKAGES, '__init__.py'}


def test_imports_go_one_way(graph):
  def place(module: str) -> int:
    return PACKAGES.index(module.split('.')[1])

  upwards = [
    f'{name} imports {imported}'
    for name, imports in graph.items()
    for imported in imports - {'launcher'}
    if place(imported) > place(name)
  ]
  assert not upwards


def test_nothing_imports_the_launcher(graph):
  assert not [name for name, imports in graph.items() if 'launcher' in imports]


def _heavy_after_each(names: list[str]) -> dict[str, list[str]]:
  """Which heavy packages stand in sys.modules after importing each name."""
  command = (
    'import importlib, json, sys\n'
    'names, heavy = json.loads(sys.argv[1])\n'
    'found = {}\n'
    'for name in names:\n'
    '  importlib.import_module(name)\n'
    '  found[name] = [each for each in heavy if each in sys.modules]\n'
    'print(json.dumps(found))\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', command, json.dumps([names, HEAVY])],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  return json.loads(done.stdout)


def test_importing_a_module_imports_nothing_heavy():
  names = ['experiments', *sorted(set(_modules()) - MAY_BE_HEAVY)]
  found = _heavy_after_each(names)
  assert found == {name: [] for name in names}


def test_importing_the_package_imports_no_numpy():
  command = 'import experiments, sys; sys.exit("numpy" in sys.modules)'
  subprocess.run([sys.executable, '-c', command], cwd=ROOT, check=True)
