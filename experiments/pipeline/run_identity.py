"""What the answers of a run depend on beside its weights.

Every checkpoint holds it under its own checksum. So all that is read of a run
directory to evaluate or to predict is covered by that one checksum: config,
vocabulary and names of the classes.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence

from experiments.config.config_differences import find_differences
from experiments.models.encoder_config import EncoderConfig
from experiments.pipeline import more_steps
from experiments.rundir.checkpoints import Checkpoint, ForeignError

CONFIG, VOCABULARY, LABELS, DATA = 'config', 'vocabulary', 'labels', 'data'
ENCODER = 'encoder'
# Where things are may change; the vocabulary is the run directory's own copy.
_PLACES = ('DATA_DIR', 'TFDS.data_dir', 'VOCAB_DIR', 'Tokenize.vocab_dir')


def identity(
  *,
  config_text: str,
  vocabulary: str,
  labels: Sequence[str],
  encoder: EncoderConfig | None = None,
) -> Mapping[str, str]:
  """Returns what a checkpoint is of, by name.

  Args:
    config_text: gin.
    vocabulary: SHA-256 of the vocabulary's file.
    labels: the classes by name, in the order of the model's outputs.
    encoder: what the pretrained encoder is, if there is one.
  """
  text = json.dumps(list(labels)).encode()
  return {
    CONFIG: config_text,
    VOCABULARY: vocabulary,
    LABELS: hashlib.sha256(text).hexdigest(),
    **({} if encoder is None else {ENCODER: repr(encoder)}),
  }


def check(checkpoint: Checkpoint, now: Mapping[str, str]) -> None:
  """Compares what a checkpoint is of with what is there now.

  Args:
    checkpoint: what has been read.
    now: see `identity`; what the checkpoint does not say is not compared.

  Raises:
    ForeignError: they differ in more than where things are, and it is not a run
      to which steps were added.
  """
  if not checkpoint.identity:
    logging.info(
      'The checkpoint of step %d is of an earlier version, which does not say '
      'what config, vocabulary and labels it belongs to',
      checkpoint.step,
    )
  for what, is_now in now.items():
    was = checkpoint.identity.get(what, is_now)
    differing = ''
    if what == CONFIG and was != is_now:
      names = _differing_names(was, is_now)
      if not names or _is_shorter(was, is_now):
        continue
      differing = f', which differs in {", ".join(names)}'
    if was != is_now:
      raise ForeignError(
        f'The checkpoint of step {checkpoint.step} was not made with the '
        f'{what} that the run directory has now{differing}.\n'
        'Put that back from a copy, or train again in another directory.'
      )


def _is_shorter(was: str, is_now: str) -> bool:
  """Tells whether it is of a run that has since been given more steps."""
  added = more_steps.find_added(was, is_now)
  return added is not None and not added.dependent


def _differing_names(was: str, is_now: str) -> list[str]:
  lines = find_differences(was, is_now)
  names = [line.partition(': ')[0] for line in lines]
  return [name for name in names if name not in _PLACES]
