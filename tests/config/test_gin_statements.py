"""What is wrong with files and their syntax is refused by file and line."""

import pytest

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
    '--gin_file=gin: gin is a directory, not a gin file.',
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
    'gin/x.gin:1: gin is a directory, not a gin file.',
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
    "gin/x.gin:4: cannot read VOCAB_FILE = 'en: expected a number, a "
    'quoted string, a list, @name or %MACRO.',
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
    "--gin_bindings='N_STEPS=1_000_': cannot read it: expected the end "
    'of the line.',
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
    "gin/x.gin:2: DATASET = 'bbc_news' has no effect: "
    'gin/base.gin:<DATASET>, included after it, binds DATASET again. Put '
    'the include first.',
    text='N_STEPS = 5\n',
    files={'gin/y.gin': b"include 'base.gin'\nSEED = 3\n"},
    gin_files=['gin/x.gin', 'gin/y.gin'],
  ),
]


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)
