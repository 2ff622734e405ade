"""The page of mistakes: what it shows, and that text stays text."""

import html.parser
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.evaluation import metrics
from experiments.foundation import plain_text
from experiments.reporting import mistakes_page
from experiments.reporting.mistakes_page import Mistake
from tests.fixtures import live_browser

HOSTILE = (
  '<script>document.title = "planted"</script>'
  '<img src=x onerror="document.title = \'planted\'">'
  '</p></bdi></style><style>body { display: none }</style>'
  '" onmouseover="document.title = \'planted\'" \''
  '<a href="javascript:alert(1)">a</a> &lt;b&gt; <!-- --> ]]>'
)
TAGS = {
  *('html', 'head', 'meta', 'title', 'style', 'body', 'h1', 'h2', 'p', 'ol'),
  *('table', 'thead', 'tbody', 'tr', 'th', 'td', 'li', 'span', 'bdi', 'meter'),
  *('details', 'summary'),
}


def evaluation_of(confusion, names):
  """Returns an evaluation with these counts."""
  confusion = np.array(confusion)
  rows, columns = np.nonzero(confusion)
  counts = confusion[rows, columns]
  predicted = np.repeat(columns, counts)
  p = np.full((len(predicted), len(names)), 0.1 / (len(names) - 1))
  p[np.arange(len(predicted)), predicted] = 0.9
  return metrics.evaluate_log_probs(
    log_probs=np.log(p), targets=np.repeat(rows, counts), label_names=names
  )


def mistake(text='A text.', **fields):
  values = {
    'example': 7,
    'expected': 'sports',
    'predicted': 'tech',
    'confidence': 0.98,
    'expected_probability': 0.015,
    'n_tokens': 3,
  }
  return Mistake(text=text, **{**values, **fields})


THREE = evaluation_of(
  [[5, 2, 0], [1, 4, 0], [3, 0, 2]], ('tech', 'sports', 'x')
)


class Parser(html.parser.HTMLParser):
  """Collects tags with their attributes, and the text of each item."""

  def __init__(self, page):
    super().__init__(convert_charrefs=True)
    self.tags: list[tuple[str, dict]] = []
    self.texts: list[str] = []
    self.feed(page)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_data(self, data):
    self.texts.append(data)


def render(evaluation, mistakes, split='train[80%:]'):
  return mistakes_page.mistakes_html(
    evaluation, mistakes, dataset='bbc_news:1.0.0', split=split
  )


def parsed(*mistakes, evaluation=THREE):
  return Parser(render(evaluation, mistakes))


def test_what_it_is_of_is_called_by_its_name():
  shown = ''.join(parsed().texts)
  assert 'Accuracy 0.6471 on bbc_news:1.0.0, split train[80%:].' in shown


def test_pairs_are_counted_the_commonest_first():
  page = render(THREE, [])
  assert '<h1>6 of 17 examples classified wrongly</h1>' in page
  rows = re.findall(r'<tr><td>(.*?)</td></tr>', page)
  assert [re.sub(r'<[^>]*>+', ' ', row).split() for row in rows] == [
    ['x', 'tech', '3', '60.0%'],
    ['tech', 'sports', '2', '28.6%'],
    ['sports', 'tech', '1', '20.0%'],
  ]


def test_mistakes_are_shown_as_they_come():
  page = parsed(mistake('First.'), mistake('Second.', confidence=0.5))
  shown = ''.join(page.texts)
  assert re.search(
    r'predicted tech 0\.980 0\.980, expected sports 0\.015 '
    r'· 3 tokens · example 7'
    r'First\.\s+predicted tech 0\.500',
    shown,
  )
  assert '2 of the 6 mistakes, the surest first' in shown


def test_a_long_text_unfolds_and_loses_nothing():
  text = ' '.join(f'word{i}' for i in range(300))
  page = parsed(mistake(text))
  assert [tag for tag, _ in page.tags].count('details') == 1
  before, after = ''.join(page.texts).split('The rest')
  assert f'{before[before.index("word0") :]} {after.strip()}' == text
  assert len(before[before.index('word0') :]) <= 600


