import csv
import gzip
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.datasets import ag_news, ag_news_csv, preparation, source
from experiments.foundation.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
SHARED = pathlib.Path(__file__).parents[3] / 'shared' / 'data' / 'ag_news_csv'
EXPECTED = (
  'Expected ag_news_csv.tar.gz as published, or a directory with train.csv and '
  'test.csv (class 1 to 4, title, description).'
)
TRAIN = (
  '"3","Mill to close","The mill will close\\$ on Monday, said its owner."\n'
  '"1","Talks go on","Envoys met ""twice"" in two days."\n'
  '"4","Caf\u00e9 robots","A robot\nthat pours tea."\n'
  '2,Rowers win,An unquoted row\n'
)
TEST = '"2","Late goal","It came in the last minute."\n'
ROWS = {
  'train': [
    (2, 'Mill to close', 'The mill will close\\$ on Monday, said its owner.'),
    (0, 'Talks go on', 'Envoys met "twice" in two days.'),
    (3, 'Caf\u00e9 robots', 'A robot\nthat pours tea.'),
    (1, 'Rowers win', 'An unquoted row'),
  ],
  'test': [(1, 'Late goal', 'It came in the last minute.')],
}


def write_csv(directory, train=TRAIN, test=TEST):
  directory.mkdir(parents=True, exist_ok=True)
  for name, text in (('train', train), ('test', test)):
    content = text if isinstance(text, bytes) else text.encode()
    (directory / f'{name}.csv').write_bytes(content)
  (directory / 'classes.txt').write_text('World\nSports\nBusiness\nSci/Tech\n')
  return directory


def write_tar(path, members=(), mode='w:gz'):
  """Writes the published layout, then further members (a TarInfo, bytes)."""
  with tarfile.open(path, mode) as archive:
    for name, text in (('train', TRAIN), ('test', TEST)):
      info = tarfile.TarInfo(f'ag_news_csv/{name}.csv')
      info.size = len(text.encode())
      archive.addfile(info, io.BytesIO(text.encode()))
    for info, content in members:
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))
  return path


def load_with_tfds(data_dir):
  import tensorflow_datasets as tfds

  loaded = {}
  for split in ('train', 'test'):
    data = tfds.load(
      'ag_news_subset', split=split, data_dir=data_dir, download=False
    )
    loaded[split] = sorted(
      (
        int(row['label']),
        row['title'].decode(),
        row['description'].decode(),
      )
      for row in tfds.as_numpy(data)
    )
  return loaded


def refusal(source_path, data_dir):
  """Returns the message, having seen that nothing was written."""
  before = files_in(data_dir)
  with pytest.raises(UserError) as caught:
    ag_news.prepare_ag_news(source_path=source_path, data_dir=data_dir)
  assert files_in(data_dir) == before
  return str(caught.value)


def files_in(directory):
  """All but the lock, which is no part of any data set."""
  return {path for path in directory.rglob('*') if path.suffix != '.lock'}


@pytest.fixture
def data_dir(tmp_path):
  return tmp_path / 'tfds'


@pytest.mark.parametrize('layout', ['directory', 'parent', 'tar.gz', 'tar'])
def test_tfds_reads_what_was_imported(tmp_path, data_dir, layout):
  source_path = tmp_path / 'copy'
  if layout == 'directory':
    write_csv(source_path)
  elif layout == 'parent':
    write_csv(source_path / 'ag_news_csv')
  else:
    write_tar(source_path, mode='w:gz' if layout == 'tar.gz' else 'w')
  imported = ag_news.prepare_ag_news(source_path=source_path, data_dir=data_dir)
  assert imported == ag_news.Imported(
    data_dir / 'ag_news_subset' / '1.0.0', {'train': 4, 'test': 1}, True
  )
  assert load_with_tfds(data_dir) == {
    split: sorted(rows) for split, rows in ROWS.items()
  }
  assert sorted(path.name for path in data_dir.iterdir()) == [
    '.ag_news_subset.lock',
    'ag_news_subset',
  ]


