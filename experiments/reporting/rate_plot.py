"""The loss against the learning rate, as a picture."""

import io

import numpy as np


def draw(
  rates: np.ndarray,
  losses: np.ndarray,
  means: np.ndarray,
  proposal: float | None,
) -> bytes:
  """Draws a range test.

  Args:
    rates: float64 [n], rising.
    losses: float64 [n], of the step with each rate.
    means: float64 [n], smoothed.
    proposal: the rate to mark, if any.

  Returns:
    A PNG file.
  """
  # A figure of its own, not pyplot's: no global state, no window system.
  from matplotlib import figure

  picture = figure.Figure(figsize=(6, 4), dpi=110, layout='constrained')
  panel = picture.subplots()
  panel.plot(rates, losses, color='0.8', label='each step')
  panel.plot(rates, means, color='tab:blue', label='moving average')
  if proposal is not None:
    panel.axvline(proposal, color='0.4', linestyle='--')
    panel.annotate(
      f'{proposal:.2g}',
      (proposal, 1),
      xycoords=('data', 'axes fraction'),
      xytext=(4, -12),
      textcoords='offset points',
    )
  panel.set_xscale('log')
  # The last steps, where training breaks down, would flatten all others.
  panel.set_ylim(0, 1.2 * float(means[: max(1, len(means) // 2)].max()))
  panel.set_xlabel('learning rate')
  panel.set_ylabel('training loss')
  panel.legend()
  buffer = io.BytesIO()
  picture.savefig(buffer, format='png')
  return buffer.getvalue()
