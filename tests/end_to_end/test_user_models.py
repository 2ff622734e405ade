"""A model of one's own, from outside: the example of docs/models.md.

It is in a directory of its own and known to nothing but PYTHONPATH.
"""

import json
import re

import pytest

from tests.fixtures.config_cases import ROOT

# What prints, and when.
LOUD = """import atexit, ctypes, os, jax
from trax import layers as tl
print('at import')
atexit.register(print, 'at the end')


def say(x):
  print('at tracing')
  os.write(1, b'at fd\\n')
  ctypes.CDLL(None).puts(b'at C')
  jax.debug.print('at running')
  return x


SAY = tl.Fn('Say', say)
"""


def blocks(page):
  """Returns the files that a page shows, by name; later parts are added."""
  document = (ROOT / 'docs' / page).read_text()
  found: dict[str, str] = {}
  for name, content in re.findall(
    r'```\w*\n# (my_models\.py|mine\.gin)\n(.*?)```', document, re.DOTALL
  ):
    found[name] = found.get(name, '') + content
  return found


@pytest.fixture
def example(tmp_path):
  """Writes the example as it is documented; returns its directory."""
  files = blocks('models.md')
  assert sorted(files) == ['mine.gin', 'my_models.py']
  for name, content in files.items():
    (tmp_path / name).write_text(content)
  return tmp_path


def test_all_pages_show_one_module():
  whole = blocks('models.md')['my_models.py']
  assert whole.startswith(blocks('tutorial.md')['my_models.py'])


def start(launcher, example, *flags):
  return launcher(
    *flags,
    cwd=example,
    env={'PYTHONPATH': str(example)},
  )


@pytest.mark.slow
def test_the_documented_example_trains_and_predicts(launcher, example):
  done = start(
    launcher,
    example,
    '--gin_file=mine.gin',
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
  assert 'MODEL = @mean_and_max\n' in written
  assert 'focal_loss.gamma = 1.5\n' in written
  assert 'mean_and_max.dropout = %DROPOUT\n' in written
  measured = (example / 'run' / 'metrics.jsonl').read_text()
  for metric in ('FocalLoss', 'MacroAveragedFScore'):
    assert f'"metrics/{metric}"' in measured
  (example / 'texts.txt').write_text('The striker scored twice.\n')
  predict = ('--mode=predict', '--output_dir=run', '--input=texts.txt')
  done = start(launcher, example, *predict)
  assert done.returncode == 2
  assert done.stderr.splitlines()[-1] == (
    'run/config.gin:1: the config of a run directory is to import my_models, '
    'which can run any code. If you trust it, add --allow_import=my_models'
  )
  # The same model, which has much to say.
  module = example / 'my_models.py'
  quiet = module.read_text()
  loud = LOUD + quiet.replace(
    '  return tl.Serial(\n', "  print('at making')\n  return tl.Serial(SAY,\n"
  )
  assert loud.count('SAY,') == 1
  module.write_text(loud)
  done = start(launcher, example, *predict, '--allow_import=my_models')
  assert done.returncode == 0, done.stderr
  for when in ('import', 'making', 'tracing', 'running', 'the end', 'C', 'fd'):
    assert f'at {when}\n' in done.stderr
  (line,) = done.stdout.splitlines()
  assert sum(json.loads(line)['probabilities'].values()) == pytest.approx(
    1, abs=1e-3
  )


def test_what_is_misspelt_is_named(launcher, example):
  done = start(
    launcher,
    example,
    '--gin_file=mine.gin',
    '--gin_bindings=mean_and_max.d_featur=3',
    '--output_dir=run',
  )
  assert done.returncode == 2
  assert done.stderr.endswith(
    "--gin_bindings='mean_and_max.d_featur=3': mean_and_max has no parameter "
    'd_featur. Did you mean d_feature?\n'
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
