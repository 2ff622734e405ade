"""The exact evaluations of a run: one pass over a whole split."""

import logging
import time
from typing import NamedTuple

import numpy as np

from experiments.config.experiment import Experiment
from experiments.evaluation import (
  by_length,
  calibration,
  inference,
  metrics,
  rejection,
  short_texts,
)
from experiments.foundation.directory import Directory, File
from experiments.pipeline import prediction, run_answers
from experiments.pipeline.data import Data
from experiments.pipeline.results import Results
from experiments.reporting import (
  mistakes_page,
  projector,
  report,
  run_events,
  tensorboard,
)
from experiments.rundir import (
  metric_log,
  predictions_file,
  run_dir,
  run_names,
)
from experiments.rundir.run_record import Answers
from experiments.text import tokenization
from experiments.training.context import Keep, keep_nothing

_N_SHOWN_PREDICTIONS = 5
# The pictures of the report that TensorBoard shows as well.
_PICTURES = ('confusion_matrix', 'calibration', 'accuracy_by_length')
_IDS_AT_ONCE = 2**20
# Where runs of earlier versions have them, whatever the split.
_OLD_EVENTS = 'test'


class Examples(NamedTuple):
  """What a model is measured on.

  Attributes:
    dataset: its name, such as 'bbc_news:1.0.0'.
    split: such as 'test' or 'train[80%:]'.
    label_names: the classes by name, in the order of the model's outputs.
    vocabulary: of the model.
    tokens: token ids and labels.
    text_digests: S16 [examples], see `datasets.text_digests`.
    rows: int64 [examples], their numbers; None: from 0 on.
  """

  dataset: str
  split: str
  label_names: tuple[str, ...]
  vocabulary: tokenization.Vocabulary
  tokens: tokenization.Tokens
  text_digests: np.ndarray
  rows: np.ndarray | None = None

  @property
  def numbers(self) -> np.ndarray:
    """The number of each in the split that they are of."""
    return np.arange(len(self.tokens)) if self.rows is None else self.rows


class Measured(NamedTuple):
  """What came of it.

  Attributes:
    evaluation: of all examples that are not too long.
    predictions: some of them.
    answers: what calibration and rejection came to, for run.json.
  """

  evaluation: metrics.Evaluation
  predictions: list[report.Prediction]
  answers: Answers | None


class _Outcome(NamedTuple):
  """What a model says of examples.

  Attributes:
    log_probs: float32 [examples, classes].
    kept: bool [examples], which of them are not too long.
    evaluation: of these.
  """

  log_probs: np.ndarray
  kept: np.ndarray
  evaluation: metrics.Evaluation


def measure(
  examples: Examples,
  *,
  classifier: inference.Classifier,
  step: int,
  reject_below: float | None,
  directory: Directory,
  predictions: File,
) -> Measured:
  """Measures a model on every example once, and writes a report.

  Args:
    examples: what it is measured on.
    classifier: the model.
    step: training steps that the model has seen.
    reject_below: as REJECT_BELOW.
    directory: of the report.
    predictions: the file of what the model said of every example.

  Raises:
    UserError: all examples are too long.
  """
  log_probs, kept, evaluation = _predict(
    examples, classifier=classifier, step=step, predictions=predictions
  )
  tokens, names = examples.tokens, examples.label_names
  outcome = {
    'log_probs': log_probs[kept],
    'targets': np.asarray(tokens.labels)[kept],
  }
  short_texts.warn_of_padding(classifier, tokens)
  shown = [
    prediction.describe(
      text=examples.vocabulary.decode(_ids(tokens, i)),
      log_probs=log_probs[i],
      label_names=names,
      n_tokens=len(_ids(tokens, i)),
      expected=names[int(tokens.labels[i])],
    )
    for i in np.flatnonzero(kept)[:_N_SHOWN_PREDICTIONS]
  ]
  predicted = outcome['log_probs'].argmax(axis=-1)
  risk = None
  if reject_below is not None:
    risk = rejection.risk_coverage(**outcome)
  report.write_report(
    directory,
    evaluation=evaluation,
    dataset=examples.dataset,
    split=examples.split,
    calibrated=calibration.calibrate(**outcome),
    lengths=by_length.accuracy_by_length(
      lengths=np.asarray(tokens.lengths)[kept],
      correct=predicted == outcome['targets'],
    ),
    mistakes=_worst_mistakes(examples, log_probs, kept),
    predictions=shown,
    risk=risk,
  )
  answers = run_answers.measure(
    **outcome,
    at=classifier.temperature,
    reject_below=reject_below,
    risk=risk,
  )
  return Measured(evaluation, shown, answers)


