"""Labels that something other than the meaning of a text gives away.

A classifier of one rule (Holte 1993) looks at one property of a text and
answers with the class that is commonest among the texts of that property. If it
does well, a model may have learned the property instead of the task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.audit.duplicates import commonest
from experiments.audit.rows import Rows
from experiments.datasets.file_survey import normalize

LENGTH, FIRST_WORD = 'length', 'first word'
_N_FOLDS = 5
_N_LENGTHS = 20
# A word tells a class where it begins at least so many texts, so great a share
# of which are of the class, and so many times more than of all texts.
_LEAST_TEXTS, _LEAST_SHARE, _LEAST_LIFT = 20, 0.9, 1.5
_MOST_WORDS = 10
# From which part of the errors on that a rule saves on, and at how many
# standard errors of it.
_MUCH, _SURE = 0.1, 3
_EDGES = re.compile(r'^[\W_]+|[\W_]+$')


class Rule(NamedTuple):
  """How well one property of a text tells its class.

  Attributes:
    name: of the property.
    accuracy: in cross-validation, on rows that were not counted for the rule.
    majority_accuracy: of always giving the commonest class.
    n: the number of rows.
  """

  name: str
  accuracy: float
  majority_accuracy: float
  n: int

  @property
  def tells(self) -> bool:
    """Whether it saves a tenth of the errors, which is no chance."""
    gain = self.accuracy - self.majority_accuracy
    error = max(1 - self.majority_accuracy, 1e-9)
    deviation = (self.accuracy * (1 - self.accuracy) / max(self.n, 1)) ** 0.5
    return gain >= _MUCH * error and gain > _SURE * deviation


class TellingWord(NamedTuple):
  """A first word that is that of one class, nearly.

  Attributes:
    word: in small letters.
    label: the class by name.
    n: how many texts begin with it.
    n_label: and are of the class.
  """

  word: str
  label: str
  n: int
  n_label: int


class Giveaways(NamedTuple):
  """What gives labels away.

  Attributes:
    rules: one for each property.
    words: the first words that tell most rows their class.
  """

  rules: tuple[Rule, ...]
  words: tuple[TellingWord, ...]


def find_giveaways(rows: Rows, groups: np.ndarray) -> Giveaways:
  """Tries the rules on the split that is trained on.

  Args:
    rows: of which the first split counts.
    groups: int [n], the same for equal texts, which stay in one fold.
  """
  train = rows.of(0)
  texts, labels = rows.texts[train], rows.labels[train]
  folds = np.random.default_rng(0).integers(
    0, _N_FOLDS, int(groups.max(initial=-1)) + 1
  )[groups[train]]
  first_words = [first_word(text) for text in texts]
  words, ids = _number_words(first_words)
  length = np.asarray([len(text) for text in texts], np.int64)
  edges = np.unique(
    np.quantile(length, np.linspace(0, 1, _N_LENGTHS + 1)[1:-1])
  )
  counts = np.bincount(labels, minlength=len(rows.label_names))
  majority = float(counts.max() / len(labels))

  def rule(name: str, keys: np.ndarray) -> Rule:
    accuracy = _cross_validate(keys, labels, folds)
    return Rule(name, accuracy, majority, len(labels))

  return Giveaways(
    (
      rule(LENGTH, np.searchsorted(edges, length, side='right')),
      rule(FIRST_WORD, ids),
    ),
    _telling(words, ids, labels, counts, rows.label_names),
  )


def first_word(text: str) -> str:
  """Returns the first word of a text in small letters, without punctuation."""
  start = normalize(text[:200]).split(' ', 1)[0]
  return _EDGES.sub('', start) or start


def _number_words(words: Sequence[str]) -> tuple[list[str], np.ndarray]:
  numbers: dict[str, int] = {}
  ids = [numbers.setdefault(word, len(numbers)) for word in words]
  return list(numbers), np.asarray(ids, np.int64)


def _cross_validate(
  keys: np.ndarray, labels: np.ndarray, folds: np.ndarray
) -> float:
  n_keys = int(keys.max(initial=0)) + 1
  n_right = 0
  for fold in range(_N_FOLDS):
    is_asked = folds == fold
    known = labels[~is_asked]
    if not is_asked.any() or not len(known):
      continue
    answers = commonest(keys[~is_asked], known, n_keys)
    answers[answers < 0] = np.bincount(known).argmax()
    n_right += int(np.sum(answers[keys[is_asked]] == labels[is_asked]))
  return n_right / len(labels)


def _telling(
  words: Sequence[str],
  ids: np.ndarray,
  labels: np.ndarray,
  counts: np.ndarray,
  label_names: Sequence[str],
) -> tuple[TellingWord, ...]:
  best = commonest(ids, labels, len(words))
  n = np.bincount(ids, minlength=len(words))
  n_best = np.bincount(ids[labels == best[ids]], minlength=len(words))
  share = n_best / np.maximum(n, 1)
  lift = share / np.maximum(counts[best] / len(labels), 1e-9)
  tells = (n >= _LEAST_TEXTS) & (share >= _LEAST_SHARE) & (lift >= _LEAST_LIFT)
  order = sorted(np.flatnonzero(tells).tolist(), key=lambda i: -int(n_best[i]))
  return tuple(
    TellingWord(words[i], label_names[best[i]], int(n[i]), int(n_best[i]))
    for i in order[:_MOST_WORDS]
  )
