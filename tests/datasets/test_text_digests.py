"""Digests of texts: the texts' own, and computed once."""

import hashlib

import pytest

from experiments.datasets import text_digests
from tests.fixtures.tiny_data import TEXTS, InMemory


def test_they_are_of_the_texts_and_kept(tmp_path):
  source = InMemory(TEXTS)
  found = text_digests.open_digests(source, 'test', tmp_path)
  assert [each.decode() for each in found] == [
    hashlib.sha256(text.encode()).hexdigest()[:16] for text in TEXTS
  ]
  again = text_digests.open_digests(source, 'test', tmp_path)
  assert again.tolist() == found.tolist()
  assert source.n_reads == 1


@pytest.mark.parametrize('change', [{'fingerprint': 'g'}, {'splits': 'test2'}])
def test_others_are_computed_anew(tmp_path, change):
  text_digests.open_digests(InMemory(TEXTS), 'test', tmp_path)
  other = InMemory(TEXTS[::-1])
  if 'splits' in change:
    other.splits['test'] = change['splits']
  else:
    other.fingerprint = change['fingerprint']
  found = text_digests.open_digests(other, 'test', tmp_path)
  assert found[-1].decode() == text_digests.digest(TEXTS[0])
  assert other.n_reads == 1