def _predict(
  examples: Examples,
  *,
  classifier: inference.Classifier,
  step: int,
  predictions: File,
) -> _Outcome:
  """Asks a model about every example once, and keeps what it says.

  Raises:
    UserError: all examples are too long.
  """
  tokens = examples.tokens
  log_probs, kept = classifier.log_probs(tokens)
  n_dropped = int(np.sum(~kept))
  if n_dropped:
    logging.info(
      '%d %s examples are too long and left out', n_dropped, examples.split
    )
  expected = np.asarray(tokens.labels)[kept]
  evaluation = metrics.evaluate_log_probs(
    log_probs=log_probs[kept],
    targets=expected,
    label_names=examples.label_names,
    n_dropped=n_dropped,
  )
  predictions_file.write(
    predictions,
    predictions_file.Predictions(
      dataset=examples.dataset,
      split=examples.split,
      labels=examples.label_names,
      step=step,
      rows=examples.numbers[kept],
      expected=expected,
      text_digests=examples.text_digests[kept],
      log_probs=log_probs[kept],
    ),
  )
  return _Outcome(log_probs, kept, evaluation)


def evaluate_run(
  experiment: Experiment,
  *,
  directory: run_dir.RunDir,
  data: Data,
  classifier: inference.Classifier,
  step: int,
  keep: Keep = keep_nothing,
) -> Results:
  """Evaluates a run exactly, and writes what comes of it to its directory.

  Args:
    experiment: of the run.
    directory: of the run.
    data: its data; the test split is what counts, and what is chosen by is a
      validation split, if there is one.
    classifier: its model.
    step: training steps that the model has seen.
    keep: gives what an earlier run has made.
  """
  own = Examples(
    dataset=data.source.full_name,
    split=data.splits['test'],
    label_names=data.source.label_names,
    vocabulary=data.vocabulary,
    tokens=data.test,
    text_digests=data.test_digests,
    rows=data.held_out and data.held_out.rows,
  )
  split = data.source.splits.get('validation')
  classifier = classifier.at_temperature(1)
  if experiment.evaluation.calibration:
    assert split is not None, 'checked with the config'
    classifier = run_answers.calibrate(
      classifier, data.validation, directory=directory, split=split, step=step
    )
  evaluation, examples, answers = measure(
    own,
    classifier=classifier,
    step=step,
    reject_below=experiment.evaluation.reject_below,
    directory=directory.report,
    predictions=directory.predictions_of(own.split),
  )
  measured = {
    'metrics': evaluation.to_dict(),
    'answers': answers,
    'n_weights': classifier.n_weights,
  }
  # What folds are compared by is the fold.
  if split is not None and data.held_out is None:
    outcome = _predict(
      own._replace(
        split=split,
        tokens=data.validation,
        text_digests=data.validation_digests,
      ),
      classifier=classifier,
      step=step,
      predictions=directory.predictions_of(split),
    )
    measured['validation_metrics'] = outcome.evaluation.to_dict()
  if experiment.run.projector and not experiment.model.encoder:
    _write_projector(experiment, directory, data, classifier, keep)
  _write_events(directory, data.splits['test'], evaluation, step)
  scalars = evaluation.scalars().items()
  values = {f'exact/{name}': value for name, value in scalars}
  kept_records = [
    record
    for record in metric_log.read_records(directory.metrics)
    if record.split != 'test'
  ]
  now = time.time()
  metric_log.Records(directory.metrics).replace(
    kept_records
    + [
      metric_log.Record(step, 'test', name, value, now)
      for name, value in values.items()
    ]
  )
  directory.write_run(**measured, evaluated_step=step)
  n_steps = directory.read_run().get('steps', step)
  return Results(
    evaluation, examples, step, n_steps, directory.root.where(), answers
  )


