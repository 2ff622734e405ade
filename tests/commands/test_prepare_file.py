"""--mode=prepare on a file of a user's own: the gin file that it writes."""

import gzip
import json
import os
import pathlib
import random

import pytest

from experiments.commands import prepare_file
from experiments.config import experiment, gin_config
from experiments.foundation import files
from experiments.foundation.errors import UserError

_WORDS = [
  'the',
  'film',
  'was',
  'good',
  'bad',
  'long',
  'short',
  'fine',
  'dull',
  'and',
  'it',
  'of',
]
_RANDOM = random.Random(0)
ROWS = [
  (' '.join(_RANDOM.choices(_WORDS, k=5 + i % 30)), 'ab'[i % 2])
  for i in range(200)
]


def as_csv(rows, header=None):
  lines = [','.join(row) for row in ([header] if header else []) + list(rows)]
  return '\n'.join(lines) + '\n'


def objects(rows):
  return [{'text': text, 'label': label} for text, label in rows]


def by_class(rows, folder=''):
  return {f'{folder}{y}/{i}.txt': x for i, (x, y) in enumerate(rows)}


TEXT, NUMBERED = ('text', 'label'), ('1', '2')
HASHED = ('train', 'validation', 'test')
CSV = as_csv(ROWS, TEXT)
# By the source: the files that are there, and what is to be found in them.
SOURCES = {
  'reviews.csv': ({'reviews.csv': CSV}, TEXT, HASHED),
  'no_header.csv': ({'no_header.csv': as_csv(ROWS)}, NUMBERED, HASHED),
  'packed.csv.gz': (
    {'packed.csv.gz': gzip.compress(CSV.encode())},
    TEXT,
    HASHED,
  ),
  'a.tsv': ({'a.tsv': CSV.replace(',', '\t')}, TEXT, HASHED),
  'orange.tab': (
    {
      'orange.tab': 'text\tlabel\nstring\td\n\tclass\n'
      + as_csv(ROWS).replace(',', '\t')
    },
    TEXT,
    HASHED,
  ),
  'a.jsonl': (
    {'a.jsonl': '\n'.join(map(json.dumps, objects(ROWS)))},
    TEXT,
    HASHED,
  ),
  'a.json': ({'a.json': json.dumps(objects(ROWS))}, TEXT, HASHED),
  'lines.txt': (
    {'lines.txt': '\n'.join(f'__label__{y} {x}' for x, y in ROWS)},
    TEXT,
    HASHED,
  ),
  'folders': (by_class(ROWS, 'folders/'), TEXT, HASHED),
  'parted': (
    {
      **by_class(ROWS[:150], 'parted/train/'),
      **by_class(ROWS[150:], 'parted/test/'),
    },
    TEXT,
    ('train', 'test'),
  ),
  'split': (
    {
      'split/train.csv': as_csv(ROWS[:100], TEXT),
      'split/dev.csv': as_csv(ROWS[100:150], TEXT),
      'split/test.csv': as_csv(ROWS[150:], TEXT),
    },
    TEXT,
    HASHED,
  ),
  'bare': (
    {
      'bare/train.csv': as_csv(ROWS[:150]),
      'bare/test.csv': as_csv(ROWS[150:]),
    },
    NUMBERED,
    ('train', 'test'),
  ),
  'one_split/': ({'one_split/train.csv': CSV}, TEXT, HASHED),
  'a name of its own.csv': ({'a name of its own.csv': CSV}, TEXT, HASHED),
}
# Headers and rows, and what --mode=prepare asks about; or the keys it finds.
NOISE = ('id', 'source')
TABLES = {
  'names win': (('text', 'stars', 'source'), ('text', 'stars')),
  'the only one': (('what', 'why'), ('what', 'why')),
  'both texts': (
    ('title', 'body', 'category'),
    ('title', 'body', 'category'),
  ),
  'two labels': (
    ('text', 'stars', 'topic'),
    'it does not show which column is the label',
  ),
  'label first of all': (('text', 'topic', 'label'), ('text', 'label')),
  'two nameless texts': (
    ('one', 'two', 'label'),
    'it does not show which columns are the text',
  ),
}
_TEXT_COLUMNS = {'text', 'what', 'title', 'body', 'one', 'two'}


def write(directory, contents):
  for name, content in contents.items():
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(content)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)


def written(tmp_path):
  """Returns the one gin file that is there, and that nothing else is."""
  (path,) = tmp_path.glob('*.gin')
  assert not list(tmp_path.glob('.*'))
  return path


@pytest.mark.parametrize('source', SOURCES)
def test_writes_a_config_that_a_run_takes(source, tmp_path, capsys):
  contents, keys, splits = SOURCES[source]
  write(tmp_path, contents)
  prepare_file.prepare_file(source, [])
  path = written(tmp_path)
  assert path.stem == pathlib.Path(source.removesuffix('.gz')).stem or (
    source == 'one_split/'
  )
  found = experiment.resolve(gin_config.check(gin_config.parse([path.name])))
  assert (found.data.keys, found.data.splits) == (keys, splits)
  printed = capsys.readouterr().out
  assert f'Label: {keys[-1]}, 2 classes' in printed
  # The next command is printed as a shell takes it, and nothing follows it.
  assert printed.splitlines()[-1].startswith('Next: python launcher.py --gin_')
  assert max(map(len, path.read_text(encoding='utf-8').splitlines())) <= 80


