"""The table of macros in docs/macros.md.

  python -m experiments.config.macro_table

prints it, after a change of `schema.MACROS` or of gin/base.gin.
"""

from experiments.config import schema
from experiments.config.gin_statements import read
from experiments.config.gin_values import REQUIRED, Macro, render


def macro_table() -> str:
  """Returns the macros, with their values in base.gin, in Markdown."""
  given = {
    binding.name: binding.value for binding in read(['gin/base.gin']).bindings
  }
  rows = [
    f'| `{name}` | {_write_default(given[name])} | {entry.spec.expected} | '
    f'{entry.meaning} |'
    for name, entry in schema.MACROS.items()
  ]
  head = '| macro | in base.gin | must be | meaning |\n|---|---|---|---|'
  return '\n'.join([head, *rows])


def _write_default(value) -> str:
  if value == Macro(REQUIRED):
    return 'none: bind it'
  return f'`{render(value)}`'


if __name__ == '__main__':
  print(macro_table())