def _write_events(
  directory: run_dir.RunDir,
  split: str,
  evaluation: metrics.Evaluation,
  step: int,
) -> None:
  """Writes for TensorBoard what it shows of an exact evaluation.

  Args:
    directory: of the run; its report is written.
    split: what is evaluated, in TFDS's syntax.
    evaluation: of it.
    step: training steps that the model has seen.
  """
  name = run_names.split_name(split)
  for each in {_OLD_EVENTS, name}:
    run_events.take_back(directory.events(each), [])
  with tensorboard.EventWriter(directory.events(name)) as writer:
    # Where the sampled evaluations are lines, they are the dot at the end.
    writer.scalars(
      {
        metric_log.name_sampled(metric): value
        for metric, value in evaluation.scalars().items()
      },
      step,
    )
    for picture in _PICTURES:
      png = directory.report.file(f'{picture}.png').read_bytes()
      # Its page opens with the first by name: the curves, not these.
      writer.image(f'visuals/{picture}', png, step)
    markdown = directory.report.file('predictions.md').read_text(
      encoding='utf-8-sig'
    )
    writer.text('predictions', markdown, step)


def _worst_mistakes(
  examples: Examples, log_probs: np.ndarray, kept: np.ndarray
) -> list[mistakes_page.Mistake]:
  """Returns those in which the model is surest, the surest first.

  Args:
    examples: what the model is measured on.
    log_probs: float32 [examples, classes].
    kept: bool [examples], which of them count.
  """
  targets = np.asarray(examples.tokens.labels)
  # Where an example does not count, there are NaNs.
  predicted = np.where(kept, log_probs.argmax(axis=-1), targets)
  wrong = np.flatnonzero(predicted != targets)
  order = np.argsort(-log_probs[wrong, predicted[wrong]], kind='stable')
  mistakes = []
  for i in wrong[order][: mistakes_page.MAX_MISTAKES].tolist():
    ids = _ids(examples.tokens, i)
    probabilities = np.exp(log_probs[i].astype(np.float64)).clip(max=1)
    mistakes.append(
      mistakes_page.Mistake(
        example=int(examples.numbers[i]),
        text=examples.vocabulary.decode(ids),
        expected=examples.label_names[int(targets[i])],
        predicted=examples.label_names[int(predicted[i])],
        confidence=float(probabilities[predicted[i]]),
        expected_probability=float(probabilities[targets[i]]),
        n_tokens=len(ids),
      )
    )
  return mistakes


def _write_projector(
  experiment: Experiment,
  directory: run_dir.RunDir,
  data: Data,
  classifier: inference.Classifier,
  keep: Keep,
) -> None:
  """Writes embeddings for TensorBoard; of an encoder, ids are not rows."""
  projector.write_projector(
    directory.projector,
    embeddings=projector.token_embeddings(
      classifier.model, classifier.weights, experiment.model.vocab_size
    ),
    tokens=keep(
      ('token_table', data.source.fingerprint, data.vocabulary.identity),
      lambda: projector.TokenTable(data.vocabulary.piece, _token_counts(data)),
    ),
  )


def _token_counts(data: Data) -> np.ndarray:
  """Returns int64 [tokens], how often each is in the train split."""
  ids, size = data.train.ids, data.vocabulary.size
  counts = np.zeros(size, np.int64)
  # NumPy makes int64 of what it counts.
  for start in range(0, len(ids), _IDS_AT_ONCE):
    counts += np.bincount(ids[start : start + _IDS_AT_ONCE], minlength=size)
  return counts


def _ids(tokens, i: int) -> np.ndarray:
  start = tokens.offsets[i]
  return np.asarray(tokens.ids[start : start + tokens.lengths[i]])
