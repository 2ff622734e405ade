"""Every way a data set may be stored: format, number of files, class names."""

import json
import shutil
import sys
from typing import Any

import numpy as np
import pytest

from experiments.datasets import known_datasets, source
from experiments.foundation.errors import UserError

N_TRAIN, N_TEST = 300, 200
KEYS = ('text', 'label')


@pytest.fixture(scope='module')
def prepare(tmp_path_factory):
  """A function that has TFDS write the same rows, in some format and files."""
  import tensorflow_datasets as tfds

  class ToyStored(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      return tfds.core.DatasetInfo(
        builder=self,
        features=tfds.features.FeaturesDict(
          {
            'text': tfds.features.Text(),
            'label': tfds.features.ClassLabel(names=['a', 'b']),
          }
        ),
      )

    def _split_generators(self, dl_manager):
      return {
        'train': self._generate_examples(N_TRAIN),
        'test': self._generate_examples(N_TEST),
      }

    def _generate_examples(self, n):
      for i in range(n):
        yield i, {'text': f'row {i} —', 'label': i % 2}

  made = {}

  def prepare(file_format, n_files):
    if (file_format, n_files) not in made:
      data_dir = tmp_path_factory.mktemp('data')
      ToyStored(
        data_dir=data_dir, file_format=file_format
      ).download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=n_files)
      )
      made[file_format, n_files] = data_dir
    return made[file_format, n_files]

  return prepare


def toy(data_dir, **options):
  found = source.find_source(
    name='toy_stored', keys=KEYS, data_dir=data_dir, **options
  )
  assert found is not None
  return found


def rows_of(found, split, batch_size=1024):
  batches = list(found.read(split, batch_size))
  return [
    (text, int(label))
    for texts, labels in batches
    for text, label in zip(texts, labels, strict=True)
  ]


@pytest.mark.parametrize('file_format', ['tfrecord', 'array_record'])
@pytest.mark.parametrize('n_files', [1, 7])
@pytest.mark.parametrize('batch_size', [1, 5, 1024])
def test_every_row_is_read_once_and_in_order(
  prepare, file_format, n_files, batch_size
):
  data_dir = prepare(file_format, n_files)
  found = toy(data_dir)
  rows = rows_of(found, 'train', batch_size)
  assert sorted(rows) == sorted((f'row {i} —', i % 2) for i in range(N_TRAIN))
  sizes = [len(texts) for texts, _ in found.read('train', batch_size)]
  assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
  some = toy(data_dir, splits=('train[10:31]+train[40:]', 'test'))
  assert rows_of(some, 'train', batch_size) == rows[10:31] + rows[40:]
  found.check_labels()


