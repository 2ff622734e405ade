"""A data set and a vocabulary small enough to be made for a test."""

import dataclasses

import numpy as np

from experiments import text

TEXTS = [
  'The cat sat on the mat, and the dog sat on the cat.',
  'A mat is flat; a cat is fat; a hat is that.',
  'Naïve café_owners paid 1,200 € for 12 cats \\ 3 dogs!',
  'Line one\nline two\r\n',
  '',
  ' the cat  sat ',
]


@dataclasses.dataclass
class InMemory:
  """What `datasets.source.Source` offers, over a list."""

  texts: list[str]
  fingerprint: str = 'f'
  full_name: str = 'pets/tiny:1.0.0'
  keys: tuple[str, ...] = ('text', 'label')
  n_reads: int = 0

  def __post_init__(self):
    self.splits = {'train': 'train[:90%]', 'test': 'test'}
    self.n_examples = {'train': len(self.texts), 'test': len(self.texts)}

  def labels(self) -> np.ndarray:
    return np.arange(len(self.texts), dtype=np.int32) % 3

  def read(self, split, batch_size=1024):
    assert split in self.splits
    self.n_reads += 1
    for i in range(0, len(self.texts), batch_size):
      yield self.texts[i : i + batch_size], self.labels()[i : i + batch_size]


def built_subwords(cache_dir) -> text.Vocabulary:
  """Builds a subword vocabulary from TEXTS, many times over."""
  return text.build_vocabulary(
    source=InMemory(TEXTS * 5), vocab_size=100, cache_dir=cache_dir
  )
