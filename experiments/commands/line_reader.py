"""Lines of a file or of a stream, as they come."""

import math
import os
import select
import time
from collections.abc import Iterable, Iterator

# Enough for full batches, little enough for memory and for the first answer.
_LINES_AT_ONCE = 4096
_BLOCK_BYTES = 2**18
# Nobody wants a longer line classified.
MAX_LINE_MIB = 16
# A program with much to write does so in blocks, the next one within the pause.
# A program that waits for an answer never waits longer than _MOST_SECONDS.
_PAUSE_SECONDS = 0.004
_MOST_SECONDS = 0.02


def read_lines(
  descriptor: int, meanwhile: Iterable[int] = ()
) -> Iterator[list[bytes | None]]:
  """Yields the lines that are there, many at a time, as soon as there are any.

  Args:
    descriptor: of a file, a pipe, a terminal or a socket.
    meanwhile: does a piece of work at a time, while there is nothing to read.

  Yields:
    At least one line, without its line feed; None for one of more than
    `MAX_LINE_MIB`. What follows the last line feed is a line, too.
  """
  lines, work = _Lines(), iter(meanwhile)
  while not lines.has_ended:
    until = math.inf
    while not lines.has_ended and len(lines.ready) < _LINES_AT_ONCE:
      if lines.ready:
        until = min(until, time.monotonic() + _MOST_SECONDS)
        pause = min(_PAUSE_SECONDS, until - time.monotonic())
        if pause <= 0 or not _wait(descriptor, pause):
          break
      else:
        is_left = True
        while is_left and not _wait(descriptor, 0):
          is_left = next(work, None) is not None
        _wait(descriptor, None)
      lines.add(os.read(descriptor, _BLOCK_BYTES))
    is_full = len(lines.ready) >= _LINES_AT_ONCE
    while lines.ready and (len(lines.ready) >= _LINES_AT_ONCE or not is_full):
      yield lines.ready[:_LINES_AT_ONCE]
      del lines.ready[:_LINES_AT_ONCE]
  if lines.ready:
    yield lines.ready


class _Lines:
  """Blocks, taken apart at their line feeds.

  Attributes:
    ready: lines that are complete.
    has_ended: whether an empty block, the end, was added.
  """

  def __init__(self):
    self.ready: list[bytes | None] = []
    self.has_ended = False
    self._begun = bytearray()
    self._is_too_long = False

  def add(self, block: bytes) -> None:
    """Takes the next block, or the end."""
    if not block:
      self.has_ended = True
      if self._begun or self._is_too_long:
        self._complete()
      return
    first, *others = block.split(b'\n')
    self._extend(first)
    if others:
      self._complete()
      *whole, last = others
      self.ready += whole
      self._extend(last)

  def _extend(self, part: bytes) -> None:
    if len(self._begun) + len(part) > MAX_LINE_MIB * 2**20:
      self._begun.clear()
      self._is_too_long = True
    elif not self._is_too_long:
      self._begun += part

  def _complete(self) -> None:
    self.ready.append(None if self._is_too_long else bytes(self._begun))
    self._begun.clear()
    self._is_too_long = False


def _wait(descriptor: int, seconds: float | None) -> bool:
  """Tells whether there is something to read, or the end, in some time."""
  return bool(select.select([descriptor], [], [], seconds)[0])
