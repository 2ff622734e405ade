"""Whether padding decides about short texts.

A model that counts padding, trained on texts of hundreds of tokens, gives all
short texts much the same answer, since most of what it sees of one is padding.
The accuracy on the test split, whose texts are long, says nothing of it.
"""

import logging
from typing import NamedTuple

import numpy as np

from experiments.evaluation import inference
from experiments.text import tokenization

# A short sentence, and enough of them for a share.
N_TOKENS = 8
N_TEXTS = 64
_MAX_SHARE_CHANGED = 0.2


class Padded(NamedTuple):
  """Texts cut short, and how many answers their padding changes.

  Attributes:
    n_texts: number of texts.
    n_changed: how many of them have another class without padding.
  """

  n_texts: int
  n_changed: int

  @property
  def is_decisive(self) -> bool:
    """Whether too many answers are those of the padding."""
    return self.n_changed > _MAX_SHARE_CHANGED * self.n_texts


def change_by_padding(
  classifier: inference.Classifier, tokens: tokenization.Tokens
) -> Padded:
  """Compares answers to short texts, padded as they are, to those without.

  Args:
    classifier: the model.
    tokens: texts; the first that are long enough are cut short.
  """
  chosen = np.flatnonzero(tokens.lengths >= N_TOKENS)[:N_TEXTS]
  if not len(chosen):
    return Padded(0, 0)
  rows = np.stack(
    [tokens.ids[start : start + N_TOKENS] for start in tokens.offsets[chosen]]
  ).astype(np.int32)
  cut = tokenization.Tokens.from_lists(rows.tolist(), [0] * len(rows))
  padded, kept = classifier.log_probs(cut)
  if not kept.any():  # FilterByLength.min_length leaves texts as short out.
    return Padded(0, 0)
  try:
    bare = classifier.answer(rows)
  # A user's own model may need more tokens than these.
  except Exception:
    logging.debug(
      'No answers to %d tokens without padding', N_TOKENS, exc_info=True
    )
    return Padded(0, 0)
  changed = bare.argmax(axis=1) != padded.argmax(axis=1)
  return Padded(int(kept.sum()), int(changed[kept].sum()))


def warn_of_padding(
  classifier: inference.Classifier, tokens: tokenization.Tokens
) -> None:
  """Says so where the answers to short texts are those of their padding.

  Args:
    classifier: as of `change_by_padding`.
    tokens: as of `change_by_padding`.
  """
  n_texts, n_changed = padded = change_by_padding(classifier, tokens)
  if padded.is_decisive:
    logging.warning(
      'Answers to short texts are not to be trusted: of %d texts cut to %d '
      'tokens, %d get another class by their padding. A model that leaves it '
      'out, such as MODEL = @masked_mean_embedding, answers by the text alone.',
      n_texts,
      N_TOKENS,
      n_changed,
    )
