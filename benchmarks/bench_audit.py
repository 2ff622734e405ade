"""How long an audit of 100,000 rows takes, and what of planted leaks it finds.

Usage:
  python -m benchmarks.bench_audit [--rows=100000]

Texts of 58 words on average are made up; of the test split, a tenth, one row in
a hundred is an equal text of the train split, and one in a hundred a text of
which three words are others. The first audit imports the file and makes
vocabulary and token ids; the second finds them. Both write a page and print
JSON.
"""

import csv
import json
import pathlib
import random
import shutil

from benchmarks import made_up, measuring, workload

TARGET_SECONDS = 60
_N_WORDS = 30_000
_LABELS = ('a', 'b', 'c', 'd')
_GIN = """include '{root}/gin/base.gin'
DATASET = '{directory}'
KEYS = ('text', 'label')
SPLITS = ('train', 'test')
VOCAB_TYPE = 'word'
VOCAB_SIZE = 16384
MAX_LENGTH = 256
BUCKET_BOUNDARIES = [64, 128, 256]
BUCKET_BATCH_SIZES = [64, 32, 16, 1]
MODEL = @masked_mean_embedding
EMBEDDING_SIZE = 50
OPTIMIZER = @Adam
LEARNING_RATE = 0.01
N_STEPS = 100
N_STEPS_PER_CHECKPOINT = 100
N_EVAL_BATCHES = 10
"""


def write_rows(directory: pathlib.Path, n_rows: int) -> dict[str, int]:
  """Writes train.csv and test.csv; returns how many leaks of each kind."""
  draw = random.Random(0)
  words = made_up.write_vocabulary(directory / 'words.subword', _N_WORDS)
  (directory / 'words.subword').unlink()
  texts = made_up.texts(n_rows, words, seed=0)
  n_test = n_rows // 10
  test, train = texts[:n_test], texts[n_test:]
  n_planted = n_test // 100
  # A text of 40 words of which three are others shares 70 % at the least.
  long = [text for text in train if len(text.split()) >= 60]
  planted = draw.sample(long, 2 * n_planted)
  for i in range(n_planted):
    test[i] = planted[i]
    changed = planted[n_planted + i].split()
    at = draw.randrange(len(changed) - 3)
    changed[at : at + 3] = draw.sample(words, 3)
    test[n_planted + i] = ' '.join(changed)
  for name, some in (('train', train), ('test', test)):
    with open(
      directory / f'{name}.csv', 'w', newline='', encoding='utf-8'
    ) as file:
      writer = csv.writer(file)
      writer.writerow(('text', 'label'))
      writer.writerows((text, draw.choice(_LABELS)) for text in some)
  return {'equal': n_planted, 'nearly_equal': n_planted}


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--rows', type=int, default=100_000)
  args = parser.parse_args()

  where = measuring.begin(f'Audit of {args.rows:,} rows')
  directory = workload.WORK_DIR / 'audit'
  shutil.rmtree(directory, ignore_errors=True)
  (directory / 'data').mkdir(parents=True)
  planted = write_rows(directory / 'data', args.rows)
  gin_file = directory / 'audit.gin'
  gin_file.write_text(
    _GIN.format(root=measuring.ROOT, directory=directory / 'data'),
    encoding='utf-8',
  )
  rows = []
  for name in ('first', 'second'):
    done = measuring.launch(
      *('--mode=audit', f'--gin_file={gin_file}', '--format=json'),
      f'--html={directory / "audit.html"}',
      cache=directory / 'cache',
    )
    rows.append((name, done.seconds, done.peak_rss_mib))
  leak = next(
    each
    for each in json.loads(done.stdout)['findings']
    if each['finding'] == 'leak'
  )
  found = {kind: leak[kind] for kind in planted}
  measuring.print_table(('audit', 'seconds', 'peak MiB'), rows)
  print(f'Leaks planted: {planted}; found: {found}')
  measuring.write_results(
    'audit',
    where,
    {
      'rows': args.rows,
      'seconds': {name: seconds for name, seconds, _ in rows},
      'peak_rss_mib': {name: peak for name, _, peak in rows},
      'planted': planted,
      'found': found,
      'target_seconds': TARGET_SECONDS,
    },
  )


if __name__ == '__main__':
  main()
