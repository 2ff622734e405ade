"""What `make run` trains, asked what its reader would ask it."""

import json
import re

import pytest

from tests.fixtures.live_launcher import ROOT

SENTENCES = {
  'The striker scored twice in the final.': 'sports',
  'Parliament voted on the bill.': 'politics',
  'The film won three Oscars.': 'entertainment',
  'Shares in the bank fell after its profits warning.': 'business',
  'The new phone has a faster chip and a better camera.': 'tech',
  'The minister resigned before the election.': 'politics',
}


@pytest.mark.slow
def test_plain_sentences_get_the_class_that_a_reader_would_give(
  launcher, tmp_path
):
  makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
  [gin_file] = re.findall(r'launcher\.py --gin_file=(\S+)', makefile)
  run = tmp_path / 'run'
  done = launcher(f'--gin_file={ROOT / gin_file}', f'--output_dir={run}')
  assert done.returncode == 0, done.stderr
  assert 'not to be trusted' not in done.stderr
  # A floor: the gin file says 0.973, and an article is 0.0023.
  metrics = json.loads((run / 'run.json').read_text(encoding='utf-8'))[
    'metrics'
  ]
  assert metrics['accuracy'] > 0.96
  texts = tmp_path / 'texts.txt'
  texts.write_text('\n'.join(SENTENCES), encoding='utf-8')
  done = launcher('--mode=predict', f'--output_dir={run}', f'--input={texts}')
  assert done.returncode == 0, done.stderr
  answers = [json.loads(line)['label'] for line in done.stdout.splitlines()]
  assert dict(zip(SENTENCES, answers, strict=True)) == SENTENCES
