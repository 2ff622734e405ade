"""Embeddings in TensorBoard's projector, asked over HTTP."""

import os

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.plugins.projector import projector_config_pb2

from experiments.backend import trax_repairs
from experiments.reporting import projector, tensorboard
from experiments.rundir import run_dir
from tests.fixtures import live_tensorboard

PIECES = [
  '<pad>',
  'the_',
  '\t',
  '',
  'ä"\\',
  'a\nb',
  ' ',
  '世界_',
  '\u2028x',
  'z',
]
# As they are shown: id, name, in the order of these counts, the highest first.
COUNTS = np.array([0, 90, 80, 70, 60, 50, 40, 30, 20, 20])
SHOWN = [
  (1, 'the_'),
  (2, '\\t'),
  (3, "''"),
  (4, 'ä"\\'),
  (5, 'a\\nb'),
  (6, "' '"),
  (7, '世界_'),
  (8, '\\u2028x'),
  (9, 'z'),
  (0, '<pad>'),
]


def write(directory, embeddings, pieces=PIECES, counts=COUNTS):
  return projector.write_projector(
    directory,
    embeddings=embeddings,
    tokens=projector.TokenTable(pieces.__getitem__, counts),
  )


def config_of(directory):
  text = (directory / 'projector_config.pbtxt').read_text()
  return text_format.Parse(text, projector_config_pb2.ProjectorConfig())


def test_names_and_rows_go_by_frequency(tmp_path):
  rng = np.random.default_rng(0)
  table = rng.normal(size=(12, 3)).astype(np.float32)
  paths = write(tmp_path / 'new', {'0_Embedding/ä': table})
  assert sorted(os.listdir(tmp_path / 'new')) == sorted(p.name for p in paths)
  [embedding] = config_of(tmp_path / 'new').embeddings
  assert list(embedding.tensor_shape) == [10, 3]
  assert embedding.tensor_path == '0_Embedding__.tensor'
  rows = np.fromfile(tmp_path / 'new' / embedding.tensor_path, '<f4')
  ids = [i for i, _ in SHOWN]
  np.testing.assert_array_equal(rows.reshape(10, 3), table[ids])
  lines = (tmp_path / 'new' / embedding.metadata_path).read_text().split('\n')
  assert lines == [
    'token\tid\tcount',
    *(f'{name}\t{i}\t{COUNTS[i]}' for i, name in SHOWN),
    '',
  ]


@pytest.mark.parametrize(
  ('widths', 'expected'), [([4], 10_000), ([300], 3495), ([100, 200], 3495)]
)
def test_the_most_frequent_are_taken_of_too_many(tmp_path, widths, expected):
  """4 MiB are 3,495 rows of 300 float32."""
  n = 12_000
  tables = {
    str(width): np.tile(np.arange(n, dtype=np.float32)[:, None], width)
    for width in widths
  }
  write(tmp_path, tables, [str(i) for i in range(n)], np.arange(n))
  for embedding in config_of(tmp_path).embeddings:
    assert list(embedding.tensor_shape) == [
      expected,
      int(embedding.tensor_name),
    ]
    rows = np.fromfile(tmp_path / embedding.tensor_path, '<f4')
    np.testing.assert_array_equal(
      rows.reshape(tuple(embedding.tensor_shape))[:, 0],
      np.arange(n)[::-1][:expected],
    )


def test_without_an_embedding_nothing_is_written(tmp_path):
  assert write(tmp_path / 'none', {}) == []
  assert not (tmp_path / 'none').exists()


def test_rows_for_tokens_are_found():
  trax = trax_repairs.import_trax()
  from trax import layers as tl

  ids = np.zeros((2, 5), np.int32)
  model = tl.Serial(
    tl.Branch(
      tl.Serial(tl.Embedding(20, 4), tl.Dense(20), tl.Dense(6)),
      tl.Embedding(25, 2),
      tl.Embedding(19, 2),
    ),
    tl.Concatenate(n_items=3),
  )
  model.init(trax.shapes.signature(ids))
  found = projector.token_embeddings(model, model.weights, 20)
  assert {name: table.shape for name, table in found.items()} == {
    '0_Branch/1_Parallel/0_Serial/0_Embedding_20_4': (20, 4),
    # A dense layer with as many inputs could be one, too.
    '0_Branch/1_Parallel/0_Serial/2_Dense_6/0': (20, 6),
    '0_Branch/1_Parallel/1_Embedding_25_2': (25, 2),
  }


def read_by_tensorboard(path, shape):
  """Does what TensorBoard does with a file of a tensor."""
  from tensorboard.plugins.projector import projector_plugin

  try:
    return projector_plugin._read_tensor_tsv_file(str(path))
  except UnicodeDecodeError:
    return projector_plugin._read_tensor_binary_file(str(path), shape)


@given(
  st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False)
    # Their bytes are text.
    | st.sampled_from([0.0, 3.6e-38, 6.6e-33, 12.08, 4.9e-07, 1.4e-44]),
    min_size=2,
    max_size=40,
  )
)
def test_tensorboard_reads_the_same_numbers_whatever_their_bytes(
  tmp_path_factory, values
):
  rows = np.array(values[: len(values) // 2 * 2], np.float32).reshape(-1, 2)
  path = tmp_path_factory.mktemp('tensor') / 'x.tensor'
  path.write_bytes(projector.encode_tensor(rows))
  found = read_by_tensorboard(path, rows.shape)
  assert found.dtype == np.float32
  np.testing.assert_array_equal(found, rows)


@pytest.fixture(scope='module')
def tables(tmp_path_factory):
  """The directory above two runs, and the tables of the first."""
  rng = np.random.default_rng(1)
  tables = {
    name: rng.normal(size=(10, width)).astype(np.float32)
    for name, width in (('0_Embedding_10_3', 3), ('1_Embedding_10_5', 5))
  }
  logdir = tmp_path_factory.mktemp('logdir')
  for name in ('a', 'b'):
    directory = run_dir.RunDir(logdir / name)
    with tensorboard.EventWriter(directory.path) as writer:
      writer.session_start({}, start_time=1.0)
    with tensorboard.EventWriter(directory.events('train')) as writer:
      writer.scalars({'loss': 1.0}, 1)
  write(run_dir.RunDir(logdir / 'a').projector, tables)
  return logdir, tables


@pytest.mark.parametrize(('where', 'run'), [('', 'a'), ('a', '.')])
def test_tensorboard_shows_the_rows_by_name(tables, where, run):
  logdir, expected = tables
  with live_tensorboard.LiveTensorBoard(
    logdir / where, load_fast=not where
  ) as board:
    board.wait_until(lambda: board.get('plugin/projector/runs') == [run])
    info = board.get('plugin/projector/info', run=run)
    assert {
      embedding['tensorName']: embedding['tensorShape']
      for embedding in info['embeddings']
    } == {name: list(table.shape) for name, table in expected.items()}
    ids = [i for i, _ in SHOWN]
    for name, table in expected.items():
      place = f'run={run}&name={name}'
      content = board.get_bytes(f'plugin/projector/tensor?{place}')
      rows = np.frombuffer(content, '<f4').reshape(table.shape)
      np.testing.assert_array_equal(rows, table[ids])
      names = board.get_bytes(f'plugin/projector/metadata?{place}').decode()
      assert [line.split('\t')[:2] for line in names.splitlines()] == [
        ['token', 'id'],
        *([name, str(i)] for i, name in SHOWN),
      ]
