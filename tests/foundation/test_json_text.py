"""JSON that every parser reads and no terminal minds."""

import ast
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from experiments.foundation import json_text, plain_text
from tests.fixtures.live_launcher import ROOT

ANY_TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
  lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)


def refuse(name):
  raise AssertionError(f'{name} is no JSON')


def finite(value):
  if isinstance(value, float) and not math.isfinite(value):
    return None
  if isinstance(value, list):
    return [finite(each) for each in value]
  if isinstance(value, dict):
    return {key: finite(each) for key, each in value.items()}
  return value


@given(VALUES, st.sampled_from([None, 2]))
def test_any_value_comes_back(value, indent):
  text = json_text.to_json(value, indent=indent)
  text.encode('utf-8')
  assert plain_text.escape(text) == text
  assert '\n' not in text or indent
  assert json.loads(text, parse_constant=refuse) == finite(value)


def test_letters_stay():
  assert json_text.to_json(['naïve', '€', '\x9b', '\ud800']) == (
    r'["naïve", "€", "\u009b", "\ud800"]'
  )


def test_a_matrix_is_a_line_a_row():
  value = {
    'a': [[1, 2], [3, 4]],
    'b': {'c': [], 'd': [None]},
    'e': [{}, {'f': 1}],
  }
  assert (
    json_text.to_json(value, indent=2)
    == """{
  "a": [
    [1, 2],
    [3, 4]
  ],
  "b": {
    "c": [],
    "d": [null]
  },
  "e": [
    {},
    {
      "f": 1
    }
  ]
}"""
  )


def test_what_is_written_as_json_is_written_here():
  may = {
    # What is hashed, or read by this program alone, is not for others.
    'calibration_file.py',
    'checkpoint_file.py',
    'file_import.py',
    'known_datasets.py',
    'library_vocabularies.py',
    'local.py',
    'predictions_file.py',
    'run_identity.py',
    'search.py',
    'source.py',
    # What is shown in a message, shortened.
    'json_types.py',
    # A manifest, sorted.
    'cache.py',
    # Whose records are numbers, or an error.
    'metric_log.py',
  }
  found = {
    path.name
    for path in (ROOT / 'experiments').rglob('*.py')
    for node in ast.walk(ast.parse(path.read_bytes()))
    if isinstance(node, ast.Attribute)
    and ast.unparse(node) in ('json.dump', 'json.dumps', 'json.JSONEncoder')
  }
  assert found == {'json_text.py', *may}
