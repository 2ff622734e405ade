"""TensorBoard events of a run: scalars, histograms, text, images, hparams.

Written by TensorBoard's own record writer, so that TensorFlow is not imported.

A run directory is one session of the HParams dashboard:

* The session's start and end are written to the run directory itself (not to
  `train/`), because TensorBoard finds a session's metrics in the directories
  below it, and names the columns after them: `test.metrics/Accuracy`.
* No list of the experiment's hyper-parameters and metrics is written.
  TensorBoard would take the first run's list for all runs; without one it joins
  what all runs have, and a run that lacks a value has an empty cell.
* It shows the first five hyper-parameters (those that differ, then the others
  by name), then the first five metrics by name. So that the metrics are seen, a
  session has few hyper-parameters, see `hparams.run_hparams`.
* A session's first start and first end count; TensorBoard ignores later ones.
  So the end is written only when it is final.

One directory has one writer at a time: TensorBoard's reader never goes back to
a file once a later one is there.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import struct
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from experiments.foundation.directory import Directory
from experiments.reporting.hparams import hparam_values
from experiments.rundir import event_files

if TYPE_CHECKING:
  from experiments.training import histograms

# A run that was interrupted or still runs can go on, so its end is left open.
FINAL_STATUS = {
  'finished': 'STATUS_SUCCESS',
  'failed': 'STATUS_FAILURE',
  'diverged': 'STATUS_FAILURE',
  'pruned': 'STATUS_FAILURE',
}

# Without 'tfevents' in it, so that no reader takes it for an event file.
_TEMPORARY_NAME = '.rewrite.tmp'
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'


class EventWriter:
  """Writes one new event file; a context manager.

  Every event is handed to the operating system at once: a process that is
  killed loses none, and a running TensorBoard sees it at its next reload.
  """

  def __init__(
    self,
    directory: Directory | str | os.PathLike[str],
    *,
    filename_suffix: str = '',
  ):
    """Creates the directory, if missing, and the file.

    Args:
      directory: what TensorBoard shows as one run. Its steps must not go back,
        see `rewrite`.
      filename_suffix: end of the file's name.
    """
    directory = Directory.at(directory)
    directory.make()
    file = event_files.next_file(directory, filename_suffix)
    self.path = file.path
    self._file = event_files.EventFile(file)

  def __enter__(self) -> EventWriter:
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
  ) -> None:
    if kind is None:
      self.flush()
      self.close()
    else:
      # What was to be written may be what cannot be: one error is enough.
      with contextlib.suppress(OSError):
        self.close()

  def scalars(
    self,
    values: Mapping[str, float],
    step: int,
    wall_time: float | None = None,
  ) -> None:
    """Writes one value a tag.

    Args:
      values: the values by tag, kept as float32.
      step: training steps done.
      wall_time: seconds since the epoch; None is now.
    """
    self._file.write(
      step=step,
      wall_time=wall_time,
      summary={
        'value': [_summary_value(tag, value) for tag, value in values.items()]
      },
    )

  def histogram(
    self, histogram: histograms.Histogram, wall_time: float | None = None
  ) -> None:
    """Writes a histogram.

    Args:
      histogram: it has its own tag and step.
      wall_time: seconds since the epoch; None is now.
    """
    self._file.write(
      step=histogram.step,
      wall_time=wall_time,
      summary={'value': [_summary_value(histogram.tag, histogram)]},
    )

  def text(
    self, tag: str, markdown: str, step: int, wall_time: float | None = None
  ) -> None:
    """Writes a text that TensorBoard renders as Markdown.

    Args:
      tag: the name it is shown under.
      markdown: what is not meant as Markdown must be escaped
        (`report.escape_markdown`) or quoted (`code_block`).
      step: training steps done.
      wall_time: seconds since the epoch; None is now.
    """
    from tensorboard.compat.proto import types_pb2
    from tensorboard.plugins.text import metadata

    self._file.write(
      step=step,
      wall_time=wall_time,
      summary={
        'value': [
          {
            'tag': tag,
            'metadata': metadata.create_summary_metadata(
              display_name=None, description=None
            ),
            'tensor': {
              'dtype': types_pb2.DT_STRING,
              'tensor_shape': {},
              'string_val': [markdown.encode()],
            },
          }
        ]
      },
    )

  def image(
    self, tag: str, png: bytes, step: int, wall_time: float | None = None
  ) -> None:
    """Writes an image.

    Args:
      tag: the name it is shown under.
      png: the encoded image.
      step: training steps done.
      wall_time: seconds since the epoch; None is now.

    Raises:
      ValueError: `png` is not a PNG.
    """
    if not png.startswith(_PNG_SIGNATURE) or len(png) < 24:
      raise ValueError(f'image {tag} is no PNG: it starts with {png[:8]!r}')
    # The header chunk comes first: length, 'IHDR', width, height.
    width, height = struct.unpack('>II', png[16:24])
    self._file.write(
      step=step,
      wall_time=wall_time,
      summary={
        'value': [
          {
            'tag': tag,
            'image': {
              'width': width,
              'height': height,
              'encoded_image_string': png,
            },
          }
        ]
      },
    )

  def session_start(
    self, hparams: Mapping[str, Any], *, start_time: float
  ) -> None:
    """Opens the HParams session: this directory is a row of the table.

    Args:
      hparams: hyper-parameters by name, see `hparams.run_hparams`; converted
        by `hparam_values`.
      start_time: seconds since the epoch.
    """
    from tensorboard.plugins.hparams import plugin_data_pb2

    info = plugin_data_pb2.SessionStartInfo(start_time_secs=start_time)
    for name, value in hparam_values(hparams).items():
      if isinstance(value, bool):
        info.hparams[name].bool_value = value
      elif isinstance(value, str):
        info.hparams[name].string_value = value
      else:
        info.hparams[name].number_value = value
    self._session_event('session_start_info', info, start_time)

  def session_end(self, status: str, *, end_time: float) -> None:
    """Closes the HParams session, if the status is final.

    Args:
      status: as in run.json. Nothing is written unless it is in `FINAL_STATUS`.
      end_time: seconds since the epoch.
    """
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    if status not in FINAL_STATUS:
      return
    info = plugin_data_pb2.SessionEndInfo(
      status=api_pb2.Status.Value(FINAL_STATUS[status]),
      end_time_secs=end_time,
    )
    self._session_event('session_end_info', info, end_time)

  def _session_event(self, field: str, info: Any, wall_time: float) -> None:
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    data = plugin_data_pb2.HParamsPluginData(**{field: info})
    self._file.write(
      step=0,
      wall_time=wall_time,
      summary={
        'value': [
          {
            'tag': f'_hparams_/{field}',
            'metadata': metadata.create_summary_metadata(data),
            'tensor': metadata.NULL_TENSOR,
          }
        ]
      },
    )

  def flush(self) -> None:
    """Waits until all events are on the disk."""
    self._file.sync()

  def close(self) -> None:
    """Closes the file; closing twice is harmless."""
    self._file.close()


def rewrite(
  directory: Directory | str | os.PathLike[str],
  events: Iterable[tuple[int, float, str, float | histograms.Histogram]],
) -> pathlib.Path:
  """Replaces the directory's event files by one of exactly these values.

  For going on from a checkpoint: what was written after it is taken back, in a
  TensorBoard that is running, too. The new file is complete before the old ones
  go, and being killed between leaves files that are read as the new one alone.

  TensorBoard has two readers, and the file suits both: the Python one drops all
  it read at the second session-start mark of a run, the data server (which
  ignores marks) drops a tag's steps from the first step that comes again. A tag
  that is not in `events` at all is dropped by the latter only when it is next
  written or when TensorBoard is started again. Hyper-parameters, text and
  images of the directory are lost and must be written anew.

  Args:
    directory: a directory of one run, created if missing.
    events: (step, seconds since the epoch, tag, scalar or histogram). The last
      of those with the same step and tag counts.

  Returns:
    The new file.
  """
  directory = Directory.at(directory)
  directory.make()
  old_files = event_files.event_files(directory)
  file = event_files.next_file(directory, '')
  by_step = {(step, tag): (time, value) for step, time, tag, value in events}
  temporary = directory.file(_TEMPORARY_NAME)
  temporary.unlink(missing_ok=True)
  event_file = event_files.EventFile(temporary)
  try:
    # The Python reader takes only the second mark of a run for a restart.
    for _ in range(2):
      event_file.write(step=0, session_log={'status': 'START'})
    for step, tag in sorted(by_step):
      wall_time, value = by_step[step, tag]
      event_file.write(
        step=step,
        wall_time=wall_time,
        summary={'value': [_summary_value(tag, value)]},
      )
    event_file.sync()
  finally:
    event_file.close()
  temporary.rename(file.name)
  for old_file in old_files:
    old_file.unlink()
  return file.path


def code_block(text: str) -> str:
  """Returns Markdown that shows `text` as it is, whatever is in it."""
  # Indented, not fenced: the text may hold a fence.
  return '\n'.join(f'    {line}' for line in text.splitlines())


def _summary_value(
  tag: str, value: float | histograms.Histogram
) -> dict[str, Any]:
  """Returns the fields of a `Summary.Value` message."""
  # A histogram is a named tuple.
  if not isinstance(value, tuple):
    return {'tag': tag, 'simple_value': float(value)}
  import numpy as np
  from tensorboard.compat.proto import types_pb2
  from tensorboard.plugins.histogram import metadata

  edges = np.linspace(value.low, value.high, len(value.counts) + 1)
  rows = np.stack([edges[:-1], edges[1:], np.array(value.counts)], axis=1)
  return {
    'tag': tag,
    'metadata': metadata.create_summary_metadata(
      display_name=None, description=None
    ),
    'tensor': {
      'dtype': types_pb2.DT_DOUBLE,
      'tensor_shape': {'dim': [{'size': size} for size in rows.shape]},
      'tensor_content': rows.tobytes(),
    },
  }
