"""A comparison as pictures: over steps, over swept values, over all at once."""

import ast
import math
import pathlib
import statistics
from collections.abc import Sequence
from typing import Any

from experiments.comparison import pareto, run_reader
from experiments.comparison.compare import Comparison, Section
from experiments.comparison.run_reader import Run
from experiments.foundation import files
from experiments.rundir import metric_log, run_dir, run_names

_MOST_IN_LEGEND = 12
_MOST_NAMES_ON_AXIS = 12
_MOST_NUMBERS_ON_AXIS = 6
# How far lines through the same value are spread, as a share of the axis.
_SPREAD = 0.04
# Runs of neighbouring values of which a median is drawn, and how many medians.
_LEAST_IN_PART = 5
_MOST_PARTS = 8
_PANEL_INCHES = (4.2, 3.4)
_DPI = 110


def write_plots(
  comparison: Comparison, directory: pathlib.Path
) -> list[pathlib.Path]:
  """Draws what there is to draw.

  Args:
    comparison: of any runs.
    directory: made if missing; pictures of the same names are replaced. Where
      runs are measured on several data sets or splits, each has a directory of
      its own in it.

  Returns:
    The files: `steps.png`, the sampled metric and the training loss against
    step; `values.png`, the objective against each binding that differs;
    `pareto.png`, both objectives if there are two; and,
    for three of these and more, `parallel.png`. Lines are dark for the best.
  """
  paths = []
  for section in comparison.sections:
    within = directory
    if len(comparison.sections) > 1:
      within /= run_names.safe_name(f'{section.dataset},{section.split}')
    within.mkdir(parents=True, exist_ok=True)
    for name, png in draw_section(comparison, section).items():
      path = within / name
      files.write_atomic(path, png)
      paths.append(path)
  return paths


def draw_section(comparison: Comparison, section: Section) -> dict[str, bytes]:
  """Returns the pictures of a section, PNG, by the names of their files.

  Args:
    comparison: of any runs.
    section: of it.
  """
  figures = _pictures(comparison, section)
  return {name: _png(figure) for name, figure in figures.items()}


def _pictures(comparison: Comparison, section: Section) -> dict[str, Any]:
  """Returns the figures of a section by the names of their files."""
  pictures = {'steps.png': draw_steps(comparison, section)}
  measured = [
    run
    for run in section.runs
    if _objective(comparison, run) and not run.system
  ]
  columns = [
    name
    for name in section.columns
    if len({run.bindings.get(name) for run in measured}) > 1
  ]
  if columns:
    pictures['values.png'] = draw_values(comparison, measured, columns)
  if comparison.second_objective is not None:
    front = pareto.find_front(comparison, section.groups)
    if front:
      pictures['pareto.png'] = draw_front(comparison, section, front)
  if len(columns) >= 3:
    pictures['parallel.png'] = draw_parallel(comparison, measured, columns)
  return pictures


def _objective(comparison: Comparison, run: Run) -> bool:
  value = run.metrics.get(comparison.objective, math.nan)
  return math.isfinite(value)


def _figure(n_panels: int):
  # A figure of its own, not pyplot's: no global state, no window system.
  from matplotlib import figure

  n_columns = min(n_panels, 3)
  n_rows = math.ceil(n_panels / n_columns)
  width, height = _PANEL_INCHES
  picture = figure.Figure(
    figsize=(width * n_columns, height * n_rows), dpi=_DPI, layout='constrained'
  )
  axes = picture.subplots(n_rows, n_columns, squeeze=False).ravel()
  for unused in axes[n_panels:]:
    unused.set_visible(False)
  return picture, list(axes[:n_panels])


def _colours(n: int) -> list[Any]:
  """Returns colours from the best run's to the last's."""
  import matplotlib

  colours = matplotlib.colormaps['viridis']
  return [colours(0.95 * i / max(1, n - 1)) for i in range(n)]


def _key(comparison: Comparison) -> str:
  """Returns what the colours of lines mean."""
  best = 'lower' if comparison.is_minimized else 'higher'
  return f'the darker, the {best} the {comparison.objective}'


def _label(names: Sequence[str], run: Run) -> str:
  values = [
    f'{name}={value}'
    for name in names
    if (value := run.show_binding(name)) is not None
  ]
  # The longest that a legend has room for.
  return (', '.join(values) or run.name)[:60]