def test_the_files_are_those_that_tfds_itself_makes(tmp_path, data_dir):
  write_csv(tmp_path / 'copy' / 'ag_news_csv')
  ag_news.prepare_ag_news(source_path=tmp_path / 'copy', data_dir=data_dir)

  class Downloaded:
    downloaded_size = 0

    def download_and_extract(self, urls):
      return dict.fromkeys(urls, str(tmp_path / 'copy'))

  builder = preparation.find_builder('ag_news_subset', tmp_path / 'official')
  builder._make_download_manager = lambda **kwargs: Downloaded()
  preparation.generate(builder)
  official = sorted(pathlib.Path(builder.data_dir).iterdir())
  ours = sorted((data_dir / 'ag_news_subset' / '1.0.0').iterdir())
  assert [path.name for path in ours] == [path.name for path in official]
  for mine, theirs in zip(ours, official, strict=True):
    assert mine.read_bytes() == theirs.read_bytes(), mine.name


TEXTS = st.text(
  st.characters(codec='utf-8', exclude_characters='\0'), min_size=1
).filter(str.strip)


@settings(deadline=None)
@given(
  rows=st.lists(
    st.tuples(st.sampled_from('1234'), TEXTS, TEXTS), min_size=1, max_size=5
  ),
  quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
  line_end=st.sampled_from(['\n', '\r\n']),
)
def test_rows_are_what_tfds_reads(tmp_path_factory, rows, quoting, line_end):
  import tensorflow_datasets as tfds

  path = tmp_path_factory.mktemp('csv') / 'train.csv'
  with open(path, 'w', encoding='utf-8', newline='') as file:
    csv.writer(file, quoting=quoting, lineterminator=line_end).writerows(rows)
  builder = tfds.builder_cls('ag_news_subset')
  try:
    ours = [
      vars(row)
      for row in ag_news_csv.read_rows(ag_news_csv.CsvFile(path, 'train.csv'))
    ]
  except UserError:
    # A carriage return outside quotes ends a row for TFDS too.
    assert quoting == csv.QUOTE_MINIMAL
    assert '\r' in ''.join(text for row in rows for text in row)
  else:
    assert ours == [
      row for _, row in builder._generate_examples(None, str(path))
    ]


@pytest.mark.parametrize(
  ('train', 'row', 'reason'),
  [
    (TRAIN + '"5","A","B"\n', 5, "class '5'; expected 1, 2, 3 or 4"),
    ('"0","A","B"\n', 1, "class '0'; expected 1, 2, 3 or 4"),
    ('"1_0","A","B"\n', 1, "class '1_0'; expected 1, 2, 3 or 4"),
    ('Class Index,Title,Description\n', 1,
     "class 'Class Index'; expected 1, 2, 3 or 4"),
    (TRAIN + '"1","A"\n' + TRAIN, 5,
     '2 columns; expected class, title and description'),
    ('"1","A","B","C"\n', 1,
     '4 columns; expected class, title and description'),
    (TRAIN + '\n' + TRAIN, 5,
     '0 columns; expected class, title and description'),
    ('"1","A"," "\n', 1, 'empty description'),
    ('"1","","B"\n', 1, 'empty title'),
    (TRAIN.encode() + b'"1","A","caf\xe9"\n', 5, "byte b'\\xe9' is not UTF-8"),
    ('', 1, 'the file is empty'),
    (TRAIN + '"1","A","cut sho', 5,
     'unexpected end of data: a quote that is not closed?'),
    ('"1","A","' + 'x' * 200_000 + '"\n', 1,
     'field larger than field limit (131072): a quote that is not closed?'),
  ],
)  # fmt: skip
@pytest.mark.parametrize('split', ['train', 'test'])
def test_bad_row(tmp_path, data_dir, split, train, row, reason):
  copy = write_csv(tmp_path / 'copy', **{split: train})
  assert refusal(copy, data_dir) == (
    f'{copy}/{split}.csv:{row}: {reason}.\nNothing was written. {EXPECTED}'
  )


