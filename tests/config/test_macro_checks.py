"""Macros that are misspelt, undefined or have wrong values are refused."""

import pytest

from tests.fixtures.config_cases import Bad, assert_refused

BAD = [
  Bad(
    'gin/x.gin:4: macro LEARNIG_RATE is bound but nothing uses it. Did '
    'you mean LEARNING_RATE?',
    text='LEARNIG_RATE = 1\n',
  ),
  Bad(
    "--gin_bindings='LEARNIG_RATE=1': macro LEARNIG_RATE is bound but "
    'nothing uses it. Did you mean LEARNING_RATE?',
    flags=['LEARNIG_RATE=1'],
  ),
  Bad(
    "--gin_bindings='n_steps=1': macro n_steps is bound but nothing uses "
    'it. Did you mean N_STEPS?',
    flags=['n_steps=1'],
  ),
  Bad(
    "--gin_bindings='QQ=1': macro QQ is bound but nothing uses it.",
    flags=['QQ=1'],
  ),
  Bad(
    "--gin_bindings='s/N_STEPS=1': macro s/N_STEPS is bound but nothing "
    'uses it. Did you mean N_STEPS?',
    flags=['s/N_STEPS=1'],
  ),
  Bad(
    "--gin_bindings='SEED=%SEEED': %SEEED refers to a macro that is not "
    'bound. Did you mean %SEED?',
    flags=['SEED=%SEEED'],
  ),
  Bad(
    'gin/x.gin:4: %QQQ refers to a macro that is not bound.',
    text='Adam.b1 = %QQQ\n',
  ),
  Bad(
    "--gin_bindings='SEED=%N_STEPS': macros go round in a circle: "
    '%N_STEPS = %SEED = %N_STEPS.',
    flags=['SEED=%N_STEPS', 'N_STEPS=%SEED'],
  ),
  Bad(
    "--gin_bindings='SEED=%SEED': macros go round in a circle: %SEED = %SEED.",
    flags=['SEED=%SEED'],
  ),
  Bad(
    'gin/x.gin:20: A16 is more than 100,000 values, with all that its macros '
    'stand for.',
    text='A0 = [1, 2]\n'
    + ''.join(f'A{i} = [%A{i - 1}, %A{i - 1}]\n' for i in range(1, 40))
    + 'SEED = %A39\n',
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE = {1: %BIG, 2: %BIG}': LEARNING_RATE is "
    'more than 100,000 values, with all that its macros stand for.',
    text=f'BIG = [{"1, " * 60_000}]\n',
    flags=['LEARNING_RATE = {1: %BIG, 2: %BIG}'],
  ),
  Bad(
    'gin/x.gin:4904: A4900 is a macro of a macro, and so on more than 100 '
    'times. Bind it to its value.',
    text='A0 = 1\n'
    + ''.join(f'A{i} = %A{i - 1}\n' for i in range(1, 5000))
    + 'SEED = %A4999\n',
  ),
  Bad(
    'gin/x.gin:103: A99 is a macro of a macro, and so on more than 100 '
    'times. Bind it to its value.',
    text=''.join(f'A{i} = %A{i + 1}\n' for i in range(5000))
    + 'A5000 = 1\nSEED = %A0\n',
  ),
  Bad(
    'gin/base.gin:<DATASET>: macro DATASET has no value yet. Bind it in '
    "your gin file, or with --gin_bindings='DATASET=…'.",
    files={'gin/x.gin': b"include 'base.gin'\n"},
  ),
  Bad(
    'gin/x.gin:4: macro SEED has no value yet. Bind it in your gin file, '
    "or with --gin_bindings='SEED=…'.",
    text='SEED = %gin.REQUIRED\n',
  ),
  Bad(
    '--gin_bindings="N_STEPS=\'ten\'": macro N_STEPS must be a whole '
    "number of at least 1, not 'ten'.",
    flags=["N_STEPS='ten'"],
  ),
  Bad(
    "--gin_bindings='N_STEPS=[5]': macro N_STEPS must be a whole number "
    'of at least 1, not [5].',
    flags=['N_STEPS=[5]'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=0': macro N_STEPS must be a whole number of "
    'at least 1, not 0.',
    flags=['N_STEPS=0'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=-3': macro N_STEPS must be a whole number "
    'of at least 1, not -3.',
    flags=['N_STEPS=-3'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=2.5': macro N_STEPS must be a whole number "
    'of at least 1, not 2.5.',
    flags=['N_STEPS=2.5'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=True': macro N_STEPS must be a whole number "
    'of at least 1, not True.',
    flags=['N_STEPS=True'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=None': macro N_STEPS must be a whole number "
    'of at least 1, not None.',
    flags=['N_STEPS=None'],
  ),
  Bad(
    "--gin_bindings='N_STEPS=@Adam': macro N_STEPS must be a whole "
    'number of at least 1, not @Adam.',
    flags=['N_STEPS=@Adam'],
  ),
  Bad(
    '--gin_bindings="LEARNING_RATE=\'0.1\'": macro LEARNING_RATE must be '
    "a finite number above 0, not '0.1'.",
    flags=["LEARNING_RATE='0.1'"],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=0': macro LEARNING_RATE must be a "
    'finite number above 0, not 0.',
    flags=['LEARNING_RATE=0'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=-0.1': macro LEARNING_RATE must be a "
    'finite number above 0, not -0.1.',
    flags=['LEARNING_RATE=-0.1'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=1e999': macro LEARNING_RATE must be a "
    'finite number above 0, not 1e999.',
    flags=['LEARNING_RATE=1e999'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=True': macro LEARNING_RATE must be a "
    'finite number above 0, not True.',
    flags=['LEARNING_RATE=True'],
  ),
  Bad(
    "--gin_bindings='LEARNING_RATE=[0.1]': macro LEARNING_RATE must be a "
    'finite number above 0, not [0.1].',
    flags=['LEARNING_RATE=[0.1]'],
  ),
  Bad(
    "--gin_bindings='EMBEDDING_SIZE=0': macro EMBEDDING_SIZE must be a "
    'whole number of at least 1, not 0.',
    flags=['EMBEDDING_SIZE=0'],
  ),
  Bad(
    "--gin_bindings='SEED=-1': macro SEED must be a whole number from 0 "
    'to 4294967295, not -1.',
    flags=['SEED=-1'],
  ),
  Bad(
    "--gin_bindings='SEED=4294967296': macro SEED must be a whole number "
    'from 0 to 4294967295, not 4294967296.',
    flags=['SEED=4294967296'],
  ),
  Bad(
    '--gin_bindings="KEYS=\'text\'": macro KEYS must be two or more '
    "quoted strings, text first and label last, such as ('text', "
    "'label'), not 'text'.",
    flags=["KEYS='text'"],
  ),
  Bad(
    '--gin_bindings="KEYS=(\'text\',)": macro KEYS must be two or more '
    "quoted strings, text first and label last, such as ('text', "
    "'label'), not ('text',).",
    flags=["KEYS=('text',)"],
  ),
  Bad(
    '--gin_bindings="KEYS=(\'text\', 1)": macro KEYS must be two or more '
    "quoted strings, text first and label last, such as ('text', "
    "'label'), not ('text', 1).",
    flags=["KEYS=('text', 1)"],
  ),
  Bad(
    '--gin_bindings="SPLITS=\'train\'": macro SPLITS must be two or '
    'three quoted strings, what to train on and what to evaluate on, such as '
    "('train', 'test'), not 'train'.",
    flags=["SPLITS='train'"],
  ),
  Bad(
    '--gin_bindings="SPLITS=(\'train\',)": macro SPLITS must be two or '
    'three quoted strings, what to train on and what to evaluate on, such as '
    "('train', 'test'), not ('train',).",
    flags=["SPLITS=('train',)"],
  ),
  Bad(
    "--gin_bindings=\"SPLITS=('train', 'a', 'b', 'c')\": macro SPLITS "
    'must be two or three quoted strings, what to train on and what to '
    "evaluate on, such as ('train', 'test'), not ('train', 'a', 'b', 'c').",
    flags=["SPLITS=('train', 'a', 'b', 'c')"],
  ),
  Bad(
    '--gin_bindings="DATASET=\'\'": macro DATASET must be a quoted '
    "string, not ''.",
    flags=["DATASET=''"],
  ),
  Bad(
    "--gin_bindings='DATASET=5': macro DATASET must be a quoted string, not 5.",
    flags=['DATASET=5'],
  ),
  Bad(
    "--gin_bindings='MAX_LENGTH=0': macro MAX_LENGTH must be a whole "
    'number of at least 1, not 0.',
    flags=['MAX_LENGTH=0'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=[32, 32, 64, 128]': macro "
    'BUCKET_BOUNDARIES must be increasing whole numbers of at least 1, '
    'such as [32, 128], not [32, 32, 64, 128].',
    flags=['BUCKET_BOUNDARIES=[32, 32, 64, 128]'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=[0, 32, 64, 128]': macro "
    'BUCKET_BOUNDARIES must be increasing whole numbers of at least 1, '
    'such as [32, 128], not [0, 32, 64, 128].',
    flags=['BUCKET_BOUNDARIES=[0, 32, 64, 128]'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=32': macro BUCKET_BOUNDARIES must "
    'be increasing whole numbers of at least 1, such as [32, 128], not '
    '32.',
    flags=['BUCKET_BOUNDARIES=32'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=[]': macro BUCKET_BOUNDARIES must "
    'be increasing whole numbers of at least 1, such as [32, 128], not '
    '[].',
    flags=['BUCKET_BOUNDARIES=[]'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=[8, 16]': BUCKET_BATCH_SIZES must "
    'have one value more than BUCKET_BOUNDARIES, for what is longer than '
    'the last boundary; there are 5 and 2.',
    flags=['BUCKET_BOUNDARIES=[8, 16]'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BATCH_SIZES=[8]': BUCKET_BATCH_SIZES must "
    'have one value more than BUCKET_BOUNDARIES, for what is longer than '
    'the last boundary; there are 1 and 4.',
    flags=['BUCKET_BATCH_SIZES=[8]'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BATCH_SIZES=[8, 0, 1, 1, 1]': macro "
    'BUCKET_BATCH_SIZES must be whole numbers of at least 1, such as '
    '[64, 32, 8], not [8, 0, 1, 1, 1].',
    flags=['BUCKET_BATCH_SIZES=[8, 0, 1, 1, 1]'],
  ),
  Bad(
    "--gin_bindings='BUCKET_BATCH_SIZES=[8, 4.0, 1, 1, 1]': macro "
    'BUCKET_BATCH_SIZES must be whole numbers of at least 1, such as '
    '[64, 32, 8], not [8, 4.0, 1, 1, 1].',
    flags=['BUCKET_BATCH_SIZES=[8, 4.0, 1, 1, 1]'],
  ),
  Bad(
    '--gin_bindings="OPTIMIZER=\'Adam\'": macro OPTIMIZER must be a '
    "reference, such as @Adam, not 'Adam'.",
    flags=["OPTIMIZER='Adam'"],
  ),
  Bad(
    "--gin_bindings='MODEL=@mean_embedding()': macro MODEL must be a "
    'reference without brackets, such as @mean_embedding, not '
    '@mean_embedding().',
    flags=['MODEL=@mean_embedding()'],
  ),
  Bad(
    "--gin_bindings='LR_SCHEDULE=0.1': macro LR_SCHEDULE must be a "
    'reference, such as @warmup, or None, not 0.1.',
    flags=['LR_SCHEDULE=0.1'],
  ),
  Bad(
    "--gin_bindings='DATA_DIR=3': macro DATA_DIR must be a quoted "
    'string, or None, not 3.',
    flags=['DATA_DIR=3'],
  ),
  Bad(
    '--gin_bindings="VOCAB_FILE=[\'a\']": macro VOCAB_FILE must be a '
    "quoted string, or None, not ['a'].",
    flags=["VOCAB_FILE=['a']"],
  ),
  Bad(
    "--gin_bindings='N_EVAL_BATCHES=0': macro N_EVAL_BATCHES must be a "
    'whole number of at least 1, not 0.',
    flags=['N_EVAL_BATCHES=0'],
  ),
  Bad(
    "--gin_bindings='N_STEPS_PER_CHECKPOINT=0': macro "
    'N_STEPS_PER_CHECKPOINT must be a whole number of at least 1, not 0.',
    flags=['N_STEPS_PER_CHECKPOINT=0'],
  ),
  Bad(
    "--gin_bindings='SEED=-1': macro SEED must be a whole number from 0 "
    'to 4294967295, not -1.',
    flags=['N_STEPS=5\nSEED=-1\n'],
  ),
]


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)
