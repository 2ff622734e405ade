"""One run, from an experiment to its results; and the evaluation of one."""

import contextlib
import dataclasses
import logging
import pathlib
import time
import traceback
from collections.abc import Collection, Iterator, Sequence

from experiments.backend import jax_setup, threads
from experiments.config import gin_config
from experiments.config.config_differences import find_differences
from experiments.config.experiment import Experiment
from experiments.foundation import cache
from experiments.foundation.errors import EndOfRun, UserError
from experiments.foundation.signals import Interrupted, StopSignal
from experiments.pipeline import (
  learned_parts,
  loops,
  more_steps,
  pretrained_embedding,
  pretrained_encoder,
  run_config,
  run_evaluation,
  saved_model,
  warm_start,
)
from experiments.pipeline.data import Data, open_data
from experiments.pipeline.models import Models
from experiments.pipeline.results import Results, read_results
from experiments.reporting import run_events, tensorboard
from experiments.reporting.hparams import run_hparams
from experiments.rundir import checkpoints, metric_log, run_dir
from experiments.training.context import RunContext
from experiments.training.update import Rate, Start


def train(
  experiment: Experiment,
  output_dir: pathlib.Path,
  *,
  context: RunContext,
  trust_init_from: bool = False,
) -> Results:
  """Trains, and evaluates on the whole test split.

  Goes on where an earlier process stopped.

  Args:
    experiment: what to train.
    output_dir: the run directory; made if missing.
    context: what the run may reuse, where it reports, when it stops.
    trust_init_from: whether `experiment.init_from` may name a file whose
      reading can run code.

  Returns:
    The results, which are safe on disk; those of a finished run as they were.

  Raises:
    UserError: the data, the vocabulary or the directory will not do, or the
      loss diverged.
    signals.Interrupted: Ctrl-C or SIGTERM; there is a checkpoint.
  """
  directory = run_dir.RunDir(output_dir)
  if is_finished(directory, experiment.config):
    return read_results(directory)
  run_dir.check_writable(directory.path)
  directory.check_unlocked()
  cache_dir = cache.cache_dir()
  jax_setup.start_jax(cache_dir=cache_dir, n_threads=directory.n_threads)
  data = open_data(experiment, cache_dir=cache_dir, keep=context.keep)
  models = Models(
    experiment,
    n_classes=data.n_classes,
    encoder=data.encoder,
    keep=context.keep,
  )
  _check_model(models)
  loops.check_best_metric(experiment, data)
  rates = learned_parts.find_rates(experiment, models, data.encoder)
  start = None
  if not more_steps.usable_steps(directory, experiment):
    start = warm_start.load(
      experiment, data=data, models=models, trust=trust_init_from
    )
  with context.stop_signal, directory.locked():
    if is_finished(directory, experiment.config):
      return read_results(directory)
    _start_run(directory, experiment, data)
    with _recorded_end(directory, context.stop_signal):
      return _train_and_evaluate(
        experiment,
        directory=directory,
        data=data,
        models=models,
        start=start,
        rates=rates,
        context=context,
      )


def evaluate(
  output_dir: pathlib.Path, *, allow_import: Collection[str] = ()
) -> Results:
  """Evaluates a run on the whole test split and writes its report anew.

  Args:
    output_dir: a run directory with a checkpoint.
    allow_import: modules that its config may import.

  Raises:
    UserError: it is not a run directory, or its data cannot be loaded.
  """
  directory = run_dir.RunDir(output_dir).existing()
  return evaluate_again(
    run_config.load_experiment(directory, allow_import), directory
  )


def evaluate_again(
  experiment: Experiment, directory: run_dir.RunDir
) -> Results:
  """Does what `evaluate` does, where the config has been read already.

  Args:
    experiment: of the run.
    directory: of the run.

  Raises:
    UserError: there is no checkpoint, or its data cannot be loaded.
  """
  cache_dir = cache.cache_dir()
  # First, since it tells whether the vocabulary is that of the run.
  loaded = saved_model.load_run(
    experiment, directory, cache_dir=cache_dir, is_calibrated=False
  )
  data = open_data(
    experiment, cache_dir=cache_dir, vocabulary=loaded.vocabulary
  )
  _check_data(directory, data)
  with directory.locked():
    return run_evaluation.evaluate_run(
      experiment,
      directory=directory,
      data=data,
      classifier=loaded.classifier,
      step=loaded.step,
    )


def _check_data(directory: run_dir.RunDir, data: Data) -> None:
  """Compares the data that a run is evaluated on with those it had.

  Raises:
    UserError: they have other classes.
  """
  labels = directory.read_labels()
  if list(data.source.label_names) != labels:
    raise UserError(
      f'{data.source.full_name} in {data.source.path} has the classes '
      f'{", ".join(data.source.label_names)[:200]}, and the run was trained on '
      f'{", ".join(labels)[:200]}. Put that data set back.'
    )
  trained_on = directory.read_run().get('data')
  if trained_on != data.source.fingerprint:
    logging.warning(
      '%s is not what the run was trained with: its rows have changed since',
      data.source.full_name,
    )


def is_finished(directory: run_dir.RunDir, config: gin_config.Config) -> bool:
  """Tells whether a run is done.

  Args:
    directory: the run directory, which need not exist.
    config: the experiment.

  Raises:
    UserError: the directory holds a run with another config, or other files. A
      run of fewer steps can go on, if its steps do not depend on which is the
      last.
  """
  if not directory.config.is_file():
    if not directory.is_free():
      raise UserError(
        f'--output_dir={directory.path}: not empty, and no run directory (it '
        'has no config.gin). Choose another directory.'
      )
    return False
  text = directory.config.read_text(encoding='utf-8-sig', errors='replace')
  differences = find_differences(text, config.text)
  if not differences:
    return directory.read_run().get('status') == run_dir.FINISHED
  added = more_steps.find_added(text, config.text)
  if added:
    more_steps.check(directory, added)
    return False
  raise UserError(
    f'--output_dir={directory.path} holds a run with another config:\n'
    + '\n'.join(f'  {line}' for line in differences)
    + '\nChoose another --output_dir, or remove this one.'
  )


