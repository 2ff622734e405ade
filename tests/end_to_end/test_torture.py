"""Killed at any instant, a run ends as if nothing had happened."""

import contextlib
import json
import shutil
from typing import Any

import pytest

from experiments.reporting import tensorboard
from experiments.rundir.checkpoints import Checkpoints
from tests.fixtures import lives, same_run, torture
from tests.fixtures.live_tensorboard import LiveTensorBoard


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_kills_leave_no_trace(tmp_path):
  result = torture.torture(tmp_path, n_kills=30, seed=1)
  failures = [
    f'{life["case"]}, after {life["kills"]}: {failure}'
    for life in result['all_lives']
    for failure in life['failures']
  ]
  assert not failures, '\n'.join(failures)
  assert result['kills'] >= 30


WATCHED: list[dict[str, Any]] = [
  # In the middle of training.
  {'kind': 'write', 'match': 'run/train/events', 'n': 60, 'when': 'after'},
  # While what came after the checkpoint is taken back.
  {'kind': 'replace', 'match': 'run/train/events', 'when': 'before'},
  {'kind': 'replace', 'match': 'run/eval/events', 'when': 'after'},
  {'kind': 'unlink', 'match': 'run/train/events', 'when': 'before'},
  # At the end.
  {'kind': 'write', 'match': 'run/test[..60]/events', 'n': 2, 'when': 'during'},
]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_tensorboard_that_looks_on_shows_nothing_twice(tmp_path):
  """Both of its readers, over HTTP, while the run is killed and goes on."""
  case = next(iter(lives.CASES))
  expected = lives.undisturbed(tmp_path / 'undisturbed', case)
  (tmp_path / 'life').mkdir()
  with contextlib.ExitStack() as stack:
    boards = [
      stack.enter_context(
        LiveTensorBoard(tmp_path / 'life', load_fast=load_fast)
      )
      for load_fast in (True, False)
    ]
    life = lives.live(
      tmp_path / 'life' / 'watched',
      case,
      expected,
      plan=[{'do': 'kill', **spec} for spec in WATCHED],
      keep=True,
    )
    assert not life.failures
    assert len(life.kills) == len(WATCHED)
    for board in boards:
      for split in ('train', 'eval', 'test[..60]'):
        by_tag: dict[str, list] = {}
        for tag, step, value in same_run.shown(expected.path / split):
          if isinstance(value, float):
            by_tag.setdefault(tag, []).append((step, value))
        assert by_tag
        for tag, rows in by_tag.items():
          run = f'watched/run/{split}'
          board.wait_until(
            lambda run=run, tag=tag, rows=rows, board=board: (
              board.scalars(run, tag) == rows
            )
          )


def _flip_a_weight(run):
  saved = Checkpoints(run / 'checkpoints')
  last = saved.load_newest()
  assert last is not None
  last.leaves[0].reshape(-1).view('uint8')[0] ^= 1
  saved.save(last)


def _repeat_a_line(run):
  lines = (run / 'metrics.jsonl').read_text().splitlines(keepends=True)
  (run / 'metrics.jsonl').write_text(''.join([*lines, lines[3]]))


def _change_a_value(run):
  lines = (run / 'metrics.jsonl').read_text().splitlines(keepends=True)
  record = json.loads(lines[0])
  record['value'] += 1e-15
  lines[0] = json.dumps(record) + '\n'
  (run / 'metrics.jsonl').write_text(''.join(lines))


def _show_a_point_twice(run):
  with tensorboard.EventWriter(run / 'eval') as writer:
    writer.scalars({'metrics/Accuracy': 0.5}, 30)


def _lose_an_event_file(run):
  for path in (run / 'train').glob('*tfevents*'):
    path.unlink()


def _lose_a_checkpoint(run):
  min((run / 'checkpoints').iterdir()).unlink()


def _leave_something(run):
  (run / 'report' / '.x.tmp').write_text('')


@pytest.mark.parametrize(
  'change',
  [
    _flip_a_weight,
    _repeat_a_line,
    _change_a_value,
    _show_a_point_twice,
    _lose_an_event_file,
    _lose_a_checkpoint,
    _leave_something,
  ],
)
def test_a_trace_would_be_seen(trained, tmp_path, change):
  run = tmp_path / 'run'
  shutil.copytree(trained[0], run)
  assert same_run.differences(run, trained[0]) == []
  change(run)
  assert same_run.differences(run, trained[0])
