"""Known noise of libraries is dropped, and not a byte besides."""

import os
import subprocess
import sys

import pytest

from experiments.backend import tensorflow_start
from tests.fixtures.live_launcher import ROOT


@pytest.mark.parametrize(
  'noise',
  [
    'WARNING: All log messages before absl::InitializeLog() is called are '
    'written to STDERR',
    'I0000 00:00:17.5 7 port.cc:153] oneDNN custom operations are on. You may '
    'see slightly different numerical results',
    'E0000 00:00:17.5 7 cuda_dnn.cc:1] Could not find cuda drivers on your '
    'machine, GPU will not be used.',
    'To enable the following instructions: AVX2 FMA, rebuild TensorFlow',
    'Gym has been unmaintained since 2022 and does not support NumPy 2.0',
  ],
)
def test_noise_is_dropped_and_the_rest_comes_in_order(capfd, noise):
  with tensorflow_start.without_known_noise():
    os.write(2, b'one\n')
    os.write(2, f'{noise}\n'.encode())
    # From a process of its own, and not text at all.
    subprocess.run(
      [sys.executable, '-c', 'import os; os.write(2, b"\\xff\\n")']
    )
    os.write(2, b'an oneDNN of mine\n')
    os.write(2, b'without an end')
  os.write(2, b'after\n')
  captured = capfd.readouterr().err
  assert captured == 'one\n\ufffd\nan oneDNN of mine\nwithout an endafter\n'


def test_what_was_written_before_an_error_is_shown(capfd):
  def fail():
    with tensorflow_start.without_known_noise():
      os.write(2, b'why it fails\n')
      raise ImportError

  with pytest.raises(ImportError):
    fail()
  assert capfd.readouterr().err == 'why it fails\n'
  os.write(2, b'and on\n')
  assert capfd.readouterr().err == 'and on\n'


@pytest.mark.parametrize(
  ('verbosity', 'expected'),
  [(0, 'a warning\n'), (1, 'oneDNN custom operations are on\na warning\n')],
)
def test_what_tensorflow_says_while_it_is_imported(
  tmp_path, verbosity, expected
):
  """A quick stand-in; test_modes looks at what the real one says."""
  (tmp_path / 'tensorflow.py').write_text(
    'import os\n'
    "os.write(2, b'oneDNN custom operations are on\\n')\n"
    "os.write(2, b'a warning\\n')\n"
  )
  command = (
    'from absl import logging\n'
    f'logging.set_verbosity({verbosity})\n'
    'from experiments.backend import tensorflow_start\n'
    'tensorflow_start.import_tensorflow()\n'
    'tensorflow_start.import_tensorflow()\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', command],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': str(tmp_path)},
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stderr == expected


def test_tensorflow_imports_no_pandas():
  command = (
    'import sys\n'
    'from experiments.backend import tensorflow_start\n'
    'tensorflow_start.import_tensorflow()\n'
    'assert "pandas" not in sys.modules\n'
    'import pandas\n'
    'pandas.DataFrame({"a": [1]})\n'
  )
  subprocess.run([sys.executable, '-c', command], cwd=ROOT, check=True)
