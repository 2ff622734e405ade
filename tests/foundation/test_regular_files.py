"""Whatever a user or a stranger may name is opened by one function.

Who calls it is found in the code. Each caller is given a FIFO, a device, a
directory and, where it reads a file as a whole, one that is too large; and no
code opens a file in another way but those that are listed.
"""

import ast
import collections
import contextlib
import os
import re
import shutil
import signal

import numpy as np
import pytest

from experiments.commands import predict
from experiments.comparison import system_tables
from experiments.config import gin_statements
from experiments.datasets import (
  ag_news_csv,
  example_rows,
  features,
  file_import,
  file_layout,
  file_rows,
  records,
  source,
)
from experiments.datasets.file_survey import ImportOptions
from experiments.datasets.slices import Piece
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import (
  WrongKindError,
  open_regular,
  read_regular,
)
from experiments.models import encoder_directory
from experiments.rundir import run_dir
from experiments.sweeps import sweep_yaml
from experiments.text import word_vectors
from experiments.text.word_vocabulary import WordVocabulary
from tests.fixtures.live_launcher import ROOT

CODE = ROOT / 'experiments'
OPENERS = ('open_regular', 'read_regular')
KEYS = ('text', 'label')
ROWS = [(f'text number {i}', 'ab'[i % 2]) for i in range(60)]
CSV = 'text,label\n' + ''.join(f'{text},{label}\n' for text, label in ROWS)
AG_NEWS = '"1","A title","A text"\n' * 3


def calls():
  """Yields the module, the function and the node of each call in the code."""

  def visit(node, module, names):
    for child in ast.iter_child_nodes(node):
      inner = names
      if isinstance(child, ast.FunctionDef | ast.ClassDef):
        inner = [*names, child.name]
      if isinstance(child, ast.Call):
        yield module, '.'.join(names), child
      yield from visit(child, module, inner)

  for path in sorted(CODE.rglob('*.py')):
    module = str(path.relative_to(CODE).with_suffix(''))
    yield from visit(ast.parse(path.read_bytes()), module, [])


def callers():
  """Returns who opens what a user or a stranger names."""
  return {
    f'{module}:{function}'
    for module, function, call in calls()
    if isinstance(call.func, ast.Name)
    and call.func.id in OPENERS
    and module != 'foundation/regular_files'
  }


# How each of them is reached. A place is a path that does not exist yet; what
# is made there is what the caller is to open.


def _layout_of(path):
  """Looks at a good file, in whose place something else then is."""
  layout = file_layout.find_layout(path, KEYS)
  os.unlink(path)
  return layout


def _by_predict(tmp_path, plant):
  (tmp_path / 'config.gin').write_text('')
  plant(tmp_path / 'texts.txt')
  predict.predict(tmp_path, str(tmp_path / 'texts.txt'), allow_import=[])


def _by_gin(tmp_path, plant):
  (tmp_path / 'a.gin').write_text(f"include '{tmp_path}/b.gin'\n")
  plant(tmp_path / 'b.gin')
  gin_statements.read([str(tmp_path / 'a.gin')])


def _by_rows_of_ag_news(tmp_path, plant):
  plant(tmp_path / 'train.csv')
  list(ag_news_csv.read_rows(ag_news_csv.CsvFile(tmp_path / 'train.csv', 'x')))


def _by_classes_of_ag_news(tmp_path, plant):
  for name in ('train.csv', 'test.csv'):
    (tmp_path / name).write_text(AG_NEWS)
  plant(tmp_path / 'classes.txt')
  with ag_news_csv.open_files(tmp_path, aside=tmp_path / 'aside'):
    pass


def _by_archive(tmp_path, plant):
  plant(tmp_path / 'ag_news_csv.tar.gz')
  (tmp_path / 'aside').mkdir()
  with ag_news_csv.open_files(
    tmp_path / 'ag_news_csv.tar.gz', aside=tmp_path / 'aside'
  ):
    pass


def _by_shard(tmp_path, plant):
  plant(tmp_path / 'a.parquet-00000-of-00001')
  piece = Piece(str(tmp_path / 'a.parquet-00000-of-00001'), 0, 5)
  list(example_rows.read_columns([piece], ['text'], 'label', 5))


