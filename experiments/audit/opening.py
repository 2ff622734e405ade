"""What an audit needs of a data set, and of a finished run, read in."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from experiments.audit.audit import Limits, RunOpinion
from experiments.audit.rows import Rows
from experiments.comparison import run_reader
from experiments.config.experiment import Experiment
from experiments.datasets import file_places, text_digests
from experiments.datasets.source import Source
from experiments.foundation import data_paths
from experiments.foundation.errors import UserError
from experiments.pipeline import (
  data,
  vocabularies,
)
from experiments.rundir import predictions_file, run_dir
from experiments.text import tokenization


def check_packages() -> None:
  """Checks that the packages are there that only an audit needs.

  Raises:
    UserError: one is not installed.
  """
  import importlib.util

  for name in ('rensa', 'ftfy'):
    if importlib.util.find_spec(name) is None:
      raise UserError(
        f'--mode=audit needs the package {name}, which is not installed. '
        "Install it: pip install 'trax-experiments[audit]'"
      )


def read_rows(source: Source) -> Rows:
  """Reads all splits of a data set.

  Args:
    source: the data set.

  Raises:
    UserError: a file of it is damaged.
  """
  splits = []
  for split, name in source.splits.items():
    texts: list[str] = []
    labels = [np.zeros(0, np.int32)]
    for some_texts, some_labels in source.read(split):
      texts += some_texts
      labels.append(some_labels)
    splits.append((name, texts, np.concatenate(labels)))
  return Rows.of_splits(splits, source.label_names)


def count_tokens(
  experiment: Experiment, source: Source, cache_dir: pathlib.Path
) -> tuple[np.ndarray, Limits]:
  """Returns the length of each row, and what MAX_LENGTH does.

  Args:
    experiment: whose vocabulary and limits count.
    source: its data set.
    cache_dir: where the token ids are kept, for the next run, too.

  Raises:
    UserError: the vocabulary or the cache cannot be used.
  """
  vocabulary = vocabularies.open_vocabulary(
    experiment.text,
    source=source,
    encoder=experiment.model.encoder,
    vectors=vocabularies.open_vectors(experiment.text, cache_dir=cache_dir),
    vocab_size=experiment.model.vocab_size,
    cache_dir=cache_dir,
  )
  lengths = [
    tokenization.tokenize_split(
      source=source, split=split, vocabulary=vocabulary, cache_dir=cache_dir
    ).lengths
    for split in source.splits
  ]
  return np.concatenate(lengths), Limits(
    max_length=experiment.buckets.max_length,
    is_cut=experiment.text.max_tokens is not None,
  )


def read_opinion(path: pathlib.Path, rows: Rows) -> RunOpinion:
  """Reads what a finished run's model said of rows that it has not learned.

  Args:
    path: its run directory; or that of the folds of a cross-validation, whose
      models have not learned a fold each.
    rows: what the audit is of.

  Raises:
    UserError: it is no run directory, has kept no predictions, those of other
      rows or classes, or several of the same rows.
  """
  found, log_probs, n_missing = [], [], 0
  runs = run_reader.find_runs(path) if path.is_dir() else []
  for run in runs or [path]:
    directory = run_dir.RunDir(run).existing()
    for split, said in _read_said(directory, rows.split_names):
      if said.labels != rows.label_names:
        raise UserError(
          f'--output_dir={path}: its model knows other classes '
          f'({", ".join(said.labels)[:200]}) than this data set has.'
        )
      here = rows.of(split)
      is_here = said.rows < here.stop - here.start
      at = here.start + np.where(is_here, said.rows, 0)
      digests = np.asarray(
        [text_digests.digest(rows.texts[row]) for row in at.tolist()],
        predictions_file.DIGEST,
      )
      is_same = is_here & (digests == said.text_digests)
      n_missing += int(np.count_nonzero(~is_same))
      found.append(at[is_same])
      log_probs.append(said.log_probs[is_same])
  if not sum(map(len, found)):
    raise UserError(
      f'--output_dir={path}: it has no predictions of '
      f'{" or ".join(map(repr, rows.split_names[1:]))} of this data set. Give '
      'a finished run of the same data and SPLITS; --mode=eval writes its '
      'predictions anew.'
    )
  places = np.concatenate(found)
  if len(np.unique(places)) < len(places):
    raise UserError(
      f'--output_dir={path} holds several runs that were asked about the same '
      'rows. Give the directory of one, or of the folds of one.'
    )
  return RunOpinion(
    name=str(path),
    rows=places,
    log_probs=np.concatenate(log_probs),
    n_missing=n_missing,
  )


def _read_said(
  directory: run_dir.RunDir, split_names: Sequence[str]
) -> Iterator[tuple[int, predictions_file.Predictions]]:
  """Yields what a run has kept of rows not learned, by number of the split."""
  names = list(enumerate(split_names))
  # Of what it was trained on, the fold that was held out.
  names[0] = 0, directory.read_run().get('splits', {}).get('test', '')
  if not names[0][1].startswith(f'{split_names[0]}[fold_'):
    names.pop(0)
  for split, name in names:
    try:
      yield split, predictions_file.read(directory.predictions_of(name))
    except FileNotFoundError:
      continue


def find_places(
  experiment: Experiment, source: Source, rows: Rows, wanted: Collection[int]
) -> dict[int, str]:
  """Tells where in the user's own files some rows begin.

  Args:
    experiment: whose data set it is.
    source: the data set.
    rows: all of it.
    wanted: the rows that are asked about.

  Returns:
    'file:line' by row; nothing for a data set of TFDS.

  Raises:
    UserError: a file is damaged.
  """
  config = experiment.data
  if not data_paths.is_data_path(config.name):
    return {}
  by_side: dict[str, set[int]] = {}
  stored = {}
  splits = list(source.splits)
  for row in wanted:
    split = int(rows.splits[row])
    side, number = _locate(source, splits[split], rows.number(row))
    by_side.setdefault(side, set()).add(number)
    stored[row] = (side, number)
  places = file_places.find_places(
    pathlib.Path(config.name),
    data.import_options(config),
    source.label_names,
    by_side,
  )
  return {row: places[key] for row, key in stored.items() if key in places}


def _locate(source: Source, split: str, number: int) -> tuple[str, int]:
  """Returns the split of the files, and the number in it, of a row."""
  for piece in source.pieces(split):
    size = piece.stop - piece.start
    if number < size:
      name = pathlib.Path(piece.filename).name.partition('.parquet-')[0]
      return name.rpartition('-')[2], piece.start + number
    number -= size
  raise IndexError(number)
