"""Files of a user's own as data sets: right, or refused in one message."""

import collections
import csv
import gzip
import io
import json
import os
import pathlib
from typing import Any

import numpy as np
import pytest

from experiments.datasets import (
  file_import,
  file_layout,
  file_rows,
  file_survey,
)
from experiments.datasets import source as datasets
from experiments.datasets.file_survey import ImportOptions
from experiments.foundation import data_paths
from experiments.foundation.errors import UserError
from tests.fixtures import damages

KEYS = ('text', 'label')
ROWS = [
  (f'text number {i}, "quoted",\nand of two lines', 'ab'[i % 2])
  for i in range(60)
]


def as_csv(rows=ROWS, *, header=KEYS, **options) -> str:
  file = io.StringIO()
  writer = csv.writer(file, **options)
  writer.writerows([header, *rows] if header else rows)
  return file.getvalue()


def as_parquet(rows=ROWS) -> bytes:
  import pyarrow
  from pyarrow import parquet

  file = io.BytesIO()
  columns = {key: [row[i] for row in rows] for i, key in enumerate(KEYS)}
  parquet.write_table(pyarrow.table(columns), file)
  return file.getvalue()


def as_objects(rows=ROWS) -> list[dict]:
  return [dict(zip(KEYS, row, strict=True)) for row in rows]


# The same rows in every format, by the name of the file.
FORMATS: dict[str, str | bytes] = {
  'a.csv': as_csv(),
  'semicolon.csv': as_csv(delimiter=';'),
  'crlf.csv': as_csv(lineterminator='\r\n'),
  'mark.csv': b'\xef\xbb\xbf' + as_csv().encode(),
  'wide.csv': as_csv().encode('utf-16'),
  'unmarked.csv': as_csv().encode('utf-16-le'),
  'unmarked_big.csv': as_csv().encode('utf-16-be'),
  'wider.csv': as_csv().encode('utf-32'),
  'carriage.csv': as_csv(lineterminator='\r'),
  'open_end.csv': as_csv().rstrip('\r\n'),
  'members.csv.gz': gzip.compress(as_csv(ROWS[:30]).encode())
  + gzip.compress(as_csv(ROWS[30:], header=None).encode()),
  'packed.csv.gz': gzip.compress(as_csv().encode()),
  'blank.csv': '\n' + as_csv() + '\n\n',
  'a.tsv': as_csv(delimiter='\t'),
  'orange.tab': 'text\tlabel\nstring\td\n\tclass\n'
  + as_csv(header=None, delimiter='\t'),
  'a.jsonl': '\n'.join(map(json.dumps, as_objects())),
  'a.ndjson': '\n'.join(map(json.dumps, as_objects())),
  'array.json': json.dumps(as_objects()),
  'indented.json': json.dumps(as_objects(), indent=2),
  'a.parquet': as_parquet(),
}


def write(path: pathlib.Path, content: str | bytes) -> pathlib.Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(
    content.encode('utf-8', 'surrogateescape')
    if isinstance(content, str)
    else content
  )
  return path


def open_files(
  path: pathlib.Path,
  cache_dir: pathlib.Path,
  *,
  keys=KEYS,
  splits=('train', 'validation', 'test'),
  **options,
) -> datasets.Source:
  directory = file_import.import_files(
    path, ImportOptions(keys=keys, **options), cache_dir
  )
  return datasets.open_directory(
    directory, name=path.name, keys=keys, splits=splits, text_separator=' '
  )


def rows_of(source: datasets.Source, split: str) -> list[tuple[str, str]]:
  return [
    (text, source.label_names[label])
    for texts, labels in source.read(split, 7)
    for text, label in zip(texts, labels, strict=True)
  ]


def all_rows(source: datasets.Source) -> list[tuple[str, str]]:
  return [row for split in source.splits for row in rows_of(source, split)]


@pytest.mark.parametrize('name', FORMATS)
def test_every_format_gives_the_same_rows(tmp_path, name):
  source = open_files(write(tmp_path / name, FORMATS[name]), tmp_path / 'cache')
  assert sorted(all_rows(source)) == sorted(ROWS)
  assert source.label_names == ('a', 'b')


