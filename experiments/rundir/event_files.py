"""Event files: how TensorBoard's records come onto the disk.

Readers take every file with 'tfevents' in its name for an event file, and read
those of a directory in the order of their names.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Any, BinaryIO

from experiments.foundation import system_errors
from experiments.foundation.directory import Directory, File


class EventFile:
  """Records of one new file, each handed over whole and at once."""

  def __init__(self, file: File):
    """Creates the file: an event file is never written to by two.

    Raises:
      FileExistsError: it is there already.
    """
    from tensorboard.summary.writer import record_writer

    self._path = file.path
    self._file: BinaryIO = file.create()
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
    with system_errors.naming(self._path):
      self._records.write(event.SerializeToString())
      self._file.flush()

  def sync(self) -> None:
    """Waits until all events are on the disk."""
    with system_errors.naming(self._path):
      os.fsync(self._file.fileno())

  def close(self) -> None:
    """Closes the file; closing twice is harmless."""
    self._file.close()


def event_files(directory: Directory) -> list[File]:
  """Returns the event files of a directory, in the order of their names."""
  files = (
    directory.file(name) for name in directory.names() if 'tfevents' in name
  )
  return [file for file in files if file.is_file()]


def next_file(directory: Directory, suffix: str) -> File:
  """Returns a file that readers, who sort by name, read after all others."""
  seconds = int(time.time())
  # Two files of one second, or of two machines whose clocks differ.
  for file in event_files(directory):
    match = re.search(r'tfevents\.(\d+)', file.name)
    if match:
      seconds = max(seconds, int(match[1]) + 1)
  host = re.sub(r'[^A-Za-z0-9.-]', '_', socket.gethostname())
  name = f'events.out.tfevents.{seconds:010d}.{host}.{os.getpid()}{suffix}'
  return directory.file(name)
