"""Bindings that say how texts become ids, as a user binds them."""

import json
import shutil

import pytest

from experiments.text import vocabulary_files
from tests.fixtures.config_cases import Bad, assert_refused
from tests.fixtures.tiny_data import built_subwords

WORDS = ('rain', 'sun', 'snow')

# Two text keys, words, no capitals, and no text left out: all in one run.
OPTIONS = """include '{cwd}/tiny.gin'
DATASET = 'toy_reports'
KEYS = ('title', 'body', 'label')
DATA_DIR = '{data_dir}'
LOWER_CASE = True
VOCAB_TYPE = 'word'
VOCAB_SIZE = 12
MAX_LENGTH = 4
TRUNCATE = True
BUCKET_BOUNDARIES = [2, 4]
BUCKET_BATCH_SIZES = [4, 4, 1]
"""


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """A data set with a title and a body, which TFDS itself knows not."""
  import tensorflow_datasets as tfds

  class ToyReports(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      features = {
        'title': tfds.features.Text(),
        'body': tfds.features.Text(),
        'label': tfds.features.ClassLabel(names=WORDS),
      }
      return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(features)
      )

    def _split_generators(self, dl_manager):
      return {name: self._generate_examples() for name in ('train', 'test')}

    def _generate_examples(self):
      for i in range(30):
        word = WORDS[i % 3]
        yield (
          i,
          {
            'title': word.upper(),
            'body': f'{word} tomorrow,' + ' and so on' * (i % 2),
            'label': i % 3,
          },
        )

  data_dir = tmp_path_factory.mktemp('tfds')
  ToyReports(data_dir=data_dir).download_and_prepare()
  return data_dir


@pytest.fixture(scope='module')
def options(launcher, data_dir, tmp_path_factory):
  """A finished run with them."""
  folder = tmp_path_factory.mktemp('options')
  (folder / 'x.gin').write_text(
    OPTIONS.format(cwd=launcher.cwd, data_dir=data_dir)
  )
  done = launcher(
    f'--gin_file={folder}/x.gin', f'--output_dir={folder}/run', cwd=folder
  )
  assert done.returncode == 0, done.stderr
  return folder / 'run', done


def test_a_run_remembers_how_texts_become_ids(options):
  path, done = options
  # 'tomorrow' and ',' stand in each text, the class twice, the rest in half.
  assert (path / 'vocabulary.words').read_text().splitlines() == (
    ['#words 2', ',', 'tomorrow', 'rain', 'snow', 'sun', 'and', 'on', 'so']
  )
  assert not (path / 'vocabulary.subword').exists()
  assert '15 of 30 train examples are cut to their first 4 tokens' in (
    done.stderr
  )
  assert 'left out' not in done.stderr
  run = json.loads((path / 'run.json').read_text())
  assert run['metrics']['n_examples'] == 30
  assert run['metrics']['n_dropped'] == 0


def test_predictions_take_what_training_took(launcher, options):
  path, _ = options
  lines = [
    {'id': 0, 'title': 'RAIN', 'body': 'rain tomorrow, and so on'},
    {'id': 1, 'text': 'Rain RAIN tomorrow,'},
    {'id': 2, 'title': 'Rain'},
    {'id': 3, 'title': 'Rain', 'body': 1},
    {'id': 4, 'body': '', 'title': ' '},
    {'id': 5, 'text': 'unheard of', 'source': 'x'},
  ]
  done = launcher(
    '--mode=predict',
    f'--output_dir={path}',
    '--input=-',
    input='\n'.join(map(json.dumps, lines)),
  )
  assert done.returncode == 2
  found = [json.loads(line) for line in done.stdout.splitlines()]
  assert [answer.pop('id') for answer in found] == list(range(6))
  assert found[0] == found[1]
  assert found[0]['n_tokens'] == 4
  assert found[2] == found[3] == {'error': "no 'body' that is a string"}
  assert found[4] == {'error': 'empty text'}
  assert found[5]['n_tokens'] == 2
  plain = launcher(
    '--mode=predict',
    f'--output_dir={path}',
    '--input=-',
    input='Rain RAIN tomorrow,\n',
  )
  assert json.loads(plain.stdout) == found[1]


def test_eval_repeats_the_numbers(launcher, options, tmp_path):
  path, trained = options
  shutil.copytree(path, tmp_path / 'copy')
  done = launcher('--mode=eval', f'--output_dir={tmp_path}/copy')
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines()[0] == trained.stdout.splitlines()[0]


