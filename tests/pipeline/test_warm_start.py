"""Training from the weights of another run, and from none that is a trap."""

import gzip
import json

import numpy as np
import pytest

from experiments.rundir.checkpoints import Checkpoints

# A rate that moves no weight far.
STILL = ('N_STEPS = 1', 'LEARNING_RATE = 1e-8', 'WEIGHT_DECAY = 0.0')


def start(launcher, init_from, path, *more, bindings=STILL):
  return launcher(
    '--gin_file=tiny.gin',
    *(f'--gin_bindings={binding}' for binding in bindings),
    f'--gin_bindings=experiment.init_from = {str(init_from)!r}',
    f'--output_dir={path}',
    *more,
  )


def embedding(path):
  newest = Checkpoints(path / 'checkpoints').load_newest()
  assert newest is not None
  return newest.leaves[0]


def test_starts_from_a_run_or_from_its_exported_file(
  launcher, trained, tmp_path
):
  origin, _, _ = trained
  run, file = tmp_path / 'run', tmp_path / 'file'
  done = start(launcher, origin, run)
  assert done.returncode == 0, done.stderr
  np.testing.assert_allclose(embedding(run), embedding(origin), atol=1e-6)
  of_origin, of_run = (
    json.loads((path / 'run.json').read_text())['metrics']
    for path in (origin, run)
  )
  assert of_run['accuracy'] == of_origin['accuracy']

  done = start(launcher, origin / 'model.pkl.gz', file, '--trust_init_from')
  assert done.returncode == 0, done.stderr
  np.testing.assert_array_equal(embedding(file), embedding(run))


TRAP = b"cos\nsystem\n(S'touch trapped'\ntR."


def trap(tmp_path):
  path = tmp_path / 'model.pkl.gz'
  path.write_bytes(gzip.compress(TRAP))
  return path


def test_a_file_is_not_read_unless_it_is_trusted(launcher, tmp_path):
  path = trap(tmp_path)
  done = start(launcher, path, tmp_path / 'run')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.splitlines()[-1] == (
    f'experiment.init_from = {str(path)!r}: reading such a file can run any '
    'code that it holds. If you trust who made it, add --trust_init_from; a '
    'run directory needs no trust.'
  )
  assert not (launcher.cwd / 'trapped').exists()
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
  ('make', 'bindings', 'message'),
  [
    (
      lambda origin, path: path / 'none',
      (),
      'there is no such file or directory. Name a run directory, or a '
      'model.pkl.gz of trax.',
    ),
    (
      lambda origin, path: path,
      (),
      'no run directory (it has no config.gin).',
    ),
    (
      lambda origin, path: origin,
      ('EMBEDDING_SIZE = 9',),
      'its weights do not fit this model. Bind MODEL, its sizes and VOCAB_SIZE '
      'as they were there; the number of classes counts, too.',
    ),
    (
      lambda origin, path: origin,
      ('VOCAB_SIZE = 900',),
      'that run has another vocabulary, whose pieces have other ids. Bind '
      "VOCAB_FILE = '{origin}/vocabulary.subword'.",
    ),
  ],
)
def test_what_cannot_be_started_from_is_refused(
  launcher, trained, tmp_path, make, bindings, message
):
  origin = trained[0]
  path = make(origin, tmp_path)
  done = start(launcher, path, tmp_path / 'run', bindings=bindings)
  assert (done.returncode, done.stdout) == (2, '')
  expected = message.format(origin=origin)
  assert done.stderr.splitlines()[-1] == (
    f'experiment.init_from = {str(path)!r}: {expected}'
  )
  assert not (tmp_path / 'run').exists()
