"""What a line asks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.commands import questions
from experiments.commands.questions import Format
from experiments.foundation import plain_text

KEYS = ('text',)


@pytest.mark.parametrize(
  ('name', 'first', 'expected'),
  [
    ('a.txt', '{"text": "a"}', Format.JSON),
    ('-', '{"text": "a', Format.JSON),
    ('-', '\ufeff{"text": "a"}', Format.JSON),
    ('-', ' { "text": "a"}', Format.JSON),
    ('-', '{}', Format.JSON),
    ('-', '{', Format.JSON),
    ('-', '{curly} brackets', Format.TEXT),
    ('-', '{ 1, 2 } is a set', Format.TEXT),
    ('a.jsonl', '{curly} brackets', Format.JSON),
    ('a.ndjson', 'text', Format.JSON),
    ('-', '[', Format.ARRAY),
    ('-', '[{"text": "a"},', Format.ARRAY),
    ('a.json', '["a", "b"]', Format.ARRAY),
    ('-', '[]', Format.ARRAY),
    ('-', '[1] A footnote', Format.TEXT),
    ('-', '[1]', Format.TEXT),
    ('-', '[[wiki]] text', Format.TEXT),
    ('-', '[edit] Sources', Format.TEXT),
    ('-', '"quoted"', Format.TEXT),
    ('-', '\udcff'.encode('utf-8', 'surrogatepass'), Format.TEXT),
    ('-', '', None),
    ('-', ' \t\r', None),
  ],
)
def test_format(name, first, expected):
  line = first if isinstance(first, bytes) else first.encode()
  assert questions.find_format(name, [b'', b' ', line]) is expected


def test_the_first_line_that_says_something_decides():
  lines = [b'', b'  ', b'{"text": 1}', b'a text']
  assert questions.find_format('-', lines) is Format.JSON
  assert questions.find_format('-', [None, b'{}']) is Format.TEXT


@pytest.mark.parametrize(
  ('line', 'expected'),
  [
    (b'a text', ('a text', '')),
    (b'\xef\xbb\xbfa text\r', ('a text', '')),
    (b'{"text": "a"}', ('{"text": "a"}', '')),
    (b'caf\xe9', ('', 'not UTF-8: byte 3')),
    (b' \r', ('', 'empty line')),
    (None, ('', 'more than 16 MiB')),
  ],
)
def test_a_text(line, expected):
  found = questions.read_question(line, Format.TEXT, KEYS)
  assert found == (None, *expected)


@pytest.mark.parametrize(
  'id_',
  [
    '"a"',
    '"naïve"',
    r'"\ud800"',
    r'"\u0000\u001b"',
    'null',
    'true',
    '0',
    '-0.0',
    '1.50',
    '1e999',
    '-1E+400',
    '7' * 5000,
    '[1.0, {"a": [], "b": 2e5}, "x"]',
    '{}',
    '[' * 200 + ']' * 200,
  ],
)
@pytest.mark.parametrize(
  'around',
  [
    '{"id": %s, "text": "a"}',
    '\ufeff { "text" : "a" ,\t"id"\t:%s\r}',
    '{"id": 1, "\\u0069d": %s, "text": "a", "more": {"id": 5}}',
  ],
)
def test_an_id_comes_back_as_it_was_written(id_, around):
  line = (around % id_).encode()
  found = questions.read_question(line, Format.JSON, KEYS)
  assert found == (id_, 'a', '')


def test_an_id_of_several_lines_of_white_space_stays_on_one():
  line = b'{"id": [1,\r\t2], "text": "a"}'
  found = questions.read_question(line, Format.JSON, KEYS)
  assert found == ('[1,  2]', 'a', '')


@pytest.mark.parametrize(
  ('line', 'error'),
  [
    ('[1]', 'not a JSON object'),
    ('"a"', 'not a JSON object'),
    ('{"text": NaN}', 'not JSON: NaN is no number of JSON'),
    ('{"text": -Infinity}', 'not JSON: -Infinity is no number of JSON'),
    ('{"text": 1}', "no 'text' that is a string"),
    ('{"text": "\t"}', 'not JSON: Invalid control character at: line 1'),
    ('{"text": " "}', 'empty text'),
    ('{"text": "a"} {}', 'not JSON: Extra data'),
    ('[' * 100_000, 'not JSON: '),
  ],
)
def test_what_is_no_question(line, error):
  found = questions.read_question(line.encode(), Format.JSON, KEYS)
  assert found.error.startswith(error)
  assert not found.text


def test_text_keys_are_joined():
  keys = ('title', 'description')
  line = b'{"title": "A", "description": "b", "text": "c"}'
  found = questions.read_question(line, Format.JSON, keys)
  assert found.text == 'A b'
  line = b'{"title": "A", "id": 3}'
  found = questions.read_question(line, Format.JSON, keys)
  assert found == ('3', '', "no 'description' that is a string")
  assert questions.read_question(b'{"text": "c"}', Format.JSON, keys).text == (
    'c'
  )


JSON = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
  lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
LINES = (
  st.binary()
  | st.text().map(str.encode)
  | JSON.map(json.dumps).map(str.encode)
  | st.fixed_dictionaries({'text': st.text() | JSON, 'id': JSON}).map(
    lambda value: json.dumps(value).encode()
  )
)


@given(LINES, st.sampled_from(Format))
def test_any_line_is_a_question(line, format_):
  line = line.replace(b'\n', b'')
  found = questions.read_question(line, format_, KEYS)
  assert bool(found.text) != bool(found.error)
  if found.id is not None:
    assert plain_text.escape(found.id) == found.id
    assert '\n' not in found.id
    found.id.encode('utf-8')
    written = json.loads(line.decode('utf-8-sig'))['id']
    assert repr(json.loads(found.id)) == repr(written)
