"""Word vectors are read as they are, or refused in one line."""

import gzip
import json
import pathlib

import ml_dtypes
import numpy as np
import pytest
from safetensors import numpy as safetensors

from experiments.foundation import safetensors_file
from experiments.foundation.errors import UserError
from experiments.text import word_vectors

WORDS = ['the', '. . .', 'naïve', '€', 'the']
ROWS = np.array(
  [[1, -2.5], [0.25, 3e-5], [4, 5], [-6, 7e8], [0, 0]], np.float32
)
LINES = [
  f'{word} {" ".join(map(repr, row.tolist()))}'
  for word, row in zip(WORDS, ROWS, strict=True)
]


def _text(path: pathlib.Path, content: str | bytes) -> pathlib.Path:
  content = content.encode() if isinstance(content, str) else content
  path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)
  return path


def _array(path, rows=ROWS, words=WORDS, is_alone=False):
  np.save(path, rows)
  if not is_alone:
    path.with_suffix('.words').write_text('\n'.join(words) + '\n')
  return path


def _tokenizer(path, n=5):
  vocabulary = {f'p{i}': i for i in range(n)}
  model = {'type': 'WordLevel', 'vocab': vocabulary, 'unk_token': 'p0'}
  path.write_text(json.dumps({'version': '1.0', 'model': model}))


def _static(path, n=5, **tensors):
  path.mkdir()
  _tokenizer(path / 'tokenizer.json', n)
  safetensors.save_file(
    tensors or {'embeddings': ROWS}, path / 'model.safetensors'
  )
  return path


