"""What differs between two run directories, but for what the clock says."""

import json
import pathlib
from typing import Any

import numpy as np

from experiments.checkpoints import Checkpoints, DamagedError

# Bit for bit the same.
FILES = (
  'config.gin',
  'vocabulary.subword',
  'model.pkl.gz',
  'model.weights.npy.gz',
  'plugins/org_tensorflow_tensorboard_projector/projector_config.pbtxt',
  'plugins/org_tensorflow_tensorboard_projector/tokens.tsv',
  'report/accuracy_by_length.csv',
  'report/accuracy_by_length.png',
  'report/calibration.csv',
  'report/calibration.png',
  'report/confusion_matrix.csv',
  'report/confusion_matrix.png',
  'report/mistakes.html',
  'report/per_class.csv',
  'report/predictions.jsonl',
  'report/predictions.md',
)
# Of run.json.
FIELDS = ('status', 'steps', 'metrics', 'labels', 'seed', 'splits', 'error')


def differences(
  path: pathlib.Path, other: pathlib.Path, *, stopped: bool = False
) -> list[str]:
  """Compares two finished runs of the same config.

  Args:
    path: a run directory.
    other: that of an undisturbed run.
    stopped: whether it was stopped in order, which leaves a checkpoint of that
      very step: then only checkpoints of the same step must be equal.

  Returns:
    A line for each thing that differs; [] for none.
  """
  found = []
  for name in FILES:
    if not (path / name).is_file():
      found.append(f'{name} is missing')
    elif (path / name).read_bytes() != (other / name).read_bytes():
      found.append(f'{name} differs')
  names = _names(path) ^ _names(other)
  if stopped:
    names = {name for name in names if not name.startswith('checkpoints/step')}
  if names:
    found.append(f'files: {sorted(names)}')
  ours, theirs = _run(path), _run(other)
  found += [
    f'run.json, {field}: {ours.get(field)!r}, not {theirs.get(field)!r}'
    for field in FIELDS
    if ours.get(field) != theirs.get(field)
  ]
  found += _unequal('metrics.jsonl', measured(path), measured(other))
  found += _different_checkpoints(path, other, stopped)
  for split in ('', 'train', 'eval', 'test'):
    found += _unequal(
      f'TensorBoard, {split or "run"}',
      shown(path / split),
      shown(other / split),
    )
  return found


def half_written(path: pathlib.Path) -> list[str]:
  """Returns which files of a run directory are not whole, by their own name."""
  found = []
  if (path / 'run.json').exists():
    try:
      _run(path)
    except ValueError as error:
      found.append(f'run.json: {error}')
  if (path / 'config.gin').exists() and not (path / 'run.json').exists():
    found.append('config.gin was written before run.json')
  saved = Checkpoints(path / 'checkpoints')
  for step in saved.steps():
    try:
      saved.load(step)
    except DamagedError as error:
      found.append(str(error))
  return found


def left_over(directory: pathlib.Path) -> list[str]:
  """Returns what should not be below a directory when all is done."""
  return [
    f'left over: {file.relative_to(directory)}'
    for file in directory.rglob('*')
    if file.name.endswith('.tmp') or file.name.startswith('incomplete')
    # Of JAX's programs they are removed by a start a minute later.
    if file.parent.name != 'xla'
  ]


def measured(path: pathlib.Path) -> list[Any]:
  """Returns the lines of metrics.jsonl, without what the clock says."""
  lines = (path / 'metrics.jsonl').read_text().splitlines()
  return [
    (
      record['step'],
      record['split'],
      record['metric'],
      None if 'per second' in record['metric'] else record['value'],
    )
    for record in map(json.loads, lines)
  ]


def shown(directory: pathlib.Path) -> list[Any]:
  """Returns what TensorBoard's own reader finds, without what the clock says.

  Args:
    directory: of event files.
  """
  from tensorboard.backend.event_processing import event_accumulator
  from tensorboard.util import tensor_util

  events = event_accumulator.EventAccumulator(
    str(directory),
    size_guidance=dict.fromkeys(('scalars', 'tensors', 'images'), 0),
  ).Reload()
  tags = events.Tags()
  found: list[Any] = [
    (tag, e.step, None if 'per second' in tag else e.value)
    for tag in sorted(tags['scalars'])
    for e in events.Scalars(tag)
  ]
  found += [
    (tag, e.step, e.encoded_image_string)
    for tag in sorted(tags['images'])
    for e in events.Images(tag)
  ]
  found += [
    (tag, e.step, tensor_util.make_ndarray(e.tensor_proto).tolist())
    for tag in sorted(tags['tensors'])
    for e in events.Tensors(tag)
  ]
  return found


def _run(path: pathlib.Path) -> dict[str, Any]:
  return json.loads((path / 'run.json').read_text())


def _names(path: pathlib.Path) -> set[str]:
  """Returns the names of all files but those of events, which have times."""
  return {
    str(file.relative_to(path))
    for file in path.rglob('*')
    # A sweep keeps what a trial prints.
    if file.is_file() and 'tfevents' not in file.name and file.name != 'log.txt'
  }


def _unequal(what: str, ours: list[Any], theirs: list[Any]) -> list[str]:
  if ours == theirs:
    return []
  if sorted(map(repr, ours)) == sorted(map(repr, theirs)):
    return [f'{what}: in another order']
  return [
    f'{what}: {len(ours)} entries, not {len(theirs)}; '
    f'too many {_shown([x for x in ours if x not in theirs])}, '
    f'missing {_shown([x for x in theirs if x not in ours])}, '
    f'twice {_shown([x for x in ours if ours.count(x) > 1])}'
  ]


def _shown(entries: list[Any]) -> str:
  return str([str(entry)[:80] for entry in entries[:3]])


def _different_checkpoints(
  path: pathlib.Path, other: pathlib.Path, stopped: bool
) -> list[str]:
  ours, theirs = (Checkpoints(p / 'checkpoints') for p in (path, other))
  steps = theirs.steps()
  if stopped and ours.steps()[-1:] == steps[-1:]:
    steps = sorted({*steps} & {*ours.steps()})
  elif ours.steps() != steps:
    return [f'checkpoints {ours.steps()}, not {steps}']
  found = []
  for step in steps:
    a, b = ours.load(step), theirs.load(step)
    found += [
      f'checkpoint {step}, leaf {i} differs'
      for i, (x, y) in enumerate(zip(a.leaves, b.leaves, strict=True))
      if x.dtype != y.dtype or not np.array_equal(x, y)
    ]
    if _timeless(a) != _timeless(b):
      found.append(f'checkpoint {step}, its record or metrics differ')
  return found


def _timeless(checkpoint) -> Any:
  record = dict(checkpoint.record)
  record['records'] = [
    (step, split, metric, None if 'per second' in metric else value)
    for step, split, metric, value, _ in record['records']
  ]
  return record, dict(checkpoint.metrics)
