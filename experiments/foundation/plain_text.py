"""Untrusted text, made fit to be shown among text of ours."""

import re

_MAX_NAME_LENGTH = 24
# Controls and lone surrogates: Unicode's categories Cc and Cs.
_CONTROLS = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff]')


def one_line(text: str) -> str:
  """Returns the text without line breaks and terminal control characters."""
  return ' '.join(_without_controls(text).split())


def lines(text: str) -> str:
  """Returns the text with its line breaks, without control characters."""
  return '\n'.join(_without_controls(line) for line in text.splitlines())


def shortened(name: str) -> str:
  """Returns the name, cut in the middle: names often differ at their ends."""
  name = one_line(name)
  if len(name) <= _MAX_NAME_LENGTH:
    return name
  half = _MAX_NAME_LENGTH // 2
  return f'{name[:half]}…{name[-(half - 1) :]}'


def _without_controls(text: str) -> str:
  return _CONTROLS.sub(' ', text)
