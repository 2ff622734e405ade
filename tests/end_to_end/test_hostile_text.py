"""A stranger's run directories, in all that is printed about them."""

import csv
import io
import json
import shutil

import pytest

from experiments.foundation import plain_text
from tests.fixtures import live_terminal

HOSTILE = 'a\x1b[2J\x07\x9b31m\u202ed\u2066\rb\nc'
NAMES = ['=1+1' + HOSTILE, '@x', '-2+3', '+' + HOSTILE]


@pytest.fixture(scope='module')
def runs(trained, tmp_path_factory):
  """Run directories in which each text is hostile."""
  directory = tmp_path_factory.mktemp('stranger')
  for i, name in enumerate(NAMES):
    path = directory / name
    shutil.copytree(trained[0], path)
    run = json.loads((path / 'run.json').read_text())
    run['status'] = 'failed'
    run['error'] = HOSTILE
    run['overrides'] = {HOSTILE: HOSTILE}
    run['metrics'] |= {'=' + HOSTILE: 0.5, 'below': -0.25}
    (path / 'run.json').write_text(json.dumps(run))
    with open(path / 'config.gin', 'a') as file:
      file.write(f"MACRO = '={i}{HOSTILE[:-3]}'\n")
  return directory


def check_harmless(text):
  assert plain_text.escape(text) == text


@pytest.mark.parametrize('format_', ['text', 'markdown', 'json'])
def test_a_comparison(launcher, runs, format_):
  done = launcher(
    '--mode=compare', f'--output_dir={runs}', f'--format={format_}', text=False
  )
  assert (done.returncode, done.stderr) == (0, b'')
  text = done.stdout.decode('utf-8')
  check_harmless(text)
  if format_ == 'json':
    assert {run['name'] for run in json.loads(text)['runs']} == set(NAMES)
  else:
    # No line is begun by a line feed of the stranger's.
    assert not [line for line in text.split('\n') if line.startswith('c')]
    assert plain_text.escape_line(HOSTILE) in text


def test_a_comparison_as_csv(launcher, runs):
  done = launcher(
    '--mode=compare', f'--output_dir={runs}', '--format=csv', text=False
  )
  assert (done.returncode, done.stderr) == (0, b'')
  text = done.stdout.decode('utf-8')
  [header, *rows] = csv.reader(io.StringIO(text, newline=''))
  assert {row[0] for row in rows} == {"'" + name for name in NAMES}
  assert "'=" + HOSTILE in header
  assert {row[header.index('below')] for row in rows} == {'-0.25'}
  for cell in [*header, *sum(rows, [])]:  # noqa: RUF017
    assert cell[:1] not in tuple('=+@\t\r') or not cell
    assert cell[:1] != '-' or float(cell) < 0


def test_a_status_that_is_none(launcher, runs, tmp_path):
  path = shutil.copytree(runs / NAMES[0], tmp_path / 'run')
  run = json.loads((path / 'run.json').read_text())
  (path / 'run.json').write_text(json.dumps({**run, 'status': HOSTILE}))
  done = launcher('--mode=compare', f'--output_dir={tmp_path}', text=False)
  assert (done.returncode, done.stderr) == (0, b'')
  check_harmless(done.stdout.decode('utf-8'))
  assert b'is damaged' in done.stdout


def test_csv_on_a_terminal(launcher, runs):
  command = launcher.command(
    '--mode=compare', f'--output_dir={runs}', '--format=csv'
  )
  with live_terminal.Terminal(
    ['sh', '-c', '"$@" >&2', '-', *command], cwd=launcher.cwd, env=launcher.env
  ) as terminal:
    written = terminal.read_until(None)
    assert terminal.process.wait() == 0
  # The terminal makes \r\n of line feeds.
  check_harmless(written.replace('\r\n', '\n'))
  assert plain_text.escape(HOSTILE) in written.replace('\r\n', '\n')


def test_errors(launcher, runs):
  for flags in [
    ['--mode=compare', '--objective=nope'],
    ['--mode=compare', f'--objective={HOSTILE}'],
    ['--mode=eval', f'--output_dir={runs / NAMES[0]}'],
    ['--gin_file=tiny.gin', f'--gin_bindings={HOSTILE} = 1'],
    ['--gin_file=tiny.gin', f'--gin_bindings=DATASET = "{HOSTILE[:-2]}"'],
    [f'--gin_file={HOSTILE}'],
  ]:
    done = launcher(*flags[:1], f'--output_dir={runs}', *flags[1:], text=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout == b''
    text = done.stderr.decode('utf-8')
    check_harmless(text)
    assert 'Traceback' not in text
