"""One attempt at a trial, the same wherever it runs."""

import contextlib
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator

from experiments.foundation import signals
from experiments.foundation.directory import File
from experiments.foundation.errors import UserError
from experiments.pipeline import runs
from experiments.rundir import metric_log, run_dir
from experiments.sweeps.executors import Outcome, Task
from experiments.training import programs, progress


class Pruned(Exception):
  """The search gave the trial up."""

  run_status = run_dir.PRUNED

  def __init__(self, step: int):
    super().__init__(f'Pruned at step {step}.')
    self.step = step


def run(
  task: Task,
  report: Callable[[list[metric_log.Record]], bool],
  on_progress: Callable[[int, int, float | None], None],
) -> Outcome:
  """Trains a trial as a run of its own, with its output in the run directory.

  Args:
    task: the trial.
    report: told of new records; says whether to go on.
    on_progress: told of step, number of steps and loss about once a second.
  """

  def on_records(new: list[metric_log.Record]) -> None:
    if new and not report(new):
      raise Pruned(max(record.step for record in new))

  with (
    _output_to(run_dir.RunDir(task.path).log),
    programs.sharing(task.config.text),
    progress.watched(on_progress),
  ):
    try:
      runs.train(task.config, task.path, on_records)
      outcome = Outcome(run_dir.FINISHED)
    except Pruned as error:
      outcome = Outcome(run_dir.PRUNED, str(error))
    except (KeyboardInterrupt, signals.Interrupted, signals.Terminated):
      outcome = Outcome(run_dir.INTERRUPTED)
    except UserError as error:
      print(error, file=sys.stderr)
      outcome = Outcome(
        getattr(error, 'run_status', run_dir.FAILED),
        ' '.join(str(error).split('\n')),
      )
    except Exception as error:
      traceback.print_exc()
      outcome = Outcome(
        run_dir.FAILED,
        # What follows is where gin has called it.
        ''.join(traceback.format_exception_only(error)).strip().split('\n')[0],
        may_retry=True,
      )
  if outcome.status != run_dir.FINISHED:
    # An error's frames may hold what the trial has used.
    gc.collect()
  return outcome


@contextlib.contextmanager
def _output_to(log: File) -> Iterator[None]:
  """Appends to a file what this process prints, C++ included."""
  log.directory.make()
  _flush()
  kept = [os.dup(number) for number in (1, 2)]
  file = log.open_in_place(os.O_WRONLY | os.O_APPEND)
  try:
    for number in (1, 2):
      os.dup2(file, number)
    yield
  finally:
    _flush()
    for number, old in zip((1, 2), kept, strict=True):
      os.dup2(old, number)
      os.close(old)
    os.close(file)


def _flush() -> None:
  sys.stdout.flush()
  sys.stderr.flush()
