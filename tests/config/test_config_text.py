"""The text of a checked config, read without gin."""

import pytest

from experiments.config import config_text
from experiments.foundation.errors import UserError


@pytest.mark.parametrize(
  ('value', 'resolved'),
  [
    ('0.5', '0.5'),
    ('%A', '1'),
    ('%B', '[1, 2]'),
    ('(%A, %B)', '(1, [1, 2])'),
    ("'%A'", "'%A'"),
    ('"100 %A\'s", %A', '"100 %A\'s", 1'),
    (r"'\'%A', %A", r"'\'%A', 1"),
    ('%gin.REQUIRED', '%gin.REQUIRED'),
    ('%scope/C', '@relu'),
  ],
)
def test_macros_are_resolved_where_they_are_macros(value, resolved):
  bindings = {'A': '1', 'B': '[%A, 2]', 'scope/C': '@relu'}
  assert config_text.resolve(value, bindings) == resolved


@pytest.mark.parametrize(
  ('bindings', 'message'),
  [
    ({'A': '%B', 'B': '%A'}, 'without an end'),
    ({'A': '[%A]'}, 'without an end'),
    (
      {'A0': '1'} | {f'A{i}': f'[%A{i - 1}, %A{i - 1}]' for i in range(1, 50)},
      'more than 16 million characters',
    ),
  ],
)
def test_macros_without_an_end_are_refused_at_once(bindings, message):
  with pytest.raises(UserError, match=message):
    config_text.resolve_all(bindings)
  with pytest.raises(UserError, match=message):
    config_text.resolve(f'%{list(bindings)[-1]}', bindings)


def test_a_binding_is_a_line_and_an_import_has_none():
  text = "import my_models\n\nA = 'x = y'\nscope/f.a = {'b': 1}\n"
  assert config_text.read_bindings(text) == {
    'A': "'x = y'",
    'scope/f.a': "{'b': 1}",
  }
  assert config_text.read_imports(text) == ['import my_models']