@pytest.mark.parametrize('name', FORMATS)
def test_a_damaged_file_is_refused_or_read(tmp_path, name):
  content = FORMATS[name]
  content = content.encode() if isinstance(content, str) else content
  options = ImportOptions(keys=KEYS)
  messages = []
  for damaged in damages.damage(content, 60):
    path = write(tmp_path / name, damaged)
    try:
      layout = file_layout.find_layout(path, KEYS)
      file_import.check_columns(path, layout, options)
      file_survey.survey_rows(layout, options)
    except UserError as error:
      messages.append(str(error))
  assert all(name in message for message in messages)
  # What a damage makes of CSV is a text, too.
  assert len(messages) >= 20 or not {*name.split('.')} & {'gz', 'parquet'}


def test_fasttext_lines(tmp_path):
  content = ''.join(
    f'__label__{label} the {i}th\n' for i, (_, label) in enumerate(ROWS)
  )
  source = open_files(write(tmp_path / 'a.txt', content), tmp_path / 'cache')
  expected = [(f'the {i}th', label) for i, (_, label) in enumerate(ROWS)]
  assert sorted(all_rows(source)) == sorted(expected)


@pytest.mark.parametrize('split', ['', 'train/', 'test/'])
def test_folders_of_texts(tmp_path, split):
  splits = ('train', 'test') if split else ('train', 'validation', 'test')
  for i, (text, label) in enumerate(ROWS):
    below = splits[i % 2] + '/' if split else ''
    write(tmp_path / f'd/{below}{label}{i % 4}/{i}.txt', text)
  source = open_files(tmp_path / 'd', tmp_path / 'cache', splits=splits)
  assert sorted(text for text, _ in all_rows(source)) == sorted(
    text for text, _ in ROWS
  )
  assert source.label_names == ('a0', 'a2', 'b1', 'b3')


def test_splits_that_files_have_stay(tmp_path):
  for name, part in (
    ('train', ROWS[:30]),
    ('dev', ROWS[30:40]),
    ('test', ROWS[40:]),
  ):
    write(tmp_path / f'd/{name}.csv', as_csv(part))
  source = open_files(tmp_path / 'd', tmp_path / 'cache')
  assert rows_of(source, 'train') == ROWS[:30]
  assert rows_of(source, 'validation') == ROWS[30:40]
  assert rows_of(source, 'test') == ROWS[40:]


def many(n: int) -> list[tuple[str, str]]:
  return [(f'Text {i * 7919 % 1000} of many', 'ab'[i % 2]) for i in range(n)]


def test_equal_texts_stay_together_and_added_rows_move_none(tmp_path):
  few = open_files(
    write(tmp_path / 'few.csv', as_csv(many(2000))), tmp_path / 'cache'
  )
  texts = {s: {text for text, _ in rows_of(few, s)} for s in few.splits}
  for one, other in (('train', 'test'), ('train', 'validation')):
    assert not texts[one] & texts[other]
  assert abs(len(texts['train']) - 800) < 50
  shouted = [(f'  {text.upper()}  ', label) for text, label in many(2000)]
  more = open_files(
    write(tmp_path / 'more.csv', as_csv([*shouted, *many(4000)])),
    tmp_path / 'cache',
  )
  for split, before in texts.items():
    after = {text for text, _ in rows_of(more, split)}
    assert before <= after
    assert {f'{text.upper()}' for text in before} <= after


def test_groups_stay_together(tmp_path):
  rows = [(f'text {i}', 'ab'[i % 2], f'author {i % 40}') for i in range(2000)]
  header = ('text', 'label', 'author')
  path = write(tmp_path / 'a.csv', as_csv(rows, header=header))
  source = open_files(path, tmp_path / 'cache', split_by='author')
  author_of = {text: author for text, _, author in rows}
  authors = [
    {author_of[text] for text, _ in rows_of(source, split)}
    for split in source.splits
  ]
  assert sum(map(len, authors)) == 40 == len(set.union(*authors))


def test_columns_of_a_file_without_a_header_are_numbered(tmp_path):
  path = write(tmp_path / 'a.csv', as_csv(header=None))
  source = open_files(path, tmp_path / 'cache', keys=('1', '2'))
  assert sorted(all_rows(source)) == sorted(ROWS)