def status_of(error: BaseException) -> str:
  """Returns what run.json says of a run that an error has ended."""
  if isinstance(error, KeyboardInterrupt):
    return run_dir.INTERRUPTED
  return error.run_status if isinstance(error, EndOfRun) else run_dir.FAILED


def _check_model(models: Models) -> None:
  """Refuses sizes that do not go together before there is a run directory."""
  try:
    models.train  # noqa: B018 (makes it)
  except UserError:
    raise
  except Exception:
    # A fault of the program is the run's, which keeps what it was.
    logging.debug('The model cannot be made', exc_info=True)


def _start_run(
  directory: run_dir.RunDir, experiment: Experiment, data: Data
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
  more_steps.prepare(directory, experiment)
  # First, so that a directory with a config has all that the config needs.
  directory.store_vocabulary(data.vocabulary.path)
  pretrained_encoder.store(directory, data.encoder)
  directory.write_run(
    status=run_dir.RUNNING,
    overrides=dict(experiment.config.overrides),
    seed=experiment.config.macros.get('SEED'),
    start=run.get('start', run_dir.now()),
    end=None,
    steps=run.get('steps', 0),
    dataset=data.source.full_name,
    splits=data.splits,
    n_examples=data.n_examples,
    labels=list(data.source.label_names),
    **identity,
    embedding=pretrained_embedding.describe(data),
    n_threads=threads.in_use(),
    error=None,
    **run_dir.provenance(),
  )
  directory.config.write(experiment.config.text)


@contextlib.contextmanager
def _recorded_end(
  directory: run_dir.RunDir, stop_signal: StopSignal
) -> Iterator[None]:
  """Writes to run.json how what is done within has ended.

  Raises:
    Interrupted: a signal has ended it, whatever the exception was.
  """
  before = directory.read_run().get('seconds') or 0.0
  start = time.monotonic()

  def note(status: str, **fields) -> None:
    directory.write_run(
      status=status,
      end=run_dir.now(),
      seconds=round(before + time.monotonic() - start, 3),
      **fields,
    )

  try:
    yield
  except BaseException as error:
    saved = checkpoints.Checkpoints(directory.checkpoints).steps()
    number = stop_signal()
    if stop_signal.has_raised and number and not isinstance(error, Interrupted):
      ending: BaseException = Interrupted(number, saved[-1] if saved else None)
    else:
      ending = error
    status = status_of(ending)
    reason = None
    if status not in (run_dir.INTERRUPTED, run_dir.PRUNED):
      reason = ''.join(traceback.format_exception_only(ending)).strip()
    step = ending.step if isinstance(ending, EndOfRun) else None
    with _logged_failure():
      note(status, steps=step or max(saved, default=0), error=reason)
    if ending is not error:
      raise ending from error
    raise
  note(run_dir.FINISHED, error=None)


def _train_and_evaluate(
  experiment: Experiment,
  *,
  directory: run_dir.RunDir,
  data: Data,
  models: Models,
  start: Start | None,
  rates: Sequence[Rate],
  context: RunContext,
) -> Results:
  """Trains, exports and evaluates in a directory that is ready for it."""
  with (
    _session(experiment, directory, context.hparams),
    run_events.RunEvents(directory) as tb,
  ):

    def record(new: list[metric_log.Record]) -> None:
      tb.write(new)
      context.on_records(new)

    loop = loops.make_loop(
      experiment,
      data=data,
      models=models,
      directory=directory,
      start=start,
      rates=rates,
      counted=tb.histograms,
      context=dataclasses.replace(context, on_records=record),
    )
    loop.run()
    directory.write_run(steps=loop.step)
    # All that follows is done again from the checkpoint, if need be.
    with context.stop_signal.raising():
      loop.take_best()
      loop.export(directory.model)
      classifier, step = saved_model.load_classifier(
        experiment,
        directory,
        vocabulary=data.vocabulary,
        models=models,
        keep=context.keep,
      )
      return run_evaluation.evaluate_run(
        experiment,
        directory=directory,
        data=data,
        classifier=classifier,
        step=step,
        keep=context.keep,
      )


@contextlib.contextmanager
def _session(
  experiment: Experiment,
  directory: run_dir.RunDir,
  hparams: tuple[str, ...] | None,
) -> Iterator[None]:
  """Writes for TensorBoard what a run is, and at last how it has ended."""
  start = time.time()
  config = experiment.config
  run_events.take_back(directory.root, [])
  with tensorboard.EventWriter(directory.root) as writer:
    writer.session_start(
      run_hparams(config.macros, config.overrides, hparams),
      start_time=start,
    )
    writer.text('config.gin', tensorboard.code_block(config.text), 0)
    try:
      yield
    except BaseException as error:
      # TensorBoard believes the first end of a session: only one that is final.
      with _logged_failure():
        writer.session_end(status_of(error), end_time=time.time())
      raise
    writer.session_end(run_dir.FINISHED, end_time=time.time())


@contextlib.contextmanager
def _logged_failure() -> Iterator[None]:
  """Logs an error of the disk where another one is about to be raised."""
  try:
    yield
  except OSError as error:
    logging.warning('How the run ended could not be written: %s', error)