def _by_record_file(tmp_path, plant):
  plant(tmp_path / 'a.tfrecord-00000-of-00001')
  piece = Piece(str(tmp_path / 'a.tfrecord-00000-of-00001'), 0, 5)
  list(records.read_records([piece], 5))


def _by_vectors(name):
  def reach(tmp_path, plant):
    np.save(tmp_path / 'a.npy', np.ones((1, 1)))
    (tmp_path / name).unlink(missing_ok=True)
    plant(tmp_path / name)
    asked = name.replace('.words', '.npy')
    word_vectors.open_vectors(tmp_path / asked, tmp_path / 'cache')

  return reach


def _by_encoder(name):
  def reach(tmp_path, plant):
    (tmp_path / 'config.json').write_text('{}')
    (tmp_path / name).unlink(missing_ok=True)
    plant(tmp_path / name)
    encoder_directory.read_config(tmp_path)

  return reach


def _by_features(tmp_path, plant):
  plant(tmp_path / 'features.json')
  features.check_classes(tmp_path)


def _by_import(name):
  def reach(tmp_path, plant):
    plant(tmp_path / name)
    file_import.import_files(
      tmp_path / name, ImportOptions(keys=KEYS), tmp_path / 'cache'
    )

  return reach


def _by_bytes(name):
  def reach(tmp_path, plant):
    plant(tmp_path / name)
    with file_layout.open_bytes(tmp_path / name) as file:
      file.read(1)

  return reach


def _as_parquet(path):
  import pyarrow
  from pyarrow import parquet

  columns = dict(zip(KEYS, map(list, zip(*ROWS, strict=True)), strict=True))
  parquet.write_table(pyarrow.table(columns), path)


def _by_columns(tmp_path, plant):
  plant(tmp_path / 'a.parquet')
  file_layout.find_layout(tmp_path / 'a.parquet', KEYS)


def _by_rows_of_parquet(tmp_path, plant):
  _as_parquet(tmp_path / 'a.parquet')
  layout = _layout_of(tmp_path / 'a.parquet')
  plant(tmp_path / 'a.parquet')
  for split in layout.files:
    list(file_rows.read_rows(layout, split))


def _by_folders(tmp_path, plant):
  for text, label in ROWS:
    (tmp_path / 'data' / label).mkdir(parents=True, exist_ok=True)
    (tmp_path / 'data' / label / f'{text}.txt').write_text(text)
  layout = file_layout.find_layout(tmp_path / 'data', KEYS)
  plant(tmp_path / 'data' / 'a' / 'planted.txt')
  for split in layout.files:
    list(file_rows.read_rows(layout, split))


def _by_prepared(tmp_path, plant):
  (tmp_path / 'a.csv').write_text(CSV)
  directory = file_import.import_files(
    tmp_path / 'a.csv', ImportOptions(keys=KEYS), tmp_path / 'cache'
  )
  copy = shutil.copytree(directory, tmp_path / 'copy')
  shard = min(copy.glob('*train*'))
  shard.unlink()
  plant(shard)
  source.open_directory(
    copy,
    name='a',
    keys=KEYS,
    splits=('train', 'validation', 'test'),
    text_separator=' ',
  )


def _by_vocabulary_of_run(tmp_path, plant):
  plant(tmp_path / 'a.words')
  (tmp_path / 'run').mkdir()
  run_dir.RunDir(tmp_path / 'run').store_vocabulary(tmp_path / 'a.words')


def _by_vocabulary(tmp_path, plant):
  plant(tmp_path / 'a.words')
  WordVocabulary(tmp_path / 'a.words')


def _by_yaml(tmp_path, plant):
  plant(tmp_path / 'a.yaml')
  sweep_yaml.load(str(tmp_path / 'a.yaml'))


def _by_system(name):
  def reach(tmp_path, plant):
    plant(tmp_path / name)
    system_tables.read_table(tmp_path / name)

  return reach


