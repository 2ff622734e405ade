"""A run from Python: its config, its training, its evaluation."""

import os
import pathlib

from experiments.api.calls import (
  Texts,
  from_python,
  path_of,
  paths_of,
  texts_of,
)
from experiments.config import experiment as experiments
from experiments.pipeline import asked_evaluation, runs
from experiments.pipeline.results import Results
from experiments.training.context import RunContext


@from_python
def load_config(
  gin_file: Texts, *, gin_bindings: Texts = (), gin_search_paths: Texts = ()
) -> experiments.Experiment:
  """Reads and checks a config, as `--dry_run` does.

  Args:
    gin_file: as --gin_file, one or several; later ones win.
    gin_bindings: as --gin_bindings, e.g. 'LEARNING_RATE = 0.003'.
    gin_search_paths: as --gin_search_paths.

  Returns:
    The experiment, for `train`. `config.macros` has the values of its macros,
    `config.text` the whole as gin.

  Raises:
    UserError: it does not pass the checks.
  """
  return experiments.read(
    paths_of('gin_file', gin_file),
    texts_of(gin_bindings),
    paths_of('gin_search_paths', gin_search_paths),
  )


@from_python
def train(
  experiment: experiments.Experiment,
  output_dir: str | os.PathLike[str],
  *,
  trust_init_from: bool = False,
) -> Results:
  """Trains, and evaluates on the whole test split, as `--mode=train` does.

  Goes on where an earlier call or process stopped; what a finished run came to
  is returned at once. One that Ctrl-C ends has a checkpoint, from which the
  same call goes on.

  Args:
    experiment: from `load_config`.
    output_dir: the run directory; made if missing.
    trust_init_from: as --trust_init_from.

  Raises:
    UserError: the data, the vocabulary or the directory will not do, or the
      loss diverged.
    KeyboardInterrupt: Ctrl-C.
  """
  return runs.train(
    experiment,
    pathlib.Path(path_of('output_dir', output_dir)),
    context=RunContext(),
    trust_init_from=trust_init_from,
  )


@from_python
def evaluate(
  output_dir: str | os.PathLike[str],
  *,
  split: str | None = None,
  gin_bindings: Texts = (),
  allow_import: Texts = (),
) -> asked_evaluation.AskedResults:
  """Evaluates a run anew, or on other data, as `--mode=eval` does.

  Args:
    output_dir: a run directory with a checkpoint.
    split: as --split.
    gin_bindings: as --gin_bindings, e.g. "DATASET = 'new.csv'".
    allow_import: as --allow_import.

  Raises:
    UserError: it is none, or the data cannot be loaded or hold other classes.
  """
  return asked_evaluation.evaluate(
    pathlib.Path(path_of('output_dir', output_dir)),
    split=split,
    gin_bindings=texts_of(gin_bindings),
    allow_import=texts_of(allow_import),
  )
