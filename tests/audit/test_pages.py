"""What an audit shows: on a terminal, in a browser, and to programs."""

import json
import re

import numpy as np
import pytest

from experiments.audit import audit_html, audit_json, audit_text
from experiments.audit.audit import RunOpinion
from experiments.audit.findings import SECTIONS, list_findings
from tests.audit.made_rows import audit_of, rows_of
from tests.fixtures import live_browser
from tests.reporting.test_mistakes_page import HOSTILE, TAGS

BAD = f'<b>bad</b>\x1b[2J{HOSTILE}'
LABELS = ('a' * 90, f'b {HOSTILE}', *(f'c{i}' for i in range(20)))


@pytest.fixture(scope='module')
def audited():
  """Rows with all that is looked for, from a hostile hand."""
  text = f'{BAD} and so on and on until the end of it'
  rows = rows_of(
    LABELS,
    **{
      'train[:80%]': [
        (text, LABELS[0]),
        (text, LABELS[1]),
        *((f'so {i}', LABELS[2]) for i in range(30)),
        *((f'text number {i}', label) for i, label in enumerate(LABELS[3:])),
      ],
      'test': [
        (text, LABELS[0]),
        (f'{text} now', LABELS[1]),
        ('http://a.example', LABELS[0]),
        ('12', LABELS[0]),
        ('no no no', LABELS[0]),
        ('cafÃ© \ufffd', LABELS[0]),
        ('?', LABELS[1]),
      ],
    },
  )
  asked = np.flatnonzero(rows.splits == 1)
  log_probs = np.full((len(asked), len(LABELS)), np.log(0.1 / len(LABELS)))
  log_probs[np.arange(len(asked)), rows.labels[asked]] = np.log(0.9)
  log_probs[-1, :2] = np.log([0.95, 0.01])
  return audit_of(
    rows,
    opinion=RunOpinion(
      name='runs/x', rows=asked, log_probs=log_probs, n_missing=2
    ),
  )


@pytest.fixture(scope='module')
def findings(audited):
  return list_findings(audited)


def test_all_that_was_put_in_is_found(findings):
  keys = {each.key for each in findings}
  assert keys == {
    *('classes', 'lacking', 'unlike', 'lengths', 'leak', 'repeated'),
    *('nearly_equal', 'contradictory', 'nearly_contradictory', 'length'),
    *('first_word', 'doubtful', 'of_nothing_but_a_number'),
    *('of_nothing_but_an_address', 'of_one_word_repeated', 'encoding'),
    *('without_a_letter_or_digit', 'with_markup_in_them'),
  }
  assert {each.section for each in findings} == set(SECTIONS)


def test_the_page_has_80_columns_and_nothing_that_moves_the_cursor(
  audited, findings
):
  page = audit_text.render(audited, findings, {0: 'a.csv:2', 52: 'a.csv:9'})
  assert max(map(len, page.split('\n'))) <= audit_text.WIDTH
  assert '\x1b' not in page
  assert '… 12 more' in page
  assert '2 of 7 rows of test stand in train[:80%], too: 1 equal, 1' in page
  assert '(a.csv:2)' in page
  assert 'runs/x denies the label of 1 of 7 rows that it has not learned' in (
    ' '.join(page.split())
  )


def test_json_names_rows_by_split_and_number(audited, findings):
  content = json.loads(audit_json.render(audited, findings, {0: 'a.csv:2'}))
  assert content['splits'] == {'train[:80%]': 51, 'test': 7}
  assert content['leaks'] is True
  leak = next(each for each in content['findings'] if each['finding'] == 'leak')
  assert leak['equal'] == leak['nearly_equal'] == 1
  assert leak['items'][0] == {
    'rows': [
      {'split': 'test', 'row': 0, 'label': LABELS[0]},
      {
        'split': 'train[:80%]',
        'row': 0,
        'label': LABELS[0],
        'place': 'a.csv:2',
      },
    ],
    'similarity': 1.0,
  }
  doubt = next(
    each for each in content['findings'] if each['finding'] == 'doubtful'
  )
  assert doubt['items'][0]['rows'][0]['row'] == 6
  assert [each['name'] for each in content['classes']] == list(LABELS)


def test_the_browser_page_has_no_tag_of_a_text(audited, findings):
  page = audit_html.render(audited, findings, {0: '<i>.csv:2'})
  tags = set(re.findall(r'<([a-z0-9]+)', page))
  assert tags <= {*TAGS, 'div'}
  assert '\x1b' not in page
  assert '&lt;i&gt;.csv:2' in page


@pytest.mark.slow
@pytest.mark.skipif(bool(live_browser.missing()), reason='no Chromium')
def test_a_browser_shows_texts_as_they_are(audited, findings, tmp_path):
  path = tmp_path / 'audit.html'
  path.write_text(audit_html.render(audited, findings, {}), encoding='utf-8')
  with live_browser.open_browser() as driver:
    driver.get(path.as_uri())
    for each in driver.find_elements('tag name', 'details'):
      driver.execute_script('arguments[0].open = true', each)
    shown = driver.find_element('tag name', 'body').text
    assert driver.title == 'Audit of made_up:1.0.0'
    assert '<script>document.title = "planted"</script>' in shown
    assert not driver.get_log('browser')


def test_a_set_without_fault_is_said_to_have_none():
  rows = rows_of(
    ('a', 'b'),
    train=[('one thing', 'a'), ('some other', 'b')],
    test=[('new', 'a'), ('fresh', 'b')],
  )
  audited = audit_of(rows)
  findings = list_findings(audited)
  assert not any(each.items for each in findings)
  page = audit_text.render(audited, findings, {})
  assert 'No text of a split stands in another one.' in page
  assert 'No text stands with two labels.' in page
  assert 'No odd text, and no encoding gone wrong.' in page
  assert 'each has 1 row.' in page