def test_bad_row_in_an_archive_is_named(tmp_path, data_dir):
  path = tmp_path / 'a.tar'
  with tarfile.open(path, 'w') as archive:
    archive.add(write_csv(tmp_path / 'copy', test='"1","A"\n'), 'ag_news_csv')
  assert refusal(path, data_dir).startswith(
    f'{path}/test.csv:1: 2 columns; expected class, title and description.\n'
  )


def link(name, kind, target):
  info = tarfile.TarInfo(name)
  info.type = kind
  info.linkname = target
  return info


@pytest.mark.parametrize(
  ('info', 'reason'),
  [
    (tarfile.TarInfo('../train.csv'),
     "the path '../train.csv' leads out of it"),
    (tarfile.TarInfo('ag_news_csv/../../x'),
     "the path 'ag_news_csv/../../x' leads out of it"),
    (tarfile.TarInfo('/tmp/train.csv'),
     "the path '/tmp/train.csv' leads out of it"),
    (link('ag_news_csv/classes.txt', tarfile.SYMTYPE, '/etc/passwd'),
     "'ag_news_csv/classes.txt' is a link or a device"),
    (link('x', tarfile.LNKTYPE, '/etc/passwd'), "'x' is a link or a device"),
    (link('x', tarfile.FIFOTYPE, ''), "'x' is a link or a device"),
    (tarfile.TarInfo('train.csv'), "'train.csv' is in it twice"),
  ],
)  # fmt: skip
def test_unsafe_archive(tmp_path, data_dir, info, reason):
  path = write_tar(tmp_path / 'ag_news_csv.tar.gz', [(info, b'')])
  first_line = refusal(path, data_dir).splitlines()[0]
  assert first_line == f'--source {str(path)!r} cannot be unpacked: {reason}.'
  assert {each.name for each in tmp_path.iterdir()} <= {path.name, 'tfds'}


def test_huge_archive(tmp_path, data_dir, monkeypatch):
  monkeypatch.setattr(ag_news_csv, 'MAX_UNPACKED_BYTES', 50_000)
  content = (tarfile.TarInfo('readme.txt'), b'0' * 60_000)
  path = write_tar(tmp_path / 'a.tar.gz', [content])
  assert 'cannot be unpacked: more than 50,000 bytes.' in refusal(
    path, data_dir
  )


def sparse_member(name, n_bytes):
  """Returns an archive, of the GNU format, whose member is one hole."""
  info = tarfile.TarInfo(name)
  info.type = tarfile.GNUTYPE_SPARSE
  header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
  # A piece of no bytes at the end, then the size of the whole.
  header[386:398] = b'%011o\0' % n_bytes
  header[483:495] = b'%011o\0' % n_bytes
  header[148:156] = b' ' * 8
  header[148:156] = b'%06o\0 ' % sum(header)
  return bytes(header) + bytes(1024)


@pytest.mark.parametrize(
  ('n_bytes', 'reason'),
  [
    (1_200_000_000, 'more than 268,435,456 bytes.'),
    (1_000_000, "'ag_news_csv/train.csv' is a sparse file."),
  ],
)
def test_a_small_archive_that_holds_a_large_hole(
  tmp_path, data_dir, monkeypatch, n_bytes, reason
):
  path = tmp_path / 'a.tar.gz'
  path.write_bytes(
    gzip.compress(sparse_member('ag_news_csv/train.csv', n_bytes))
  )
  assert path.stat().st_size < 250
  with tarfile.open(path) as archive:
    assert [member.size for member in archive] == [n_bytes]
  written: list[None] = []
  copy = shutil.copyfileobj
  monkeypatch.setattr(
    shutil, 'copyfileobj', lambda *args: written.append(copy(*args))
  )
  assert f'cannot be unpacked: {reason}' in refusal(path, data_dir)
  assert not written


def test_an_archive_of_many_members(tmp_path, data_dir):
  members = [(tarfile.TarInfo(f'x{i}'), b'') for i in range(100)]
  path = write_tar(tmp_path / 'a.tar.gz', members)
  assert 'cannot be unpacked: more than 100 members.' in refusal(path, data_dir)