def test_a_type_that_is_not_the_file_s_is_refused(launcher, options, tmp_path):
  path, _ = options
  file = built_subwords(tmp_path).path
  done = launcher(
    f'--gin_file={path}/config.gin',
    f'--gin_bindings=VOCAB_FILE="{file}"',
    '--dry_run',
  )
  assert done.returncode == 2
  assert done.stderr == (
    f"VOCAB_TYPE is 'word', but {file} is a subword vocabulary. Bind "
    "VOCAB_FILE = None to build one of words, or leave VOCAB_TYPE = 'subword'."
    '\n'
  )


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['tokenizers', 'sentencepiece'])
def test_a_vocabulary_of_another_library(kind, launcher, data_dir, tmp_path):
  texts = [f'{word} tomorrow, and so on' for word in WORDS] * 9
  library = pytest.importorskip(kind)
  if kind == 'tokenizers':
    model = library.Tokenizer(library.models.BPE(unk_token='?'))
    model.pre_tokenizer = library.pre_tokenizers.Whitespace()
    model.train_from_iterator(
      texts,
      library.trainers.BpeTrainer(special_tokens=['?'], show_progress=False),
    )
    original, stored = tmp_path / 'x.json', 'vocabulary.tokenizer.json'
    model.save(str(original))
  else:
    original, stored = tmp_path / 'x.model', 'vocabulary.sentencepiece.model'
    with original.open('wb') as file:
      library.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=file,
        vocab_size=30,
        hard_vocab_limit=False,
        minloglevel=2,
      )
  gin = OPTIONS.format(cwd=launcher.cwd, data_dir=data_dir)
  gin = gin.replace("VOCAB_TYPE = 'word'", f'VOCAB_FILE = {original.name!r}')
  gin = gin.replace('VOCAB_SIZE = 12', 'VOCAB_SIZE = 90')
  (tmp_path / 'x.gin').write_text(gin)
  done = launcher('--gin_file=x.gin', '--output_dir=run', cwd=tmp_path)
  assert done.returncode == 0, done.stderr
  ours = ('Tokeniz', 'step ', '15 of 30 ', '30 of 30 ')
  assert not [s for s in done.stderr.splitlines() if not s.startswith(ours)]
  copy = tmp_path / 'run' / stored
  assert copy.read_bytes() == original.read_bytes()
  original.unlink()
  done = launcher(
    '--mode=predict', '--output_dir=run', '--input=-', cwd=tmp_path,
    input='Rain!\n',
  )  # fmt: skip
  assert (done.returncode, done.stderr) == (0, '')
  vocabulary = vocabulary_files.read_vocabulary(copy)
  assert json.loads(done.stdout)['n_tokens'] == min(
    len(vocabulary.encode('rain!')), 4
  )


BAD = [
  Bad(
    "--gin_bindings='LOWER_CASE=1': macro LOWER_CASE must be True or False, "
    'not 1.',
    flags=['LOWER_CASE=1'],
  ),
  Bad(
    "--gin_bindings='LOWERCASE=True': macro LOWERCASE is bound but nothing "
    'uses it. Did you mean LOWER_CASE?',
    flags=['LOWERCASE=True'],
  ),
  Bad(
    '--gin_bindings="TRUNCATE=\'yes\'": macro TRUNCATE must be True or False, '
    "not 'yes'.",
    flags=["TRUNCATE='yes'"],
  ),
  Bad(
    '--gin_bindings="VOCAB_TYPE=\'words\'": macro VOCAB_TYPE must be '
    "'subword' or 'word', not 'words'.",
    flags=["VOCAB_TYPE='words'"],
  ),
  Bad(
    "--gin_bindings='VOCAB_TYPE=None': macro VOCAB_TYPE must be 'subword' or "
    "'word', not None.",
    flags=['VOCAB_TYPE=None'],
  ),
  Bad(
    "--gin_bindings='experiment.truncate=2': experiment.truncate must be True "
    'or False, not 2.',
    flags=['experiment.truncate=2'],
  ),
  Bad(
    "--gin_bindings='VOCAB_FILE=7': macro VOCAB_FILE must be a quoted string, "
    'or None, not 7.',
    flags=['VOCAB_FILE=7'],
  ),
]


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)
