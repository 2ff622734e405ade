"""Tests use what callers use: no private name, no clock of another's."""

import ast
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
# Private names of other libraries, where they offer nothing else.
OF_OTHERS = {
  # trax: what its loop and optimizers do, step by step.
  *('_run_one_step', '_step', '_trainer_per_task', '_rng'),
  *('_clip_grad_norm', '_init_opt_params'),
  # TFDS: a builder's own parts.
  *('_make_download_manager', '_generate_examples'),
  # TensorBoard: how its projector reads a file.
  *('_read_tensor_binary_file', '_read_tensor_tsv_file'),
  # Named tuples, documented in spite of their names.
  *('_asdict', '_fields', '_replace'),
}
CLOCKS = ('time', 'monotonic', 'perf_counter', 'sleep')


def _is_private(name):
  return name.startswith('_') and not name.endswith('__')


def _faults(tree):
  """Yields the line of what a module must not do, and what that is."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute):
      is_own = isinstance(node.value, ast.Name) and node.value.id in (
        *('self', 'cls'),
      )
      if node.attr == '__new__':
        yield node.lineno, '__new__'
      if _is_private(node.attr) and not is_own and node.attr not in OF_OTHERS:
        yield node.lineno, node.attr
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        if _is_private(alias.name):
          yield node.lineno, alias.name
    elif isinstance(node, ast.Call):
      if not ast.unparse(node.func).endswith('setattr'):
        continue
      for argument in node.args[:2]:
        if isinstance(argument, ast.Constant):
          name = str(argument.value).rpartition('.')[2]
          if name in CLOCKS or _is_private(name):
            yield node.lineno, name


@pytest.mark.parametrize(
  'path', sorted(HERE.rglob('*.py')), ids=lambda path: path.stem
)
def test_a_test_uses_public_names(path):
  faults = list(_faults(ast.parse(path.read_text())))
  assert not faults, 'pass it as an argument, or make it public'


@pytest.mark.parametrize(
  'code',
  [
    'thing._part',
    'thing._part = 1',
    'thing()._part()',
    'Thing.__new__(Thing)',
    'from experiments.text import _part',
    "monkeypatch.setattr(module, '_part', 1)",
    "setattr(module, '_part', 1)",
    "monkeypatch.setattr('experiments.text._part', 1)",
    "monkeypatch.setattr(module, 'time', clock)",
    "monkeypatch.setattr('time.sleep', None)",
  ],
)
def test_what_is_found(code):
  assert list(_faults(ast.parse(code)))
