"""A real TensorBoard, started as a user does, asked over HTTP."""

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ALL_STATUSES = [
  'STATUS_UNKNOWN',
  'STATUS_SUCCESS',
  'STATUS_FAILURE',
  'STATUS_RUNNING',
]
# No proxy of the environment stands between us and this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LiveTensorBoard:
  """A TensorBoard process; a context manager.

  Attributes:
    url: where it is, without a slash at the end.
    load_fast: as given.
  """

  def __init__(self, logdir, *, load_fast):
    """Starts the process and waits until it answers.

    Args:
      logdir: as in --logdir.
      load_fast: True for the data server, False for the Python reader.

    Raises:
      RuntimeError: it ended instead.
    """
    self.load_fast = load_fast
    self._process = subprocess.Popen(
      [
        sys.executable,
        '-m',
        'tensorboard.main',
        f'--logdir={logdir}',
        '--host=127.0.0.1',
        '--port=0',
        f'--load_fast={str(load_fast).lower()}',
        '--reload_interval=1',
      ],
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
    )
    lines = []
    stderr = self._process.stderr
    assert stderr is not None
    self._stderr = stderr
    for line in stderr:
      lines.append(line)
      match = re.search(r'http://[\w.]+:(\d+)/', line)
      if match:
        self.url = f'http://127.0.0.1:{match[1]}'
        break
    else:
      self.close()
      raise RuntimeError('TensorBoard ended:\n' + ''.join(lines))
    # What it says later must not fill the pipe and stop it.
    self._drain = threading.Thread(target=stderr.read, daemon=True)
    self._drain.start()

  def __enter__(self):
    return self

  def __exit__(self, *unused):
    self.close()

  def close(self):
    self._process.terminate()
    self._process.wait(timeout=30)
    if hasattr(self, '_drain'):
      self._drain.join(timeout=30)
    self._stderr.close()

  def get(self, path, **parameters):
    """Returns the parsed answer to a GET request."""
    query = urllib.parse.urlencode(parameters)
    return json.loads(self.get_bytes(f'{path}?{query}'))

  def get_bytes(self, path):
    """Returns the answer to a GET request as it came."""
    return self._ask(f'{self.url}/data/{path}')

  def post(self, path, body):
    """Returns the parsed answer to a POST request."""
    request = urllib.request.Request(
      f'{self.url}/data/{path}',
      json.dumps(body).encode(),
      {'Content-Type': 'application/json'},
    )
    return json.loads(self._ask(request))

  def scalars(self, run, tag):
    """Returns a time series as a list of (step, value)."""
    rows = self.get('plugin/scalars/scalars', run=run, tag=tag)
    return [(step, value) for _, step, value in rows]

  def session_groups(self, *columns):
    """Returns the rows of the HParams table.

    Args:
      *columns: what to sort by, e.g.
        {'hparam': 'LEARNING_RATE', 'order': 'ORDER_ASC'}.
    """
    return self.post(
      'plugin/hparams/session_groups',
      {
        'experimentName': '',
        'allowedStatuses': ALL_STATUSES,
        'colParams': list(columns),
        'startIndex': 0,
        'sliceSize': 10_000,
      },
    )['sessionGroups']

  def wait_until(self, condition, *, timeout_seconds=60):
    """Polls until `condition()` is true; HTTP errors count as not yet."""
    end = time.monotonic() + timeout_seconds
    while True:
      try:
        if condition():
          return
        error = None
      except urllib.error.HTTPError as caught:
        caught.close()
        error = caught
      if time.monotonic() > end:
        raise TimeoutError(f'not true in {timeout_seconds} s') from error
      time.sleep(0.2)

  def _ask(self, request):
    with _OPENER.open(request, timeout=30) as response:
      return response.read()