REACH = {
  'commands/predict:_open': [_by_predict],
  'comparison/system_tables:read_table': [
    _by_system(name) for name in ('a.csv', 'a.parquet')
  ],
  'config/gin_statements:_Reader.read_file': [_by_gin],
  'datasets/ag_news_csv:read_rows': [_by_rows_of_ag_news],
  'datasets/ag_news_csv:_files_in': [_by_classes_of_ag_news],
  'datasets/ag_news_csv:_unpack': [_by_archive],
  'datasets/ag_news_csv:_bad_archive': [_by_archive],
  'datasets/example_rows:read_columns': [_by_shard],
  'datasets/features:check_classes': [_by_features],
  'datasets/file_import:_content_hash': [
    _by_import(name) for name in ('a.csv', 'a.csv.gz', 'a.parquet')
  ],
  'datasets/file_layout:_parquet_columns': [_by_columns],
  'datasets/file_layout:_Unpacked.__init__': [_by_bytes('a.csv.gz')],
  'datasets/file_layout:open_bytes': [_by_bytes('a.csv')],
  'datasets/file_rows:_read_parquet': [_by_rows_of_parquet],
  'datasets/file_rows:_read_folders': [_by_folders],
  'datasets/records:_read_tf_records': [_by_record_file],
  'datasets/source:_fingerprint': [_by_prepared],
  'models/encoder_directory:_read_json': [_by_encoder('config.json')],
  'models/encoder_directory:_read_markers': [_by_encoder('tokenizer.json')],
  'rundir/run_dir:RunDir.store_vocabulary': [_by_vocabulary_of_run],
  'sweeps/sweep_yaml:load': [_by_yaml],
  'foundation/safetensors_file:read_tensors': [_by_vectors('a.safetensors')],
  'text/vector_files:read_array': [_by_vectors('a.npy')],
  'text/vector_files:_read_words': [_by_vectors('a.words')],
  'text/vector_files:read_text_file': [
    _by_vectors('a.txt'),
    _by_vectors('a.gz'),
  ],
  'text/vocabulary:Vocabulary.__init__': [_by_vocabulary],
}
# What may be missing, and so is as if it were not there.
MAY_BE_MISSING = {
  ('datasets/ag_news_csv:_files_in', kind)
  for kind in ('a FIFO', 'a link to a FIFO', 'a device', 'a directory')
} | {('datasets/features:check_classes', 'a directory')}


def _link_to_fifo(path):
  os.mkfifo(f'{path}.fifo')
  path.symlink_to(f'{path}.fifo')


def _too_large(path):
  with open(path, 'wb') as file:
    file.truncate(2**28 + 1)


KINDS = {
  'a FIFO': os.mkfifo,
  'a link to a FIFO': _link_to_fifo,
  # It never ends.
  'a device': lambda path: path.symlink_to('/dev/zero'),
  'a directory': os.mkdir,
}


class Hangs(BaseException):
  """It took too long."""


@contextlib.contextmanager
def at_most(seconds):
  def give_up(*_):
    raise Hangs

  old = signal.signal(signal.SIGALRM, give_up)
  signal.alarm(seconds)
  try:
    yield
  finally:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def test_every_caller_is_tried():
  assert callers() == set(REACH)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('caller', REACH)
def test_what_is_no_regular_file_is_refused_and_nothing_hangs(
  caller, kind, tmp_path
):
  for i, reach in enumerate(REACH[caller]):
    place = tmp_path / f'{i}'
    place.mkdir()
    may_pass = (caller, kind) in MAY_BE_MISSING
    with (
      contextlib.nullcontext()
      if may_pass
      else pytest.raises((UserError, OSError)),
      at_most(30),
    ):
      reach(place, KINDS[kind])


@pytest.mark.parametrize(
  'caller',
  [
    caller
    for caller in sorted(REACH)
    for module, function, call in calls()
    if f'{module}:{function}' == caller
    and isinstance(call.func, ast.Name)
    and call.func.id == 'read_regular'
    # TFDS says of a features.json what is wrong with it; weights may be larger.
    and module not in ('datasets/features', 'foundation/safetensors_file')
  ],
)
def test_what_is_read_as_a_whole_has_bounds(caller, tmp_path):
  for i, reach in enumerate(REACH[caller]):
    if caller == 'datasets/file_import:_content_hash':
      reach = _by_folders
    (tmp_path / f'{i}').mkdir()
    with pytest.raises(UserError, match=r'more than [\d,]+ (bytes|MiB)'):
      reach(tmp_path / f'{i}', _too_large)


def test_a_link_to_a_regular_file_is_followed(tmp_path):
  (tmp_path / 'a').write_bytes(b'text')
  (tmp_path / 'b').symlink_to('a')
  assert read_regular(tmp_path / 'b') == b'text'
  with pytest.raises(UserError, match='has more than 3 bytes'):
    read_regular(tmp_path / 'b', most=3)
  with pytest.raises(WrongKindError, match='is a directory, and a regular'):
    open_regular(tmp_path)


