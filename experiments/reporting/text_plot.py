"""A curve as lines of text, for a terminal."""

from collections.abc import Sequence

# A cell that is filled by no eighth of its height, one eighth, and so on.
_EIGHTHS = ' ▁▂▃▄▅▆▇█'


def bars(
  values: Sequence[float],
  *,
  ends: tuple[str, str] | None = None,
  width: int = 60,
  height: int = 8,
) -> str:
  """Draws values as bars over 0.

  Args:
    values: not negative, and not all 0; more than fit are thinned out.
    ends: what stands below the first and the last value; without it, their
      numbers, counted from 1.
    width: columns of bars, at most.
    height: lines of bars.

  Returns:
    The lines, with the largest value and the ends.
  """
  n = min(width, len(values))
  end = len(values) - 1
  shown = [values[round(i * end / max(1, n - 1))] for i in range(n)]
  top = max(values)
  eighths = [round(value / top * height * 8) for value in shown]
  margin = f'{top:.4g}'
  lines = []
  for row in reversed(range(height)):
    label = margin if row == height - 1 else '0' if row == 0 else ''
    cells = [_EIGHTHS[min(8, max(0, e - 8 * row))] for e in eighths]
    lines.append(f'{label:>{len(margin)}} |{"".join(cells)}'.rstrip())
  first, last = ends or ('1', str(len(values)))
  below = f'{first} {last:>{max(1, n - len(first) - 1)}}' if end else first
  return '\n'.join([*lines, ' ' * (len(margin) + 2) + below])