def test_numbers_are_classes_in_their_order(tmp_path):
  rows = [(f'text {i}', i % 12) for i in range(600)]
  objects = [{'text': text, 'label': label} for text, label in rows]
  path = write(tmp_path / 'a.jsonl', '\n'.join(map(json.dumps, objects)))
  source = open_files(path, tmp_path / 'cache')
  assert source.label_names == tuple(map(str, range(12)))


def test_it_is_a_data_set_of_tfds(tmp_path):
  import tensorflow_datasets as tfds

  path = write(tmp_path / 'a.csv', as_csv())
  directory = file_import.import_files(
    path, ImportOptions(keys=KEYS), tmp_path / 'cache'
  )
  builder = tfds.builder_from_directory(directory)
  ours = open_files(path, tmp_path / 'cache')
  theirs = [
    (row['text'].decode(), 'ab'[row['label']])
    for row in tfds.as_numpy(builder.as_dataset(split='train'))
  ]
  assert theirs == rows_of(ours, 'train')


def test_slices_of_it(tmp_path):
  path = write(tmp_path / 'a.csv', as_csv(many(1000)))
  whole = open_files(path, tmp_path / 'cache')
  cut = open_files(
    path, tmp_path / 'cache', splits=('train[:30%]', 'train[30%:]')
  )
  train = rows_of(whole, 'train')
  n = round(0.3 * len(train))
  assert rows_of(cut, 'train') == train[:n]
  assert rows_of(cut, 'test') == train[n:]


def test_a_file_is_imported_once_and_again_when_it_changes(tmp_path, caplog):
  caplog.set_level('INFO')
  path = write(tmp_path / 'a.csv', as_csv())
  first = open_files(path, tmp_path / 'cache')
  assert 'Importing' in caplog.text
  caplog.clear()
  assert open_files(path, tmp_path / 'cache') == first
  assert 'Importing' not in caplog.text
  write(path, as_csv([*ROWS, ('one more', 'a')]))
  changed = open_files(path, tmp_path / 'cache')
  assert 'a.csv has changed since its last import.' in caplog.text
  assert changed.fingerprint != first.fingerprint


BAD_ROWS = [
  (('', 'a'), 'no text', 'no text in text'),
  (('one', ' '), 'no label', 'no label in label'),
  (('two', 'b', 'c'), 'a wrong number of columns', '3 columns, expected 2'),
  (
    ('3', 'z'),
    'a label that occurs once',
    "no other row has the label 'z'",
  ),
  (('four', 'l' * 300), 'a label that is a text', "the label is '" + 'l' * 40),
  (('caf\udce9', 'a'), 'not UTF-8', 'The file may be '),
]


def test_rows_that_will_not_do_are_named_and_stop_the_import(tmp_path):
  rows = [*ROWS[:4], *(row for row, _, _ in BAD_ROWS)]
  path = write(tmp_path / 'a.csv', as_csv(rows))
  with pytest.raises(UserError) as error:
    open_files(path, tmp_path / 'cache')
  lines = str(error.value).splitlines()
  for _, kind, reason in BAD_ROWS:
    assert f'{kind} (1)' in lines[0]
    assert any(reason in line for line in lines)
  # The first four rows are of two lines each, below the header.
  assert lines[1] == f'  {path}:10: no text in text'
  assert lines[-1] == (
    'Put them right, or bind SKIP_BAD_ROWS = True to leave them out.'
  )
  assert not list((tmp_path / 'cache' / 'files').glob('a-*/'))


def test_rows_that_will_not_do_can_be_left_out(tmp_path, caplog):
  path = write(
    tmp_path / 'a.csv', as_csv([*(row for row, _, _ in BAD_ROWS), *ROWS])
  )
  source = open_files(path, tmp_path / 'cache', skip_bad_rows=True)
  assert sorted(all_rows(source)) == sorted(ROWS)
  left_out = source.path / 'bad_rows.jsonl'
  assert str(left_out) in caplog.text
  lines = left_out.read_text(encoding='utf-8').splitlines()
  assert [json.loads(line)['line'] for line in lines] == [2, 3, 4, 5, 6, 7]


def columns_as_parquet(*columns: tuple[str, Any]) -> bytes:
  import pyarrow
  from pyarrow import parquet

  file = io.BytesIO()
  names, values = zip(*columns, strict=True)
  table = pyarrow.Table.from_arrays(
    [pyarrow.array(value) for value in values], names
  )
  parquet.write_table(table, file)
  return file.getvalue()


