"""TensorBoard's copy of what a run measures, as it goes on."""

import pathlib

from experiments import records, run_dir, tensorboard


class RunEvents:
  """TensorBoard's copy of the records, in train/ and eval/."""

  def __init__(self, directory: run_dir.RunDir):
    """Opens nothing yet.

    Args:
      directory: of the run.
    """
    self._directory = directory
    self._writers: dict[str, tensorboard.EventWriter] = {}

  def __enter__(self) -> 'RunEvents':
    return self

  def __exit__(self, *error) -> None:
    for writer in self._writers.values():
      writer.__exit__(*error)

  def write(self, new: list[records.Record]) -> None:
    """Writes records.

    Args:
      new: the first time, all from before; later, what is new.
    """
    if not self._writers:
      for split in ('train', 'eval'):
        events = self._directory.events(split)
        values = [
          (r.step, r.time, r.metric, r.value) for r in new if r.split == split
        ]
        take_back(events, values)
        self._writers[split] = tensorboard.EventWriter(events)
      return
    for record in new:
      self._writers[record.split].scalars(
        {record.metric: record.value}, record.step, record.time
      )


def take_back(events: pathlib.Path, values: list) -> None:
  """Makes a directory's events those of a run that goes on, if it has any.

  Args:
    events: a directory of event files, which need not exist.
    values: (step, seconds since the epoch, tag, value) of each scalar to keep.
  """
  if values or any(events.glob('*tfevents*')):
    tensorboard.rewrite(events, values)
