"""One attempt at a trial, the same wherever it runs."""

import contextlib
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator

from experiments.config import experiment
from experiments.foundation.directory import File
from experiments.foundation.errors import EndOfRun, UserError
from experiments.pipeline import runs
from experiments.pipeline.results import format_run
from experiments.rundir import metric_log, run_dir
from experiments.sweeps.executors import Outcome, Task
from experiments.training import progress
from experiments.training.context import Cache, RunContext
from experiments.training.structure import structure


class Pruned(EndOfRun, Exception):
  """The search gave the trial up."""

  run_status = run_dir.PRUNED

  def __init__(self, step: int):
    super().__init__(f'Pruned at step {step}.')
    self.step = step


def run(
  task: Task,
  shared: Cache,
  report: Callable[[list[metric_log.Record]], bool],
  on_progress: Callable[[int, int, float | None], None],
) -> Outcome:
  """Trains a trial as a run of its own, with its output in the run directory.

  Args:
    task: the trial.
    shared: holds what the trials of this process have made.
    report: told of new records; says whether to go on.
    on_progress: told of step, number of steps and loss about once a second.
  """

  def on_records(new: list[metric_log.Record]) -> None:
    if new and not report(new):
      raise Pruned(max(record.step for record in new))

  try:
    with _output_to(run_dir.RunDir(task.path).log):
      return _run(task, shared, on_records, on_progress)
  # Of the file that its output was to go to.
  except (UserError, OSError) as error:
    return Outcome(run_dir.FAILED, ' '.join(str(error).split()))


def _run(
  task: Task,
  shared: Cache,
  on_records: Callable[[list[metric_log.Record]], None],
  on_progress: Callable[[int, int, float | None], None],
) -> Outcome:
  try:
    resolved = experiment.resolve(task.config)
    context = RunContext(
      keep=shared.of(structure(task.config.text)),
      on_progress=progress.seldom(on_progress),
      on_records=on_records,
      hparams=task.names,
    )
    results = runs.train(resolved, task.path, context=context)
    print(format_run(results, resolved.evaluation))
    outcome = Outcome(run_dir.FINISHED)
  except (KeyboardInterrupt, EndOfRun, Exception) as error:
    outcome = _outcome_of(error)
  if outcome.status != run_dir.FINISHED:
    # An error's frames may hold what the trial has used.
    gc.collect()
  return outcome


def _outcome_of(error: BaseException) -> Outcome:
  """Returns how a trial ended, with what its log should hold written to it."""
  status = runs.status_of(error)
  if status == run_dir.INTERRUPTED:
    return Outcome(status)
  if status == run_dir.PRUNED:
    return Outcome(status, str(error))
  if isinstance(error, UserError):
    print(error, file=sys.stderr)
    return Outcome(status, ' '.join(str(error).split('\n')))
  traceback.print_exc()
  # What follows the first line is where gin has called it.
  reason = ''.join(traceback.format_exception_only(error)).strip()
  return Outcome(status, reason.split('\n')[0], may_retry=True)


@contextlib.contextmanager
def _output_to(log: File) -> Iterator[None]:
  """Appends to a file what this process prints, C++ included."""
  log.parent.make()
  file = log.open_in_place(os.O_WRONLY | os.O_APPEND)
  _flush()
  kept = [os.dup(number) for number in (1, 2)]
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