@pytest.mark.parametrize('end', ['', '\n', '\r\n\n\n'])
def test_a_byte_order_mark_and_empty_lines_at_the_end_are_no_rows(
  tmp_path, data_dir, end
):
  marked = ('\ufeff' + TRAIN + end).encode()
  copy = write_csv(tmp_path / 'copy', train=marked, test='\ufeff2,A,B')
  imported = ag_news.prepare_ag_news(source_path=copy, data_dir=data_dir)
  assert imported.n_examples == {'train': 4, 'test': 1}
  assert load_with_tfds(data_dir)['train'] == sorted(ROWS['train'])


def test_what_a_killed_import_left_is_removed(tmp_path, data_dir):
  path = write_tar(tmp_path / 'a.tar.gz')
  command = (
    'import os, signal, sys\n'
    'from experiments.datasets import ag_news, ag_news_csv\n'
    'def kill(*args, **options):\n'
    '  os.kill(os.getpid(), signal.SIGKILL)\n'
    'ag_news_csv.read_rows = kill\n'
    'ag_news.prepare_ag_news(source_path=sys.argv[1], data_dir=sys.argv[2])\n'
  )
  temporary = tmp_path / 'tmp'
  temporary.mkdir()
  killed = subprocess.run(
    [sys.executable, '-c', command, str(path), str(data_dir)],
    cwd=ROOT,
    env={**os.environ, 'TMPDIR': str(temporary)},
    capture_output=True,
    check=False,
  )
  assert killed.returncode == -signal.SIGKILL
  [left] = [p for p in data_dir.iterdir() if p.is_dir()]
  assert (left / 'train.csv').is_file()
  assert not list(temporary.iterdir())
  ag_news.prepare_ag_news(source_path=path, data_dir=data_dir)
  assert sorted(p.name for p in data_dir.iterdir()) == [
    '.ag_news_subset.lock',
    'ag_news_subset',
  ]


@pytest.mark.parametrize('is_published', [False, True])
def test_the_command_counts_the_rows(
  tmp_path, data_dir, capsys, monkeypatch, is_published
):
  from experiments.commands import prepare
  from experiments.config import experiment, gin_config

  if is_published:
    monkeypatch.setattr(ag_news_csv, 'PUBLISHED', {'train': 4, 'test': 1})
  config = gin_config.check(
    gin_config.parse(
      [str(ROOT / 'gin' / 'agnews.gin')], [f'DATA_DIR={str(data_dir)!r}']
    )
  )
  copy = write_csv(tmp_path / 'copy')
  prepare.prepare(experiment.resolve(config), str(copy))
  lines = capsys.readouterr().out.splitlines()
  assert lines[:2] == [
    f'Prepared: {data_dir}/ag_news_subset/1.0.0',
    'Rows: 4 train and 1 test',
  ]
  if is_published:
    assert len(lines) == 2
  else:
    assert lines[2:] == [
      'The published AG News has 120,000 train and 7,600 test: what is '
      'measured on these rows cannot be compared with what is published.'
    ]


def test_other_files_in_an_archive_are_left_alone(tmp_path, data_dir):
  members = [
    (tarfile.TarInfo('ag_news_csv/readme.txt'), b'Read me.'),
    (tarfile.TarInfo('ag_news_csv/._train.csv'), b'\0'),
    (tarfile.TarInfo('elsewhere/test.csv'), b'not a row'),
  ]
  path = write_tar(tmp_path / 'a.tar.gz', members)
  imported = ag_news.prepare_ag_news(source_path=path, data_dir=data_dir)
  assert imported.n_examples == {'train': 4, 'test': 1}


@pytest.mark.parametrize('n_missing', [1, 8, 60, 200])
def test_partial_archive(tmp_path, data_dir, n_missing):
  path = write_tar(tmp_path / 'ag_news_csv.tar.gz')
  whole = path.read_bytes()
  path.write_bytes(whole[:-n_missing])
  message = refusal(path, data_dir).splitlines()
  assert message[0].startswith(f'--source {str(path)!r} cannot be unpacked: ')
  assert message[1].startswith(f'It has {len(whole) - n_missing:,} bytes, sha')
  assert message[1].endswith(
    'the published archive has 11,784,327 and '
    '4e2fc37d369e6e317a8b62d0d2f11d379f8c3dde60c07c35a46b069a246498ad.'
  )


