"""The nearest known name, and that one module alone looks for it."""

import pathlib

from experiments.foundation import suggestions

EXPERIMENTS = pathlib.Path(suggestions.__file__).parents[1]


def test_names_the_nearest_whatever_its_capitals():
  known = ['LEARNING_RATE', 'LR_SCHEDULE', 'SEED']
  assert (
    suggestions.did_you_mean('learnig_rate', known, '%')
    == ' Did you mean %LEARNING_RATE?'
  )
  assert suggestions.did_you_mean('zzz', known) == ''
  assert suggestions.nearest('sst', ['sst2', 'SST', 'cola'], n=2) == [
    'SST',
    'sst2',
  ]


def test_suggests_several():
  assert suggestions.suggest(["'a'", "'b'"]) == " Did you mean 'a', 'b'?"
  assert suggestions.suggest([]) == ''


def test_no_other_module_looks_for_near_names():
  assert [
    path.relative_to(EXPERIMENTS).as_posix()
    for path in sorted(EXPERIMENTS.rglob('*.py'))
    if 'difflib' in path.read_text()
  ] == ['foundation/suggestions.py']
