"""Writes an experiment's data for other tools.

Usage:
  python -m benchmarks.peers.export DIR --gin_file=FILE [--gin_bindings=…]

DIR gets train.npz and test.npz (ids, offsets and labels, as in the token cache)
and train.txt and test.txt in fastText's format, prepared as its own example for
AG News does: lower case, punctuation set apart.
"""

import argparse
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from experiments.config import experiment, gin_config
from experiments.foundation import cache
from experiments.pipeline.data import open_data

_PUNCTUATION = re.compile(r"([.!?,'/()\";:-])")


def _lines(source, split: str) -> Iterator[str]:
  for texts, labels in source.read(split):
    for text, label in zip(texts, labels, strict=True):
      words = _PUNCTUATION.sub(r' \1 ', text.lower()).split()
      yield f'__label__{label} {" ".join(words)}\n'


def main() -> None:
  """Parses flags, writes."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('directory', type=pathlib.Path)
  parser.add_argument('--gin_file', action='append')
  parser.add_argument('--gin_bindings', action='append', default=[])
  args = parser.parse_args()

  resolved = experiment.resolve(
    gin_config.check(gin_config.parse(args.gin_file, args.gin_bindings))
  )
  data = open_data(resolved, cache_dir=cache.cache_dir())
  args.directory.mkdir(parents=True, exist_ok=True)
  for split, tokens in (('train', data.train), ('test', data.test)):
    np.savez(
      args.directory / f'{split}.npz',
      ids=tokens.ids,
      offsets=tokens.offsets,
      labels=tokens.labels,
    )
    with open(args.directory / f'{split}.txt', 'w', encoding='utf-8') as file:
      file.writelines(_lines(data.source, split))


if __name__ == '__main__':
  main()
