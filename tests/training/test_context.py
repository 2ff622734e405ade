"""What runs share is handed to them, and is what they would make themselves."""

import pathlib

import pytest

from experiments.training import context
from tests.fixtures.live_launcher import ROOT


def test_a_run_that_is_alone_keeps_nothing():
  alone = context.RunContext()
  made = [alone.keep('key', lambda: object()) for _ in range(2)]
  assert made[0] is not made[1]


def test_what_is_kept_goes_by_structure_and_by_key():
  cache = context.Cache()
  first = cache.of('a')(('data', 1), lambda: object())
  assert cache.of('a')(('data', 1), lambda: object()) is first
  assert cache.of('a')(('data', 2), lambda: object()) is not first
  assert cache.of('b')(('data', 1), lambda: object()) is not first
  # Another cache is another process's.
  assert context.Cache().of('a')(('data', 1), lambda: object()) is not first


def test_the_structures_used_last_stay():
  cache = context.Cache()
  made = {}
  for structure in 'abcda':
    made[structure] = cache.of(structure)('x', lambda: object())
  cache.of('e')('x', lambda: object())
  for structure in 'acde':
    kept = cache.of(structure)('x', lambda: object())
    assert structure == 'e' or kept is made[structure]
  assert cache.of('b')('x', lambda: object()) is not made['b']


def test_what_fails_to_be_made_is_not_kept():
  keep = context.Cache().of('a')
  with pytest.raises(ZeroDivisionError):
    keep('x', lambda: 1 // 0)
  assert keep('x', lambda: 3) == 3


def test_no_module_holds_anything_between_runs():
  """No `global`, and no name of a module that changes with a run."""
  allowed = {
    # A process of Ray, which nothing of ours starts, has no other place.
    'experiments/sweeps/executors/ray.py',
  }
  found = []
  for package in ('training', 'pipeline', 'evaluation', 'sweeps'):
    for path in pathlib.Path(ROOT, 'experiments', package).rglob('*.py'):
      name = path.relative_to(ROOT).as_posix()
      text = path.read_text(encoding='utf-8')
      if name not in allowed and (
        '\n  global ' in text or '@functools.cache\n' in text
      ):
        found.append(name)
  assert found == []
