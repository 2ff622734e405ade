"""The page of a comparison: what it says, whatever it is of."""

import html.parser
import re

import numpy as np
import pytest

from experiments.comparison import compare, compare_page, evidence
from tests.fixtures import live_browser, made_runs

HOSTILE = '"><script>alert(1)</script>\x1b[31m\u202e'
EXPECTED = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2] * 5


def predictions(n_wrong, seed):
  rng = np.random.default_rng(seed)
  predicted = np.array(EXPECTED)
  wrong = rng.choice(len(predicted), n_wrong, replace=False)
  predicted[wrong] = (predicted[wrong] + 1) % 3
  return made_runs.log_probs_of(predicted, 0.7 + 0.02 * seed)


@pytest.fixture
def runs(tmp_path):
  directory = tmp_path / 'runs'
  for rate, n_wrong in (('0.1', 3), ('0.01', 20)):
    for seed in (0, 1):
      made_runs.keep_predictions(
        directory / f'{rate} {seed}',
        {
          'LEARNING_RATE': rate,
          'SEED': str(seed),
          'VOCAB_FILE': repr(HOSTILE + rate),
        },
        predictions(n_wrong, seed),
        EXPECTED,
      )
  return directory


def render(directory, title='runs'):
  comparison = compare.compare(directory)
  return compare_page.render(comparison, evidence.weigh(comparison), title)


class Reader(html.parser.HTMLParser):
  """Collects elements and text."""

  def __init__(self, content):
    super().__init__()
    self.tags, self.words, self.attributes = [], [], []
    self.feed(content)

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += [(tag, *attribute) for attribute in attrs]

  def handle_data(self, data):
    if self.tags[-1:] not in (['style'], ['script']):
      self.words += data.split()


def test_it_says_what_the_table_says(runs):
  found = Reader(render(runs))
  text = ' '.join(found.words)
  comparison = compare.compare(runs)
  (section,) = comparison.sections
  for group in section.groups:
    assert f'{group.means["accuracy"]:.4f}' in text
  (known,) = evidence.weigh(comparison)
  for each in known.groups:
    interval = each.intervals['accuracy']
    assert f'[{interval.low:.4f}, {interval.high:.4f}]' in text
  assert 'is better than' in text
  # Three and twenty of sixty wrong, of the first seed of each.
  both, first, second, neither = map(int, re.findall('right ([0-9]+)', text))
  assert both + first + second + neither == 60
  assert both + first == 57
  assert both + second == 40


def test_names_are_escaped_and_nothing_is_loaded(runs):
  content = render(runs, HOSTILE)
  found = Reader(content)
  assert found.tags.count('script') == 1
  assert not re.search('[\x00-\x08\x0b-\x1f\u202e]', content)
  for _, name, value in found.attributes:
    assert not name.startswith('on')
    if name in ('src', 'href'):
      assert value.startswith('data:image/png;base64,')
  assert 'style' not in {name for _, name, _ in found.attributes}


def test_runs_that_kept_nothing_have_a_page(tmp_path):
  made_runs.write_run(tmp_path / 'a', {'SEED': '0'}, metrics={'accuracy': 0.5})
  made_runs.write_run(tmp_path / 'b', {'SEED': '1'}, status='running')
  comparison = compare.compare(tmp_path)
  content = compare_page.render(comparison, [], 'x')
  assert '0.5000' in content
  assert 'beside' not in content


def test_the_launcher_writes_it_with_the_texts(launcher, trained, tmp_path):
  other = launcher.trained('MODEL=@masked_mean_embedding')[0]
  assert other.parent == trained[0].parent
  done = launcher(
    *('--mode=compare', f'--output_dir={launcher.cwd}/runs/tiny'),
    *(f'--baseline={trained[0]}', f'--html={tmp_path}/page.html'),
  )
  assert done.returncode == 0, done.stderr
  assert done.stderr.splitlines()[-1] == f'Written: {tmp_path}/page.html'
  content = (tmp_path / 'page.html').read_text(encoding='utf-8')
  assert 'what differs' in content
  assert 'class="text"' in content
  assert 'Without texts' not in content


@pytest.mark.browser
@pytest.mark.skipif(
  bool(live_browser.missing()),
  reason='not installed: ' + ' and '.join(live_browser.missing()),
)
def test_a_browser_sorts_the_table(runs, tmp_path):
  path = tmp_path / 'page.html'
  path.write_text(render(runs), encoding='utf-8')
  with live_browser.open_browser() as browser:
    browser.set_window_size(360, 800)
    browser.get(path.as_uri())

    def column():
      return browser.execute_script(
        'return Array.from(document.querySelectorAll("tbody")[0].rows, '
        '(row) => row.cells[0].textContent)'
      )

    head = browser.find_element('xpath', '//button[.="LEARNING_RATE"]')
    assert column() == ['0.1', '0.01']
    head.click()
    assert column() == ['0.01', '0.1']
    head.click()
    assert column() == ['0.1', '0.01']
    # On a phone the page is no wider than the screen: the table scrolls.
    assert browser.execute_script(
      'return document.documentElement.scrollWidth <= window.innerWidth'
    )
    pictures = browser.find_elements('css selector', 'img')
    assert pictures
    for picture in pictures:
      assert browser.execute_script(
        'return arguments[0].naturalWidth > 0', picture
      )
