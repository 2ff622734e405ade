"""A function is named by what it does: a participle reads as data."""

import ast

import pytest

from tests.fixtures.live_launcher import ROOT

# Participles that do not end in -ed, without those that are imperatives as well
# (`read`, `cut`, `run`, `split`).
_IRREGULAR = {
  *('begun', 'bought', 'bound', 'broken', 'built', 'caught', 'chosen', 'done'),
  *('drawn', 'driven', 'fallen', 'forgotten', 'found', 'frozen', 'given'),
  *('gone', 'grown', 'held', 'hidden', 'kept', 'known', 'left', 'lent', 'lost'),
  *('made', 'meant', 'met', 'proven', 'said', 'seen', 'sent', 'shown', 'sold'),
  *('spent', 'taken', 'thought', 'thrown', 'told', 'torn', 'understood', 'won'),
  *('worn', 'written'),
}
# They end in -ed, and are verbs or nouns.
_NO_PARTICIPLES = {'embed', 'exceed', 'feed', 'need', 'seed', 'speed'}
# What stands before a participle and says what is done, or asked.
_VERBS = {
  *('check', 'count', 'find', 'is', 'mark', 'may', 'name', 'open', 'read'),
  *('refuse', 'remove', 'render', 'say', 'stop', 'tell', 'why'),
}
# Functions of this room are named after the layers that they make, as in trax;
# gin files name them.
_LAYERS = ROOT / 'experiments/models'
# A metric's own name, in which a participle is an adjective.
_TERMS = {'_balanced_accuracy'}
FILES = [
  ROOT / 'launcher.py',
  *sorted((ROOT / 'benchmarks').rglob('*.py')),
  *(
    path
    for path in sorted((ROOT / 'experiments').rglob('*.py'))
    if path.parent != _LAYERS
  ),
]


def _is_participle(word):
  return word in _IRREGULAR or (
    word.endswith('ed') and word not in _NO_PARTICIPLES
  )


def _reads_as_data(name):
  """Tells whether a participle stands where a verb should."""
  words = name.strip('_').split('_')
  return _is_participle(words[0]) or (
    _is_participle(words[-1]) and words[0] not in _VERBS
  )


def _is_used_as_data(function):
  """Tells whether no call shows: properties, and what `with` takes."""
  marks = {ast.unparse(each) for each in function.decorator_list}
  returned = ast.unparse(function.returns) if function.returns else ''
  return (
    bool(marks & {'property', 'contextlib.contextmanager'})
    or 'AbstractContextManager' in returned
  )


def _faults(tree):
  """Yields the line and the name of each function that reads as data."""
  for node in ast.walk(tree):
    if (
      isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
      and _reads_as_data(node.name)
      and not _is_used_as_data(node)
      and node.name not in _TERMS
    ):
      yield node.lineno, node.name


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_a_function_is_a_verb(path):
  assert not list(_faults(ast.parse(path.read_bytes())))


@pytest.mark.parametrize(
  'code',
  [
    'def checked(): pass',
    'def _shown(): pass',
    'def bound_value(): pass',
    'def rows_kept(): pass',
    'class A:\n  async def ended(self): pass',
    'def a():\n  def replaced(): pass',
    '@functools.cache\ndef found(): pass',
  ],
)
def test_what_is_found(code):
  assert list(_faults(ast.parse(code)))


@pytest.mark.parametrize(
  'code',
  [
    'def check(): pass',
    'def read(): pass',
    'def seed(): pass',
    'def is_kept(): pass',
    'def find_taken(): pass',
    'def __enter__(): pass',
    '@property\ndef evaluated(): pass',
    '@contextlib.contextmanager\ndef held(): pass',
  ],
)
def test_what_is_fine(code):
  assert not list(_faults(ast.parse(code)))
