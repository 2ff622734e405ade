"""The exact evaluation of a run: one pass over the whole test split."""

import json
import logging
import time

import numpy as np

from experiments import (
  experiment,
  inference,
  metrics,
  prediction,
  records,
  report,
  run_dir,
  run_events,
  tensorboard,
)

_N_SHOWN_PREDICTIONS = 5


def evaluate_run(
  directory: run_dir.RunDir,
  data: experiment.Data,
  classifier: inference.Classifier,
  step: int,
) -> str:
  """Evaluates a run exactly, and writes what comes of it to its directory.

  Args:
    directory: of the run.
    data: its data; the test split is what counts.
    classifier: its model.
    step: training steps that the model has seen.

  Returns:
    The results, as text for a terminal.
  """
  log_probs, kept = classifier.log_probs(data.test)
  n_dropped = int(np.sum(~kept))
  if n_dropped:
    logging.info('%d test examples are too long and left out', n_dropped)
  evaluation = metrics.evaluate_log_probs(
    log_probs=log_probs[kept],
    targets=np.asarray(data.test.labels)[kept],
    label_names=data.source.label_names,
    n_dropped=n_dropped,
  )
  shown = np.flatnonzero(kept)[:_N_SHOWN_PREDICTIONS]
  examples = [
    prediction.describe(
      text=data.vocabulary.decode(_ids(data.test, i)),
      log_probs=log_probs[i],
      label_names=data.source.label_names,
      n_tokens=len(_ids(data.test, i)),
      expected=data.source.label_names[int(data.test.labels[i])],
    )
    for i in shown
  ]
  report.write_report(
    directory.report, evaluation=evaluation, predictions=examples
  )
  values = {
    f'exact/{name}': value for name, value in evaluation.scalars().items()
  }
  events = directory.events('test')
  run_events.take_back(events, [])
  with tensorboard.EventWriter(events) as writer:
    writer.scalars(values, step)
    png = (directory.report / 'confusion_matrix.png').read_bytes()
    writer.image('confusion_matrix', png, step)
    markdown = (directory.report / 'predictions.md').read_text()
    writer.text('predictions', markdown, step)
  kept_records = [
    record
    for record in records.read_records(directory.metrics)
    if record.split != 'test'
  ]
  now = time.time()
  records.Records(directory.metrics).replace(
    kept_records
    + [
      records.Record(step, 'test', name, value, now)
      for name, value in values.items()
    ]
  )
  directory.write_run(metrics=evaluation.to_dict())
  return _format(evaluation, examples)


def _ids(tokens, i: int) -> np.ndarray:
  return np.asarray(tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]])


def show_finished(directory: run_dir.RunDir) -> None:
  """Prints the results of a run that is done, as it did."""
  evaluation = metrics.Evaluation.from_dict(directory.read_run()['metrics'])
  path = directory.report / 'predictions.jsonl'
  examples = []
  try:
    lines = path.read_text().splitlines() if path.is_file() else []
    examples = [report.Prediction(**json.loads(line)) for line in lines]
  except (TypeError, ValueError) as error:
    logging.warning('%s is damaged: %s', path, error)
  print(_format(evaluation, examples))
  print(f'\nFinished before: {directory.path}. Nothing to do.')


def _format(
  evaluation: metrics.Evaluation, examples: list[report.Prediction]
) -> str:
  return (
    f'{report.format_evaluation(evaluation)}\n\n'
    f'{report.format_predictions(examples)}'
  )