def test_the_same_rows_in_either_format(prepare):
  tfrecord, array_record = (
    toy(prepare(file_format, 7)) for file_format in ('tfrecord', 'array_record')
  )
  for split in ('train', 'test'):
    assert rows_of(tfrecord, split) == rows_of(array_record, split)


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'empty'])
def test_a_damaged_array_record_file(prepare, tmp_path, damage):
  shutil.copytree(prepare('array_record', 1), tmp_path / 'copy')
  [path] = (tmp_path / 'copy').rglob('*train.array_record*')
  content = bytearray(path.read_bytes())
  if damage == 'flipped':
    content[2**16 + 50] ^= 255  # Rows begin at 64 KiB.
  path.write_bytes(
    {'cut': content[: len(content) // 2], 'empty': b''}.get(damage, content)
  )
  with pytest.raises(
    UserError, match=r'the prepared data set in .* is damaged: '
  ):
    rows_of(toy(tmp_path / 'copy'), 'train')


def test_array_record_files_without_their_package(prepare, monkeypatch):
  found = toy(prepare('array_record', 1))
  monkeypatch.setitem(sys.modules, 'array_record.python', None)
  with pytest.raises(UserError) as error:
    rows_of(found, 'train')
  assert str(error.value).endswith(
    'is an ArrayRecord file, which takes the package array_record.\n'
    'Install it: pip install array_record'
  )


def test_many_files_are_the_same_rows_as_one(prepare):
  """What they cost, `benchmarks.bench_scale` measures."""
  one, many = (rows_of(toy(prepare('tfrecord', n)), 'train') for n in (1, 200))
  assert len(many) == N_TRAIN
  assert sorted(many) == sorted(one)


class_names = [
  (
    'pythonClassName',
    lambda content, name: content | {'pythonClassName': name},
  ),
  (
    'type',
    lambda content, name: {'type': name, 'content': {'features': {}}},
  ),
  (
    'in a string',
    lambda content, name: {
      'type': content['pythonClassName'],
      'proto_cls': 'tensorflow_datasets.FeaturesDict',
      'content': json.dumps({'features': {'x': {'pythonClassName': name}}}),
    },
  ),
  (
    'below',
    lambda content, name: json.loads(
      json.dumps(content).replace(
        'tensorflow_datasets.core.features.text_feature.Text', name
      )
    ),
  ),
]


@pytest.mark.parametrize(
  'place', [p for _, p in class_names], ids=[n for n, _ in class_names]
)
def test_a_data_set_names_classes_of_tfds_alone(
  prepare, tmp_path, monkeypatch, place
):
  data_dir = tmp_path / 'copy'
  # Of a name that TFDS does not know, so that it reads all from the directory.
  shutil.copytree(prepare('tfrecord', 1) / 'toy_stored', data_dir / 'strange')
  for path in data_dir.rglob('*toy_stored*'):
    path.rename(path.with_name(path.name.replace('toy_stored', 'strange')))
  info = data_dir / 'strange' / '1.0.0' / 'dataset_info.json'
  info.write_text(info.read_text().replace('toy_stored', 'strange'))
  assert source.find_source(name='strange', keys=KEYS, data_dir=data_dir)
  (tmp_path / 'evil.py').write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
  monkeypatch.syspath_prepend(tmp_path)
  path = data_dir / 'strange' / '1.0.0' / 'features.json'
  content = json.loads(path.read_text())
  path.write_text(json.dumps(place(content, 'evil.Feature')))
  with pytest.raises(UserError) as error:
    source.find_source(name='strange', keys=KEYS, data_dir=data_dir)
  assert str(error.value) == (
    f"{str(path)!r} names 'evil.Feature', which is no feature of TFDS; to read "
    'it would run code.\nPrepare the data set with features of tfds.features '
    'alone, or delete its directory.'
  )
  assert not (tmp_path / 'ran').exists()


def test_a_newer_version_is_found_though_an_older_is_known(prepare, tmp_path):
  data_dir = tmp_path / 'data'
  shutil.copytree(prepare('tfrecord', 1) / 'toy_stored', data_dir / 'strange')
  for path in data_dir.rglob('*toy_stored*'):
    path.rename(path.with_name(path.name.replace('toy_stored', 'strange')))
  old = data_dir / 'strange' / '1.0.0'
  info = old / 'dataset_info.json'
  info.write_text(info.read_text().replace('toy_stored', 'strange'))
  arguments: dict[str, Any] = {
    'name': 'strange',
    'keys': KEYS,
    'data_dir': str(data_dir),
    'splits': ('train', 'test'),
  }
  cache_dir = tmp_path / 'cache'
  found = source.find_source(**arguments)
  assert found is not None
  known_datasets.remember(arguments, found, cache_dir)
  known = known_datasets.recall(arguments, cache_dir)
  assert known is not None
  assert known.full_name == 'strange:1.0.0'
  new = old.with_name('1.1.0')
  shutil.copytree(old, new)
  info = new / 'dataset_info.json'
  info.write_text(info.read_text().replace('1.0.0', '1.1.0'))
  assert known_datasets.recall(arguments, cache_dir) is None
  found = source.find_source(**arguments)
  assert found is not None
  assert found.full_name == 'strange:1.1.0'
  known_datasets.remember(arguments, found, cache_dir)
  assert known_datasets.recall(arguments, cache_dir) == found


def test_labels_are_refused_before_texts_are_read(prepare, monkeypatch):
  found = toy(prepare('tfrecord', 1))
  read = []
  read_columns = source.Source.read_columns

  def columns(self, split, batch_size=1024, *, with_text=True):
    read.append((split, with_text))
    for texts, labels in read_columns(
      self, split, batch_size, with_text=with_text
    ):
      yield texts, np.where(split == 'test', -1, labels)

  monkeypatch.setattr(source.Source, 'read_columns', columns)
  with pytest.raises(UserError) as error:
    found.check_labels()
  assert str(error.value) == (
    "toy_stored:1.0.0, 'test', row 0: label -1 is none of the 2 classes (-1 "
    'means that the row is not labelled).\n'
    'Bind SPLITS to splits that are labelled.'
  )
  assert read == [('train', False), ('test', False)]
