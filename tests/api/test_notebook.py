"""docs/python.md as the notebook that it is, in a kernel of its own."""

import json
import os
import re
import shutil
import signal
import threading
import time

import nbclient
import nbformat
import pytest

from tests.fixtures import same_run
from tests.fixtures.live_launcher import ROOT

PAGE = ROOT / 'docs' / 'python.md'
_BLOCK = re.compile(
  r'^```python\n(.*?)^```$(?:\n```text\n(.*?)^```$)?', re.MULTILINE | re.DOTALL
)
_MAX_SECONDS = 240
_TRAIN = """
long = experiments.load_config(
    'tiny.gin', gin_bindings=['N_STEPS = 2000', 'N_STEPS_PER_CHECKPOINT = 200'])
experiments.train(long, {directory!r}).n_steps
"""


def read_cells():
  """Returns code, and what it prints, of each block of the page."""
  return _BLOCK.findall(PAGE.read_text(encoding='utf-8'))


def in_general(text):
  """Returns a text without the digits of fractions, which a CPU may decide."""
  return re.sub(r'\d+\.\d+', '0.0', text).split()


def printed(cell):
  """Returns what a cell printed, and to stderr nothing."""
  assert {x.get('name', 'stdout') for x in cell.outputs} <= {'stdout'}, cell
  return ''.join(each.text for each in cell.outputs)


@pytest.fixture(scope='module')
def directory(launcher, trained, tmp_path_factory):
  """A directory that looks like a checkout."""
  del trained  # Who trained has made the data set.
  directory = tmp_path_factory.mktemp('notebook')
  shutil.copytree(ROOT / 'gin', directory / 'gin')
  shutil.copy(launcher.cwd / 'tiny.gin', directory)
  return directory


@pytest.fixture(scope='module')
def client(launcher, directory):
  """A kernel in that directory."""
  env = {
    **launcher.env,
    'PYTHONPATH': str(ROOT),
    'IPYTHONDIR': str(directory / 'ipython'),
    'JUPYTER_CONFIG_DIR': str(directory / 'jupyter'),
  }
  client = nbclient.NotebookClient(
    nbformat.v4.new_notebook(),
    timeout=_MAX_SECONDS,
    kernel_name='python3',
    allow_errors=True,
  )
  with client.setup_kernel(env=env, cwd=str(directory)):
    yield client


def execute(client, code):
  cell = nbformat.v4.new_code_cell(code)
  client.nb.cells.append(cell)
  return client.execute_cell(cell, len(client.nb.cells) - 1)


def press_stop(client, metrics):
  """Presses the stop button once a run has measured something."""
  end = time.monotonic() + _MAX_SECONDS
  while not (metrics.exists() and metrics.stat().st_size):
    assert time.monotonic() < end
    time.sleep(0.01)
  os.kill(client.km.provisioner.process.pid, signal.SIGINT)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_cell_prints_what_the_page_says(client):
  cells = read_cells()
  assert len(cells) == PAGE.read_text(encoding='utf-8').count('```python')
  for code, expected in cells:
    cell = execute(client, code)
    assert in_general(printed(cell)) == in_general(expected), code


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cell_that_is_stopped_goes_on_when_it_is_run_again(client, directory):
  execute(client, 'import experiments')
  stopped, whole = 'runs/stopped', 'runs/whole'
  pressing = threading.Thread(
    target=press_stop, args=(client, directory / stopped / 'metrics.jsonl')
  )
  pressing.start()
  cell = execute(client, _TRAIN.format(directory=stopped))
  pressing.join()
  [error] = [each for each in cell.outputs if each.output_type == 'error']
  assert error.ename == 'KeyboardInterrupt'
  at = re.fullmatch(
    r'Stopped at step (\d+), with a checkpoint\. The same call goes on\.',
    error.evalue,
  )
  assert at
  assert 1 <= int(at[1]) < 2000
  record = json.loads((directory / stopped / 'run.json').read_text())
  assert (record['status'], record['steps']) == ('interrupted', int(at[1]))
  for name in (stopped, whole):
    *_, result = execute(client, _TRAIN.format(directory=name)).outputs
    assert result.data['text/plain'] == '2000', result
  assert (
    same_run.differences(directory / stopped, directory / whole, stopped=True)
    == []
  )
