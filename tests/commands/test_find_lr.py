"""--mode=find_lr: a curve, a proposal, and nothing left behind."""

import re

from PIL import Image


def test_proposes_a_rate_and_leaves_nothing_but_the_picture(
  launcher, trained, tmp_path
):
  before = sorted(launcher.cwd.rglob('*'))
  done = launcher(
    *('--mode=find_lr', '--gin_file=tiny.gin'),
    '--gin_bindings=LEARNING_RATE=100.0',
    f'--plots={tmp_path}/plots',
  )
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert re.fullmatch(
    r'Training loss, \d+ steps with a rising learning rate:', lines[0]
  )
  assert re.match(r' +1e-06 +[\d.]+$', lines[9])
  # Two decimal orders around what the other tests train with.
  proposed = re.fullmatch(r'Proposed: LEARNING_RATE=([\d.e-]+)', lines[10])
  assert proposed
  assert 0.001 < float(proposed[1]) < 0.1
  assert lines[11] == (
    'Next: python launcher.py --gin_file=tiny.gin --gin_bindings='
    f'LEARNING_RATE=100.0 --gin_bindings=LEARNING_RATE={proposed[1]}'
  )
  with Image.open(tmp_path / 'plots' / 'find_lr.png') as picture:
    assert picture.size > (400, 300)
  after = sorted(launcher.cwd.rglob('*'))
  assert [p for p in after if 'cache' not in p.parts and p not in before] == []


def test_a_rate_that_fails_everywhere_is_told(launcher):
  done = launcher(
    *('--mode=find_lr', '--gin_file=tiny.gin'),
    '--gin_bindings=mean_embedding.init_range=1e38',
  )
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.splitlines()[-1].startswith(
    'The loss of the first step is not finite'
  )
