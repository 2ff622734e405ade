"""Event files: how TensorBoard's records come onto the disk.

Readers take every file with 'tfevents' in its name for an event file, and read
those of a directory in the order of their names.
"""

from __future__ import annotations

import os
import pathlib
import re
import socket
import time
from typing import Any, BinaryIO

from experiments.foundation import system_errors


class EventFile:
  """Records of one new file, each handed over whole and at once."""

  def __init__(self, path: pathlib.Path):
    """Creates the file.

    Raises:
      FileExistsError: it is there already.
    """
    from tensorboard.summary.writer import record_writer

    # Exclusive: an event file is never written to by two.
    self._file: BinaryIO = open(path, 'xb')  # noqa: SIM115
    self._records = record_writer.RecordWriter(self._file)
    self.write(file_version='brain.Event:2')

  def write(
    self, *, step: int = 0, wall_time: float | None = None, **what: Any
  ) -> None:
    """Writes one event.

    Args:
      step: training steps done.
      wall_time: seconds since the epoch; None is now.
      **what: fields of the `Event` message.
    """
    from tensorboard.compat.proto import event_pb2

    if wall_time is None:
      wall_time = time.time()
    event = event_pb2.Event(step=step, wall_time=wall_time, **what)
    with system_errors.naming(self._file.name):
      self._records.write(event.SerializeToString())
      self._file.flush()

  def sync(self) -> None:
    """Waits until all events are on the disk."""
    with system_errors.naming(self._file.name):
      os.fsync(self._file.fileno())

  def close(self) -> None:
    """Closes the file; closing twice is harmless."""
    self._file.close()


def event_paths(directory: pathlib.Path) -> list[pathlib.Path]:
  """Returns the event files of a directory, in the order of their names."""
  return sorted(
    path
    for path in directory.iterdir()
    if 'tfevents' in path.name and path.is_file()
  )


def next_path(directory: pathlib.Path, suffix: str) -> pathlib.Path:
  """Returns a path that readers, who sort by name, read after all others."""
  seconds = int(time.time())
  # Two files of one second, or of two machines whose clocks differ.
  for path in event_paths(directory):
    match = re.search(r'tfevents\.(\d+)', path.name)
    if match:
      seconds = max(seconds, int(match[1]) + 1)
  host = re.sub(r'[^A-Za-z0-9.-]', '_', socket.gethostname())
  name = f'events.out.tfevents.{seconds:010d}.{host}.{os.getpid()}{suffix}'
  return directory / name
