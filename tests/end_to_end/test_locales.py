"""The locale changes neither a config nor what is written."""

import shutil
import subprocess

import pytest

ASCII = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}


@pytest.fixture(scope='module')
def latin_1(tmp_path_factory):
  """Makes a locale of ISO-8859-1, which few machines still have."""
  place = tmp_path_factory.mktemp('locales')
  command = ['-i', 'C', '-f', 'ISO-8859-1', '-c', str(place / 'xx_XX')]
  program = shutil.which('localedef')
  if program:
    subprocess.run([program, *command], capture_output=True, check=False)
  if not (place / 'xx_XX').is_dir():
    pytest.skip('localedef cannot make a locale of ISO-8859-1 here')
  return {'LC_ALL': 'xx_XX', 'LOCPATH': str(place)}


@pytest.fixture(scope='module')
def flags(launcher, trained, tmp_path_factory):
  """The flags of a run, finished, whose config and directory are not ASCII."""
  place = tmp_path_factory.mktemp('naïve') / '€ 20'
  place.mkdir()
  (place / 'data').symlink_to(launcher.env['TFDS_DATA_DIR'])
  flags = [
    '--gin_file=tiny.gin',
    f"--gin_bindings=DATA_DIR='{place}/data'",
    '--gin_bindings=N_STEPS=1',
    f'--output_dir={place}/run',
  ]
  done = launcher(*flags, env=ASCII)
  assert done.returncode == 0, done.stderr
  assert f'Run directory: {place}/run\n' in done.stdout
  config = (place / 'run' / 'config.gin').read_text(encoding='utf-8')
  assert f"DATA_DIR = '{place}/data'" in config.replace('\\\n    ', '')
  return flags


@pytest.mark.parametrize(
  'env',
  [ASCII, {'PYTHONIOENCODING': 'ascii'}, {'LC_ALL': 'no_SUCH'}, 'latin_1'],
  ids=['ascii', 'ascii streams', 'unknown', 'latin 1'],
)
def test_the_same_command_is_the_same_run(request, launcher, flags, env):
  if isinstance(env, str):
    env = request.getfixturevalue(env)
  done = launcher(*flags, env=env)
  assert (done.returncode, done.stderr) == (0, '')
  directory = flags[-1].partition('=')[2]
  assert f'Finished before: {directory}. Nothing to do.' in done.stdout