def test_every_corrupted_byte_of_an_archive_shows(tmp_path, data_dir):
  path = write_tar(tmp_path / 'a.tar.gz')
  whole = path.read_bytes()
  for at in range(30, len(whole), 7):
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
    assert 'cannot be unpacked' in refusal(path, data_dir)


def test_web_page_instead_of_the_archive(tmp_path, data_dir):
  path = tmp_path / 'ag_news_csv.tar.gz'
  path.write_text('<!DOCTYPE html><title>Google Drive - Quota exceeded</title>')
  assert refusal(path, data_dir).splitlines()[0] == (
    f'--source {str(path)!r} cannot be unpacked: it is a web page, not the '
    'archive.'
  )


def test_missing_source(tmp_path, data_dir):
  assert refusal(tmp_path / 'no.tar.gz', data_dir) == (
    f"--source '{tmp_path}/no.tar.gz': no such file or directory.\n{EXPECTED}"
  )


def test_missing_file(tmp_path, data_dir):
  copy = write_csv(tmp_path / 'copy')
  (copy / 'test.csv').unlink()
  assert refusal(copy, data_dir) == (
    f"--source: no file '{copy}/test.csv'.\n{EXPECTED}"
  )


def test_other_classes(tmp_path, data_dir):
  copy = write_csv(tmp_path / 'copy')
  (copy / 'classes.txt').write_text('Sports\nWorld\n')
  assert refusal(copy, data_dir) == (
    f'{copy}/classes.txt names the classes Sports, World; expected World, '
    'Sports, Business, Sci/Tech.'
  )


def test_importing_again(tmp_path, data_dir):
  copy = write_csv(tmp_path / 'copy')
  first = ag_news.prepare_ag_news(source_path=copy, data_dir=data_dir)
  again = ag_news.prepare_ag_news(source_path=copy, data_dir=data_dir)
  assert first.is_new
  assert not again.is_new
  assert again.n_examples == first.n_examples


def test_other_rows_are_not_overwritten(tmp_path, data_dir):
  first = write_csv(tmp_path / 'first')
  ag_news.prepare_ag_news(source_path=first, data_dir=data_dir)
  # As many rows of the same lengths: one word differs.
  other = write_csv(tmp_path / 'other', test=TEST.replace('last', 'lost'))
  assert refusal(other, data_dir) == (
    f"'{data_dir}/ag_news_subset/1.0.0' already holds other rows: 4 train and "
    '1 test; --source has 4 train and 1 test.\n'
    'Delete that directory to replace them, or bind another DATA_DIR.'
  )
  assert load_with_tfds(data_dir)['test'] == ROWS['test']


def test_nothing_stays_of_an_import_that_failed(
  tmp_path, data_dir, monkeypatch
):
  generate = preparation.generate

  def fail_at_the_end(builder):
    generate(builder)
    assert pathlib.Path(builder.data_dir).is_relative_to(data_dir)
    raise KeyboardInterrupt

  monkeypatch.setattr(preparation, 'generate', fail_at_the_end)
  (data_dir / '.ag_news_subset.unfinished.killed').mkdir(parents=True)
  with pytest.raises(KeyboardInterrupt):
    ag_news.prepare_ag_news(
      source_path=write_csv(tmp_path / 'copy'), data_dir=data_dir
    )
  assert os.listdir(data_dir) == ['.ag_news_subset.lock']


def test_importing_is_silent(tmp_path, data_dir, capfd):
  ag_news.prepare_ag_news(
    source_path=write_csv(tmp_path / 'copy'), data_dir=data_dir
  )
  assert capfd.readouterr() == ('', '')


