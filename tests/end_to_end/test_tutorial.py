"""docs/tutorial.md, followed from its first line to its last.

Its ```bash blocks are run as they stand, one after the other in one directory;
a ```text block after one is what that prints, both streams together. A block
that begins with `# NAME.gin` or `# NAME.py` is written to that file.

What must agree: every word, every whole number, and other numbers to
`TOLERANCE`. Not times. `…` stands for anything, alone on a line for any lines.

  PYTHONPATH=. .venv/bin/python tests/test_tutorial.py

follows it too, shows all that is printed, and takes its pictures anew.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from tests.fixtures import live_browser, live_tensorboard
from tests.fixtures.live_launcher import NO_NETWORK, ROOT

TUTORIAL = ROOT / 'docs' / 'tutorial.md'
IMAGES = ROOT / 'docs' / 'images'
DATA = ROOT.parent / 'shared' / 'data'
AG_NEWS = DATA / 'ag_news_csv'
AG_NEWS_SECTION = '9. AG News'
# Another CPU may round otherwise. An article of the test split is 0.0024, or
# 0.24 points, which are printed with one decimal.
TOLERANCE = 0.0025
TOLERANCE_OF_POINTS = 0.25
# A wait for what never comes ends here.
MAX_SECONDS_OF_A_BLOCK = 300

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_FILE = re.compile(r'# (\w+\.(?:gin|py))\n')
_DECIMAL = re.compile(r'(\d+\.\d+)')
# Printed every few seconds, so by a slow machine alone.
_NOW_AND_THEN = re.compile(r'(.*: )?step \d+ of \d+, loss ')


@dataclasses.dataclass
class Step:
  """A block to run or to write.

  Attributes:
    section: the heading above it.
    line: where it stands, from 1.
    content: shell commands, or what is in the file.
    file: the file's name, or None for commands.
    expected: what the commands print, or None for whatever.
  """

  section: str
  line: int
  content: str
  file: str | None = None
  expected: str | None = None


def read_steps(markdown):
  """Returns the steps of a page, in order."""
  steps = []
  for match in _BLOCK.finditer(markdown):
    language, content = match.groups()
    before = markdown[: match.start()]
    section = re.findall(r'^## (.*)', before, re.MULTILINE)[-1:] or ['']
    place = {'section': section[0], 'line': before.count('\n') + 1}
    named = _FILE.match(content)
    if language == 'bash':
      steps.append(Step(content=content, **place))
    elif language == 'text':
      assert steps[-1].file is None, f'line {place["line"]}: printed by what?'
      assert steps[-1].expected is None, f'line {place["line"]}: printed twice'
      steps[-1].expected = content
    elif named:
      steps.append(Step(content=content, file=named[1], **place))
  return steps


def make_workspace(directory):
  """Makes a directory look like a checkout, and returns the environment."""
  (directory / 'launcher.py').symlink_to(ROOT / 'launcher.py')
  # A copy: what a step writes must not reach the checkout.
  shutil.copytree(ROOT / 'gin', directory / 'gin')
  programs = pathlib.Path(sys.executable).parent
  return {
    **os.environ,
    **NO_NETWORK,
    'PATH': f'{programs}{os.pathsep}{os.environ["PATH"]}',
    'TRAX_EXPERIMENTS_CACHE': str(directory / 'cache'),
    'TFDS_DATA_DIR': str(directory / 'data'),
  }


def follow(steps, directory, env, show=lambda text: None):
  """Does what the steps say.

  Args:
    steps: of one page.
    directory: where.
    env: of the commands.
    show: is given the commands and what they print.

  Returns:
    What went otherwise than they say, a str each; empty if nothing did.
  """
  wrong = []
  for step in steps:
    if step.file:
      (directory / step.file).write_text(step.content)
      continue
    done = subprocess.run(
      ['bash', '-eo', 'pipefail', '-c', step.content],
      cwd=directory,
      env=env,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      timeout=MAX_SECONDS_OF_A_BLOCK,
      check=False,
    )
    show(f'{step.content}\n{done.stdout}')
    problem = done.returncode and f'exit status {done.returncode}'
    if not problem and step.expected is not None:
      problem = disagreement(step.expected, done.stdout)
    if problem:
      wrong.append(
        f'line {step.line}, {step.content.strip()}\n{problem}\n'
        f'It printed:\n{done.stdout}'
      )
    if done.returncode:
      # The steps that come build upon this one.
      break
  return wrong


def disagreement(expected, printed):
  """Returns how an excerpt differs from what was printed, or ''."""
  found = [
    line.split()
    for line in printed.splitlines()
    if not _NOW_AND_THEN.match(line)
  ]
  # Lines between which nothing is left out.
  runs: list[list[tuple[list[str], bool]]] = [[]]
  is_table = False
  for line in expected.splitlines():
    words = line.split()
    if words == ['…']:
      runs.append([])
      continue
    is_table = bool(words) and (is_table or words[-1] == 'seconds')
    runs[-1].append((words, is_table))
  position = 0
  for i, run in enumerate(runs):
    places = list(range(position, len(found) - len(run) + 1))
    if i == 0:
      places = places[:1]
    if i == len(runs) - 1:
      places = [place for place in places if place + len(run) == len(found)]
    for place in places:
      if all(_fits(found[place + n], *want) for n, want in enumerate(run)):
        position = place + len(run)
        break
    else:
      lines = '\n'.join(' '.join(words) for words, _ in run)
      return f'It did not print, in this place:\n{lines}'
  return ''


def _fits(found, expected, ends_in_time):
  """Tells whether a line of words is as expected."""
  parts = _DECIMAL.split(' '.join(expected))
  pattern = ''.join(
    r'(\d+\.\d+)' if i % 2 else re.escape(part).replace('…', '.*?')
    for i, part in enumerate(parts)
  )
  match = re.fullmatch(pattern, ' '.join(found))
  if not match:
    return False
  numbers, after = parts[1::2], parts[2::2]
  for i, number in enumerate(numbers):
    is_time = re.match(r' s\b', after[i]) or (
      ends_in_time and i == len(numbers) - 1 and not after[i]
    )
    is_points = re.fullmatch(r'\d+\.\d', number)
    tolerance = TOLERANCE_OF_POINTS if is_points else TOLERANCE
    if not is_time and abs(float(match[i + 1]) - float(number)) > tolerance:
      return False
  return True


def steps_of(*, ag_news):
  """Returns the steps on AG News, or all others."""
  return [
    step
    for step in read_steps(TUTORIAL.read_text())
    if (step.section == AG_NEWS_SECTION) == ag_news
  ]


def link_ag_news(directory):
  """Puts what the part on AG News needs where it looks for it."""
  (directory / 'ag_news_csv').symlink_to(AG_NEWS)
  (directory / 'en_8k.subword').symlink_to(DATA / 'en_8k.subword')


def take_pictures(directory, pictures):
  """Opens what the page says to open, and takes pictures of it.

  Args:
    directory: where the page was followed.
    pictures: an existing directory for them.
  """
  runs = directory / 'runs'
  shutil.copy(runs / 'tune/plots/values.png', pictures / 'tutorial_values.png')
  with live_browser.open_browser() as browser:
    browser.set_window_size(1000, 800)
    browser.get((runs / 'post/default/report/mistakes.html').as_uri())
    live_browser.wait_for_text(browser, ['What is taken for what'])
    _save(browser, pictures / 'tutorial_mistakes.png')
    browser.set_window_size(1500, 760)
    for tab, arguments, sweep, shown in (
      ('hparams', '', 'tune', ['LEARNING_RATE=0.03', 'metrics/Accuracy']),
      (
        'scalars',
        '&tagFilter=CrossEntropyLoss&regexInput=/eval&_smoothingWeight=0',
        'early',
        ['metrics/CrossEntropyLoss', 'max_embedding/eval'],
      ),
    ):
      with (
        contextlib.chdir(directory),
        live_tensorboard.LiveTensorBoard(
          f'runs/{sweep}', load_fast=True
        ) as board,
      ):
        # Of each run three directories and itself.
        n_runs = 4 * len(list((runs / sweep).glob('*/run.json')))
        board.wait_until(
          lambda board=board, n_runs=n_runs: len(board.get('runs')) >= n_runs
        )
        live_browser.open_tab(browser, board.url, tab + arguments)
        live_browser.wait_for_text(browser, shown)
        _save(browser, pictures / f'tutorial_{tab}.png')


def _save(browser, path):
  """Takes a picture in 64 colours, which is a third of the size."""
  from PIL import Image

  live_browser.save_picture(browser, path)
  with Image.open(path) as picture:
    few = picture.convert('RGB').quantize(64, dither=Image.Dither.NONE)
  few.save(path, optimize=True)


@pytest.fixture(scope='module')
def followed(tmp_path_factory):
  """The directory where the page was followed, and what went wrong."""
  directory = tmp_path_factory.mktemp('tutorial')
  env = make_workspace(directory)
  wrong = follow(steps_of(ag_news=False), directory, env)
  return directory, env, wrong


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_bbc_news_comes_out_as_it_says(followed):
  assert not followed[2], '\n\n'.join(followed[2])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ag_news_comes_out_as_it_says(followed):
  if not AG_NEWS.is_dir():
    pytest.skip('needs ../shared/data/ag_news_csv, a slice of AG News')
  directory, env, _ = followed
  link_ag_news(directory)
  wrong = follow(steps_of(ag_news=True), directory, env)
  assert not wrong, '\n\n'.join(wrong)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
  bool(live_browser.missing()), reason='needs chromium and chromedriver'
)
def test_pages_show_what_it_says(followed, tmp_path):
  take_pictures(followed[0], tmp_path)
  assert {path.name for path in tmp_path.iterdir()} == shown_pictures()


@pytest.mark.slow
def test_paths_that_it_names_are_there(followed):
  text = _BLOCK.sub('', TUTORIAL.read_text())
  paths = re.findall(r'`(runs/[^`]+)`', text)
  paths += re.findall(r'--logdir=(\S+?)`', text)
  assert len(paths) > 2
  assert [p for p in paths if not (followed[0] / p).exists()] == []


def shown_pictures():
  return set(re.findall(r'\(images/(\S+\.png)\)', TUTORIAL.read_text()))


def test_pictures_are_there_and_small():
  assert shown_pictures() == {path.name for path in IMAGES.glob('tutorial_*')}
  for name in shown_pictures():
    assert (IMAGES / name).stat().st_size < 150_000


def test_every_block_is_a_step():
  steps = read_steps(TUTORIAL.read_text())
  assert {step.file for step in steps if step.file} == {
    *('post.gin', 'tune.gin', 'early.gin', 'better.gin', 'mine.gin'),
    'my_models.py',
  }
  n_commands = sum(not step.file for step in steps)
  assert n_commands == TUTORIAL.read_text().count('```bash')
  sections = list(dict.fromkeys(step.section for step in steps))
  assert [section[:2] for section in sections] == [
    f'{n}.' for n in range(1, 10)
  ]
  assert sections[-1] == AG_NEWS_SECTION


@pytest.mark.parametrize(
  ('expected', 'printed'),
  [
    ('a\nb 1\n', 'a\nb 1\n'),
    ('…\nb\n\nc\n', 'b\nx\nb\n\nc\n'),
    ('a\n…\n', 'a\nx\ny\n'),
    ('accuracy 0.9715, 3.1 s\n', 'accuracy   0.9736, 13.2 s\n'),
    ('x  y  seconds\n0.1000  9.9\n', 'x y seconds\n0.1001 1.0\n'),
    ('{"p": 0.9999…, "n": 1}', '{"p": 0.9999987e-00, "n": 1}'),
    ('a\nb\n', 'a\nLR=1, N=2: step 3 of 50, loss 0.1\nb\n'),
  ],
)
def test_what_agrees(expected, printed):
  assert disagreement(expected, printed) == ''


@pytest.mark.parametrize(
  ('expected', 'printed'),
  [
    ('a\n', 'b\n'),
    ('a\n', 'a\nb\n'),
    ('a\n', ''),
    ('a\nb\n', 'a\nx\nb\n'),
    ('…\nb\na\n…\n', 'a\nb\n'),
    ('accuracy 0.9715\n', 'accuracy 0.9628\n'),
    ('step 250\n', 'step 500\n'),
    ('x  y  seconds\n0.1000  9.9\n', 'x y seconds\n0.2000 9.9\n'),
  ],
)
def test_what_does_not_agree(expected, printed):
  assert disagreement(expected, printed)


def test_what_goes_wrong_is_told_and_ends_it(tmp_path):
  steps = read_steps(
    '# 1\n```bash\necho a\n```\n```text\nb\n```\n'
    '```\n# x.gin\nN = 1\n```\n'
    '```bash\ncat x.gin\nfalse\n```\n```bash\ntouch y\n```\n'
  )
  wrong = follow(steps, tmp_path, os.environ)
  assert [problem.splitlines()[0] for problem in wrong] == [
    'line 2, echo a',
    'line 12, cat x.gin',
  ]
  assert 'exit status 1\nIt printed:\n# x.gin\nN = 1\n' in wrong[1]
  assert not (tmp_path / 'y').exists()


if __name__ == '__main__':
  with tempfile.TemporaryDirectory() as made:
    workspace = pathlib.Path(made)
    its_env = make_workspace(workspace)
    link_ag_news(workspace)
    problems = follow(
      read_steps(TUTORIAL.read_text()), workspace, its_env, print
    )
    take_pictures(workspace, IMAGES)
  sys.exit('\n\n'.join(problems) or 0)
