"""JSON that every parser reads and no terminal minds."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from experiments.foundation import json_text, plain_text

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
