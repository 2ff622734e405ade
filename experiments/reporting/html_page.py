"""Pages for a browser that need nothing besides themselves.

What they show is anyone's: all names and texts are escaped, and a page forbids
itself all scripts but its own, and whatever it would have to load.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence

from experiments.foundation import plain_text

# How much of a text shows at first, and how much the page holds.
_SHOWN_CHARACTERS = 600
_MAX_CHARACTERS = 10_000

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
th { font-weight: 600; border-bottom: 1px solid; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
ol { padding: 0; list-style: none; }
li { border-top: 1px solid #8886; padding: .8rem 0; }
.wrong { color: #c22; font-weight: 600; } .right { color: #183; }
@media (prefers-color-scheme: dark) {
  .wrong { color: #f77; } .right { color: #6c8; }
}
.where { opacity: .7; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .4rem 0 0; }
meter { width: 6rem; vertical-align: middle; }
summary { cursor: pointer; }
"""


def page(
  title: str,
  body: Sequence[str],
  *,
  style: str = '',
  script: str = '',
  has_pictures: bool = False,
) -> str:
  """Renders a page.

  Args:
    title: in HTML, escaped.
    body: lines of HTML, in which all that is not ours is escaped.
    style: CSS beside that of all pages.
    script: the one that runs, in JavaScript; no other does.
    has_pictures: whether there are any, as `data:`.

  Returns:
    HTML.
  """
  style = _STYLE + style
  policy = (
    f"default-src 'none'; style-src {_source(style)}; base-uri 'none'; "
    "form-action 'none'"
  )
  if has_pictures:
    policy += '; img-src data:'
  scripts = []
  if script:
    policy += f'; script-src {_source(script)}'
    scripts.append(f'<script>{script}</script>')
  return '\n'.join(
    [
      '<!DOCTYPE html>',
      '<html lang="en">',
      '<head>',
      '<meta charset="utf-8">',
      f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      f'<title>{title}</title>',
      f'<style>{style}</style>',
      '</head>',
      '<body>',
      *body,
      *scripts,
      '</body>',
      '</html>',
      '',
    ]
  )


def _source(content: str) -> str:
  """Returns what allows a style or a script by a page's policy."""
  digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
  return f"'sha256-{digest}'"


def name(name: str) -> str:
  """Returns HTML that shows a name, in a line.

  Args:
    name: anyone's, isolated so that no character of it turns around the text
      beside it.
  """
  return f'<bdi>{html.escape(plain_text.one_line(name))}</bdi>'


def line(text: str) -> str:
  """Returns HTML that shows a text of ours, in a line.

  Args:
    text: in which names may stand, escaped here.
  """
  return html.escape(plain_text.one_line(text))


def text(text: str, shown: int = _SHOWN_CHARACTERS) -> str:
  """Returns HTML of the beginning of a text, with the rest to be unfolded.

  Args:
    text: anyone's.
    shown: how many characters are seen at first.
  """
  text = plain_text.lines(text).strip()
  if len(text) > _MAX_CHARACTERS:
    text = text[: _MAX_CHARACTERS - 1] + '…'
  if len(text) <= shown:
    return _paragraph(text)
  end = text.rfind(' ', shown // 2, shown)
  end = end if end > 0 else shown
  return (
    f'{_paragraph(text[:end])}<details><summary>The rest</summary>'
    f'{_paragraph(text[end:].lstrip())}</details>'
  )


def _paragraph(text: str) -> str:
  return f'<p class="text" dir="auto">{html.escape(text)}</p>'
