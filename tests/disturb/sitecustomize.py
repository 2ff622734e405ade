"""Disturbs the process that starts with this directory on PYTHONPATH.

Python imports it before anything else. The variable DISTURB says, in JSON, what
is to happen; without it, nothing does.

  do: 'kill', by SIGKILL; 'power', a kill that also takes what was not yet made
    durable by fsync; 'error', an OSError; 'count' operations only.
  root: files below it count.
  kind: 'open' (to write), 'write', 'fsync', 'replace', 'unlink', 'mkdir', or
    'any' of them.
  match: of these only those count whose path holds it.
  n: which one of its kind, from 1.
  when: 'before' it is done, 'during' (half of it written) or 'after'.
  errno: by name, of an 'error'; from then on, all fails.
  kinds: or only operations of these.
  report: a file that is told what was hit, or how many of each kind there were.
  clock: time.time() jumps by up to this many seconds, back and forth.
"""

import atexit
import builtins
import errno
import io
import json
import os
import random
import shutil  # noqa: F401 (looks for what os can do before it is replaced)
import signal
import threading
import time

_SPEC = json.loads(os.environ.pop('DISTURB', '{}'))
_ROOT = os.path.abspath(_SPEC.get('root', '/nowhere')) + os.sep
_LOCK = threading.RLock()
_counts: dict[str, int] = {}
_synced: dict[str, int] = {}
# Replacements that no fsync of their directory has made durable yet: where
# from, where to, and a copy of what was there, if anything.
_replaced: list[tuple[str, str, str | None]] = []
_failing = False
_file_io, _link, _rename = io.FileIO, os.link, os.rename


def _path_of(file, dir_fd=None) -> str:
  if isinstance(file, int):
    return os.readlink(f'/proc/self/fd/{file}')
  path = os.fsdecode(file)
  base = os.readlink(f'/proc/self/fd/{dir_fd}') if dir_fd is not None else ''
  return os.path.abspath(os.path.join(base, path))


def _is_chosen(kind: str, path: str) -> bool:
  """Counts an operation; tells whether it is the one."""
  if _SPEC.get('match', '') not in path:
    return False
  for name in (kind, 'any'):
    _counts[name] = _counts.get(name, 0) + 1
  wanted = _SPEC.get('kind')
  return wanted in (kind, 'any') and _counts[wanted] == _SPEC.get('n', 1)


def _report(text: str) -> None:
  with _file_io(_SPEC['report'], 'w') as file:
    file.write(text.encode())


def _strike(kind: str, when: str, path: str) -> None:
  global _failing
  if not _failing:
    _report(f'{when} {kind} {path.removeprefix(_ROOT)}')
  if _SPEC['do'] == 'error':
    _failing = True
    number = getattr(errno, _SPEC['errno'])
    raise OSError(number, os.strerror(number), *([path] * (kind != 'write')))
  if _SPEC['do'] == 'power':
    _lose_power()
  os.kill(os.getpid(), signal.SIGKILL)
  time.sleep(60)


def _lose_power() -> None:
  for path, size in _synced.items():
    if os.path.isfile(path) and os.path.getsize(path) > size:
      os.truncate(path, size)
  for source, target, copy in reversed(_replaced):
    # It may have become durable all the same.
    if random.random() < 0.5 and os.path.exists(target):
      _rename(target, source)
      if copy:
        _rename(copy, target)


def _around(kind: str, path: str, operate, half=None):
  """Does an operation, or what is to happen instead."""
  with _LOCK:
    if not (path + os.sep).startswith(_ROOT):
      return operate()
    when = _SPEC.get('when', 'before')
    chosen = _is_chosen(kind, path)
    if _failing and kind in _SPEC.get('kinds', [kind]):
      _strike(kind, 'before', path)
    if chosen and when == 'before':
      _strike(kind, 'before', path)
    if chosen and when == 'during' and half:
      half()
      _strike(kind, 'during', path)
    result = operate()
    if chosen:
      _strike(kind, 'after', path)
    return result


