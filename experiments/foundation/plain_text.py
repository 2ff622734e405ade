"""Untrusted text, made fit to be shown among text of ours."""

import re

_MAX_NAME_LENGTH = 24
# What moves a terminal's cursor or has it do things (C0, DEL, C1), ends a line
# for some programs only, turns around the text beside it (bidirectional
# embeddings, overrides and isolates), or is half a character.
CONTROLS = re.compile(
  r'[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]'
)


def escape(text: str) -> str:
  r"""Returns the text with its control characters as Python writes them.

  Args:
    text: any text, such as 'a\x1b[2J'; what comes out, '\\x1b' as four
      characters, stays as it is if it goes in again.

  Returns:
    The text, in which a line feed is the only control character.
  """
  return CONTROLS.sub(
    lambda match: match[0].encode('unicode_escape').decode('ascii'), text
  )


def escape_line(text: str) -> str:
  """Returns the text escaped, line feeds too, so that it stays on its line."""
  return escape(text).replace('\n', r'\n')


def one_line(text: str) -> str:
  """Returns the text escaped, with single spaces for all white space."""
  return escape(' '.join(text.split()))


def lines(text: str) -> str:
  """Returns the text escaped, with its line breaks, and spaces for tabs."""
  return escape('\n'.join(text.replace('\t', ' ').splitlines()))


def shorten_name(name: str) -> str:
  """Returns the name, cut in the middle: names often differ at their ends."""
  name = one_line(name)
  if len(name) <= _MAX_NAME_LENGTH:
    return name
  half = _MAX_NAME_LENGTH // 2
  return f'{name[:half]}…{name[-(half - 1) :]}'
