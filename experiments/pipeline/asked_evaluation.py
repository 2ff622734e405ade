"""The evaluation of a finished run on another split, or on other data."""

import pathlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from experiments.evaluation import metrics
from experiments.foundation import cache, json_text
from experiments.pipeline import (
  asked_data,
  run_config,
  run_evaluation,
  runs,
  saved_model,
)
from experiments.pipeline.run_evaluation import Measured
from experiments.rundir import run_dir

_EVALUATION = 'evaluation.json'
_PREDICTIONS = 'predictions.parquet'


class AskedResults(NamedTuple):
  """What came of an evaluation.

  Attributes:
    dataset: what it is of.
    split: the split evaluated.
    measured: what was found.
    step: training steps that the model has seen.
    path: the directory of its report.
  """

  dataset: str
  split: str
  measured: Measured
  step: int
  path: pathlib.Path

  @property
  def evaluation(self) -> metrics.Evaluation:
    """What was measured."""
    return self.measured.evaluation


def evaluate(
  output_dir: pathlib.Path,
  *,
  split: str | None = None,
  gin_bindings: Sequence[str] = (),
  allow_import: Collection[str] = (),
) -> AskedResults:
  """Evaluates a run on what the flags say; as `runs.evaluate` by default.

  What comes of other data than those that the run reports on is written to a
  directory of its own: the run's own results stay as they are.

  Args:
    output_dir: a run directory with a checkpoint.
    split: as --split.
    gin_bindings: as --gin_bindings.
    allow_import: modules that its config may import.

  Raises:
    UserError: it is not a run directory, or the data cannot be loaded or hold
      other classes.
  """
  directory = run_dir.RunDir(output_dir).existing()
  experiment = run_config.load_experiment(directory, allow_import)
  asked = asked_data.read_asked(
    experiment, split=split, gin_bindings=gin_bindings
  )
  if asked.is_reported:
    results = runs.evaluate_again(experiment, directory)
    record = directory.read_run()
    return AskedResults(
      record.get('dataset', experiment.data.name),
      experiment.evaluated_split,
      Measured(results.evaluation, results.examples, results.answers),
      results.step or 0,
      directory.report.path,
    )
  cache_dir = cache.cache_dir()
  loaded = saved_model.load_run(experiment, directory, cache_dir=cache_dir)
  rows = asked_data.open_rows(asked, cache_dir=cache_dir, needs_label=True)
  tokens, text_digests = asked_data.tokenize(
    rows,
    asked=asked,
    vocabulary=loaded.vocabulary,
    labels=loaded.labels,
    max_tokens=experiment.text.max_tokens,
  )
  with directory.locked():
    place = directory.evaluation_of(asked.name)
    place.make()
    place.remove_unfinished(bool)
    measured = run_evaluation.measure(
      run_evaluation.Examples(
        dataset=rows.dataset,
        split=rows.split,
        label_names=tuple(loaded.labels),
        vocabulary=loaded.vocabulary,
        tokens=tokens,
        text_digests=text_digests,
      ),
      classifier=loaded.classifier,
      step=loaded.step,
      reject_below=experiment.evaluation.reject_below,
      directory=place,
      predictions=place.file(_PREDICTIONS),
    )
    place.file(_EVALUATION).write(
      json_text.to_json(
        {
          'dataset': rows.dataset,
          'split': rows.split,
          'step': loaded.step,
          'metrics': measured.evaluation.to_dict(),
          'answers': measured.answers,
        },
        indent=2,
      )
      + '\n'
    )
  return AskedResults(
    rows.dataset, rows.split, measured, loaded.step, place.path
  )
