"""What an audit found, one thing after another, for every way to show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from experiments.audit import giveaways
from experiments.audit.audit import Audit
from experiments.audit.odd_texts import KINDS
from experiments.foundation import plain_text

CLASSES, SPLITS, LABELS, TEXTS = 'Classes', 'Splits', 'Labels', 'Texts'
SECTIONS = (CLASSES, SPLITS, LABELS, TEXTS)
# From which difference on the shares of classes are said to differ.
_UNLIKE = 0.05


class Item(NamedTuple):
  """One case of a finding.

  Attributes:
    rows: that it is about, places in the audit's rows.
    note: what else is to be said of them, for a person.
    facts: the same for a program.
  """

  rows: tuple[int, ...]
  note: str = ''
  facts: dict[str, Any] = {}


class Finding(NamedTuple):
  """Something that was looked for.

  Attributes:
    key: its name, for programs.
    section: one of `SECTIONS`.
    title: what was found, in a line or two.
    items: the cases, the worst first; none where nothing was found.
    facts: numbers, for programs.
  """

  key: str
  section: str
  title: str
  items: list[Item] = []
  facts: dict[str, Any] = {}


def list_findings(audit: Audit) -> list[Finding]:
  """Puts an audit in words.

  Args:
    audit: what was found.
  """
  return [
    *_classes(audit),
    _lengths(audit),
    *_leaks(audit),
    *_repeats(audit),
    *_labels(audit),
    *_giveaways(audit),
    *_doubts(audit),
    *_texts(audit),
  ]


def _classes(audit: Audit) -> Iterator[Finding]:
  names, counts = audit.rows.label_names, audit.counts[0]
  train = audit.rows.split_names[0]
  most, least = int(counts.argmax()), int(counts.argmin())
  title = f'{_count(len(names), "class", "classes")}. Of {train}, '
  if audit.imbalance == 1:
    title += f'each has {_count(int(counts[most]), "row")}.'
  else:
    title += (
      f'{_name(names[most])} has {_count(int(counts[most]), "row")}, '
      f'{_name(names[least])} {counts[least]:,}'
    )
    times = f': {audit.imbalance:.1f} times as many' if counts[least] else ''
    title += f'{times}.'
  yield Finding('classes', CLASSES, title)
  for split, name in enumerate(audit.rows.split_names):
    lacking = np.flatnonzero(audit.counts[split] == 0).tolist()
    if lacking:
      some = ', '.join(_name(names[each]) for each in lacking[:5])
      rest = f' and {len(lacking) - 5:,} more' if len(lacking) > 5 else ''
      yield Finding(
        'lacking',
        CLASSES,
        f'{name} has no row of {some}{rest}.',
        facts={'split': name, 'classes': [names[each] for each in lacking]},
      )
    share = audit.unlikeness(split)
    if share >= _UNLIKE:
      yield Finding(
        'unlike',
        CLASSES,
        f'{name} has its classes in other shares than {train}: {share:.1%} of '
        'its rows would have to be of other classes.',
        facts={'split': name, 'share': share},
      )


def _lengths(audit: Audit) -> Finding:
  lengths, limits = audit.lengths, audit.limits
  done = 'are cut to it' if limits.is_cut else 'are left out'
  over = f'none is longer than MAX_LENGTH = {limits.max_length:,}'
  if lengths.n_over:
    over = (
      f'{_count(lengths.n_over, "text")} ({lengths.n_over / lengths.n:.1%}) '
      f'longer than MAX_LENGTH = {limits.max_length:,} {done}'
    )
  return Finding(
    'lengths',
    CLASSES,
    f'Tokens in a text: half have at most {lengths.median:,}, 95 % at most '
    f'{lengths.long:,}, the longest {lengths.longest:,}; {over}.',
    facts={'max_length': limits.max_length, 'is_cut': limits.is_cut},
  )


def _leaks(audit: Audit) -> Iterator[Finding]:
  names = audit.rows.split_names
  if not audit.leaks:
    yield Finding('leak', SPLITS, 'No text of a split stands in another one.')
  for leak in audit.leaks:
    source, target = names[leak.source], names[leak.target]
    n_equal = int(leak.is_equal.sum())
    n = len(leak.rows)
    of_target = int(audit.counts[leak.target].sum())
    title = (
      f'{n:,} of {_count(of_target, "row")} of {target} '
      f'{"stands" if n == 1 else "stand"} in {source}, too: '
      f'{n_equal:,} equal, {n - n_equal:,} nearly so. Who knows {source} by '
      f'heart, and else guesses, is right on {leak.leak_accuracy:.1%} of '
      f'{target}; who only guesses, on {leak.majority_accuracy:.1%}.'
    )
    items = [
      Item(
        (row, twin), _alike(similarity, is_equal), {'similarity': similarity}
      )
      for row, twin, similarity, is_equal in zip(
        leak.rows.tolist(),
        leak.twins.tolist(),
        leak.similarity.tolist(),
        leak.is_equal.tolist(),
        strict=True,
      )
    ]
    items.sort(key=lambda item: -item.facts['similarity'])
    yield Finding(
      'leak',
      SPLITS,
      title,
      items,
      {
        'source': source,
        'target': target,
        'equal': n_equal,
        'nearly_equal': n - n_equal,
        'right_by_heart': int(leak.is_right.sum()),
        'majority_accuracy': leak.majority_accuracy,
        'leak_accuracy': leak.leak_accuracy,
      },
    )


def _alike(similarity: float, is_equal: bool = False) -> str:
  if similarity == 1:
    return 'equal' if is_equal else 'the same words'
  return f'alike by {min(similarity, 0.99):.2f}'


def _repeats(audit: Audit) -> Iterator[Finding]:
  duplicates, rows = audit.duplicates, audit.rows
  counts = [
    duplicates.count_repeated(split) for split in range(len(rows.split_names))
  ]
  named = [
    f'{name} {n_equal:,} and {n_near:,}'
    for name, (n_equal, n_near) in zip(rows.split_names, counts, strict=True)
  ]
  yield Finding(
    'repeated',
    SPLITS,
    f'Rows that repeat an equal text of their split, and that repeat a nearly '
    f'equal one: {", ".join(named)}.',
    [
      Item(tuple(group.tolist()), f'{len(group):,} rows')
      for group in duplicates.equal
    ],
    {
      'by_split': {
        name: {'equal': n_equal, 'nearly_equal': n_near}
        for name, (n_equal, n_near) in zip(
          rows.split_names, counts, strict=True
        )
      }
    },
  )
  yield Finding(
    'nearly_equal',
    SPLITS,
    _count(len(duplicates.near_pairs), 'pair')
    + ' of texts nearly equal, in all splits.',
    [
      Item((one, other), _alike(similarity), {'similarity': similarity})
      for one, other, similarity in duplicates.near_pairs
    ],
  )


def _labels(audit: Audit) -> Iterator[Finding]:
  duplicates, rows = audit.duplicates, audit.rows
  n = len(duplicates.contradictory)
  title = 'No text stands with two labels.'
  if n:
    title = (
      f'{_count(n, "text")} with several labels each; whatever is learned, '
      f'{_count(duplicates.n_wrong, "row")} of them must come out wrong.'
    )
  yield Finding(
    'contradictory',
    LABELS,
    title,
    [
      Item(
        tuple(group.tolist()),
        ', '.join(sorted({_name(rows.label(row)) for row in group.tolist()})),
      )
      for group in duplicates.contradictory
    ],
    {'must_be_wrong': duplicates.n_wrong},
  )
  near = [
    Item((one, other), _alike(similarity), {'similarity': similarity})
    for one, other, similarity in duplicates.near_pairs
    if rows.labels[one] != rows.labels[other]
  ]
  if near:
    yield Finding(
      'nearly_contradictory',
      LABELS,
      f'{_count(len(near), "pair")} of nearly equal texts with two labels.',
      near,
    )


def _giveaways(audit: Audit) -> Iterator[Finding]:
  for rule in audit.giveaways.rules:
    verdict = 'gives labels away' if rule.tells else 'tells little'
    key = rule.name.replace(' ', '_')
    facts: dict[str, Any] = {
      'gives_away': rule.tells,
      'accuracy': rule.accuracy,
      'majority_accuracy': rule.majority_accuracy,
    }
    words = ''
    if rule.name == giveaways.FIRST_WORD:
      facts['words'] = [word._asdict() for word in audit.giveaways.words]
      words = ''.join(
        f'; after {_name(word.word)!r} {word.n_label:,} of {word.n:,} are '
        f'{_name(word.label)}'
        for word in audit.giveaways.words[:3]
      )
    yield Finding(
      key,
      LABELS,
      f'The {rule.name} {verdict}: {rule.accuracy:.1%} right by it alone, '
      f'{rule.majority_accuracy:.1%} by the commonest class{words}.',
      facts=facts,
    )


def _doubts(audit: Audit) -> Iterator[Finding]:
  doubts, opinion = audit.doubts, audit.opinion
  if doubts is None or opinion is None:
    return
  names = audit.rows.label_names
  missing = ''
  if opinion.n_missing:
    missing = f' {_count(opinion.n_missing, "row")} of the run are not here.'
  items = []
  for row, suggested, given, other in zip(
    doubts.rows.tolist(),
    doubts.suggested.tolist(),
    doubts.label_probabilities.tolist(),
    doubts.suggested_probabilities.tolist(),
    strict=True,
  ):
    note = (
      f'labelled {_name(audit.rows.label(row))} ({given:.3f}), for the model '
      f'{_name(names[suggested])} ({other:.3f})'
    )
    facts = {
      'suggested': names[suggested],
      'label_probability': given,
      'suggested_probability': other,
    }
    items.append(Item((row,), note, facts))
  yield Finding(
    'doubtful',
    LABELS,
    f'{opinion.name} denies the label of {len(items):,} of '
    f'{_count(doubts.n_asked, "row")} that it has not learned; some '
    f'{doubts.n_expected:,.0f} labels may be wrong.{missing}',
    items,
    {'asked': doubts.n_asked, 'estimated_wrong': doubts.n_expected},
  )


def _texts(audit: Audit) -> Iterator[Finding]:
  for kind in KINDS:
    found = audit.odd[kind]
    if found:
      yield Finding(
        kind.replace(' ', '_').replace(',', ''),
        TEXTS,
        f'{_count(len(found), "text")} {kind}.',
        [Item((row,)) for row in found],
      )
  if audit.garbled:
    yield Finding(
      'encoding',
      TEXTS,
      f'{_count(len(audit.garbled), "text")} whose encoding has gone wrong.',
      [
        Item(
          (each.row,),
          f'{each.found!r}'
          + (f' was {each.repaired!r}' if each.repaired else ''),
          {'found': each.found, 'repaired': each.repaired or None},
        )
        for each in audit.garbled
      ],
    )
  if not any(audit.odd.values()) and not audit.garbled:
    yield Finding('odd', TEXTS, 'No odd text, and no encoding gone wrong.')


def _count(n: int, one: str, several: str = '') -> str:
  return f'{n:,} {one if n == 1 else several or one + "s"}'


def _name(name: str) -> str:
  return plain_text.shorten_name(name)
