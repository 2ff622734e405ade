"""Plain pictures, drawn in a few milliseconds.

For the pictures that every run ends with: importing matplotlib and drawing them
with it would take a fifth of a short run.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import math
import pathlib
from collections.abc import Sequence

Colour = tuple[int, int, int]
Point = tuple[float, float]

BLACK, GREY, PALE = (0, 0, 0), (128, 128, 128), (225, 225, 225)
# Drawn this many times larger, then averaged, so that edges are smooth.
_SCALE = 2
# Larger pictures are drawn as they are, so as not to need memory for it.
_MAX_SMOOTHED_PIXELS = 1_500_000
_COMPRESSION = 3


class Canvas:
  """A white picture; x and y are in pixels from its upper left corner."""

  def __init__(self, width: float, height: float):
    """Makes an empty one.

    Args:
      width: in pixels.
      height: in pixels.
    """
    from PIL import Image, ImageDraw

    self._scale = _SCALE if width * height <= _MAX_SMOOTHED_PIXELS else 1
    size = self._scale * round(width), self._scale * round(height)
    self._image = Image.new('RGB', size, 'white')
    self._draw = ImageDraw.Draw(self._image)

  def rectangle(self, corner: Point, opposite: Point, colour: Colour) -> None:
    """Fills a rectangle, given its upper left and its lower right corner."""
    (left, top), (right, bottom) = self._at(corner), self._at(opposite)
    if right > left and bottom > top:
      self._draw.rectangle((left, top, right - 1, bottom - 1), colour)

  def line(
    self, points: Sequence[Point], colour: Colour = BLACK, width: float = 1
  ) -> None:
    """Draws a line through points."""
    at = [self._at(point) for point in points]
    self._draw.line(at, colour, round(self._scale * width), joint='curve')

  def dot(self, centre: Point, colour: Colour, radius: float = 3) -> None:
    """Draws a filled circle."""
    x, y = self._at(centre)
    r = self._scale * radius
    self._draw.ellipse((x - r, y - r, x + r, y + r), colour)

  def text(
    self,
    point: Point,
    text: str,
    *,
    size: float = 13,
    anchor: str = 'mm',
    colour: Colour = BLACK,
    angle: float = 0,
  ) -> None:
    """Writes one line.

    Args:
      point: where its anchor is.
      text: any text; what the font lacks becomes boxes.
      size: of the font, in pixels.
      anchor: its left, middle or right, then its middle: 'lm', 'mm' or 'rm'.
      colour: of the letters.
      angle: degrees that it is turned by, counter-clockwise about its anchor.
    """
    x, y = self._at(point)
    font = _font(self._scale * size)
    if not angle:
      self._draw.text((x, y), text, colour, font, anchor)
      return
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(text or ' ', anchor='lm')
    extent, rise = math.ceil(right - min(left, 0)), math.ceil(bottom - top) + 2
    mask = Image.new('L', (max(extent, 1), 2 * rise))
    ImageDraw.Draw(mask).text((0, rise), text, 255, font, 'lm')
    mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    # From the anchor to the middle of the text, before it is turned.
    ahead = {'l': extent / 2, 'm': 0.0, 'r': -extent / 2}[anchor[0]]
    turn = math.radians(angle)
    corner = (
      round(x + ahead * math.cos(turn) - mask.width / 2),
      round(y - ahead * math.sin(turn) - mask.height / 2),
    )
    self._image.paste(colour, corner, mask)

  def png(self) -> bytes:
    """Returns the picture as a PNG."""
    image = self._image
    if self._scale > 1:
      image = image.reduce(self._scale)
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', compress_level=_COMPRESSION)
    return buffer.getvalue()

  def _at(self, point: Point) -> tuple[int, int]:
    return round(self._scale * point[0]), round(self._scale * point[1])


class Axes:
  """A plot with two axes on a canvas of its own.

  Attributes:
    canvas: what is drawn on.
  """

  def __init__(
    self,
    width: float,
    height: float,
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_angle: float = 0,
    tick_size: float = 12,
  ):
    """Draws the frame and what is written around it.

    Args:
      width: of what is in the frame, in pixels.
      height: likewise.
      title: above it.
      x_label: below it.
      y_label: left of it.
      x_range: the values at its left and its right edge.
      y_range: those at its lower and its upper edge.
      x_ticks: values and their texts.
      y_ticks: likewise.
      x_angle: degrees that the texts of `x_ticks` are turned by.
      tick_size: size of the font of the ticks, in pixels.
    """
    widest_y = max(text_width(text, tick_size) for _, text in y_ticks)
    widest_x = max(text_width(text, tick_size) for _, text in x_ticks)
    turn = math.radians(x_angle)
    # Whole pixels, for the frame to be sharp.
    left = 44 + math.ceil(
      max(widest_y, widest_x * math.cos(turn) * bool(x_angle))
    )
    below = widest_x * math.sin(turn) + 2 * tick_size + 34
    right = 24.0
    # The title is over the middle of the frame, and may be wider.
    over = max(0.0, (text_width(title, 15) - width) / 2 - right) + right
    self._frame = left, 36.0, left + width, 36.0 + height
    self._x_range, self._y_range = x_range, y_range
    self.canvas = Canvas(left + width + over, 36 + height + below)
    left, top, right, bottom = self._frame
    middle = (left + right) / 2
    self.canvas.text((middle, 18), title, size=15)
    self.canvas.text((middle, bottom + below - 14), x_label)
    self.canvas.text((16, (top + bottom) / 2), y_label, angle=90)
    for value, text in x_ticks:
      x, _ = self.at(value, y_range[0])
      self.canvas.line([(x, bottom), (x, bottom + 4)])
      place = (x, bottom + 8 + tick_size / 2)
      anchor = 'rm' if x_angle else 'mm'
      self.canvas.text(
        place, text, size=tick_size, anchor=anchor, angle=x_angle
      )
    for value, text in y_ticks:
      _, y = self.at(x_range[0], value)
      self.canvas.line([(left - 4, y), (left, y)])
      self.canvas.text((left - 8, y), text, size=tick_size, anchor='rm')

  def at(self, x: float, y: float) -> Point:
    """Returns where on the canvas a pair of values is."""
    left, top, right, bottom = self._frame
    x_share = (x - self._x_range[0]) / (self._x_range[1] - self._x_range[0])
    y_share = (y - self._y_range[0]) / (self._y_range[1] - self._y_range[0])
    return left + x_share * (right - left), bottom - y_share * (bottom - top)

  def png(self) -> bytes:
    """Draws the frame over all else, and returns the picture as a PNG."""
    left, top, right, bottom = self._frame
    # Rightwards and downwards, which fills the pixels that they name.
    for y in (top, bottom):
      self.canvas.line([(left, y), (right, y)])
    for x in (left, right):
      self.canvas.line([(x, top), (x, bottom)])
    return self.canvas.png()


def text_width(text: str, size: float) -> float:
  """Returns the width of a line of text, in pixels."""
  return _font(_SCALE * size).getlength(text) / _SCALE


def ticks(
  low: float, high: float, *, at_most: int = 8
) -> list[tuple[float, str]]:
  """Chooses round values between two others, evenly spaced.

  Args:
    low: the lower one.
    high: the higher one.
    at_most: how many, at most.

  Returns:
    The values and their texts.
  """
  power = 10.0 ** math.floor(math.log10((high - low) / at_most))
  for factor in (1, 2, 5, 10):
    step = factor * power
    numbers = range(
      math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1
    )
    if len(numbers) <= at_most:
      break
  digits = max(0, -math.floor(math.log10(step) + 1e-9))
  return [(n * step, f'{n * step:.{digits}f}') for n in numbers]


@functools.cache
def _font(size: float):
  """Returns a font that knows most alphabets: matplotlib's, by its file."""
  from PIL import ImageFont

  spec = importlib.util.find_spec('matplotlib')
  assert spec is not None
  assert spec.origin is not None
  path = pathlib.Path(spec.origin).parent / 'mpl-data/fonts/ttf/DejaVuSans.ttf'
  return ImageFont.truetype(
    str(path), round(size), layout_engine=ImageFont.Layout.BASIC
  )
