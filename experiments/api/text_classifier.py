"""A finished run as a classifier of texts."""

import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from experiments.api.calls import Texts, from_python, path_of, texts_of
from experiments.foundation import cache
from experiments.foundation.errors import UserError
from experiments.pipeline import prediction, run_config, saved_model
from experiments.rundir import run_dir

_MOST_NAMED = 5


class Predicted(NamedTuple):
  """What a classifier says of some texts.

  Attributes:
    labels: str [texts], the likeliest class of each; with REJECT_BELOW object
      [texts], None where its probability is below.
    probabilities: float64 [texts, n_classes], in the order of `classes_`.
  """

  labels: np.ndarray
  probabilities: np.ndarray


class TextClassifier:
  """The model of a run, from `load_classifier`.

  Can be asked from several threads at once.

  Attributes:
    classes_: str [n_classes], the classes by name.
    step: training steps that the model has seen.
  """

  def __init__(self, loaded: saved_model.LoadedRun):
    """Compiles nothing yet.

    Args:
      loaded: the run.
    """
    self._loaded = loaded
    self.classes_ = np.array(loaded.labels)
    self.step = loaded.step

  def predict(self, texts: Iterable[str]) -> Predicted:
    """Returns the likeliest class of each text, and all probabilities.

    Args:
      texts: a list, a column of a table or another iterable. A text of several
        keys is one string, joined as in training by TEXT_SEPARATOR.

    Raises:
      UserError: one cannot be classified; which, and why, is in the message.
    """
    probabilities = self.predict_proba(texts)
    labels = self.classes_[probabilities.argmax(axis=1)]
    reject_below = self._loaded.experiment.evaluation.reject_below
    if reject_below is not None:
      labels = labels.astype(object)
      labels[probabilities.max(axis=1, initial=0) < reject_below] = None
    return Predicted(labels, probabilities)

  def predict_proba(self, texts: Iterable[str]) -> np.ndarray:
    """Returns probabilities float64 [texts, n_classes], as scikit-learn does.

    Args:
      texts: as of `predict`.

    Raises:
      UserError: as `predict`.
    """
    some = _list_texts(texts)
    experiment = self._loaded.experiment
    found = prediction.classify(
      some,
      classifier=self._loaded.classifier,
      vocabulary=self._loaded.vocabulary,
      max_tokens=experiment.text.max_tokens,
    )
    if not len(some):
      return np.zeros((0, len(self.classes_)))
    problems = prediction.explain_failures(found, experiment.buckets)
    problems |= {i: 'empty text' for i, x in enumerate(some) if not x.strip()}
    if problems:
      _refuse(problems, len(some))
    return found.probabilities


@from_python
def load_classifier(
  output_dir: str | os.PathLike[str], *, allow_import: Texts = ()
) -> TextClassifier:
  """Loads the model of a run, as `--mode=predict` does.

  Args:
    output_dir: a run directory with a checkpoint, perhaps a stranger's: see
      docs/security.md.
    allow_import: as --allow_import.

  Raises:
    UserError: it is none, is damaged, or its config imports what is not
      allowed.
  """
  directory = run_dir.RunDir(
    pathlib.Path(path_of('output_dir', output_dir))
  ).existing()
  experiment = run_config.load_experiment(directory, texts_of(allow_import))
  return TextClassifier(
    saved_model.load_run(experiment, directory, cache_dir=cache.cache_dir())
  )


def _list_texts(texts: Iterable[str]) -> list[str]:
  """Returns texts as a list.

  Raises:
    UserError: they are one string, or one of them is none.
  """
  if isinstance(texts, str | bytes):
    raise UserError('texts must be several, such as a list; put one in [ ].')
  some = list(texts)
  for i, text in enumerate(some):
    if not isinstance(text, str):
      raise UserError(
        f'texts[{i}] must be a string, not {type(text).__name__}.'
      )
  return some


def _refuse(problems: dict[int, str], n_texts: int) -> None:
  """Raises UserError, which names the first texts and why."""
  shown = [f'texts[{i}]: {problems[i]}' for i in sorted(problems)]
  more = '; …' if len(shown) > _MOST_NAMED else ''
  raise UserError(
    f'{len(problems)} of {n_texts} texts cannot be classified. '
    f'{"; ".join(shown[:_MOST_NAMED])}{more}'
  )
