"""How long TensorBoard takes to show many runs.

Usage:
  python -m benchmarks.bench_tensorboard [--runs=50,250,1000] [--steps=20]

Writes runs as a sweep leaves them (hyper-parameters, train and eval scalars at
--steps evaluations, exact metrics), starts a TensorBoard, and measures how long
until all are there, and how long the HParams table and the scalars of one tag
of all runs then take, over HTTP and as the page of a headless Chromium shows
them, if there is one. By the data server (the default where it is installed)
and by the Python reader.
"""

import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

from benchmarks import measuring, workload
from experiments.reporting import tensorboard

READERS = {
  'data server': ('--load_fast=true',),
  'Python reader': ('--load_fast=false',),
}
_HPARAMS = {
  'experimentName': '',
  'allowedStatuses': ['STATUS_UNKNOWN', 'STATUS_SUCCESS'],
  'colParams': [],
  'startIndex': 0,
  'sliceSize': 10_000,
}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def write_runs(directory: pathlib.Path, n_runs: int, n_evals: int) -> None:
  """Writes event files as runs of a sweep do.

  Args:
    directory: made anew.
    n_runs: number of runs.
    n_evals: number of evaluations of each.
  """
  shutil.rmtree(directory, ignore_errors=True)
  for i in range(n_runs):
    path = directory / f'LEARNING_RATE={i}'
    with tensorboard.EventWriter(path) as writer:
      writer.session_start(
        {f'NAME_{j}': j for j in range(15)} | {'LEARNING_RATE': i + 1.0},
        start_time=1.0,
      )
      writer.session_end('finished', end_time=2.0)
    with (
      tensorboard.EventWriter(path / 'train') as train,
      tensorboard.EventWriter(path / 'eval') as evaluation,
      tensorboard.EventWriter(path / 'test') as test,
    ):
      for step in range(1, n_evals + 1):
        train.scalars({f'training/{j}': 1 / step for j in range(7)}, step)
        evaluation.scalars({f'metrics/{j}': 1 / step for j in range(2)}, step)
      test.scalars({f'metrics/{j}': i / n_runs for j in range(3)}, n_evals)


def ask(url: str, body: Any = None) -> Any:
  """Returns the parsed answer to a GET, or to a POST of JSON or a form."""
  request = urllib.request.Request(url)
  if isinstance(body, str):
    request.data = body.encode()
  elif body is not None:
    request.data = json.dumps(body).encode()
    request.add_header('Content-Type', 'application/json')
  with _OPENER.open(request, timeout=300) as response:
    return json.loads(response.read())


def page_seconds(url: str, n_runs: int) -> float | None:
  """Returns how long until a browser has drawn the HParams page.

  Args:
    url: of a TensorBoard that has read all runs.
    n_runs: how many it must count.

  Returns:
    Seconds, without the browser's own start; None if Chromium, its driver or
    Selenium is not installed.
  """
  browser, driver_path = shutil.which('chromium'), shutil.which('chromedriver')
  has_selenium = importlib.util.find_spec('selenium')
  if not (browser and driver_path and has_selenium):
    return None
  from selenium import webdriver
  from selenium.webdriver.chrome import service

  options = webdriver.ChromeOptions()
  options.binary_location = browser
  for flag in ('--headless', '--no-sandbox', '--disable-dev-shm-usage'):
    options.add_argument(flag)
  driver = webdriver.Chrome(options, service.Service(driver_path))
  try:
    start = time.perf_counter()
    driver.get(f'{url}/#hparams')
    wanted = f'Number of matching session groups: {n_runs}'
    while wanted not in driver.find_element('tag name', 'body').text:
      if time.perf_counter() - start > 300:
        raise TimeoutError(f'the page does not show "{wanted}"')
      time.sleep(0.1)
    return time.perf_counter() - start
  finally:
    driver.quit()


def measure(
  directory: pathlib.Path, n_runs: int, flags: tuple[str, ...]
) -> dict[str, float | None]:
  """Measures a TensorBoard from its start.

  Args:
    directory: --logdir.
    n_runs: how many runs are in it.
    flags: its flags.
  """
  start = time.perf_counter()
  process = subprocess.Popen(
    [
      *(sys.executable, '-m', 'tensorboard.main', f'--logdir={directory}'),
      *('--host=127.0.0.1', '--port=0', '--reload_interval=5', *flags),
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    encoding='utf-8',
  )
  try:
    assert process.stderr is not None
    url = ''
    for line in process.stderr:
      match = re.search(r'http://[\w.]+:(\d+)/', line)
      if match:
        url = f'http://127.0.0.1:{match[1]}/data'
        break
    answers = time.perf_counter() - start
    while len(ask(f'{url}/runs')) < 4 * n_runs:
      time.sleep(0.1)
    groups: dict[str, Any] = {'sessionGroups': []}
    while len(groups['sessionGroups']) < n_runs:
      table = time.perf_counter()
      groups = ask(f'{url}/plugin/hparams/session_groups', _HPARAMS)
      table = time.perf_counter() - table
    loaded = time.perf_counter() - start
    # As the scalars page does: all runs of a card by one request.
    runs = [f'LEARNING_RATE={i}/eval' for i in range(n_runs)]
    form = urllib.parse.urlencode(
      {'tag': 'metrics/0', 'runs': runs}, doseq=True
    )
    scalars = time.perf_counter()
    found = ask(f'{url}/plugin/scalars/scalars_multirun', form)
    scalars = time.perf_counter() - scalars
    assert len(found) == n_runs
    page = page_seconds(url.removesuffix('/data'), n_runs)
  finally:
    process.kill()
    process.communicate()
  return {
    'answers': answers,
    'all_runs': loaded,
    'hparams_table': table,
    'scalars_of_a_tag': scalars,
    'hparams_page': page,
  }


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--runs', default='50,250,1000')
  parser.add_argument('--steps', type=int, default=20)
  args = parser.parse_args()
  where = measuring.begin('TensorBoard with many runs')
  directory = workload.WORK_DIR / 'many_runs'
  lines = []
  for n_runs in map(int, args.runs.split(',')):
    write_runs(directory, n_runs, args.steps)
    for reader, flags in READERS.items():
      seconds = measure(directory, n_runs, flags)
      lines.append({'reader': reader, 'runs': n_runs, **seconds})
      measuring.progress(json.dumps(lines[-1]))
  measuring.print_table(tuple(lines[0]), [tuple(x.values()) for x in lines])
  shutil.rmtree(directory)
  measuring.write_results('tensorboard', where, {'lines': lines})


if __name__ == '__main__':
  main()