def draw_steps(comparison: Comparison, section: Section):
  """Returns a figure of the curves of a section's runs over the steps."""
  sampled = metric_log.SAMPLED.get(
    comparison.objective, metric_log.SAMPLED['accuracy']
  )
  panels = [('eval', sampled), ('train', 'training/loss')]
  picture, axes = _figure(len(panels))
  runs = [run for run in section.runs if not run.system]
  colours = _colours(len(runs))
  names = [*section.columns]
  if any(group.n_seeds > 1 for group in section.groups):
    names.append(run_reader.SEED)
  if any(group.folds for group in section.groups):
    names.append(run_reader.FOLD)
  for run, colour in zip(runs, colours, strict=True):
    found = metric_log.read_records(run_dir.RunDir(run.path).metrics)
    for (split, metric), panel in zip(panels, axes, strict=True):
      points = [
        (record.step, record.value)
        for record in found
        if (record.split, record.metric) == (split, metric)
      ]
      if points:
        panel.plot(
          *zip(*points, strict=True),
          color=colour,
          label=_label(names, run),
          marker='.',
          linewidth=1.2,
        )
  for (split, metric), panel in zip(panels, axes, strict=True):
    panel.set_xlabel('step')
    panel.set_title(f'{split}: {metric}', fontsize=10)
    panel.grid(alpha=0.3)
  if axes[0].lines and len(runs) <= _MOST_IN_LEGEND:
    axes[0].legend(fontsize=6)
  picture.supxlabel(_key(comparison), fontsize=8)
  return picture


def draw_values(
  comparison: Comparison, runs: Sequence[Run], columns: list[str]
):
  """Returns a figure of the objective against each of some bindings."""
  picture, axes = _figure(len(columns))
  for name, panel in zip(columns, axes, strict=True):
    scale = Scale([run.bindings.get(name) for run in runs])
    by_value: dict[float, list[float]] = {}
    for run in runs:
      x = scale.position(run.bindings.get(name))
      by_value.setdefault(x, []).append(run.metrics[comparison.objective])
    for x, values in by_value.items():
      panel.plot([x] * len(values), values, 'o', color='tab:blue', alpha=0.5)
    _draw_medians(panel, by_value, scale)
    scale.put_on(panel.xaxis, panel.set_xscale)
    panel.set_xlabel(name)
    panel.set_ylabel(comparison.objective)
    panel.grid(alpha=0.3)
    if panel.get_legend_handles_labels()[1]:
      panel.legend(fontsize=7)
  return picture


def _draw_medians(panel, by_value: dict[float, list[float]], scale: 'Scale'):
  """Draws the median of each value that several runs have.

  Where a search has drawn the values, each is one run's: a line through them
  would go up and down with the other settings. Then runs of neighbouring values
  are taken together, where there are enough of them.

  Args:
    panel: the axes.
    by_value: what runs reached, by the place of their value.
    scale: of the values.
  """
  xs = sorted(by_value)
  points = [(x, by_value[x]) for x in xs if len(by_value[x]) > 1]
  label = 'median'
  if 2 * len(points) < len(xs):
    n_parts = sum(map(len, by_value.values())) // _LEAST_IN_PART
    if not scale.is_numeric or n_parts < 2:
      return
    size = math.ceil(len(xs) / min(n_parts, _MOST_PARTS))
    points = []
    for start in range(0, len(xs), size):
      near = xs[start : start + size]
      values = [value for x in near for value in by_value[x]]
      points.append((statistics.median(near), values))
    label = f'median of {size} neighbours'
  style = '-' if scale.is_numeric else ''
  panel.plot(
    [x for x, _ in points],
    [statistics.median(values) for _, values in points],
    style,
    color='tab:orange',
    marker='_',
    label=label,
  )


def draw_front(comparison: Comparison, section: Section, front: Sequence[int]):
  """Returns a figure of both objectives of all configs, the front joined."""
  second = comparison.second_objective
  assert second is not None
  names = (second, comparison.objective)
  picture, (panel,) = _figure(1)
  points = [
    tuple(group.means[name] for name in names)
    for group in section.groups
    if all(name in group.means for name in names)
  ]
  joined = sorted(
    tuple(section.groups[i].means[name] for name in names) for i in front
  )
  panel.plot(*zip(*points, strict=True), 'o', color='tab:blue', alpha=0.5)
  panel.plot(*zip(*joined, strict=True), 'o-', color='tab:orange')
  least, most = min(x for x, _ in points), max(x for x, _ in points)
  if least > 0 and most / least >= 10:
    panel.set_xscale('log')
  panel.set_xlabel(second)
  panel.set_ylabel(comparison.objective)
  panel.set_title(f'{len(front)} that nothing is better than', fontsize=10)
  panel.grid(alpha=0.3)
  return picture