def test_shared_rows_survive(data_dir):
  if not SHARED.is_dir():
    pytest.skip('needs ../shared/data/ag_news_csv, a slice of AG News')
  imported = ag_news.prepare_ag_news(source_path=SHARED, data_dir=data_dir)
  assert imported.n_examples == {'train': 9979, 'test': 3800}
  loaded = load_with_tfds(data_dir)
  for split in ('train', 'test'):
    with open(SHARED / f'{split}.csv', encoding='utf-8', newline='') as file:
      rows = [(int(row[0]) - 1, row[1], row[2]) for row in csv.reader(file)]
    # Not compared by assert: pytest would print sentences of AG News.
    if loaded[split] != sorted(rows):
      pytest.fail(f'{split} differs')


def open_ag_news(data_dir):
  return source.open_source(
    name='ag_news_subset', keys=('description', 'label'), data_dir=data_dir
  )


def download_failed(data_dir, reason):
  return (
    f"data set 'ag_news_subset' is not in '{data_dir}', and its download "
    f'failed: {reason}\n'
    'Get ag_news_csv.tar.gz (11,784,327 bytes, sha256 4e2fc37d369e6e317a8b62d0d'
    '2f11d379f8c3dde60c07c35a46b069a246498ad), e.g. with a browser from '
    'https://drive.google.com/uc?export=download&id='
    '0Bz8a_Dbh9QhbUDNpeUdjb0wxRms\n'
    'Then: python launcher.py --mode=prepare --gin_file=gin/agnews.gin '
    '--source=ag_news_csv.tar.gz'
  )


@pytest.fixture
def no_proxy(monkeypatch):
  for name in list(os.environ):
    if name.lower().endswith('_proxy'):
      monkeypatch.delenv(name)


def test_no_network(data_dir, monkeypatch, no_proxy):
  def refuse(address, timeout):
    assert address == ('drive.google.com', 443)
    raise socket.gaierror(-2, 'Name or service not known')

  monkeypatch.setattr(socket, 'create_connection', refuse)
  monkeypatch.setenv('TFDS_DATA_DIR', str(data_dir))
  with pytest.raises(UserError) as caught:
    open_ag_news(None)
  reason = 'cannot connect to drive.google.com (Name or service not known)'
  assert str(caught.value) == download_failed(data_dir, reason)
  assert not data_dir.exists()


def test_the_command_names_a_data_dir_that_is_bound(
  data_dir, monkeypatch, no_proxy
):
  def refuse(address, timeout):
    raise TimeoutError('timed out')

  monkeypatch.setattr(socket, 'create_connection', refuse)
  with pytest.raises(UserError) as caught:
    open_ag_news(data_dir)
  reason = 'cannot connect to drive.google.com (timed out)'
  bindings = f' --gin_bindings="DATA_DIR=\'{data_dir}\'"'
  assert str(caught.value) == download_failed(data_dir, reason) + bindings


@pytest.mark.parametrize(
  ('page', 'reason'),
  [
    (b'<html>Quota exceeded</html>', 'Artifact https://drive.google.com/'),
    (None, 'Failed to get url https://drive.google.com/uc?export=download&id='),
  ],
)
def test_download_fails(data_dir, monkeypatch, page, reason):
  """TFDS's own downloader, with a quota page or an error from the network."""
  import requests

  def get(session, url, **kwargs):
    del session, kwargs
    response = requests.Response()
    response.url = url
    response.status_code = 200 if page else 403
    response.headers['Content-Disposition'] = 'filename="ag_news_csv.tar.gz"'
    response.raw = io.BytesIO(page or b'half')
    return response

  monkeypatch.setattr(socket, 'create_connection', lambda *args: io.BytesIO())
  monkeypatch.setattr(requests.Session, 'get', get)
  monkeypatch.setenv('TFDS_DATA_DIR', str(data_dir))
  with pytest.raises(UserError) as caught:
    open_ag_news(None)
  message = str(caught.value)
  assert len(message.splitlines()) == 3
  assert f'its download failed: {reason}' in message.splitlines()[0]
  assert (
    message.splitlines()[1:] == (download_failed(data_dir, '').splitlines()[1:])
  )
  assert os.listdir(data_dir) == ['.ag_news_subset.lock']
