"""What the benchmarks train: the post's experiment on rows that are at hand.

AG News where there is a copy of its CSV files and of the post's vocabulary
beside the checkout, else the embedded BBC News. Data, caches and runs lie in
build/benchmarks, apart from the user's own.
"""

import argparse
import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks import measuring

WORK_DIR = measuring.ROOT / 'build' / 'benchmarks'
VOCAB_FILE = 'en_8k.subword'
SHARED = measuring.ROOT.parent / 'shared'


class Workload(NamedTuple):
  """An experiment, for the launcher and for a plain trax script.

  Attributes:
    name: 'ag_news' or 'bbc_news'.
    gin_flags: flags of the launcher.
    plain_flags: flags of benchmarks/plain_trax.py.
    cache: directory of the launcher's caches.
    runs: where runs go.
  """

  name: str
  gin_flags: tuple[str, ...]
  plain_flags: tuple[str, ...]
  cache: pathlib.Path
  runs: pathlib.Path

  def output_dir(self, name: str) -> pathlib.Path:
    """Returns an output directory that does not exist."""
    path = self.runs / name
    shutil.rmtree(path, ignore_errors=True)
    return path

  def train(
    self, output_dir: pathlib.Path, *flags: str, **macros: object
  ) -> measuring.Finished:
    """Trains by the launcher.

    Args:
      output_dir: of the run.
      *flags: more of them.
      **macros: bound by --gin_bindings.
    """
    return measuring.launch(
      *self.gin_flags,
      *flags,
      *bindings(macros),
      f'--output_dir={output_dir}',
      cache=self.cache,
    )


def bindings(values: Mapping[str, object]) -> list[str]:
  """Returns the launcher's flags that bind macros and parameters."""
  return [f'--gin_bindings={name}={value!r}' for name, value in values.items()]


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags that say where AG News is."""
  parser.add_argument(
    '--ag_news',
    type=pathlib.Path,
    default=SHARED / 'data' / 'ag_news_csv',
    help='a directory with train.csv and test.csv; without it, BBC News',
  )
  parser.add_argument(
    '--vocab_dir',
    type=pathlib.Path,
    default=SHARED / 'data',
    help='where en_8k.subword is; without it, BBC News',
  )


def has_ag_news(args: argparse.Namespace) -> bool:
  """Tells whether AG News and the post's vocabulary are at hand.

  Args:
    args: parsed flags, those of `add_flags` among them.
  """
  files = (args.ag_news / 'train.csv', args.vocab_dir / VOCAB_FILE)
  return all(file.is_file() for file in files)


def open_workload(args: argparse.Namespace) -> Workload:
  """Prepares data and caches.

  Args:
    args: parsed flags, those of `add_flags` among them.
  """
  is_ag_news = has_ag_news(args)
  name = 'ag_news' if is_ag_news else 'bbc_news'
  data_dir = WORK_DIR / name / 'data'
  vocab_dir = args.vocab_dir if is_ag_news else WORK_DIR / name / 'vocabulary'
  gin_file = 'gin/agnews.gin' if is_ag_news else 'benchmarks/bbc_post.gin'
  flags = [
    f'--gin_file={gin_file}',
    f'--gin_bindings=DATA_DIR={str(data_dir)!r}',
  ]
  if is_ag_news:
    flags.append(f'--gin_bindings=VOCAB_DIR={str(vocab_dir)!r}')
  dataset, text_key = (
    ('ag_news_subset', 'description') if is_ag_news else ('bbc_news', 'text')
  )
  workload = Workload(
    name=name,
    gin_flags=tuple(flags),
    plain_flags=(
      f'--data_dir={data_dir}',
      f'--vocab_dir={vocab_dir}',
      f'--vocab_file={VOCAB_FILE if is_ag_news else "bbc.subword"}',
      f'--dataset={dataset}',
      f'--keys={text_key},label',
    ),
    cache=WORK_DIR / name / 'cache',
    runs=WORK_DIR / name / 'runs',
  )
  if is_ag_news and not data_dir.is_dir():
    measuring.launch(
      '--mode=prepare',
      *flags,
      f'--source={args.ag_news}',
      cache=workload.cache,
    )
  # Fills the caches, and builds the vocabulary of BBC News.
  first = workload.output_dir('first')
  workload.train(first, N_STEPS=1, N_EVAL_BATCHES=1)
  if not is_ag_news:
    vocab_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(first / 'vocabulary.subword', vocab_dir / 'bbc.subword')
  return workload


def test_accuracy(output_dir: pathlib.Path) -> float:
  """Returns the exact test accuracy of a run that is finished."""
  run = json.loads((output_dir / 'run.json').read_text(encoding='utf-8-sig'))
  return run['metrics']['accuracy']


def describe(workload: Workload) -> str:
  """Returns the data set by name, as tables show it."""
  return {
    'ag_news': 'AG News, the rows at hand',
    'bbc_news': 'the embedded BBC News',
  }[workload.name]
