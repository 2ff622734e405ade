"""Data sets that are not for classification are refused by name."""

import numpy as np
import pytest

from experiments.datasets import features
from experiments.foundation.errors import UserError

EXPECTED = 'expected one class of a fixed set (a TFDS ClassLabel).'


def described():
  import tensorflow_datasets as tfds

  one = tfds.features.ClassLabel(names=['a', 'b'])
  return tfds.features.FeaturesDict(
    {
      'text': tfds.features.Text(),
      'label': one,
      'stars': tfds.features.Scalar(dtype=np.float64),
      'topics': tfds.features.Sequence(one),
      'tags': tfds.features.Sequence(tfds.features.Text()),
      'parts': tfds.features.Sequence({'name': tfds.features.Text()}),
      'hot': tfds.features.Tensor(shape=(6,), dtype=np.int64),
      'year': tfds.features.Scalar(dtype=np.int64),
    }
  )


@pytest.mark.parametrize(
  ('label', 'reason'),
  [
    ('stars', 'a float64: regression is not supported'),
    (
      'topics',
      'several classes for each text: multi-label classification is not '
      'supported',
    ),
    ('tags', 'a sequence: multi-label classification is not supported'),
    ('parts', 'a sequence: multi-label classification is not supported'),
    (
      'hot',
      'an array of shape (6,): multi-label classification is not supported',
    ),
    ('year', 'an int64 without class names'),
  ],
)
def test_a_label_for_another_task_is_refused_by_its_name(label, reason):
  with pytest.raises(UserError) as caught:
    features.check_keys(('text', label), features=described(), dataset='some')
  first, second = str(caught.value).splitlines()
  assert first == f"KEYS: the label {label!r} of 'some' is {reason}; {EXPECTED}"
  assert second.startswith("Its texts are 'text', its classes 'label'; ")


@pytest.mark.parametrize(
  ('dataset', 'keys', 'reason'),
  [
    (
      'civil_comments',
      "('text', 'toxicity')",
      "the label 'toxicity' of 'civil_comments' is a float32: regression is "
      'not supported',
    ),
    pytest.param(
      'definite_pronoun_resolution',
      "('sentence', 'candidates')",
      "the label 'candidates' of 'definite_pronoun_resolution' is a sequence: "
      'multi-label classification is not supported',
      marks=pytest.mark.slow,
    ),
  ],
)
def test_the_launcher_refuses_it(launcher, dataset, keys, reason):
  """Before anything is downloaded."""
  done = launcher(
    '--gin_file=tiny.gin',
    f"--gin_bindings=DATASET='{dataset}'",
    f'--gin_bindings=KEYS={keys}',
    '--output_dir=refused',
  )
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.startswith(f'KEYS: {reason}; {EXPECTED}\n')
  assert len(done.stderr.splitlines()) == 2
  assert not (launcher.cwd / 'refused').exists()
