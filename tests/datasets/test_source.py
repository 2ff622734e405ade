import json
import os
import re
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.datasets import known_datasets, source, storage
from experiments.foundation.errors import UserError

N_TRAIN = 100
WORDS = ('rain', 'sun', 'snow')


def toy_row(i):
  return {
    'title': f'Day {i}',
    'text': f'{WORDS[i % 3]} \u2014 morning {i}',
    'raw': b'caf\xe9' if i == 40 else b'coffee',
    'label': i % 3,
    'grade': -1 if i == 50 else i % 2,
    'only': 0,
    'score': i / 10,
    'year': 1900 + i,
    'tags': [0, 1],
    'tokens': ['a', 'b'],
    'place': {'name': 'here'},
  }


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """Data sets made by TFDS, three files to a split, and their rows."""
  import tensorflow_datasets as tfds

  class ToyWeather(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version('1.2.0')
    BUILDER_CONFIGS = [
      tfds.core.BuilderConfig(name='daily', description='A row a day.'),
      tfds.core.BuilderConfig(name='hourly', description='Never prepared.'),
    ]

    def _info(self):
      label = tfds.features.ClassLabel(names=WORDS)
      grade = tfds.features.ClassLabel(num_classes=2)
      return tfds.core.DatasetInfo(
        builder=self,
        features=tfds.features.FeaturesDict(
          {
            'title': tfds.features.Text(),
            'text': tfds.features.Text(),
            'raw': tfds.features.Tensor(shape=(), dtype=np.object_),
            'label': label,
            'grade': grade,
            'only': tfds.features.ClassLabel(names=['one']),
            'score': tfds.features.Scalar(dtype=np.float32),
            'year': tfds.features.Scalar(dtype=np.int64),
            'tags': tfds.features.Sequence(grade),
            'tokens': tfds.features.Sequence(tfds.features.Text()),
            'place': {'name': tfds.features.Text()},
          }
        ),
      )

    def _split_generators(self, dl_manager):
      return {
        'train': self._generate_examples(range(N_TRAIN)),
        'test': self._generate_examples(range(N_TRAIN, N_TRAIN + 20)),
      }

    def _generate_examples(self, rows):
      for i in rows:
        yield i, toy_row(i)

  data_dir = tmp_path_factory.mktemp('tfds')
  ToyWeather(config='daily', data_dir=data_dir).download_and_prepare(
    download_config=tfds.download.DownloadConfig(num_shards=3)
  )
  return data_dir


@pytest.fixture(scope='module')
def stored_rows(data_dir):
  """The rows in the order in which they are stored, read by TFDS alone."""
  import tensorflow_datasets as tfds

  return {
    split: list(
      tfds.as_numpy(
        tfds.load(
          'toy_weather/daily',
          split=split,
          data_dir=data_dir,
          shuffle_files=False,
          read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
      )
    )
    for split in ('train', 'test')
  }


def toy(data_dir, keys=('text', 'label'), name='toy_weather/daily', **kwargs):
  return source.find_source(name=name, keys=keys, data_dir=data_dir, **kwargs)


def read_all(found, split, batch_size=1024):
  batches = list(found.read(split, batch_size))
  texts = [text for texts, _ in batches for text in texts]
  return texts, np.concatenate([labels for _, labels in batches])


def message_of(call, *args, **kwargs):
  with pytest.raises(UserError) as caught:
    call(*args, **kwargs)
  return str(caught.value)


def test_describes_the_data_set(data_dir):
  found = toy(data_dir, splits=('train[:90%]', 'test'))
  assert found.full_name == 'toy_weather/daily:1.2.0'
  assert found.keys == ('text', 'label')
  assert found.label_names == WORDS
  assert found.splits == {'train': 'train[:90%]', 'test': 'test'}
  assert found.n_examples == {'train': 90, 'test': 20}
  assert found.path == data_dir / 'toy_weather' / 'daily' / '1.2.0'


@pytest.mark.parametrize('batch_size', [1, 7, 100, 1024])
@pytest.mark.parametrize('split', ['train', 'test'])
def test_reads_what_tfds_reads(data_dir, stored_rows, split, batch_size):
  texts, labels = read_all(toy(data_dir), split, batch_size)
  rows = stored_rows[split]
  assert texts == [row['text'].decode() for row in rows]
  assert labels.tolist() == [row['label'] for row in rows]
  assert labels.dtype == np.int32
  assert len(list(toy(data_dir).read(split, batch_size))) == (
    -(-len(rows) // batch_size)
  )


@settings(max_examples=20, deadline=None)
@given(bounds=st.lists(st.integers(0, N_TRAIN), min_size=2, max_size=2))
def test_reads_slices(data_dir, stored_rows, bounds):
  start, stop = sorted(bounds)
  splits = (f'train[{start}:{stop}]', 'test')
  if start == stop:
    assert 'holds no rows' in message_of(toy, data_dir, splits=splits)
    return
  texts, _ = read_all(toy(data_dir, splits=splits), 'train')
  assert texts == [
    row['text'].decode() for row in stored_rows['train'][start:stop]
  ]


def test_reads_sums_of_slices_in_their_order(data_dir, stored_rows):
  found = toy(data_dir, splits=('train[80:]+test[:5]', 'test[5:]'))
  rows = stored_rows['train'][80:] + stored_rows['test'][:5]
  assert found.n_examples['train'] == len(rows) == 25
  assert read_all(found, 'train')[0] == [row['text'].decode() for row in rows]


def test_joins_texts_with_a_space(data_dir, stored_rows):
  texts, _ = read_all(toy(data_dir, keys=('title', 'text', 'label')), 'test')
  assert texts == [
    f'{row["title"].decode()} {row["text"].decode()}'
    for row in stored_rows['test']
  ]


def test_class_without_names_gets_numbers(data_dir):
  assert toy(data_dir, keys=('text', 'grade')).label_names == ('0', '1')


def test_text_that_is_not_utf_8(data_dir, stored_rows):
  raws = [row['raw'] for row in stored_rows['train']]
  found = toy(data_dir, keys=('title', 'raw', 'label'))
  for batch_size in (8, 1024):
    assert message_of(read_all, found, 'train', batch_size) == (
      "toy_weather/daily:1.2.0, 'train', row "
      f'{raws.index(bytes([99, 97, 102, 233]))}: the text is not UTF-8 '
      '(unexpected end of data).\n'
      'Prepare the data set from a source that is, or bind other KEYS.'
    )


def test_row_without_label(data_dir, stored_rows):
  grades = [row['grade'] for row in stored_rows['train']]
  found = toy(data_dir, keys=('text', 'grade'))
  assert message_of(read_all, found, 'train', 8) == (
    f"toy_weather/daily:1.2.0, 'train', row {grades.index(-1)}: label -1 is "
    'none of the 2 classes (-1 means that the row is not labelled).\n'
    'Bind SPLITS to splits that are labelled.'
  )
  assert len(read_all(found, 'test')[0]) == 20


HAS = (
  "Its texts are 'raw', 'text', 'title', its classes 'grade', 'label', 'only'; "
  "other keys: 'place', 'score', 'tags', 'tokens', 'year'."
)
OF = "of 'toy_weather/daily'"
NOT_A_CLASS = 'expected one class of a fixed set (a TFDS ClassLabel)'


@pytest.mark.parametrize(
  ('keys', 'message'),
  [
    (('txt', 'label'), "KEYS: 'toy_weather/daily' has no key 'txt'. Did you "
     f"mean 'text'?\n{HAS}"),
    (('text', 'zzz'), f"KEYS: 'toy_weather/daily' has no key 'zzz'.\n{HAS}"),
    (('label', 'text'), f"KEYS: 'label' {OF} is a class, not one text (the "
     f'label comes last).\n{HAS}'),
    (('score', 'label'), f"KEYS: 'score' {OF} is a float32, not "
     f'one text (the label comes last).\n{HAS}'),
    (('tokens', 'label'), f"KEYS: 'tokens' {OF} is a sequence, not one text "
     f'(the label comes last).\n{HAS}'),
    (('text', 'title'), f"KEYS: the label 'title' {OF} is a text; "
     f'{NOT_A_CLASS}.\n{HAS}'),
    (('text', 'score'), f"KEYS: the label 'score' {OF} is a float32: "
     f'regression is not supported; {NOT_A_CLASS}.\n{HAS}'),
    (('text', 'year'), f"KEYS: the label 'year' {OF} is an int64 without class "
     f'names; {NOT_A_CLASS}.\n{HAS}'),
    (('text', 'tags'), f"KEYS: the label 'tags' {OF} is several classes for "
     'each text: multi-label classification is not supported; '
     f'{NOT_A_CLASS}.\n{HAS}'),
    (('text', 'place'), f"KEYS: the label 'place' {OF} is a group of features; "
     f'{NOT_A_CLASS}.\n{HAS}'),
    (('text', 'only'), f"KEYS: the label 'only' {OF} has 1 class; expected at "
     'least 2.'),
    (('label',), "KEYS is ('label',); expected TFDS keys, text first, label "
     "last, e.g. ('text', 'label')."),
    ('label', "KEYS is 'label'; expected TFDS keys, text first, label last, "
     "e.g. ('text', 'label')."),
    (('text', 1), "KEYS is ('text', 1); expected TFDS keys, text first, label "
     "last, e.g. ('text', 'label')."),
  ],
)  # fmt: skip
@pytest.mark.parametrize('prepared', [True, False])
def test_bad_keys(data_dir, keys, message, prepared, tmp_path):
  place = data_dir if prepared else tmp_path / 'nothing'
  assert message_of(toy, place, keys=keys) == message


def make_builder(name, **members):
  """Returns a data set class of a user's, with what is given in it alone."""
  import tensorflow_datasets as tfds

  def make_info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {
          'text': tfds.features.Text(),
          'label': tfds.features.ClassLabel(names=['a', 'b']),
        }
      ),
    )

  complete = {
    'VERSION': tfds.core.Version('1.0.0'),
    '_info': make_info,
    '_split_generators': lambda self, _: {
      'train': self._generate_examples(),
      'test': self._generate_examples(),
    },
    '_generate_examples': lambda self: iter([(1, {'text': 'a', 'label': 'b'})]),
    '__module__': 'my_data',
  }
  complete.update(members)
  complete = {k: v for k, v in complete.items() if v is not None}
  return type(name, (tfds.core.GeneratorBasedBuilder,), complete)


@pytest.mark.parametrize(
  'missing', ['_info', '_split_generators', '_generate_examples']
)
def test_a_builder_that_is_not_complete(tmp_path, missing):
  name = f'Without{missing.title().replace("_", "")}'
  make_builder(name, **{missing: None})
  snake_case = re.sub(r'(?<!^)([A-Z])', r'_\1', name).lower()
  assert re.fullmatch(
    rf"DATASET '{snake_case}': Can't instantiate abstract class {name} with.* "
    rf"abstract method '?{missing}'?",
    message_of(
      source.open_source,
      name=snake_case,
      keys=('text', 'label'),
      data_dir=tmp_path,
    ),
  )


@pytest.mark.parametrize(
  ('name', 'members', 'message'),
  [
    (
      'BadConfigs',
      {'BUILDER_CONFIGS': 5},
      "DATASET 'bad_configs': 'int' object is not subscriptable",
    ),
    (
      'NoSplits',
      {'_split_generators': lambda self, _: None},
      "data set 'no_splits': my_data.NoSplits cannot make it: TypeError: "
      'Invalid `_split_generators` returned value: None',
    ),
  ],
)
def test_a_builder_that_does_wrong(tmp_path, name, members, message):
  make_builder(name, **members)
  snake_case = re.sub(r'(?<!^)([A-Z])', r'_\1', name).lower()
  found = message_of(
    source.open_source,
    name=snake_case,
    keys=('text', 'label'),
    data_dir=tmp_path,
  )
  assert found == message


@pytest.mark.parametrize(
  'name',
  ['', '-1', '0', '1e3', '\x1b[2J', '\u202ex', '[1]', '%X', '@x', ' ', 'é'],
)
def test_what_can_be_no_name_is_told_as_such_though_tfds_is_asked_first(
  data_dir, name, tmp_path
):
  import tensorflow_datasets  # noqa: F401  (whose builders are then looked at)

  data = {
    'name': name,
    'keys': ('text', 'label'),
    'splits': ('train', 'test'),
    'data_dir': data_dir,
    'text_separator': ' ',
  }
  assert known_datasets.recall(data, tmp_path) is None
  message = message_of(source.open_source, **data)
  assert message.startswith(f'DATASET is {name!r}; expected the name of a TFDS')


CATALOG = 'All names: https://www.tensorflow.org/datasets/catalog/overview'
CONFIGS = "Configs: 'daily', 'hourly'."


@pytest.mark.parametrize(
  ('name', 'message'),
  [
    ('ag_new_subset', "DATASET: TFDS knows no data set 'ag_new_subset'. Did "
     f"you mean 'ag_news_subset'?\n{CATALOG}"),
    ('bbc_new', "DATASET: TFDS knows no data set 'bbc_new'. Did you mean "
     f"'bbc_news'?\n{CATALOG}"),
    ('qqqqqqqqqq', "DATASET: TFDS knows no data set 'qqqqqqqqqq'.\n"
     f'{CATALOG}'),
    ('toy_weather/dayly', "DATASET 'toy_weather/dayly': no config 'dayly'. Did "
     f"you mean 'daily'?\n{CONFIGS}"),
    ('toy_weather/daily:9.0.0', "DATASET 'toy_weather/daily:9.0.0': Dataset "
     'toy_weather cannot be loaded at version 9.0.0, only: 1.2.0.\n'
     f'{CONFIGS}'),
    ('', "DATASET is ''; expected the name of a TFDS data set: name, "
     "name/config or name:version, e.g. 'bbc_news' or 'glue/sst2:2.0.0'."),
    ('../etc', "DATASET is '../etc'; expected the name of a TFDS data set: "
     "name, name/config or name:version, e.g. 'bbc_news' or "
     "'glue/sst2:2.0.0'."),
    (None, 'DATASET is None; expected the name of a TFDS data set: name, '
     "name/config or name:version, e.g. 'bbc_news' or 'glue/sst2:2.0.0'."),
  ],
)  # fmt: skip
def test_bad_name(data_dir, name, message):
  for find in (source.find_source, source.open_source):
    found = message_of(
      find, name=name, keys=('text', 'label'), data_dir=data_dir
    )
    # Other names that resemble it may follow, after the nearest.
    if 'Did you mean' in message:
      nearest, _, rest = message.partition('?')
      assert found.startswith(nearest)
      assert found.endswith(rest)
    else:
      assert found == message


@pytest.mark.parametrize(
  ('name', 'hint'),
  [
    ('own', "There is a directory of such a name: bind DATASET = './own'."),
    (
      'reviews',
      "There is a file of such a name: bind DATASET = 'reviews.csv'.",
    ),
    ('Reviws', "There is a file of such a name: bind DATASET = 'reviews.csv'."),
    ('my-rows', "file of such a name: bind DATASET = 'my-rows.jsonl.gz'."),
    ('my-rows.jsn', "file of such a name: bind DATASET = 'my-rows.jsonl.gz'."),
    ('own/train', "file of such a name: bind DATASET = 'own/train.parquet'."),
    ('book.xlsx', "The file 'book.xlsx' is here, but the name of a data file "),
    ('hidden', None),
    ('qqqqqqqqqq', None),
    ('q' * 5000, None),
    ('q\0', None),
  ],
)
def test_a_file_of_such_a_name_is_meant(
  data_dir, tmp_path, monkeypatch, name, hint
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'own').mkdir()
  for path in (
    *('reviews.csv', 'my-rows.jsonl.gz', 'own/train.parquet', 'book.xlsx'),
    '.hidden.csv',
  ):
    (tmp_path / path).touch()
  found = message_of(
    source.open_source, name=name, keys=('text', 'label'), data_dir=data_dir
  )
  if hint is None:
    assert 'such a name' not in found
    assert 'is here' not in found
  else:
    assert hint in found
    assert 'Did you mean' not in found


@pytest.mark.parametrize(
  'name', ['toy_weather', 'toy_weather:1.2.0', 'toy_weather/daily:1.2.0']
)
def test_names_of_the_same_data(data_dir, name):
  assert toy(data_dir, name=name) == toy(data_dir)


HAS_ROWS = "'toy_weather/daily' has 'train' (100 rows), 'test' (20 rows)."


@pytest.mark.parametrize(
  ('splits', 'message'),
  [
    (('trian', 'test'), "SPLITS: 'trian': Unknown split 'trian'. Should be one "
     f"of ['train', 'test'].\n{HAS_ROWS}"),
    (('train[', 'test'), "SPLITS: 'train[': Error parsing split 'train['.\n"
     f'{HAS_ROWS}'),
    (('train[:101]', 'test'), "SPLITS: 'train[:101]': Requested slice [:101] "
     f'incompatible with 100 examples.\n{HAS_ROWS}'),
    (('all[:80%]', 'all[80%:]'), "SPLITS: 'all[:80%]': TFDS cannot slice "
     "'all'. Slice each split: 'train[:80%]+test[:80%]'.\n"
     f'{HAS_ROWS}'),
    (('train', 'test[:0]'), f"SPLITS: 'test[:0]' holds no rows. {HAS_ROWS}"),
    (('train[60%:40%]', 'test'), "SPLITS: 'train[60%:40%]' holds no rows. "
     f'{HAS_ROWS}'),
    (('train+train[:1]', 'test'), "SPLITS: 'train+train[:1]' holds rows twice. "
     f'{HAS_ROWS}'),
    (('train[:90%]', 'train[80%:]'), "SPLITS: 10 rows of 'toy_weather/daily' "
     "stand in both 'train[:90%]' and 'train[80%:]': the evaluation would be "
     'on what was trained on.\nBind slices that share no row, e.g. '
     "('train[:90%]', 'train[90%:]')."),
    (('train', 'all'), "SPLITS: 100 rows of 'toy_weather/daily' stand in both "
     "'train' and 'all': the evaluation would be on what was trained on.\nBind "
     "slices that share no row, e.g. ('train[:90%]', 'train[90%:]')."),
    ('train', "SPLITS is 'train'; expected two or three slices, the one to "
     "train on and the one to evaluate on, e.g. ('train', 'test')."),
    (('train', None), "SPLITS is ('train', None); expected two or three "
     'slices, the one to train on and the one to evaluate on, e.g. '
     "('train', 'test')."),
    (('train[:50]', 'train[40:60]', 'test'), "SPLITS: 10 rows of "
     "'toy_weather/daily' stand in both 'train[:50]' and 'train[40:60]': the "
     'evaluation would be on what was trained on.\nBind slices that share no '
     "row, e.g. ('train[:90%]', 'train[90%:]')."),
    (('train[:50]', 'test', 'test[:5]'), "SPLITS: 5 rows of "
     "'toy_weather/daily' stand in both 'test' and 'test[:5]': the "
     'evaluation would be on what was trained on.\nBind slices that share no '
     "row, e.g. ('train[:90%]', 'train[90%:]')."),
  ],
)  # fmt: skip
def test_bad_splits(data_dir, splits, message):
  assert message_of(toy, data_dir, splits=splits) == message


INTERVALS = st.tuples(st.integers(0, N_TRAIN), st.integers(0, N_TRAIN)).filter(
  lambda bounds: bounds[0] < bounds[1]
)


@settings(deadline=None)
@given(train=INTERVALS, test=INTERVALS)
def test_shared_rows_are_refused(data_dir, train, test):
  splits = tuple(f'train[{start}:{stop}]' for start, stop in (train, test))
  n_shared = len(set(range(*train)) & set(range(*test)))
  if n_shared:
    message = message_of(toy, data_dir, splits=splits)
    assert message.startswith(f'SPLITS: {n_shared:,} rows of ')
  else:
    assert toy(data_dir, splits=splits).n_examples == {
      'train': len(range(*train)),
      'test': len(range(*test)),
    }


def test_finding_writes_nothing(tmp_path):
  data_dir = tmp_path / 'new'
  assert toy(data_dir) is None
  for name in ('bbc_news', 'imdb_reviews'):
    keys = ('text', 'label')
    assert source.find_source(name=name, keys=keys, data_dir=data_dir) is None
  assert not data_dir.exists()


def test_opening_what_is_prepared_writes_nothing(data_dir):
  before = {path: path.stat().st_mtime_ns for path in data_dir.rglob('*')}
  opened = source.open_source(
    name='toy_weather/daily', keys=('text', 'label'), data_dir=data_dir
  )
  assert opened == toy(data_dir)
  after = {path: path.stat().st_mtime_ns for path in data_dir.rglob('*')}
  assert after == before


def test_opening_prepares(tmp_path):
  opened = source.open_source(
    name='toy_weather/hourly', keys=('text', 'label'), data_dir=tmp_path
  )
  assert opened.n_examples == {'train': 100, 'test': 20}
  assert opened.full_name == 'toy_weather/hourly:1.2.0'


def test_fingerprint_is_of_content_keys_and_splits(data_dir, tmp_path):
  shutil.copytree(data_dir, tmp_path / 'copy')
  found = toy(data_dir)
  assert toy(tmp_path / 'copy').fingerprint == found.fingerprint
  others = [
    toy(data_dir, keys=('title', 'label')),
    toy(data_dir, keys=('text', 'grade')),
    toy(data_dir, splits=('train[:99]', 'test')),
    toy(data_dir, splits=('test', 'train')),
  ]
  shard = sorted((tmp_path / 'copy').rglob('*train.tfrecord*'))[1]
  content = bytearray(shard.read_bytes())
  content[len(content) // 2] ^= 1
  shard.write_bytes(content)
  others.append(toy(tmp_path / 'copy'))
  fingerprints = {other.fingerprint for other in [found, *others]}
  assert len(fingerprints) == 1 + len(others)


def damaged(path, reason):
  return (
    f'the prepared data set in {str(path)!r} is damaged: {reason}\n'
    'Delete that directory; the next run prepares it again.'
  )


@pytest.fixture
def copy(data_dir, tmp_path):
  shutil.copytree(data_dir, tmp_path / 'copy')
  return tmp_path / 'copy' / 'toy_weather' / 'daily' / '1.2.0'


def test_missing_file(copy):
  shard = sorted(copy.glob('*train.tfrecord*'))[1]
  shard.unlink()
  assert message_of(toy, copy.parents[2]) == damaged(
    copy, f'{shard.name}: No such file or directory'
  )


@pytest.mark.parametrize('n_missing', [1, 5000])
def test_truncated_file(copy, n_missing):
  shard = sorted(copy.glob('*train.tfrecord*'))[1]
  shard.write_bytes(shard.read_bytes()[:-n_missing])
  found = toy(copy.parents[2])
  assert message_of(read_all, found, 'train').startswith(
    f'the prepared data set in {str(copy)!r} is damaged: '
  )
  assert len(read_all(found, 'test')[0]) == 20


def test_file_that_ends_between_rows(copy, stored_rows):
  shards = sorted(copy.glob('*train.tfrecord*'))
  shards[1].write_bytes(b'')
  n_left = N_TRAIN - toy_shard_lengths(copy)[1]
  assert message_of(read_all, toy(copy.parents[2]), 'train') == damaged(
    copy, f'{n_left} of 100 rows'
  )


def toy_shard_lengths(path):
  import tensorflow_datasets as tfds

  return tfds.builder_from_directory(path).info.splits['train'].shard_lengths


@pytest.mark.parametrize('content', ['', '{', '{"name": 3}'])
@pytest.mark.parametrize('name', ['dataset_info.json', 'features.json'])
def test_damaged_metadata(copy, name, content):
  (copy / name).write_text(content)
  place, reason = message_of(toy, copy.parents[2]).split(' is damaged: ')
  assert place in (
    f'the prepared data set in {str(copy)!r}',
    f'the prepared data set in {str(copy.parents[1])!r}',
  )
  assert reason.endswith(
    '\nDelete that directory; the next run prepares it again.'
  )


@pytest.mark.parametrize(
  'template',
  ['{SPLIT}', '../{SPLIT}', 'd/{SPLIT}', '{DATASET}/../../{SPLIT}', '/{SPLIT}'],
)
def test_a_pattern_of_files_does_not_lead_out(copy, template):
  """What is named so exists, is readable, and is not read."""
  path = copy / 'dataset_info.json'
  info = json.loads(path.read_text(encoding='utf-8'))
  outside = template != '{SPLIT}'
  for split in info['splits']:
    split['shardLengths'] = [sum(map(int, split['shardLengths']))]
    split['filepathTemplate'] = template.replace(
      '/{SPLIT}', f'{copy.parent}/{{SPLIT}}', template == '/{SPLIT}'
    )
  path.write_text(json.dumps(info), encoding='utf-8')
  for directory in (copy, copy.parent, copy / 'd'):
    directory.mkdir(exist_ok=True)
    for split in info['splits']:
      (directory / split['name']).write_bytes(b'')
  if outside:
    assert message_of(toy, copy.parents[2]).endswith(
      ' is not in it\nDelete that directory; the next run prepares it again.'
    )
  else:
    assert toy(copy.parents[2]).n_examples['train'] == N_TRAIN


def test_incomplete_directory(copy):
  (copy / 'dataset_info.json').unlink()
  message = (
    f'{str(copy)!r} is not a complete data set.\n'
    'Delete that directory; the next run prepares it again.'
  )
  assert message_of(toy, copy.parents[2]) == message
  assert (
    message_of(
      source.open_source,
      name='toy_weather/daily',
      keys=('text', 'label'),
      data_dir=copy.parents[2],
    )
    == message
  )


def test_data_dir(monkeypatch, tmp_path):
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.delenv('TFDS_DATA_DIR', raising=False)
  assert storage.resolve_data_dir(None) == tmp_path / 'tensorflow_datasets'
  monkeypatch.setenv('TFDS_DATA_DIR', '~/there')
  assert storage.resolve_data_dir(None) == tmp_path / 'there'
  assert storage.resolve_data_dir('~/here') == tmp_path / 'here'
  monkeypatch.chdir(tmp_path)
  assert storage.resolve_data_dir('data') == tmp_path / 'data'


def test_data_dir_that_cannot_be_written(tmp_path):
  (tmp_path / 'file').write_text('')
  data_dir = tmp_path / 'file' / 'data'
  message = message_of(
    source.open_source,
    name='toy_weather/daily',
    keys=('text', 'label'),
    data_dir=data_dir,
  )
  assert message == (
    f'DATA_DIR {str(data_dir)!r} cannot be written (Not a directory), and '
    "'toy_weather' must be prepared there.\n"
    'Bind DATA_DIR, or set TFDS_DATA_DIR, to a directory that can be written.'
  )


@pytest.mark.parametrize('verbosity', [0, 1])
def test_quiet(capfd, verbosity):
  from absl import logging
  from tensorflow_datasets.core.utils import tqdm_utils

  before = logging.get_verbosity()
  logging.set_verbosity(verbosity)
  try:
    with storage.quiet_tfds():
      print('Downloading and preparing dataset')
      for _ in tqdm_utils.tqdm(range(3)):
        pass
    print('a result')
  finally:
    logging.set_verbosity(before)
  out, err = capfd.readouterr()
  if verbosity:
    assert out == 'Downloading and preparing dataset\na result\n'
    assert '3/3' in err
  else:
    assert (out, err) == ('a result\n', '')


def test_import_is_light():
  import subprocess
  import sys

  code = (
    'import sys\n'
    'from experiments.datasets import ag_news, source\n'
    'heavy = {"tensorflow", "tensorflow_datasets", "jax", "trax"}\n'
    'assert not heavy & set(sys.modules)\n'
  )
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
  subprocess.run([sys.executable, '-c', code], check=True, env=environment)
