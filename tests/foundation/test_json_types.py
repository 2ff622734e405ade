"""JSON is of the type that is asked for, or refused with the place."""

import json
from collections.abc import Mapping
from typing import Any, Literal, Required, TypedDict

import hypothesis
import pytest
from hypothesis import strategies as st

from experiments.foundation import json_types


class Inner(TypedDict, total=False):
  names: Required[list[str]]
  rows: list[list[int]]


class Whole(TypedDict, total=False):
  n: int
  x: float | None
  flag: bool
  kind: Literal['a', 'b']
  inner: Inner
  others: Mapping[str, Inner]
  anything: Any
  counts: list[int]


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('{"n": 1, "x": 1, "unknown": [{}], "anything": {"a": [null]}}', None),
    ('{"x": null, "flag": true, "kind": "b", "counts": []}', None),
    ('{"x": NaN, "counts": [1, 2]}', None),
    ('{"inner": {"names": [], "rows": [[1], []], "more": 1}}', None),
    ('{"n": true}', 'n is true, not a whole number'),
    ('{"n": 1.0}', 'n is 1.0, not a whole number'),
    ('{"n": null}', 'n is null, not a whole number'),
    ('{"n": 9223372036854775808}', 'n is 9223372036854775808, not a whole'),
    ('{"x": 1' + '0' * 400 + '}', 'x is 1000'),
    ('{"x": false}', 'x is false, not a number or null'),
    ('{"x": [1]}', 'x is a list, not a number or null'),
    ('{"flag": 1}', 'flag is 1, not true or false'),
    ('{"kind": "c"}', "kind is 'c', not 'a' or 'b'"),
    ('{"kind": []}', "kind is a list, not 'a' or 'b'"),
    ('{"kind": "\\u001b[2J"}', "kind is '\\x1b[2J', not 'a' or 'b'"),
    ('{"inner": {}}', 'it has no inner.names'),
    ('{"inner": {"names": ["a", 1]}}', 'inner.names[1] is 1, not a string'),
    (
      '{"inner": {"names": [], "rows": [[1], [2, 0.5]]}}',
      'inner.rows[1][1] is 0.5, not a whole number',
    ),
    ('{"others": {"b": {"names": "x"}}}', "others.b.names is 'x', not a list"),
    ('{"counts": [1, true]}', 'counts[1] is true, not a whole number'),
    ('[]', 'it is a list, not an object'),
    ('null', 'it is null, not an object'),
    ('[' * 100_000, 'it is nested too deeply'),
    ('{"n": ', 'Expecting value: line 1 column 7 (char 6)'),
    ('{"n": ' + '1' * 5000 + '}', 'Exceeds the limit'),
    ('', 'Expecting value: line 1 column 1 (char 0)'),
  ],
)
def test_types(text, message):
  if message is None:
    value = json_types.loads(text, Whole)
    assert repr(value) == repr(json.loads(text))
    return
  with pytest.raises(ValueError) as error:
    json_types.loads(text, Whole)
  assert str(error.value).startswith(message)


def test_bytes_are_utf_8():
  content = '{"kind": "a"}'.encode('utf-8-sig')
  assert json_types.loads(content, Whole) == {'kind': 'a'}
  with pytest.raises(ValueError):
    json_types.loads(b'{"kind": "\xff"}', Whole)


@hypothesis.given(
  st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
      st.lists(inner)
      | st.dictionaries(
        st.sampled_from([*Whole.__annotations__, 'names', 'rows']),
        inner,
      )
    ),
  )
)
def test_any_json_is_let_through_or_refused_by_name(value):
  try:
    json_types.check(value, Whole)
  except ValueError:
    return
  assert isinstance(value, dict)
  assert isinstance(value.get('counts', []), list)
