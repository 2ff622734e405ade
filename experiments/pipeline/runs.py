"""One run, from its config to its results; and the evaluation of one."""

import contextlib
import logging
import pathlib
import time
import traceback
from collections.abc import Callable
from typing import Any

from experiments.backend import jax_setup
from experiments.config import gin_config
from experiments.foundation import cache, signals
from experiments.foundation.errors import UserError
from experiments.pipeline import (
  experiment,
  prediction,
  run_config,
  run_evaluation,
  warm_start,
)
from experiments.reporting import run_events, tensorboard
from experiments.rundir import checkpoints, metric_log, run_dir


def train(
  checked: gin_config.Config,
  output_dir: pathlib.Path,
  on_records: Callable[[list[metric_log.Record]], None] = lambda new: None,
  *,
  trust_init_from: bool = False,
) -> None:
  """Trains, evaluates on the whole test split and shows predictions.

  Goes on where an earlier process stopped. Results go to stdout, once they are
  safe on disk.

  Args:
    checked: the experiment.
    output_dir: the run directory; made if missing.
    on_records: told of new records, and first of those from before; what it
      raises ends the run, with the error's `run_status`.
    trust_init_from: whether `experiment.init_from` may name a file whose
      reading can run code.

  Raises:
    UserError: the data, the vocabulary or the directory will not do, or the
      loss diverged.
    training.Interrupted: Ctrl-C or SIGTERM; there is a checkpoint.
  """
  directory = run_dir.RunDir(output_dir)
  if is_finished(directory, checked):
    run_evaluation.show_finished(directory)
    return
  run_dir.check_writable(directory.path)
  directory.check_unlocked()
  gin_config.apply(checked)
  jax_setup.start_jax(cache_dir=cache.cache_dir())
  source = experiment.open_source(cache.cache_dir())
  vocabulary = experiment.open_vocabulary(source, cache.cache_dir())
  data = experiment.open_data(source, vocabulary, cache.cache_dir())
  _check_model(len(source.label_names))
  saved = checkpoints.Checkpoints(directory.checkpoints)
  weights = None
  if not saved.steps():
    weights = warm_start.load(data, trust=trust_init_from)
  with signals.StopSignal() as stop_signal, directory.locked():
    if is_finished(directory, checked):
      run_evaluation.show_finished(directory)
      return
    _start_run(directory, checked, data)
    before = directory.read_run().get('seconds', 0.0)
    start = time.monotonic()

    def note(status: str, **fields: Any) -> None:
      directory.write_run(
        status=status,
        end=run_dir.now(),
        seconds=round(before + time.monotonic() - start, 3),
        **fields,
      )

    try:
      results = _train(
        directory, checked, data, weights, stop_signal, on_records
      )
    except BaseException as error:
      status = _status_of(error)
      with _logging_failure():
        note(
          status,
          steps=getattr(error, 'step', None) or max(saved.steps(), default=0),
          error=None
          if status in (run_dir.INTERRUPTED, run_dir.PRUNED)
          else ''.join(traceback.format_exception_only(error)).strip(),
        )
      raise
    note(run_dir.FINISHED, error=None)
  print(results)
  print(f'\nRun directory: {directory.path}')
  print(f'TensorBoard:   tensorboard --logdir={directory.path.parent}')


def evaluate(output_dir: pathlib.Path) -> None:
  """Evaluates a run on the whole test split and writes its report anew.

  Args:
    output_dir: a run directory with a checkpoint.

  Raises:
    UserError: it is none, or its data cannot be had.
  """
  directory = run_dir.RunDir(output_dir).existing()
  run_config.apply_config(directory)
  jax_setup.start_jax(cache_dir=cache.cache_dir())
  vocabulary = experiment.run_vocabulary(directory.vocabulary)
  source = experiment.open_source(cache.cache_dir())
  data = experiment.open_data(source, vocabulary, cache.cache_dir())
  classifier, step = prediction.load_classifier(directory)
  with directory.locked():
    results = run_evaluation.evaluate_run(directory, data, classifier, step)
  print(results)
  print(f'\nEvaluated at step {step}: {directory.report}')


