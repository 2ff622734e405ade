"""Word vocabularies: ids by hand, and files that are none."""

import numpy as np
import pytest

from experiments.foundation.errors import UserError
from experiments.text import vocabulary_files
from experiments.text.word_vocabulary import WordVocabulary


def test_ids_are_lines_behind_padding_and_unknown(tmp_path):
  path = tmp_path / 'x.words'
  path.write_bytes('the\r\né\nThe'.encode())
  vocabulary = vocabulary_files.read_vocabulary(path)
  assert isinstance(vocabulary, WordVocabulary)
  assert vocabulary.size == 5
  assert vocabulary.encode('The theé é—the') == [4, 1, 3, 1, 2]
  assert vocabulary.decode([4, 1, 3, 0]) == 'The <unk> é'
  assert [vocabulary.piece(i) for i in range(5)] == (
    ['<pad>', '<unk>', 'the', 'é', 'The']
  )
  lower = vocabulary_files.read_vocabulary(path, lower_case=True)
  assert lower.encode('The theé é—the') == [2, 1, 3, 1, 2]


def test_a_file_says_in_its_first_line_how_texts_are_cut(tmp_path):
  path = tmp_path / 'x.words'
  path.write_bytes('#words 2\nहिन्दी\ncafe\u0301\n'.encode('utf-8-sig'))
  vocabulary = vocabulary_files.read_vocabulary(path)
  assert vocabulary.size == 4
  assert vocabulary.encode('हिन्दी café cafe\u0301') == [2, 3, 3]
  assert vocabulary.piece(3) == 'café'
  # As files of earlier runs were written: each mark cuts.
  path.write_text('cafe\ncafé\n\u0301\n', encoding='utf-8')
  vocabulary = vocabulary_files.read_vocabulary(path)
  assert vocabulary.encode('café cafe\u0301') == [3, 2, 4]


def test_more_ids_than_16_bits_hold(tmp_path):
  path = tmp_path / 'x.words'
  for n_words, dtype in ((2**16 - 2, np.uint16), (2**16 - 1, np.int32)):
    path.write_text('\n'.join(f'w{i}' for i in range(n_words)))
    vocabulary = vocabulary_files.read_vocabulary(path)
    assert vocabulary.dtype == dtype
    assert vocabulary.encode(f'w{n_words - 1} w0 x') == [n_words + 1, 2, 1]


def test_no_words_at_all(tmp_path):
  path = tmp_path / 'x.words'
  path.write_bytes(b'')
  vocabulary = vocabulary_files.read_vocabulary(path)
  assert vocabulary.size == 2
  assert vocabulary.encode('a b') == [1, 1]


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (
      b'a\n\xff\n',
      '{} is no word vocabulary: byte 2 is not UTF-8. Bind VOCAB_FILE to a '
      'file of one word a line.',
    ),
    (
      b'a\nb c\n',
      "{}:2: 'b c' is no word. Bind VOCAB_FILE to a file of one word a line, "
      'or to None to build one.',
    ),
    (
      b'a\n\nb\n',
      "{}:2: '' is no word. Bind VOCAB_FILE to a file of one word a line, or "
      'to None to build one.',
    ),
    (
      'हि\n'.encode(),
      "{}:1: 'हि' is no word of version 1: only a first line '#words 2' "
      'allows marks. Bind VOCAB_FILE to a file of one word a line, or to None '
      'to build one.',
    ),
    (
      b'#words 3\na\n',
      '{}:1: words of version 3; this program knows 1 to 2. Use the one that '
      'made the file, or a newer one.',
    ),
    (
      '#words 2\né\ne\u0301\n'.encode('utf-8'),
      "{}:3: 'é' stands there twice. Bind VOCAB_FILE to a file of one word a "
      'line, or to None to build one.',
    ),
    (
      b'a\nb\na\n',
      "{}:3: 'a' stands there twice. Bind VOCAB_FILE to a file of one word a "
      'line, or to None to build one.',
    ),
  ],
)
def test_a_file_that_is_no_vocabulary_is_refused(content, message, tmp_path):
  path = tmp_path / 'x.words'
  path.write_bytes(content)
  with pytest.raises(UserError) as error:
    vocabulary_files.read_vocabulary(path)
  assert str(error.value) == message.format(path)