def draw_parallel(
  comparison: Comparison, runs: Sequence[Run], columns: list[str]
):
  """Returns a figure with an axis a binding, and a line a run across them."""
  picture, (panel,) = _figure(1)
  n_axes = len(columns) + 1
  picture.set_size_inches(1.7 * n_axes + 1, 4.2)
  scales = [Scale([run.bindings.get(c) for run in runs]) for c in columns]
  objective = Scale([repr(run.metrics[comparison.objective]) for run in runs])
  colours = _colours(len(runs))
  # The best on top.
  for i, run in reversed(list(enumerate(runs))):
    # Or lines through the same values would hide each other.
    offset = _SPREAD * (0.5 - i / max(1, len(runs) - 1))
    heights = [
      scale.share(run.bindings.get(name)) + offset
      for name, scale in zip(columns, scales, strict=True)
    ]
    heights.append(objective.share(repr(run.metrics[comparison.objective])))
    panel.plot(
      range(n_axes), heights, color=colours[i], alpha=0.8, linewidth=1.3
    )
  names = [*columns, comparison.objective]
  for i, scale in enumerate([*scales, objective]):
    panel.axvline(i, color='black', linewidth=0.8)
    for text, height in scale.ticks():
      panel.text(
        i + 0.03,
        height,
        text,
        fontsize=7,
        va='center',
        bbox={'facecolor': 'white', 'alpha': 0.7, 'linewidth': 0, 'pad': 1},
      )
  panel.set_xticks(range(n_axes), names, fontsize=8)
  panel.set_xlabel(_key(comparison), fontsize=8)
  panel.set_yticks([])
  panel.set_xlim(-0.1, n_axes - 0.6)
  for side in ('left', 'right', 'top', 'bottom'):
    panel.spines[side].set_visible(False)
  return picture


class Scale:
  """Where the values of one binding lie on an axis."""

  def __init__(self, texts: Sequence[str | None]):
    """Finds out whether the values are numbers, and how far apart.

    Args:
      texts: gin text; None where a run has no such binding.
    """
    self._texts = list(dict.fromkeys(texts))
    self._numbers: dict[str | None, float] = {}
    for text in self._texts:
      number = _number(text)
      if number is None:
        self._numbers = {}
        break
      self._numbers[text] = number
    values = list(self._numbers.values())
    self._is_log = bool(values) and min(values) > 0
    self._is_log = self._is_log and max(values) / min(values) >= 10
    if not values:
      self._texts.sort(key=str)

  @property
  def is_numeric(self) -> bool:
    """Whether all values are numbers."""
    return bool(self._numbers)

  def position(self, text: str | None) -> float:
    """Returns the place of a value, as a number or counted."""
    if self._numbers:
      return self._numbers[text]
    return float(self._texts.index(text))

  def share(self, text: str | None) -> float:
    """Returns the place of a value from 0 to 1."""
    places = [self._height(other) for other in self._texts]
    low, high = min(places), max(places)
    return (self._height(text) - low) / (high - low) if high > low else 0.5

  def ticks(self) -> list[tuple[str, float]]:
    """Returns texts to write, and their places from 0 to 1."""
    chosen = self._texts
    if len(chosen) > _MOST_NAMES_ON_AXIS:
      chosen = sorted(chosen, key=self._height)
      chosen = [chosen[0], chosen[len(chosen) // 2], chosen[-1]]
    return [(_short(text), self.share(text)) for text in chosen]

  def put_on(self, axis, set_scale) -> None:
    """Makes an axis of matplotlib this one."""
    if self._is_log:
      set_scale('log')
    if not self._numbers or len(self._texts) <= _MOST_NUMBERS_ON_AXIS:
      axis.set_ticks(
        [self.position(text) for text in self._texts],
        [_short(text) for text in self._texts],
      )
      axis.set_ticks([], minor=True)

  def _height(self, text: str | None) -> float:
    place = self.position(text)
    return math.log(place) if self._is_log else place


def _number(text: str | None) -> float | None:
  """Returns the number that gin text is, or None."""
  try:
    value = ast.literal_eval(text or '')
  except (SyntaxError, ValueError):
    return None
  if isinstance(value, bool) or not isinstance(value, int | float):
    return None
  return float(value) if math.isfinite(value) else None


def _short(text: str | None) -> str:
  if text is None:
    return 'none'
  number = _number(text)
  if number is not None and len(text) > 8:
    return f'{number:.3g}'
  return text if len(text) <= 20 else f'{text[:19]}…'


def _png(figure) -> bytes:
  import io

  buffer = io.BytesIO()
  figure.savefig(buffer, format='png')
  return buffer.getvalue()