@pytest.mark.parametrize('case', TABLES)
def test_tells_columns_or_asks(case, tmp_path):
  header, expected = TABLES[case]
  rows = [
    [
      ROWS[i][0] if n in _TEXT_COLUMNS else str(i % (j + 2))
      for j, n in enumerate(header)
    ]
    for i in range(120)
  ]
  write(tmp_path, {'table.csv': as_csv(rows, header)})
  if isinstance(expected, tuple):
    prepare_file.prepare_file('table.csv', [])
    parsed = gin_config.parse([str(written(tmp_path))])
    assert {b.name: b.value for b in parsed.bindings}['KEYS'] == expected
    return
  with pytest.raises(UserError) as caught:
    prepare_file.prepare_file('table.csv', [])
  message = str(caught.value)
  assert message.startswith(f'--source=table.csv: {expected}.')
  assert '\n' not in message
  assert all(repr(name) in message for name in header)
  # What it says to type is what helps.
  binding = message.rpartition('--gin_bindings="')[2].rstrip('"')
  prepare_file.prepare_file('table.csv', [binding])
  assert written(tmp_path)


def test_a_group_column_and_a_separator_are_taken_over(tmp_path):
  rows = [
    (text, label, f'author{i % 40}') for i, (text, label) in enumerate(ROWS)
  ]
  write(tmp_path, {'a.csv': as_csv(rows, ('text', 'label', 'author'))})
  prepare_file.prepare_file(
    'a.csv', ["SPLIT_BY='author'", "TEXT_SEPARATOR=' | '"]
  )
  parsed = gin_config.parse([str(written(tmp_path))])
  values = {b.name: b.value for b in parsed.bindings}
  assert (values['SPLIT_BY'], values['TEXT_SEPARATOR']) == ('author', ' | ')


def test_leaves_rows_out_that_will_not_do_and_says_so(tmp_path, capsys):
  write(tmp_path, {'a.csv': CSV + ',a\n'})
  prepare_file.prepare_file('a.csv', [])
  assert 'Left out: no text (1); the first is a.csv:202: no text in text' in (
    capsys.readouterr().out
  )
  text = written(tmp_path).read_text(encoding='utf-8')
  assert '\nSKIP_BAD_ROWS = True\n' in text


# All that ends a line for Python, a shell or an editor, and a tab.
ENDS = '\n\r\t\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029'


@pytest.mark.parametrize('where', ['the file', 'a column', 'all'])
def test_a_name_puts_no_statement_into_the_config(tmp_path, where):
  """A stranger's file is called as a stranger likes."""
  evil = ''.join(f'{end}import evil' for end in ENDS)
  name = 'a' if where == 'a column' else f'a{evil}\n'
  column = 'text' if where == 'the file' else f'text{evil}\n'
  rows = [{column: text, 'label': label} for text, label in ROWS]
  write(tmp_path, {f'{name}.jsonl': '\n'.join(map(json.dumps, rows))})
  prepare_file.prepare_file(f'{name}.jsonl', [f'KEYS=({column!r}, "label")'])
  path = written(tmp_path)
  assert path.stem == name
  parsed = gin_config.parse([path.name])
  assert 'evil' not in str(parsed.imports)
  values = {b.name: b.value for b in parsed.bindings}
  assert values['DATASET'] == f'{name}.jsonl'
  assert values['KEYS'] == (column, 'label')


REFUSED = {
  'missing.csv': ({}, [], 'cannot be read (No such file or directory)'),
  'empty.csv': ({'empty.csv': ''}, [], 'the file is empty'),
  'ending.doc': ({'ending.doc': 'x'}, [], 'its name must end in'),
  'one.csv': (
    {'one.csv': as_csv([(x, 'a') for x, _ in ROWS], TEXT)},
    ["KEYS=('text', 'label')"],
    "expected at least 2 classes, found 'a'",
  ),
  'few.csv': (
    {'few.csv': as_csv([('a b c', 'a')] * 2 + [('a b c', 'b')] * 2, TEXT)},
    ["KEYS=('text', 'label')"],
    '4 rows are too few',
  ),
  'bad.csv': (
    {'bad.csv': as_csv([('', 'a'), ('', 'b')] * 20 + ROWS[:30], TEXT)},
    ["KEYS=('text', 'label')"],
    '40 of 70 rows will not do',
  ),
  'other.csv': (
    {'other.csv': CSV},
    ["KEYS=('text', 'lable')"],
    "has no column 'lable'",
  ),
  'type.csv': ({'type.csv': CSV}, ['KEYS=3'], 'KEYS'),
  'steps.csv': ({'steps.csv': CSV}, ['N_STEPS=3'], 'takes KEYS, SPLIT_BY'),
  'there.csv': (
    {'there.csv': CSV, 'there.gin': 'mine'},
    [],
    'there.gin is there, and is not written over',
  ),
}


@pytest.mark.parametrize('source', REFUSED)
def test_refuses_and_writes_nothing(source, tmp_path):
  contents, bindings, message = REFUSED[source]
  write(tmp_path, contents)
  before = sorted(tmp_path.rglob('*'))
  with pytest.raises(UserError) as caught:
    prepare_file.prepare_file(source, bindings)
  assert message in str(caught.value)
  assert 'DATASET' not in str(caught.value)
  assert sorted(tmp_path.rglob('*')) == before
  if 'there.gin' in contents:
    assert (tmp_path / 'there.gin').read_text(encoding='utf-8') == 'mine'


def test_a_file_that_came_meanwhile_stays(tmp_path):
  path = tmp_path / 'a.gin'
  path.write_text('mine', encoding='utf-8')
  with pytest.raises(FileExistsError):
    files.write_new(path, 'ours')
  assert path.read_text(encoding='utf-8') == 'mine'
  assert os.listdir(tmp_path) == ['a.gin']