LAYOUTS = {
  'GloVe': lambda at: _text(at / 'a.txt', '\n'.join(LINES) + '\n'),
  'no line break at the end': lambda at: _text(at / 'a.txt', '\n'.join(LINES)),
  'word2vec': lambda at: _text(at / 'a.txt', '\n'.join(['5 2', *LINES, ''])),
  'fastText': lambda at: _text(
    at / 'a.vec', '\n'.join(['5 2', *(f'{line} ' for line in LINES), ''])
  ),
  'tabs, and lines of Windows': lambda at: _text(
    at / 'a.txt', '\r\n'.join(line.replace(' ', '\t') for line in LINES)
  ),
  'packed': lambda at: _text(at / 'a.txt.gz', '\n'.join(LINES)),
  'NumPy': lambda at: _array(at / 'a.npy'),
  'NumPy, by columns': lambda at: _array(at / 'a.npy', np.asfortranarray(ROWS)),
  'NumPy, float64': lambda at: _array(at / 'a.npy', ROWS.astype(float)),
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_gives_the_same(layout, tmp_path):
  path = LAYOUTS[layout](tmp_path)
  for _ in range(2):  # The second time from the cache.
    found = word_vectors.open_vectors(path, tmp_path / 'cache')
    np.testing.assert_array_equal(found.rows, ROWS)
    assert found.rows.dtype == np.float32
    expected = [word.replace(' ', '\t') for word in WORDS]
    assert list(found.words or ()) in (WORDS, expected)
    assert (found.size, found.tokenizer) == (2, None)


def test_of_a_word_that_stands_twice_the_first_counts(tmp_path):
  found = word_vectors.open_vectors(_array(tmp_path / 'a.npy'), tmp_path)
  assert [found.find(word) for word in ('the', 'The', '€', 'a')] == [
    *(0, 0, 3),
    None,
  ]


@pytest.mark.parametrize('dtype', [np.float16, np.float64])
def test_a_static_model_has_a_row_for_each_piece(tmp_path, dtype):
  path = _static(tmp_path / 'a', embeddings=ROWS[:3].astype(dtype))
  with pytest.raises(UserError, match='3 rows, and there are 5 pieces'):
    word_vectors.open_vectors(path, tmp_path)
  _tokenizer(path / 'tokenizer.json', 3)
  for each in (path, path / 'model.safetensors'):
    found = word_vectors.open_vectors(each, tmp_path)
    np.testing.assert_array_equal(found.rows, ROWS[:3].astype(dtype))
    assert found.tokenizer == path / 'tokenizer.json'


def test_pieces_may_share_rows_and_have_weights(tmp_path):
  path = _static(
    tmp_path / 'a',
    embeddings=ROWS[:2],
    mapping=np.array([0, 1, 1, 0, 1]),
    weights=np.array([1.0, 2, 0, 3, 4]),
  )
  found = word_vectors.open_vectors(path, tmp_path)
  np.testing.assert_allclose(
    found.rows, ROWS[[0, 1, 1, 0, 1]] * [[1], [2], [0], [3], [4]], rtol=1e-6
  )


def _changed(path, **changes):
  """Puts other things into a static model."""
  for name, content in changes.items():
    (path / name.replace('__', '.')).write_bytes(content)
  return path


BAD = {
  'nothing there': (lambda at: at / 'a.txt', 'cannot read .*a.txt: No such'),
  'another suffix': (
    lambda at: _text(at / 'a.bin', 'a 1'),
    r'a\.bin: word vectors are read from a \.txt, \.vec, ',
  ),
  'empty': (lambda at: _text(at / 'a.txt', ''), r'a\.txt:1: .*A line must be'),
  'a header alone': (
    lambda at: _text(at / 'a.txt', '5 2\n'),
    r'a\.txt:2: .*A line must be',
  ),
  'no numbers': (
    lambda at: _text(at / 'a.txt', 'one\ntwo\n'),
    r'a\.txt:1: 0 numbers after the first word',
  ),
  'a line that is short': (
    lambda at: _text(at / 'a.txt', '2 3\na 1 2 3\nb 1 2\n'),
    r'a\.txt:3: 2 numbers, and the first line has 3',
  ),
  'an empty line': (
    lambda at: _text(at / 'a.txt', 'a 1 2\n\nb 1 2\n'),
    r'a\.txt:2: 0 numbers, and the first line has 2',
  ),
  'a line that is long': (
    lambda at: _text(at / 'a.txt', 'a 1 2\nb 1 x 2\n'),
    r'a\.txt:2: 2 numbers must end the line',
  ),
  'no number': (
    lambda at: _text(at / 'a.txt', 'a 1 2\nb 1 2\nc 1 x\n'),
    r'a\.txt:3: 2 numbers must end the line',
  ),
  'not finite': (
    lambda at: _text(at / 'a.txt', 'a 1 2\nb 1 nan\n'),
    r'a\.txt:2: a number that is not finite',
  ),
  'not packed': (
    lambda at: (at / 'a.gz').write_text('a 1\n') and at / 'a.gz',
    r'a\.gz is damaged',
  ),
  'cut short': (
    lambda at: (
      (at / 'a.gz').write_bytes(gzip.compress(b'a 1\n' * 999)[:-9])
      and at / 'a.gz'
    ),
    r'a\.gz is damaged, or cut short',
  ),
  'no words': (
    lambda at: _array(at / 'a.npy', is_alone=True),
    r'cannot read .*a\.words: No such file.* needs its words there',
  ),
  'too few words': (
    lambda at: _array(at / 'a.npy', words=WORDS[1:]),
    r'a\.npy has 5 rows, and there are 4 words in .*a\.words',
  ),
  'pickled': (
    lambda at: _array(at / 'a.npy', np.array([[print]] * 5)),
    r'a\.npy is no array of NumPy: Object arrays cannot be loaded',
  ),
  'of text': (
    lambda at: _array(at / 'a.npy', np.array([['x']] * 5)),
    r'a\.npy holds <U1, and numbers are needed',
  ),
  'no table': (
    lambda at: _array(at / 'a.npy', np.ones(5)),
    r'a\.npy has the shape \[5\], and a row of ',
  ),
  'other tensors': (
    lambda at: _static(at / 'a', embeddings=ROWS, bias=ROWS),
    r"has other tensors beside 'embeddings': bias",
  ),
  'no tensor of this name': (
    lambda at: _static(at / 'a', weight=ROWS),
    "has no 'embeddings': weight",
  ),
  'a mapping that leads nowhere': (
    lambda at: _static(
      at / 'a', embeddings=ROWS, mapping=np.array([0, 1, 2, 3, 5])
    ),
    "'mapping' is no row for each piece",
  ),
  'no tokenizer': (
    lambda at: [path := _static(at / 'a'), (path / 'tokenizer.json').unlink()][
      0
    ],
    r'cannot read the vocabulary .*tokenizer\.json: No such',
  ),
  'a tokenizer that is none': (
    lambda at: _changed(_static(at / 'a'), tokenizer__json=b'{}'),
    r'tokenizer\.json is no tokenizer\.json of tokenizers',
  ),
  'a header that lies': (
    lambda at: _changed(
      _static(at / 'a'),
      model__safetensors=(2**40).to_bytes(8, 'little') + b'{}',
    ),
    'is no safetensors file, or is damaged: .*[Hh]eader',
  ),
  'a file that is cut': (
    lambda at: [
      path := _static(at / 'a'),
      _changed(
        path,
        model__safetensors=(path / 'model.safetensors').read_bytes()[:-1],
      ),
    ][0],
    'is no safetensors file, or is damaged',
  ),
}


@pytest.mark.parametrize('bad', BAD)
def test_what_is_wrong_is_one_line_and_nothing_is_kept(bad, tmp_path):
  make, message = BAD[bad]
  path = make(tmp_path)
  with pytest.raises(UserError, match=message) as caught:
    word_vectors.open_vectors(path, tmp_path / 'cache')
  assert '\n' not in str(caught.value)
  assert not [*tmp_path.glob('cache/vectors/*/*')]


def test_lines_are_found_whatever_block_they_are_in(tmp_path, monkeypatch):
  n = 5000
  lines = [f'w{i} {i} {i / 8}' for i in range(n)]
  path = _text(tmp_path / 'a.txt', '\n'.join(lines))
  for read in (
    lambda: word_vectors.open_vectors(path, tmp_path / 'one'),
    lambda: word_vectors.open_vectors(path, tmp_path / 'two'),
  ):
    found = read()
    np.testing.assert_array_equal(found.rows[:, 0], np.arange(n))
    monkeypatch.setattr('experiments.text.vector_files.BLOCK_BYTES', 1000)
  _text(path, '\n'.join([*lines, 'x 1']))
  with pytest.raises(UserError, match=rf'a\.txt:{n + 1}: 1 numbers'):
    word_vectors.open_vectors(path, tmp_path / 'three')


@pytest.mark.parametrize(
  ('name', 'kind'),
  [
    ('F64', np.float64),
    ('F32', np.float32),
    ('F16', np.float16),
    ('BF16', ml_dtypes.bfloat16),
    ('I64', np.int64),
    ('BOOL', np.bool_),
  ],
)
def test_numbers_of_every_type_are_read(tmp_path, name, kind):
  given = np.array([[0, 1], [1, 1]]).astype(kind)
  described = {
    'dtype': name,
    'shape': [2, 2],
    'data_offsets': [0, given.nbytes],
  }
  header = json.dumps({'x': described}).encode()
  path = tmp_path / 'a.safetensors'
  path.write_bytes(len(header).to_bytes(8, 'little') + header + given.tobytes())
  found = safetensors_file.read_tensors(path)
  assert found['x'].dtype == kind
  np.testing.assert_array_equal(found['x'], given)