def test_an_endless_text_is_cut():
  page = render(THREE, [mistake('x' * 10**6)])
  assert len(page) < 20_000
  assert '…' in page


def test_a_model_without_mistakes():
  perfect = evaluation_of([[2, 0], [0, 3]], ('a', 'b'))
  shown = ''.join(parsed(evaluation=perfect).texts)
  assert '0 of 5 examples classified wrongly' in shown
  assert 'surest' not in shown


def test_a_page_forbids_scripts_and_loading():
  page = parsed(mistake())
  [policy] = [
    attributes['content']
    for tag, attributes in page.tags
    if attributes.get('http-equiv') == 'Content-Security-Policy'
  ]
  assert re.fullmatch(
    r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; "
    r"base-uri 'none'; form-action 'none'",
    policy,
  )


def check_stays_text(text):
  """Checks that a text in every place makes no markup, and is all there."""
  evaluation = evaluation_of([[1, 1], [0, 1]], (text, 'other'))
  made = mistake(text, expected=text, predicted=text)
  page = parsed(made, evaluation=evaluation)
  assert {tag for tag, _ in page.tags} <= TAGS
  names = {name for _, attributes in page.tags for name in attributes}
  assert names <= {
    *('lang', 'charset', 'http-equiv', 'content', 'name', 'class', 'value'),
    'dir',
  }
  plain = ''.join(''.join(page.texts).split())
  # A name stands in one line, with \x1f as a space; a text has its own lines,
  # with \x1f escaped.
  as_name, as_text = (
    ''.join(shown(text).split())
    for shown in (plain_text.one_line, plain_text.lines)
  )
  assert plain.count(as_name) >= (4 if as_name == as_text else 3)
  assert as_text in plain


def test_hostile_text_stays_text():
  check_stays_text(HOSTILE)


@given(
  st.lists(
    st.sampled_from([*'<>&"\'=/! \n\t-;#x', 'script', 'bdi', '</', '\u202e'])
  ).map(''.join)
  | st.text(max_size=300)
)
@example('0\x1f2')
def test_any_text_stays_text(text):
  check_stays_text(text)


@pytest.mark.browser
@pytest.mark.skipif(
  bool(live_browser.missing()),
  reason='not installed: ' + ' and '.join(live_browser.missing()),
)
def test_a_browser_shows_the_page_and_runs_nothing(tmp_path):
  evaluation = evaluation_of([[3, 1], [1, 2]], ('sports', HOSTILE))
  long_text = 'Rates rise again. ' * 60
  path = tmp_path / 'mistakes.html'
  path.write_text(
    render(
      evaluation,
      [mistake(HOSTILE, predicted=HOSTILE), mistake(long_text, confidence=0.6)],
    )
  )
  with live_browser.open_browser() as browser:
    browser.get(path.as_uri())
    shown = live_browser.wait_for_text(
      browser, ['The mistakes, the surest first', '0.980', 'The rest']
    )
    assert browser.title == '2 of 7 examples classified wrongly'
    assert shown.count('<script>document.title = "planted"</script>') == 4
    loaded = 'return performance.getEntriesByType("resource").length'
    assert browser.execute_script(loaded) == 0
    # The policy lets the page's own style through.
    style = 'return getComputedStyle(document.body).maxWidth'
    assert browser.execute_script(style) != 'none'
    # ... and nothing that a text brings along.
    browser.execute_script(
      'document.querySelector(".text").innerHTML = arguments[0]', HOSTILE
    )
    assert browser.title == '2 of 7 examples classified wrongly'
    display = 'return getComputedStyle(document.body).display'
    assert browser.execute_script(display) == 'block'
    live_browser.save_picture(browser, tmp_path / 'mistakes.png')
