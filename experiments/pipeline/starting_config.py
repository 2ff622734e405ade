"""The gin file that training on a user's own file starts from.

One rule for all files, from the numbers of a `FileProfile`. Its constants were
chosen on parts of the train splits of the data sets in RESULTS.md, for all of
them at once and none by itself.
"""

from __future__ import annotations

import dataclasses
import textwrap

from experiments.config.gin_values import Reference, render
from experiments.foundation import plain_text
from experiments.text.file_profile import FileProfile
from experiments.text.word_vocabulary import N_RESERVED

# Where the other values come from.
BASE = 'gin/base.gin'
# Words beyond it are too rare for what they cost; below, one that a single text
# has is worth its place.
_MOST_WORDS = 65_536
# So many words of a text are read; most texts are shorter.
_MOST_LENGTH = 2048
_SHARE_READ = 0.99
_LENGTH_STEP = 16
_BOUNDARIES_AT = (0.5, 0.8, 0.95)
_SMALL_BATCH, _LARGE_BATCH = 64, 256
_LARGE_FROM = 100_000
# So many times every row is seen, in at least and at most so many steps. Two
# classes were learnt by heart in more; of many, each has few rows in a batch.
_EPOCHS = 5
_EPOCHS_OF_MANY_CLASSES = 25
_LEAST_STEPS = 2000
_MOST_STEPS = 20_000
_EVALUATIONS = 5
_EMBEDDING_SIZE = 16
_WIDE_EMBEDDING_SIZE = 64
_MANY_CLASSES = 9
_TOKEN_DROPOUT = 0.5
_LEARNING_RATE = 0.003
_EMA_DECAY = 0.99
_INIT_RANGE = 0.05
_FOR_ALL = 'the same for every file'


@dataclasses.dataclass(frozen=True)
class _Setting:
  """A line of the file, and above it from what it was derived."""

  name: str
  value: object
  reason: str = ''

  def write(self) -> str:
    comment = textwrap.fill(
      self.reason, 79, initial_indent='# ', subsequent_indent='# '
    )
    line = f'{self.name} = {render(self.value)}'
    return f'{comment}\n{line}' if comment else line


def write_config(
  profile: FileProfile,
  *,
  dataset: str,
  keys: tuple[str, ...],
  keys_reason: str,
  split_by: str | None,
  separator: str | None,
  file_name: str,
) -> str:
  """Writes the gin file.

  Args:
    profile: the numbers of the file, with at least two classes, and rows in
      'train' and in another split.
    dataset: the path, as `DATASET` names it.
    keys: columns, texts first, the label last.
    keys_reason: how they were chosen.
    split_by: a column whose equal values stay in one split, or None.
    separator: what stands between several texts, or None for a space.
    file_name: of the gin file, as a shell takes it.

  Returns:
    Its text, with a reason above each setting.
  """
  settings = [
    _Setting('DATASET', dataset, f'Read as {profile.described}.'),
    _Setting('KEYS', keys, keys_reason),
    *([_Setting('TEXT_SEPARATOR', separator)] if separator else []),
    *_write_splits(profile, split_by),
    *_write_texts(profile),
    *_write_model(profile),
    *_write_training(profile),
  ]
  head = textwrap.fill(
    f'{_count(sum(profile.n_rows.values()), "row")}, {_classes(profile)}. '
    'Written by --mode=prepare; every value is yours to change.',
    79,
    initial_indent='# ',
    subsequent_indent='# ',
  )
  # What ends a line would end the comment.
  name = plain_text.escape_line(file_name)
  command = f'#   python launcher.py --gin_file={name}'
  body = ''.join(
    f'\n{setting.write()}\n' if setting.reason else f'{setting.write()}\n'
    for setting in settings
  )
  return f"{head}\n#\n{command}\n\ninclude '{BASE}'\n{body}"


def _write_splits(profile: FileProfile, split_by: str | None) -> list[_Setting]:
  rows = ', '.join(f'{split} {n:,}' for split, n in profile.n_rows.items())
  what = f'the values of {split_by!r}' if split_by else 'each text'
  how = (
    f'Cut by a hash of {what}. Rows: {rows}.'
    if profile.is_cut
    else f'As the files have them. Rows: {rows}.'
  )
  if len(profile.n_rows) == 3:
    how += ' Nothing is chosen by a look at test.'
  settings = [_Setting('SPLITS', tuple(profile.n_rows), how)]
  if split_by and profile.is_cut:
    settings.append(_Setting('SPLIT_BY', split_by, 'Its rows stay together.'))
  if profile.bad:
    kinds = ', '.join(f'{k} ({n:,})' for k, n in profile.bad.most_common())
    settings.append(
      _Setting(
        'SKIP_BAD_ROWS',
        True,
        f'Rows that will not do: {kinds}. False stops the run and names them.',
      )
    )
  return settings


