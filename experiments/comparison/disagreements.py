"""The rows on which one of two configs is right and the other wrong."""

from __future__ import annotations

import dataclasses
import logging
from typing import NamedTuple

import numpy as np

from experiments.comparison import samples
from experiments.comparison.compare import Section
from experiments.comparison.evidence import SectionEvidence
from experiments.comparison.run_reader import Run
from experiments.comparison.samples import NoSampleError, Sample
from experiments.datasets import text_digests
from experiments.foundation import cache
from experiments.foundation.errors import UserError
from experiments.pipeline import data, run_config
from experiments.rundir import run_dir

MOST_ROWS = 50


class Answer(NamedTuple):
  """What a config says of a row.

  Attributes:
    label: the likeliest class, by name.
    confidence: its probability; None of a system that kept none.
  """

  label: str
  confidence: float | None


class Row(NamedTuple):
  """A row on which one of two is right.

  Attributes:
    number: in the split, from 0.
    expected: the class that it is, by name.
    answers: of the two.
    text: None if it is not known.
  """

  number: int
  expected: str
  answers: tuple[Answer, Answer]
  text: str | None


@dataclasses.dataclass(frozen=True)
class Disagreements:
  """Two configs, on the rows that both have.

  Attributes:
    groups: their indices in the section.
    runs: of which run of each; one seed is looked at.
    n_both, n_first, n_second, n_neither: how many rows both have right, only
      the first, only the second, neither.
    rows: of those that one has right, those on which the other is surest.
    why_no_texts: '' where there are texts.
  """

  groups: tuple[int, int]
  runs: tuple[str, str]
  n_both: int
  n_first: int
  n_second: int
  n_neither: int
  rows: tuple[Row, ...]
  why_no_texts: str = ''


def find(section: Section, evidence: SectionEvidence) -> Disagreements | None:
  """Compares the baseline with the best of the others.

  Args:
    section: of configs.
    evidence: of them.

  Returns:
    None where there are no two with predictions of the same rows.
  """
  base = evidence.baseline
  others = [i for i, each in enumerate(evidence.groups) if each.n_shared]
  if base is None or not others:
    return None
  first, second = sorted((base, min(others)))
  groups = [section.groups[i] for i in (first, second)]
  pair = [group.runs[0] for group in groups]
  try:
    # The first seed of each, all its folds if there are any.
    own, other = samples.match(
      [samples.read_samples(group.runs)[0] for group in groups]
    )
  except NoSampleError:
    return None
  is_right = [x.log_probs.argmax(axis=1) == x.expected for x in (own, other)]
  chosen = np.flatnonzero(is_right[0] != is_right[1])
  wrong = np.where(
    is_right[0], other.log_probs.max(axis=1), own.log_probs.max(axis=1)
  )
  chosen = chosen[np.argsort(-wrong[chosen], kind='stable')][:MOST_ROWS]
  texts, why = _read_texts(pair, own, chosen)
  rows = tuple(
    Row(
      int(own.rows[i]),
      own.labels[own.expected[i]],
      (_answer(own, i), _answer(other, i)),
      texts.get(int(own.rows[i])),
    )
    for i in chosen.tolist()
  )
  return Disagreements(
    groups=(first, second),
    runs=(pair[0].name, pair[1].name),
    n_both=int((is_right[0] & is_right[1]).sum()),
    n_first=int((is_right[0] & ~is_right[1]).sum()),
    n_second=int((~is_right[0] & is_right[1]).sum()),
    n_neither=int((~is_right[0] & ~is_right[1]).sum()),
    rows=rows,
    why_no_texts=why,
  )


def _answer(sample: Sample, i: int) -> Answer:
  label = int(sample.log_probs[i].argmax())
  confidence = None
  if sample.has_probabilities:
    confidence = min(1.0, float(np.exp(sample.log_probs[i, label])))
  return Answer(sample.labels[label], confidence)


def _read_texts(
  runs: list[Run], sample: Sample, chosen: np.ndarray
) -> tuple[dict[int, str], str]:
  """Reads the texts of some rows from the data set of one of the runs.

  Args:
    runs: of which one at least is of this program.
    sample: what it says.
    chosen: places in the sample.

  Returns:
    The texts by the number of the row, and why there are none, or ''.
  """
  run = next((run for run in runs if not run.system), None)
  if run is None:
    return {}, 'both are of other systems'
  if sample.text_digests is None:
    return {}, 'no digests of them were kept'
  try:
    experiment = run_config.load_experiment(run_dir.RunDir(run.path), ())
    source = data.open_source(experiment.data, cache_dir=cache.cache_dir())
  except UserError as error:
    logging.warning('Texts are not shown: %s', error)
    return {}, str(error).splitlines()[0]
  # Of a fold, rows are those of the split that it was cut from.
  name = run.split.partition('[fold_')[0]
  split = {written: key for key, written in source.splits.items()}.get(name)
  if split is None:
    return {}, f'{run.name} has no split {name}'
  wanted = {
    int(sample.rows[i]): sample.text_digests[i].decode()
    for i in chosen.tolist()
  }
  found, at = {}, 0
  for texts, _ in source.read(split):
    for number in wanted:
      if at <= number < at + len(texts):
        text = texts[number - at]
        if text_digests.digest(text) == wanted[number]:
          found[number] = text
    at += len(texts)
  return found, '' if found or not wanted else 'the rows have changed since'