# All other ways of opening a file to read it, by module: each of a file that
# this process or the cache, which is the user's own, has written; or of one in
# a `Directory`, which looks for itself.
_OWN_FILES = """
comparison/run_reader config.read_text
comparison/system_tables csv.read_csv(io.BytesIO(content))
comparison/system_tables csv.read_csv(io.BytesIO(head))
comparison/system_tables parquet.read_schema(file)
comparison/system_tables parquet.read_table(pyarrow.BufferReader(content))
datasets/ag_news_csv tarfile.open(plain)
datasets/bbc_news_corpus path.read_bytes
datasets/example_rows parquet.ParquetFile(raw)
datasets/file_import last.read_text
datasets/file_layout parquet.read_schema(file)
datasets/file_rows parquet.ParquetFile(raw)
datasets/known_datasets _entry(arguments, cache_dir).read_text
datasets/fold_rows np.fromfile(path / _FILE)
datasets/text_digests np.fromfile(path / _FILE)
foundation/cache (path / _MANIFEST).read_bytes
foundation/cache (path / _MANIFEST).read_bytes
foundation/cache path.open
foundation/cache path.open
foundation/files os.open(path)
foundation/terminal os.open(os.devnull)
foundation/terminal os.open(os.devnull)
pipeline/more_steps directory.config.read_text
pipeline/pretrained_encoder directory.encoder.read_bytes
pipeline/results file.read_text
pipeline/run_config directory.config.read_text
pipeline/run_evaluation directory.report.file('predictions.md').read_text
pipeline/run_evaluation directory.report.file(f'{picture}.png').read_bytes
pipeline/runs directory.config.read_text
pipeline/saved_model directory.config.read_text
rundir/calibration_file file.read_bytes
rundir/predictions_file file.read_bytes
rundir/predictions_file parquet.ParquetFile(pyarrow.BufferReader(content))
rundir/run_dir self.run.read_bytes
rundir/sweep_file file.read_bytes
sweeps/study File.at(path).read_bytes
sweeps/study file.read_bytes
sweeps/sweep_plan config.read_text
sweeps/sweep_plan config.read_text
text/tokenization np.memmap(path / name)
text/vector_files csv.read_csv(io.BytesIO(block))
text/vector_files gzip.open(file)
text/vector_files np.load(file)
text/word_vectors (aside / _ROWS).open
text/word_vectors (aside / _WORDS).open
text/word_vectors (entry / _WORDS).read_bytes
text/word_vectors np.memmap(entry / _ROWS)
text/vocabulary place.read_bytes
"""
_WAYS = re.compile(
  r'(io\.|os\.|codecs\.|gzip\.|bz2\.|lzma\.|tarfile\.)?open|fdopen|'
  r'.*\.(ZipFile|TarFile|GzipFile|ParquetFile|read_schema|read_table|fromfile|'
  r'memmap|load|loadtxt|memory_map|OSFile|read_csv|read_json)|linecache\..*'
)
_NO_FILES = (
  'json',
  'yaml',
  'pretrained_encoder',
  'warm_start',
  'saved_model',
  'sweep_yaml',
  'self',
)


def _is_written(call):
  modes = [
    each.value for each in call.args[1:] if isinstance(each, ast.Constant)
  ]
  return any(isinstance(mode, str) and mode[:1] in 'wxa' for mode in modes)


def test_nothing_else_opens_what_may_be_a_strangers():
  found = []
  for module, _, call in calls():
    if module in ('foundation/directory', 'foundation/regular_files'):
      continue
    name = ast.unparse(call.func)
    owner = name.rpartition('.')[0]
    if isinstance(call.func, ast.Attribute) and call.func.attr in (
      *('read_text', 'read_bytes'),
      *(('open',) if owner not in ('os', 'tarfile', 'io', 'gzip') else ()),
    ):
      found.append(f'{module} {name}')
    elif (
      _WAYS.fullmatch(name)
      and owner not in _NO_FILES
      and not _is_written(call)
      and call.args
    ):
      found.append(f'{module} {name}({ast.unparse(call.args[0])})')
  expected = collections.Counter(_OWN_FILES.strip().splitlines())
  assert collections.Counter(found) == expected