def _write_texts(profile: FileProfile) -> list[_Setting]:
  size = min(profile.n_words + N_RESERVED, _MOST_WORDS)
  size = max(size, N_RESERVED + 1)
  longest = int(profile.lengths[-1])
  max_length = min(_round_up(profile.length(_SHARE_READ)), _MOST_LENGTH)
  n_cut = float((profile.lengths > max_length).mean())
  boundaries = sorted(
    {
      *(
        min(_round_up(profile.length(share)), max_length)
        for share in _BOUNDARIES_AT
      ),
      max_length,
    }
  )
  batch_size = _batch_size(profile)
  shares = ', '.join(f'{share:.0%}' for share in _BOUNDARIES_AT)
  return [
    _Setting('LOWER_CASE', True, f'Words in lower case, {_FOR_ALL}.'),
    _Setting('VOCAB_TYPE', 'word'),
    _Setting(
      'VOCAB_SIZE',
      size,
      f'The train texts that were counted have {profile.n_words:,} distinct '
      f'words, {profile.n_repeated:,} of them at least twice'
      + (f'; at most {_MOST_WORDS:,}.' if size == _MOST_WORDS else '.'),
    ),
    _Setting(
      'MAX_LENGTH',
      max_length,
      f'Words in a text: half have at most {profile.length(0.5):,}, '
      f'{_SHARE_READ:.0%} at most {profile.length(_SHARE_READ):,}, the longest '
      f'{longest:,}. {n_cut:.1%} of the texts are cut.',
    ),
    _Setting('TRUNCATE', True),
    _Setting(
      'BUCKET_BOUNDARIES',
      boundaries,
      f'Where {shares} of the texts end, rounded up to {_LENGTH_STEP}, and '
      f'MAX_LENGTH. Batches of {_SMALL_BATCH} texts, '
      f'from {_LARGE_FROM:,} rows of train on of {_LARGE_BATCH}.',
    ),
    _Setting('BUCKET_BATCH_SIZES', [batch_size] * len(boundaries) + [1]),
  ]


def _write_model(profile: FileProfile) -> list[_Setting]:
  width = _WIDE_EMBEDDING_SIZE if _has_many(profile) else _EMBEDDING_SIZE
  return [
    _Setting(
      'MODEL',
      Reference('', 'masked_mean_embedding', False),
      'The sum of the embeddings of a text, over the root of its length, '
      f'{_FOR_ALL}. docs/models.md has others.',
    ),
    _Setting('masked_mean_embedding.combiner', 'sqrtn'),
    _Setting('masked_mean_embedding.init_range', _INIT_RANGE),
    _Setting(
      'EMBEDDING_SIZE',
      width,
      f'For {len(profile.labels):,} classes: {_EMBEDDING_SIZE}, and '
      f'{_WIDE_EMBEDDING_SIZE} from {_MANY_CLASSES} classes on.',
    ),
    _Setting(
      'masked_mean_embedding.token_dropout',
      _TOKEN_DROPOUT,
      f'Against learning rows by heart, {_FOR_ALL}.',
    ),
    _Setting('EMA_DECAY', _EMA_DECAY),
    _Setting('WEIGHT_DECAY', 0.0),
  ]


def _write_training(profile: FileProfile) -> list[_Setting]:
  n_train, batch_size = profile.n_rows['train'], _batch_size(profile)
  epochs = _EPOCHS_OF_MANY_CLASSES if _has_many(profile) else _EPOCHS
  steps = round(epochs * n_train / batch_size, -2)
  steps = int(min(max(steps, _LEAST_STEPS), _MOST_STEPS))
  bound = {
    _LEAST_STEPS: 'Never fewer steps than these.',
    _MOST_STEPS: 'Never more steps than these.',
  }.get(steps, '')
  return [
    _Setting('LEARNING_RATE', _LEARNING_RATE, f'{_FOR_ALL.capitalize()}.'),
    _Setting('LR_SCHEDULE', Reference('', 'warmup_and_cosine_decay', False)),
    _Setting(
      'N_STEPS',
      steps,
      f'{_count(n_train, "row")} of train in batches of {batch_size}: each is '
      f'seen {steps * batch_size / n_train:.0f} times. {bound}'.rstrip(),
    ),
    _Setting('N_STEPS_PER_CHECKPOINT', steps // _EVALUATIONS),
  ]


def _batch_size(profile: FileProfile) -> int:
  is_large = profile.n_rows['train'] >= _LARGE_FROM
  return _LARGE_BATCH if is_large else _SMALL_BATCH


def _has_many(profile: FileProfile) -> bool:
  return len(profile.labels) >= _MANY_CLASSES


def _round_up(length: int) -> int:
  return max(-(-length // _LENGTH_STEP) * _LENGTH_STEP, _LENGTH_STEP)


def _classes(profile: FileProfile) -> str:
  counts = profile.labels.most_common()
  (most, n_most), (least, n_least) = counts[0], counts[-1]
  return (
    f'{len(counts):,} classes from {most[:40]!r} ({n_most:,}) to '
    f'{least[:40]!r} ({n_least:,})'
  )


def _count(n: int, noun: str) -> str:
  return f'{n:,} {noun}{"s" if n != 1 else ""}'