def values_that_python_cannot_hold() -> dict[str, bytes]:
  """Returns a file for each type of Arrow that can say more than Python."""
  import pyarrow as pa

  n = 2**62
  columns = {
    'timestamp': pa.array([n] * 4, pa.timestamp('us')),
    'time_zone': pa.array([5] * 4, pa.timestamp('us', tz='../../etc/passwd')),
    'duration': pa.array([n] * 4, pa.duration('s')),
    'date64': pa.array([n] * 4, pa.int64()).view(pa.date64()),
    'date32': pa.array([2**31 - 1] * 4, pa.int32()).view(pa.date32()),
    'bytes': pa.array([b'\xff'] * 4).view(pa.string()),
  }
  return {
    f'{name}.parquet': columns_as_parquet(
      ('text', column), ('label', ['a', 'b'] * 2)
    )
    for name, column in columns.items()
  }


# What no data set can be made of: the content of a file, and what is said.
HOSTILE: list[tuple[str, str | bytes, str]] = [
  ('empty.csv', '', 'the file is empty'),
  ('spaces.csv', ' \n \n', 'the file is empty'),
  ('nul.csv', b'\0' * 100, 'the file is empty'),
  ('header.csv', 'text,label\n', 'no row that will do'),
  ('one_class.csv', as_csv([('x', 'a'), ('y', 'a')]), "only 'a'"),
  ('no_column.csv', as_csv(header=('txt', 'label')), "Did you mean 'txt'?"),
  ('no_header.csv', as_csv(header=None), "KEYS = ('1', '2')"),
  ('twice.csv', as_csv(header=('text', 'text')), "are called 'text'"),
  ('quote.csv', 'text,label\n"' + 'x' * 2**25, 'Does a quote there lack its'),
  ('cut.csv.gz', gzip.compress(as_csv().encode())[:-20], 'cannot be read'),
  ('no.csv.gz', as_csv(), 'cannot be read'),
  ('cut.parquet', as_parquet()[:-100], 'cannot be read'),
  ('no.parquet', as_csv(), 'cannot be read'),
  (
    'nested.parquet',
    columns_as_parquet(('text', [['a'], ['b']]), ('label', ['a', 'b'])),
    "'text' is a list, expected a string",
  ),
  (
    'twins.parquet',
    columns_as_parquet(*[(key, ['a', 'b']) for key in ('text', *KEYS)]),
    "two columns are called 'text'. Rename one.",
  ),
  *(
    (name, content, f"{name}': cannot be read: ")
    for name, content in values_that_python_cannot_hold().items()
  ),
  (
    'latin_column.csv',
    'texte,\udce9tiquette\n' + 'x,a\n' * 9,
    "a column, '\\udce9tiquette', is not UTF-8. Convert the file: iconv -f",
  ),
  # Half of a character, which JSON can say, in each that is read of a row.
  *(
    (
      f'half_{key}.jsonl',
      f'{{"text": "a", "label": "b", "{key}": "\\ud800"}}\n' * 2,
      'not UTF-8 (2)',
    )
    for key in KEYS
  ),
  ('no.jsonl', '{"text": "a", "label": 1}\n{"text": ', ':2: not a JSON object'),
  ('deep.jsonl', '{"text": ' + '[' * 10**5, 'not a JSON object'),
  ('list.jsonl', '{"text": "a", "label": 1}\n[1]\n', 'expected a JSON object'),
  ('cut.json', json.dumps(as_objects())[:-9], 'is damaged near'),
  ('numbers.json', '[1, 2, 3]', 'not a JSON object'),
  ('float.jsonl', '{"text": 0.5, "label": "a"}\n' * 2, 'is a float'),
  ('null.jsonl', '{"text": null, "label": "a"}\n' * 2, 'no text in text'),
  ('labels.txt', '__label__a __label__b some text\n', 'several labels (1)'),
  ('no_label.txt', 'some text\n', 'no label (1)'),
  ('latin.csv', as_csv([('café', 'a')] * 9).encode('latin-1'), 'iconv -f '),
  ('utf16.csv', as_csv().encode('utf-16')[:-1], 'cannot be read'),
  # One encoding for all rows, though some alone would fit another.
  (
    'shift.csv',
    as_csv([('日本語の文', 'a'), ('漢字', 'b')] * 5).encode('shift-jis'),
    'The file may be cp932. Convert it: iconv -f cp932 -t utf-8',
  ),
  ('a.docx', 'x', 'its name must end in .csv, '),
  # What is called .csv by mistake.
  ('zip.csv', b'PK\x03\x04' + bytes(99), 'is a ZIP archive, or a workbook'),
  ('packed.csv', gzip.compress(as_csv().encode()), 'is packed by gzip. Let '),
  ('parquet.csv', as_parquet(), 'is a Parquet file. Let its name end in'),
  ('excel.csv', b'\xd0\xcf\x11\xe0' + bytes(99), 'is a workbook of Excel'),
  ('page.csv', '\n<!DOCTYPE html>\n<p>Sign in', 'is a page of HTML'),
  ('lfs.csv', 'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
  ('json.csv', json.dumps(as_objects()), 'is JSON. Let its name end in .json'),
  ('sep.csv', 'sep=;\n' + as_csv(delimiter=';'), "'sep=;'. Remove that line"),
  ('csv.json', as_csv(), 'not a JSON object in its first lines'),
  # Ragged rows, quotes that are none, labels that are none.
  ('ragged.csv', 'text,label\na\nb,c,d\n', '(2)) will not do'),
  ('apostrophes.csv', "text,label\n'a, b',c\n" * 2, '3 columns, expected 2'),
  ('numbers.csv', as_csv([(str(i), i / 7) for i in range(9)]), 'occurs once'),
  ('blank.csv', 'text,label\n\xa0,a\n\t,b\n', 'no text (2)'),
  ('unlabelled.csv', 'text,label\na,\nb,\n', 'no label (2)'),
  ('essay.csv', 'text,label\n' + f'a,{"b" * 10**6}\n' * 2, 'that is a text'),
  ('nan.jsonl', '{"text": "a", "label": NaN}\n' * 2, "'label' is a float"),
  ('object.jsonl', '{"text": {}, "label": "a"}\n' * 2, "'text' is a dict"),
  ('digits.jsonl', f'{{"text": {"9" * 5000}}}\n', 'not a JSON object'),
  ('wrapped.json', json.dumps({'data': as_objects()}), "columns are 'data'"),
  (
    'many_columns.csv',
    ','.join(['x' * 10**5] * 2 + [f'c{i}' for i in range(10**4)]) + '\n',
    "has no column 'text'",
  ),
]


@pytest.mark.parametrize(
  ('name', 'content', 'message'), HOSTILE, ids=[name for name, _, _ in HOSTILE]
)
def test_what_is_no_data_set_is_refused(tmp_path, name, content, message):
  path = write(tmp_path / name, content)
  with pytest.raises(UserError) as error:
    open_files(path, tmp_path / 'cache')
  assert message in str(error.value)
  assert name.split('.')[0] in str(error.value)
  assert len(str(error.value).splitlines()) <= 14
  assert len(str(error.value)) < 2500
  assert not list((tmp_path / 'cache' / 'files').glob('*-*/'))


def test_groups_may_be_called_by_half_a_character(tmp_path):
  rows = [
    {'text': f'text {i}', 'label': 'ab'[i % 2], 'group': chr(0xD800 + i % 40)}
    for i in range(400)
  ]
  path = write(tmp_path / 'a.jsonl', '\n'.join(map(json.dumps, rows)))
  source = open_files(path, tmp_path / 'cache', split_by='group')
  group_of = {row['text']: row['group'] for row in rows}
  groups = [
    {group_of[text] for text, _ in rows_of(source, split)}
    for split in source.splits
  ]
  assert sum(map(len, groups)) == 40 == len(set.union(*groups))


@pytest.mark.parametrize('ending', ['csv', 'parquet'])
def test_columns_of_one_name_matter_where_they_are_read(tmp_path, ending):
  names = (*KEYS, 'note', 'note')
  rows = [(*row, 'x', 'y') for row in ROWS]
  path = write(
    tmp_path / f'a.{ending}',
    as_csv(rows, header=names)
    if ending == 'csv'
    else columns_as_parquet(*zip(names, zip(*rows, strict=True), strict=True)),
  )
  source = open_files(path, tmp_path / 'cache')
  assert sorted(all_rows(source)) == sorted(ROWS)
  with pytest.raises(
    UserError, match=r"two columns are called 'note'\. Rename"
  ):
    open_files(path, tmp_path / 'cache', split_by='note')


def test_what_is_no_file_is_refused(tmp_path):
  os.mkfifo(tmp_path / 'pipe.csv')
  (tmp_path / 'loop.csv').symlink_to('loop.csv')
  (tmp_path / 'empty').mkdir()
  write(tmp_path / 'both/train.csv', as_csv())
  write(tmp_path / 'both/train.jsonl', '{}')
  write(tmp_path / 'mixed/train.csv', as_csv())
  write(tmp_path / 'mixed/test.jsonl', '{}')
  write(tmp_path / 'no_train/test.csv', as_csv())
  for name, message in (
    ('pipe.csv', 'not a regular file'),
    ('loop.csv', 'no such file'),
    ('missing.csv', 'no such file'),
    ('empty', 'neither train.* and test.* files'),
    ('both', 'are both its train split'),
    ('mixed', 'must be of one format'),
    ('no_train', 'no train split'),
  ):
    with pytest.raises(UserError, match=message.replace('*', r'\*')):
      open_files(tmp_path / name, tmp_path / 'cache')


def test_a_line_without_an_end_is_refused_before_it_is_read(tmp_path):
  path = tmp_path / 'endless.jsonl'
  with open(path, 'wb') as file:
    file.write(b'{"text": "a", "label": "b"}\n{"text": "')
    file.truncate(2**30)
  with pytest.raises(UserError, match=r':2: a line of 64 million characters'):
    open_files(path, tmp_path / 'cache')


def read_array(path: pathlib.Path, text: str) -> list[file_rows.Row]:
  layout = file_layout.find_layout(write(path, text), KEYS)
  return list(file_rows.read_rows(layout, ''))


@pytest.mark.parametrize('indent', [None, 0, 2])
@pytest.mark.parametrize('separators', [(',', ':'), (' ,\n ', ' :\n')])
def test_an_array_is_read_however_it_is_laid_out(tmp_path, indent, separators):
  strings = ['', '}', ']},', '[{', 'a\n"b"', '\\', 'é\u2028']
  values = [
    {'text': text, 'label': 'a', 'more': [{'x': [each]}, {}, None, 1.5] * 20}
    for text in strings
    for each in strings
  ]
  text = json.dumps(values, indent=indent, separators=separators)
  rows = read_array(tmp_path / 'a.json', text)
  assert [row.values for row in rows] == values


# By the square of the length it would take hours.
@pytest.mark.timeout(300)
def test_reading_an_array_takes_time_by_its_length_alone(tmp_path):
  """As one line, and as values of very many lines, which may end anywhere."""
  objects = [
    {'text': f'some text of row {i}', 'label': 'a'} for i in range(2**17)
  ]
  assert len(read_array(tmp_path / 'a.json', json.dumps(objects))) == 2**17
  wide = [{'text': 'a', 'label': 'b'}, {'text': [{}] * 2**17, 'label': 'a'}]
  assert len(read_array(tmp_path / 'b.json', json.dumps(wide, indent=1))) == 2


def test_thousands_of_classes(tmp_path):
  rows = [(f'text {i}', f'class {i % 5000}') for i in range(15000)]
  path = write(tmp_path / 'a.csv', as_csv(rows))
  source = open_files(path, tmp_path / 'cache')
  assert len(source.label_names) == 5000
  n_read = collections.Counter(label for _, label in all_rows(source))
  assert set(n_read.values()) == {3}


def test_paths_are_told_from_names():
  paths = ['a.csv', 'a.CSV.gz', './a', '../a', '~/a', '/a', 'd/a.jsonl', '.']
  names = [
    'ag_news_subset',
    'glue/sst2',
    'glue/sst2:2.0.0',
    'csv',
    'a.b',
    '.csv',
  ]
  assert [data_paths.is_data_path(path) for path in paths] == [True] * 8
  assert [data_paths.is_data_path(name) for name in names] == [False] * 6


def test_rows_are_read_lazily(tmp_path):
  path = write(tmp_path / 'a.csv', as_csv(many(100)))
  rows = file_rows.read_rows(file_layout.find_layout(path, KEYS), '')
  assert next(rows).line == 2
  assert next(rows).line == 3
  assert np.isscalar(next(rows).line)
