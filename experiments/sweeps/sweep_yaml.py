"""Reads YAML without its traps.

YAML 1.1, which PyYAML reads, and 1.2 read some words differently: `no`, 010,
1_000, 1:30 and dates are such. They are refused with their line, and so is
None, which is a string to both. 1e-4 is the number that it is in 1.2.
"""

import os
import re
from typing import Any

from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import WrongKindError, read_regular

# Of a file.
_MAX_BYTES = 2**24
# With all that is repeated by an alias.
_MOST_NODES = 100_000
_STRING = 'tag:yaml.org,2002:str'
_INT = 'tag:yaml.org,2002:int'
_FLOAT = 'tag:yaml.org,2002:float'
# The core schema of YAML 1.2, https://yaml.org/spec/1.2.2/#103-core-schema.
_CORE = {
  'tag:yaml.org,2002:null': r'null|Null|NULL|~|',
  'tag:yaml.org,2002:bool': r'true|True|TRUE|false|False|FALSE',
  _INT: r'[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+',
  _FLOAT: r'[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?'
  r'|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)',
}
# What a tag that a file writes may stand before.
_FORMS = {
  **_CORE,
  _STRING: r'(?s:.*)',
  _INT: r'[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+',
}
# What a word that is no string to YAML 1.1 is to it.
_KINDS = {
  'bool': 'a truth value',
  'int': 'a number',
  'float': 'a number',
  'timestamp': 'a date',
  'merge': 'a command to merge',
  'value': 'a default',
}


def load(path: str) -> Any:
  """Reads a file that holds one YAML document.

  Args:
    path: of a file in UTF-8.

  Returns:
    Lists, dicts, strings, numbers, True, False and None.

  Raises:
    UserError: it cannot be read, or two readers of YAML may disagree on it.
  """
  import yaml

  try:
    text = read_regular(path, _MAX_BYTES).decode('utf-8-sig')
    return _make_loader(path)(text).get_single_data()
  except WrongKindError as error:
    raise UserError(f'--sweep={path}: {error}') from None
  except OSError as error:
    raise UserError(
      f'--sweep={path}: cannot be read: {os.strerror(error.errno or 0)}.'
    ) from error
  except UnicodeDecodeError:
    raise UserError(f'--sweep={path}: is not UTF-8 text.') from None
  except RecursionError:
    raise UserError(
      f'--sweep={path}: is nested too deeply. Names and lists of values are '
      'enough.'
    ) from None
  except yaml.YAMLError as error:
    mark = getattr(error, 'problem_mark', None)
    where = f'{path}:{mark.line + 1}' if mark else path
    problem = getattr(error, 'problem', None) or str(error).splitlines()[0]
    if "'@'" in problem or "'%'" in problem:
      problem += ". YAML wants quotes around a reference: '@gru_classifier'"
    raise UserError(f'{where}: cannot read this YAML: {problem}.') from None


def _make_loader(path: str):
  """Returns a loader class of PyYAML; `path` is for messages."""
  import yaml

  class Loader(yaml.SafeLoader):
    """Refuses what is read in two ways, and what has no end."""

    def compose_scalar_node(self, anchor):
      event = self.peek_event()
      node = super().compose_scalar_node(anchor)
      if event.tag is None and event.implicit[0]:
        node.tag = _tag(node.value, node.tag, f'{path}:{_line(node)}')
      # PyYAML reads `! 5` as a number, and others as a string.
      elif event.tag == '!' or not re.fullmatch(
        _FORMS.get(node.tag, '(?!)'), node.value
      ):
        _refuse_tag(event.tag, f'{path}:{_line(node)}')
      return node

    def compose_sequence_node(self, anchor):
      node = super().compose_sequence_node(anchor)
      if node.tag != self.DEFAULT_SEQUENCE_TAG:
        _refuse_tag(node.tag, f'{path}:{_line(node)}')
      return node

    def compose_mapping_node(self, anchor):
      node = super().compose_mapping_node(anchor)
      if node.tag != self.DEFAULT_MAPPING_TAG:
        _refuse_tag(node.tag, f'{path}:{_line(node)}')
      return node

    def construct_document(self, node):
      _refuse_endless(node, path)
      return super().construct_document(node)

    def construct_mapping(self, node, deep=False):
      seen: dict[Any, int] = {}
      for key, _ in node.value:
        place = f'{path}:{_line(key)}'
        if not isinstance(key, yaml.ScalarNode):
          raise UserError(
            f'{place}: a name or number was expected before the colon.'
          )
        if (key.tag, key.value) in seen:
          raise UserError(
            f'{place}: {key.value} is there twice, first on line '
            f'{seen[key.tag, key.value]}. Keep one.'
          )
        seen[key.tag, key.value] = _line(key)
      return super().construct_mapping(node, deep)

    def construct_number(self, node):
      value = self.construct_scalar(node)
      try:
        if node.tag == _FLOAT:
          return float(re.sub(r'\.(?=[inIN])', '', value))
        number = int(value, 0 if value[:2] in ('0x', '0o') else 10)
        # Python reads more digits of these than it writes.
        str(number)
        return number
      except ValueError:
        raise UserError(
          f'{path}:{_line(node)}: {value[:60]} is no number that can be read.'
        ) from None

  for tag in (_INT, _FLOAT):
    Loader.add_constructor(tag, Loader.construct_number)
  return Loader


def _line(node) -> int:
  return node.start_mark.line + 1


def _refuse_tag(tag: str, place: str) -> None:
  shown = re.sub('^tag:yaml.org,2002:', '!!', tag)
  raise UserError(
    f'{place}: the tag {shown} does not fit what it stands before. Remove it.'
  )


def _tag(word: str, old: str, place: str) -> str:
  """Returns the tag of a word without quotes.

  Args:
    word: as it is written.
    old: its tag in YAML 1.1.
    place: where it stands, for messages.

  Raises:
    UserError: the word is read in two ways.
  """
  new = next(
    (tag for tag, form in _CORE.items() if re.fullmatch(form, word)), _STRING
  )
  if word == 'None':
    raise UserError(
      f'{place}: None is a string in YAML. Write null, or put it in quotes.'
    )
  is_octal = new == _INT and re.match(r'[-+]?0[0-9o]', word)
  if old == new and not is_octal:
    return new
  if old == _STRING and new == _FLOAT:
    # 1e-4, which nobody means to be a string.
    return new
  kind = _KINDS.get(old.rpartition(':')[2], 'a string')
  other = 'a string' if new == _STRING else 'a number'
  if kind == other:
    other = 'another'
  raise UserError(
    f'{place}: {word} is {kind} in YAML 1.1 and {other} in YAML 1.2. Put it in '
    'quotes if it is a string, or write it as Python does.'
  )


def _refuse_endless(root, path: str) -> None:
  """Refuses nodes that hold themselves, and too many by way of aliases."""
  sizes: dict[int, int | None] = {}

  def size(node) -> int:
    if id(node) not in sizes:
      sizes[id(node)] = None
      inner = node.value if isinstance(node.value, list) else []
      children = [
        child
        for item in inner
        for child in (item if isinstance(item, tuple) else (item,))
      ]
      sizes[id(node)] = 1 + sum(map(size, children))
    found = sizes[id(node)]
    if found is None:
      raise UserError(f'{path}:{_line(node)}: this holds itself, by an alias.')
    if found > _MOST_NODES:
      raise UserError(
        f'{path}:{_line(node)}: this is more than {_MOST_NODES:,} values, with '
        'all that its aliases repeat.'
      )
    return found

  size(root)
