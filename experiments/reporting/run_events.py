"""TensorBoard's copy of what a run measures, as it goes on."""

from experiments.foundation.directory import Directory
from experiments.reporting import tensorboard
from experiments.rundir import event_files, metric_log, run_dir
from experiments.training import histograms


class RunEvents:
  """TensorBoard's copy of records and histograms, in train/ and eval/.

  Attributes:
    histograms: of the run; what is added to it is written with the records of
      its step.
  """

  def __init__(self, directory: run_dir.RunDir):
    """Opens nothing yet.

    Args:
      directory: of the run.
    """
    self.histograms = histograms.Histograms()
    self._directory = directory
    self._writers: dict[str, tensorboard.EventWriter] = {}
    self._n_histograms = 0

  def __enter__(self) -> 'RunEvents':
    return self

  def __exit__(self, *error) -> None:
    for writer in self._writers.values():
      writer.__exit__(*error)

  def write(self, new: list[metric_log.Record]) -> None:
    """Writes records, and the histograms that came with them.

    Args:
      new: the first time, all from before; later, what is new.
    """
    counted = self.histograms.since(self._n_histograms)
    self._n_histograms += len(counted)
    times = {record.step: record.time for record in new}
    if not self._writers:
      for split in ('train', 'eval'):
        events = self._directory.events(split)
        values: list[tuple] = [
          (r.step, r.time, r.metric, r.value) for r in new if r.split == split
        ]
        if split == 'train':
          values += [(h.step, times[h.step], h.tag, h) for h in counted]
        take_back(events, values)
        self._writers[split] = tensorboard.EventWriter(events)
      return
    for record in new:
      self._writers[record.split].scalars(
        {record.metric: record.value}, record.step, record.time
      )
    for histogram in counted:
      self._writers['train'].histogram(histogram, times[histogram.step])


def take_back(events: Directory, values: list[tuple]) -> None:
  """Makes a directory's events those of a run that goes on, if it has any.

  Args:
    events: a directory of event files, which need not exist.
    values: (step, seconds since the epoch, tag, scalar or histogram) of each
      to keep.
  """
  if values or event_files.event_files(events):
    tensorboard.rewrite(events, values)