def is_finished(directory: run_dir.RunDir, checked: gin_config.Config) -> bool:
  """Tells whether a run is done.

  Args:
    directory: the run directory, which need not exist.
    checked: the experiment.

  Raises:
    UserError: the directory holds a run with another config, or other files.
  """
  if not directory.config.is_file():
    if not directory.is_free():
      raise UserError(
        f'--output_dir={directory.path}: not empty, and no run directory (it '
        'has no config.gin). Choose another directory.'
      )
    return False
  differences = gin_config.differences(
    directory.config.read_text(encoding='utf-8-sig', errors='replace'),
    checked.text,
  )
  if differences:
    raise UserError(
      f'--output_dir={directory.path} holds a run with another config:\n'
      + '\n'.join(f'  {line}' for line in differences)
      + '\nChoose another --output_dir, or remove this one.'
    )
  return directory.read_run().get('status') == run_dir.FINISHED


def _check_model(n_classes: int) -> None:
  """Refuses sizes that do not go together before there is a run directory."""
  try:
    experiment.make_model(n_classes=n_classes, mode='train')
  except UserError:
    raise
  except Exception:
    # A fault of the program is the run's, which keeps what it was.
    logging.debug('The model cannot be made', exc_info=True)


def _start_run(
  directory: run_dir.RunDir, checked: gin_config.Config, data: experiment.Data
) -> None:
  """Writes what is known before step 1.

  Raises:
    UserError: the run goes on, and its data are no longer what they were.
  """
  identity = {
    'data': data.source.fingerprint,
    'vocabulary': data.vocabulary.fingerprint,
  }
  run = directory.read_run()
  for what, now in identity.items():
    if (
      run.get(what, now) != now
      and checkpoints.Checkpoints(directory.checkpoints).steps()
    ):
      raise UserError(
        f'--output_dir={directory.path}: the {what} changed since the run '
        'was started, so it cannot go on.\nPut it back, choose another '
        '--output_dir, or remove this one.'
      )
  # First, so that a directory with a config has all that the config needs.
  directory.store_vocabulary(data.vocabulary.path)
  directory.write_run(
    status=run_dir.RUNNING,
    overrides=dict(checked.overrides),
    seed=checked.macros.get('SEED'),
    start=run.get('start', run_dir.now()),
    end=None,
    steps=run.get('steps', 0),
    dataset=data.source.full_name,
    splits=dict(data.source.splits),
    n_examples=dict(data.source.n_examples),
    labels=list(data.source.label_names),
    **identity,
    error=None,
    **run_dir.provenance(),
  )
  directory.config.write(checked.text)


def _train(
  directory: run_dir.RunDir,
  checked: gin_config.Config,
  data: experiment.Data,
  weights: warm_start.Start | None,
  stop_signal: signals.StopSignal,
  on_records: Callable[[list[metric_log.Record]], None],
) -> str:
  """Trains and evaluates; returns the results as text."""
  start = time.time()
  events = run_events.RunEvents(directory)

  def record(new: list[metric_log.Record]) -> None:
    events.write(new)
    on_records(new)

  run_events.take_back(directory.root, [])
  with tensorboard.EventWriter(directory.root) as writer, events:
    writer.session_start(
      tensorboard.run_hparams(checked.macros, checked.overrides),
      start_time=start,
    )
    writer.text('config.gin', tensorboard.code_block(checked.text), 0)
    try:
      loop = experiment.make_loop(
        data,
        checkpoints=experiment.open_checkpoints(directory.checkpoints),
        records=metric_log.Records(directory.metrics),
        counted=events.histograms,
        start=weights,
        stop_signal=stop_signal,
        on_records=record,
      )
      loop.run()
      directory.write_run(steps=loop.step)
      loop.take_best()
      loop.export(directory.model)
      classifier, step = prediction.load_classifier(directory)
      results = run_evaluation.evaluate_run(directory, data, classifier, step)
    except BaseException as error:
      # TensorBoard believes the first end of a session: only one that is final.
      with _logging_failure():
        writer.session_end(_status_of(error), end_time=time.time())
      raise
    writer.session_end(run_dir.FINISHED, end_time=time.time())
  return results


@contextlib.contextmanager
def _logging_failure():
  """Logs an error of the disk where another one is about to be raised."""
  try:
    yield
  except OSError as error:
    logging.warning('How the run ended could not be written: %s', error)


def _status_of(error: BaseException) -> str:
  if isinstance(error, KeyboardInterrupt):
    return run_dir.INTERRUPTED
  return getattr(error, 'run_status', run_dir.FAILED)
