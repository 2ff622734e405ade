"""A model of one's own, from outside: the example of docs/models.md.

It is in a directory of its own and known to nothing but PYTHONPATH.
"""

import json
import re

import pytest

from tests.fixtures.config_cases import ROOT


@pytest.fixture
def example(tmp_path):
  """Writes the example as it is documented; returns its directory."""
  document = (ROOT / 'docs' / 'models.md').read_text()
  blocks = re.findall(
    r'```\w*\n# (my_models\.py|wide_mean\.gin)\b.*?\n(.*?)```',
    document,
    re.DOTALL,
  )
  assert [name for name, _ in blocks] == ['my_models.py', 'wide_mean.gin']
  for name, content in blocks:
    (tmp_path / name).write_text(content)
  return tmp_path


def start(launcher, example, *flags):
  return launcher(
    *flags,
    cwd=example,
    env={'PYTHONPATH': str(example)},
  )


def test_the_documented_example_trains_and_predicts(launcher, example):
  done = start(
    launcher,
    example,
    '--gin_file=wide_mean.gin',
    *(
      f'--gin_bindings={binding}'
      for binding in (
        'VOCAB_SIZE=1000',
        'N_STEPS=2',
        'N_STEPS_PER_CHECKPOINT=2',
        'N_EVAL_BATCHES=1',
        'DROPOUT=0.5',
      )
    ),
    '--output_dir=run',
  )
  assert done.returncode == 0, done.stderr
  written = (example / 'run' / 'config.gin').read_text()
  assert written.startswith('import my_models\n')
  assert 'MODEL = @wide_mean\n' in written
  assert 'wide_mean.n_hidden = 200\n' in written
  assert 'wide_mean.dropout = %DROPOUT\n' in written
  (example / 'texts.txt').write_text('The striker scored twice.\n')
  done = start(
    launcher,
    example,
    '--mode=predict',
    '--output_dir=run',
    '--input=texts.txt',
  )
  assert done.returncode == 0, done.stderr
  (line,) = done.stdout.splitlines()
  assert sum(json.loads(line)['probabilities'].values()) == pytest.approx(
    1, abs=1e-3
  )


def test_what_is_misspelt_is_named(launcher, example):
  done = start(
    launcher,
    example,
    '--gin_file=wide_mean.gin',
    '--gin_bindings=wide_mean.n_hiden=3',
    '--output_dir=run',
  )
  assert done.returncode == 2
  assert done.stderr.endswith(
    "--gin_bindings='wide_mean.n_hiden=3': wide_mean has no parameter n_hiden. "
    'Did you mean n_hidden?\n'
  )
  assert not (example / 'run').exists()


def test_sizes_that_do_not_go_together_leave_nothing_behind(launcher, tmp_path):
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=MODEL=@transformer_classifier',
    '--gin_bindings=EMBEDDING_SIZE=9',
    f'--output_dir={tmp_path}/run',
  )
  assert done.returncode == 2
  assert done.stderr.splitlines()[-1] == (
    'transformer_classifier.d_feature must be even and a multiple of n_heads, '
    'which is 2, not 9. Bind EMBEDDING_SIZE = 10, or another n_heads.'
  )
  assert not (tmp_path / 'run').exists()
