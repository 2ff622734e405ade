"""What is wrong with files and their syntax is refused by file and line."""

import pytest

from experiments.config import gin_statements
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import Bad, assert_refused

BAD = [
  Bad(
    'No gin file is given. Name one, such as --gin_file=gin/agnews.gin.',
    gin_files=[],
  ),
  Bad(
    '--gin_file=gin/agnws.gin: gin/agnws.gin does not exist. Did you '
    'mean gin/agnews.gin?',
    gin_files=['gin/agnws.gin'],
  ),
  Bad(
    '--gin_file=nowhere/zzz.gin: nowhere/zzz.gin does not exist.',
    gin_files=['nowhere/zzz.gin'],
  ),
  Bad(
    '--gin_file=gin: gin is a directory, and a regular file is needed.',
    gin_files=['gin'],
  ),
  Bad(
    '--gin_file=gin/x.gin: gin/x.gin is no gin file: it is not UTF-8 text.',
    files={'gin/x.gin': b'\x89PNG\xff\xfe'},
  ),
  Bad(
    '--gin_file=gin/x.gin: gin/x.gin is no gin file: it holds a zero byte.',
    files={'gin/x.gin': b'SEED = 1\x00'},
  ),
  Bad(
    "gin/x.gin:1: cannot read Hello there, reader.: expected ':' or '='.",
    files={'gin/x.gin': b'Hello there, reader.\n'},
  ),
  Bad(
    'gin/x.gin:1: cannot read "3","Title","text": unexpected token.',
    files={'gin/x.gin': b'"3","Title","text"\n'},
  ),
  Bad(
    'gin/x.gin:1: included file bas.gin does not exist. Did you mean '
    'gin/base.gin?',
    files={'gin/x.gin': b"include 'bas.gin'\n"},
  ),
  Bad(
    'gin/x.gin:1: gin is a directory, and a regular file is needed.',
    files={'gin/x.gin': b"include '../gin'\n"},
  ),
  Bad(
    'gin/y.gin:2: include cycle: gin/x.gin -> gin/y.gin -> gin/x.gin. '
    'Remove one include.',
    files={
      'gin/y.gin': b"\ninclude 'x.gin'\n",
      'gin/x.gin': b"include 'y.gin'\n",
    },
  ),
  Bad(
    'gin/x.gin:1: include cycle: gin/x.gin -> gin/x.gin. Remove one include.',
    files={'gin/x.gin': b"include 'x.gin'\n"},
  ),
  Bad(
    '--gin_bindings="include \'gin/base.gin\'": include is for gin '
    'files. Give the file by --gin_file=gin/base.gin instead.',
    flags=["include 'gin/base.gin'"],
  ),
  Bad(
    'gin/x.gin:1: LEARNING_RATE = 0.5 has no effect: '
    'gin/base.gin:<LEARNING_RATE>, included after it, binds '
    'LEARNING_RATE again. Put the include first.',
    before='LEARNING_RATE = 0.5\n',
  ),
  Bad(
    "--gin_bindings='DATASET=bbc_news': cannot read it: bbc_news is no "
    "value. A string needs quotes, 'bbc_news'; a configurable an @, "
    '@bbc_news.',
    flags=['DATASET=bbc_news'],
  ),
  Bad(
    'gin/x.gin:4: cannot read VOCAB_FILE = en_8k.subword: en_8k is no '
    "value. A string needs quotes, 'en_8k'; a configurable an @, @en_8k.",
    text='VOCAB_FILE = en_8k.subword\n',
  ),
  Bad(
    "--gin_bindings='N_STEPS=': cannot read it: expected a number, a "
    'quoted string, a list, @name or %MACRO.',
    flags=['N_STEPS='],
  ),
  Bad(
    'gin/x.gin:4: cannot read N_STEPS =: expected a number, a quoted '
    'string, a list, @name or %MACRO.',
    text='N_STEPS =\n',
  ),
  Bad(
    "--gin_bindings='N_STEPS 5': cannot read it: expected ':' or '='.",
    flags=['N_STEPS 5'],
  ),
  Bad(
    "--gin_bindings='N_STEPS': cannot read it: expected ':' or '='.",
    flags=['N_STEPS'],
  ),
  Bad(
    "--gin_bindings='N_STEPS: 5': cannot read it: expected the end of "
    'the line. Got NUMBER = 5.',
    flags=['N_STEPS: 5'],
  ),
  Bad(
    'gin/x.gin:4: cannot read BUCKET_BOUNDARIES = [32,: a bracket or a '
    'string is not closed.',
    text='BUCKET_BOUNDARIES = [32,\n  64\n',
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=[32, 64': cannot read it: a "
    'bracket or a string is not closed.',
    flags=['BUCKET_BOUNDARIES=[32, 64'],
  ),
  Bad(
    "gin/x.gin:4: cannot read VOCAB_FILE = 'en: a string is not closed.",
    text="VOCAB_FILE = 'en\n",
  ),
  Bad(
    "--gin_bindings='N_STEPS=1 2': cannot read it: expected the end of "
    'the line.',
    flags=['N_STEPS=1 2'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=10*100': cannot read it: expected the end "
    'of the line.',
    flags=['N_STEPS=10*100'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=-%SEED': cannot read it: expected a "
    'number after the minus sign.',
    flags=['LEARNING_RATE=-%SEED'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=nan': cannot read it: nan is no "
    "value. A string needs quotes, 'nan'; a configurable an @, @nan.",
    flags=['LEARNING_RATE=nan'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=1_000_': cannot read it: 1_000_ is no number.",
    flags=['N_STEPS=1_000_'],
  ),
  Bad(
    "--gin_bindings='a / b = 3': cannot read it: malformatted scope or "
    'selector.',
    flags=['a / b = 3'],
  ),
  Bad(
    'gin/x.gin:5: cannot read N_STEPS=4: unindent does not match any '
    'outer indentation level.',
    text='  N_STEPS = 3\n N_STEPS=4\n',
  ),
  Bad(
    'gin/x.gin:1: `from __gin__ import dynamic_registration` is not '
    'supported here. Import the module and use the names that it '
    'registers with gin.',
    before='from __gin__ import dynamic_registration\n',
  ),
  Bad(
    "--gin_bindings='X={[1]: 2}': cannot read it: unhashable type: 'list'.",
    flags=['X={[1]: 2}'],
  ),
  Bad(
    'gin/x.gin:6: macro N_STEPS is bound twice, first on line 4. Keep one.',
    text='N_STEPS = 5\nSEED = 1\nN_STEPS = 6\n',
  ),
  Bad(
    'gin/x.gin:5: Adam.b1 is bound twice, first on line 4. Keep one.',
    text='Adam.b1 = 0.8\nAdam.b1 = 0.8\n',
  ),
  Bad(
    "--gin_bindings='OPTIMIZER=Adam': cannot read it: Adam is no value. "
    "A string needs quotes, 'Adam'; a configurable an @, @Adam.",
    flags=['OPTIMIZER=Adam'],
  ),
  Bad(
    "--gin_bindings='MODEL=mean_embedding': cannot read it: "
    'mean_embedding is no value. A string needs quotes, '
    "'mean_embedding'; a configurable an @, @mean_embedding.",
    flags=['MODEL=mean_embedding'],
  ),
  Bad(
    'gin/x.gin:4: N_STEPS = 5 has no effect: gin/y.gin:2, included after it, '
    'binds N_STEPS again. Put the include first.',
    text="N_STEPS = 5\ninclude 'y.gin'\n",
    files={'gin/y.gin': b"include 'z.gin'\nN_STEPS = 6\n", 'gin/z.gin': b''},
  ),
]

# What is said of a token that is none of Python's literals.
WORDS = {
  **dict.fromkeys(['true', 'TRUE', 'yes', 'on'], 'Write True; a string needs'),
  **dict.fromkeys(['false', 'no', 'Off'], 'Write False; a string needs'),
  **dict.fromkeys(['none', 'null', 'nil'], 'Write None; a string needs'),
  **dict.fromkeys(['inf', 'adam'], 'A string needs'),
}
UNSEEN = {
  '\u00a0': 'NO-BREAK SPACE (U+00A0)',
  '\u200b': 'ZERO WIDTH SPACE (U+200B)',
  '\u2060': 'WORD JOINER (U+2060)',
  '\ufeff': 'ZERO WIDTH NO-BREAK SPACE (U+FEFF)',
  '\u3000': 'IDEOGRAPHIC SPACE (U+3000)',
  '\u00ad': 'SOFT HYPHEN (U+00AD)',
  '\u2028': 'LINE SEPARATOR (U+2028)',
  '\x1b': 'a control character (U+001B)',
}
LOOK_ALIKE = {
  'DATASET = \u201cbbc_news\u201d': (11, "write ' instead"),
  'LEARNING_RATE = 1e\u22123': (19, 'write - instead'),
  'N_STEPS \uff1d 5': (9, 'write = instead'),
  'N_STEPS = \uff15': (11, 'write 5 instead'),
  'N_STEPS \u2192 5': (9, 'it goes into strings and comments only'),
}
# What the tokenizers of Python 3.11 to 3.13 each see in another way.
MISTAKES = {
  **{
    number: f'{number} is no number.'
    for number in (
      *('10k', '0777', '1__0', '1_', '0x', '0b12', '0o9', '1e', '1.2.3'),
      *('1.e', '1if', '0x1e-5', '3rd', '.5.'),
    )
  },
  # Python reads more digits of the second than it writes.
  **{
    number: f'{number[:59]}… is no number.'
    for number in ('9' * 5000, '0x' + 'f' * 5000, '0b' + '1' * 20_000)
  },
  **dict.fromkeys(
    ["'a", '"a', "[1, 'a]", '"""a', "don't", "f'{", '"a\\'],
    'a string is not closed.',
  ),
  **{
    value: f'{value} is no value.'
    for value in (
      *("f'a'", 'F"{a}"', "rf'''a'''", "t'a'", r'"\x"', r"'\N{x}'"),
    )
  },
  **{
    value: f'column {column} holds \\, REVERSE SOLIDUS (U+005C): it goes into '
    'strings and comments only.'
    for value, column in [(r'C:\data', 7), (r'\x', 5), ('5\\ 6', 6)]
  },
  '[' * 101 + '1': 'its brackets are nested too deeply.',
  '[1, (2, {3': 'a bracket or a string is not closed.',
  '[1}': "expected ',' or ']'.",
  # Nothing is said against these but that something follows them.
  '(.5, 5., 1e5, 0x1e, 1_0, 0b1, 5j, 1.5e+3, 00) y': (
    'expected the end of the line.'
  ),
  "u'' R'\\d' a.b1": 'expected the end of the line.',
}
# Before, in and after each part of a statement.
STATEMENTS = [
  '{}N_STEPS = 5',
  'N_STEPS{} = 5',
  'N_STEPS = {}5',
  'N_STEPS = 5{}',
]


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)


def message_of(text):
  with pytest.raises(UserError) as caught:
    gin_statements.read_text(text, 'x.gin')
  return str(caught.value)


@pytest.mark.parametrize('word', WORDS)
def test_names_the_literal_that_a_word_stands_for(word):
  assert message_of(f'LOWER_CASE = {word}').startswith(
    f'x.gin:1: cannot read LOWER_CASE = {word}: {word} is no value. '
    f"{WORDS[word]} quotes, '{word}'"
  )


@pytest.mark.parametrize('statement', STATEMENTS)
@pytest.mark.parametrize('char', UNSEEN, ids=ascii)
def test_names_what_cannot_be_seen(char, statement):
  text = f"# Such as {char}.\nDATASET = '{char}'\n{statement.format(char)}\n"
  column = statement.index('{') + 1
  assert message_of(text).endswith(
    f': column {column} holds what cannot be seen, {UNSEEN[char]}. Remove it, '
    'or write a space.'
  )
  assert message_of(text).startswith('x.gin:3: ')


@pytest.mark.parametrize('value', MISTAKES, ids=lambda value: value[:40])
def test_says_the_same_on_every_python(value):
  statement = f'X = {value}'
  shown = statement if len(statement) <= 60 else f'{statement[:59]}…'
  text = f'# 1__0 and don\'t.\nZ = "1__0 don\'t"\n{statement}\n'
  assert message_of(text) == f'x.gin:3: cannot read {shown}: {MISTAKES[value]}'


@pytest.mark.parametrize('statement', LOOK_ALIKE, ids=ascii)
def test_names_what_looks_like_gin(statement):
  column, way_out = LOOK_ALIKE[statement]
  message = message_of(f'SEED = [\n  1,\n]\nKEYS = [\n  2]\n{statement}\n')
  assert message.startswith(
    f'x.gin:6: cannot read {statement}: column {column} holds '
    f'{statement[column - 1]}, '
  )
  assert message.endswith(f': {way_out}.')


def test_strings_and_comments_hold_any_character():
  text = "KEYS = ['\u200bq', '\u201c', \"it's \u00a0\"]  # \u2212 '\u200b\n"
  (binding,) = gin_statements.read_text(text, 'x.gin').bindings
  assert binding.value == ['\u200bq', '\u201c', "it's \u00a0"]


def values(gin_files, search_paths=()):
  """Returns what files bind, by name."""
  statements = gin_statements.read(gin_files, [], search_paths)
  return {b.name: b.value for b in statements.bindings}


def test_what_two_included_files_share_is_read_once(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for name, text in {
    'shared.gin': 'A = 0\nB = 0\nC = 0\nD = 0\n',
    'one.gin': "include 'shared.gin'\nA = 1\nB = 1\n",
    'two.gin': "include './shared.gin'\nB = 2\nC = 2\n",
    'x.gin': "include 'one.gin'\ninclude 'two.gin'\nD = 3\n",
    'y.gin': "include 'shared.gin'\nC = 4\n",
  }.items():
    (tmp_path / name).write_text(text)
  (tmp_path / 'link.gin').symlink_to('shared.gin')
  assert values(['x.gin']) == {'A': 1, 'B': 2, 'C': 2, 'D': 3}
  # Two --gin_file share it, too.
  assert values(['x.gin', 'y.gin']) == {'A': 1, 'B': 2, 'C': 4, 'D': 3}
  assert values(['link.gin', 'y.gin']) == {'A': 0, 'B': 0, 'C': 4, 'D': 0}
  # What a flag names is read where the flag stands.
  assert values(['y.gin', 'shared.gin']) == {'A': 0, 'B': 0, 'C': 0, 'D': 0}


@pytest.mark.parametrize('written', ['bbc_news.gin', 'gin/bbc_news.gin'])
def test_files_of_the_project_are_found_from_anywhere(
  written, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'mine.gin').write_text(f"include '{written}'\nSEED = 5\n")
  found = values(['mine.gin'])
  assert (found['DATASET'], found['SEED']) == ('bbc_news', 5)
  assert values([written])['DATASET'] == 'bbc_news'


def test_files_of_the_project_are_looked_for_last(tmp_path, monkeypatch):
  (tmp_path / 'here').mkdir()
  (tmp_path / 'beside').mkdir()
  (tmp_path / 'beside' / 'x.gin').write_text("include 'base.gin'\n")
  monkeypatch.chdir(tmp_path / 'here')
  mine = tmp_path / 'here' / 'base.gin'
  mine.write_text('MINE = 1\n')
  assert values(['../beside/x.gin']) == {'MINE': 1}
  mine.rename(tmp_path / 'base.gin')
  assert values(['../beside/x.gin'], [str(tmp_path)]) == {'MINE': 1}
  assert 'MINE' not in values(['../beside/x.gin'])


def test_a_home_directory_is_expanded(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  (tmp_path / 'mine.gin').write_text('MINE = 1\n')
  (tmp_path / 'x.gin').write_text("include '~/mine.gin'\n")
  assert values(['~/x.gin']) == {'MINE': 1}