class _Writer(io.BufferedWriter):
  """A file whose writes count."""

  path = ''

  def write(self, content):
    half = memoryview(content).cast('B')[: memoryview(content).nbytes // 2]

    def write_half():
      super(_Writer, self).write(half)
      super(_Writer, self).flush()

    return _around(
      'write',
      self.path,
      lambda: super(_Writer, self).write(content),
      write_half,
    )


class _RawWriter(io.FileIO):
  """A file without a buffer whose writes count."""

  path = ''

  def write(self, content):
    half = memoryview(content)[: len(content) // 2]
    return _around(
      'write',
      self.path,
      lambda: super(_RawWriter, self).write(content),
      lambda: super(_RawWriter, self).write(half),
    )


def _open(
  file,
  mode='r',
  buffering=-1,
  encoding=None,
  errors=None,
  newline=None,
  closefd=True,
  opener=None,
):
  arguments = (buffering, encoding, errors, newline, closefd, opener)
  if not set(mode) & set('wax+') or (path := _path_of(file)) == '':
    return _real_open(file, mode, *arguments)
  if not path.startswith(_ROOT) or '+' in mode:
    return _real_open(file, mode, *arguments)

  def operate():
    plain = mode.replace('b', '').replace('t', '')
    raw = _RawWriter(file, plain, closefd, opener)
    _synced[path] = os.fstat(raw.fileno()).st_size
    if buffering == 0:
      raw.path = path
      return raw
    writer = _Writer(raw)
    writer.path = path
    if 'b' in mode:
      return writer
    return io.TextIOWrapper(writer, encoding, errors, newline)

  if isinstance(file, int):
    return operate()
  return _around('open', path, operate)


def _fsync(descriptor):
  path = _path_of(descriptor)

  def operate():
    _real_fsync(descriptor)
    if path in _synced:
      _synced[path] = os.fstat(descriptor).st_size
    for entry in list(_replaced):
      if os.path.dirname(entry[1]) == path:
        _replaced.remove(entry)

  return _around('fsync', path, operate)


def _replacing(real):
  def replace(source, target, **more):
    paths = _path_of(source), _path_of(target)

    def operate():
      copy = None
      if _SPEC.get('do') == 'power' and os.path.isfile(paths[1]):
        copy = f'{_SPEC["report"]}.{len(_replaced)}.{time.monotonic_ns()}'
        _link(paths[1], copy)
      real(source, target, **more)
      _replaced.append((*paths, copy))
      for path in list(_synced):
        if (path + os.sep).startswith(paths[0] + os.sep):
          _synced[paths[1] + path.removeprefix(paths[0])] = _synced.pop(path)

    return _around('replace', paths[1], operate)

  return replace


def _counted(kind, real):
  def operation(path, *arguments, dir_fd=None, **more):
    options = more if dir_fd is None else {**more, 'dir_fd': dir_fd}
    return _around(
      kind, _path_of(path, dir_fd), lambda: real(path, *arguments, **options)
    )

  if real in os.supports_dir_fd:
    os.supports_dir_fd.add(operation)
  return operation


def _jumping(real):
  chance = random.Random(0)

  def now():
    return real() + chance.uniform(-_SPEC['clock'], _SPEC['clock'])

  return now


if _SPEC.get('do'):
  _real_open, _real_fsync = io.open, os.fsync
  builtins.open = io.open = _open
  os.fsync = _fsync
  os.replace = _replacing(os.replace)
  os.rename = _replacing(os.rename)
  for _name in ('unlink', 'remove', 'rmdir'):
    setattr(os, _name, _counted('unlink', getattr(os, _name)))
  os.mkdir = _counted('mkdir', os.mkdir)
  if _SPEC['do'] == 'count':
    atexit.register(lambda: _report(json.dumps(_counts)))
if _SPEC.get('clock'):
  time.time = _jumping(time.time)
