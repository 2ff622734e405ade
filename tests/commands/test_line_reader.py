"""Lines as they come."""

import contextlib
import os
import tempfile
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.commands import line_reader

MOST = 4096


def read_all(content):
  with tempfile.TemporaryFile() as file:
    file.write(content)
    file.seek(0)
    return list(line_reader.read_lines(file.fileno()))


def flat(batches):
  return [line for lines in batches for line in lines]


def expected_lines(content):
  lines = content.split(b'\n')
  return lines if lines[-1] else lines[:-1]


@given(st.lists(st.binary(max_size=3) | st.just(b'\n')).map(b''.join))
def test_a_file_in_lines(content):
  batches = read_all(content)
  assert flat(batches) == (expected_lines(content))
  assert all(batches)


@pytest.mark.parametrize('n', [MOST - 1, MOST, MOST + 1, 2 * MOST, 100_000])
def test_batches_are_full_until_the_last(n):
  content = b''.join(b'%d\n' % i for i in range(n))
  batches = read_all(content)
  assert flat(batches) == (expected_lines(content))
  assert [len(lines) for lines in batches[:-1]] == [MOST] * (-(-n // MOST) - 1)


def test_a_line_that_is_too_long_is_let_go():
  most = line_reader.MAX_LINE_MIB * 2**20
  content = b'a\n' + b'x' * (most + 1) + b'\nb\n' + b'y' * most
  assert flat(read_all(content)) == [b'a', None, b'b', b'y' * most]
  assert flat(read_all(b'a\n' + b'x' * (most + 1))) == [b'a', None]


@contextlib.contextmanager
def pipe():
  reading, writing = os.pipe()
  ends = [reading, writing]
  try:
    yield reading, writing, lambda: os.close(ends.pop())
  finally:
    for end in ends:
      os.close(end)


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=8))
def test_a_pipe_in_lines(blocks):
  """However its blocks are cut."""
  with pipe() as (reading, writing, close):

    def write():
      for block in blocks:
        os.write(writing, block)
      close()

    thread = threading.Thread(target=write)
    thread.start()
    batches = list(line_reader.read_lines(reading))
    thread.join()
  assert flat(batches) == expected_lines(b''.join(blocks))


def test_what_is_there_is_given_before_the_rest_comes():
  with pipe() as (reading, writing, close):
    batches = line_reader.read_lines(reading)
    for content, expected in [
      (b'a\nb\nbeg', [b'a', b'b']),
      (b'un\n', [b'begun']),
      (b'\n', [b'']),
    ]:
      os.write(writing, content)
      # Nothing more comes until it is given.
      assert next(batches) == expected
    os.write(writing, b'last')
    close()
    assert list(batches) == [[b'last']]


def test_blocks_that_follow_each_other_are_taken_together():
  """A pipe holds 64 KiB; a batch of so few lines would be slow."""
  line = b'x' * 199 + b'\n'
  with pipe() as (reading, writing, close):

    def write():
      for _ in range(2 * MOST):
        os.write(writing, line)
      close()

    thread = threading.Thread(target=write)
    thread.start()
    batches = list(line_reader.read_lines(reading))
    thread.join()
  assert sum(map(len, batches)) == 2 * MOST
  # 65536 bytes are 327 lines, 26 batches; a busy machine may pause.
  assert len(batches) < 13


def test_a_descriptor_that_does_not_block():
  with pipe() as (reading, writing, close):
    os.set_blocking(reading, False)
    threading.Timer(0.1, lambda: (os.write(writing, b'a\n'), close())).start()
    assert list(line_reader.read_lines(reading)) == [[b'a']]


def test_work_is_done_while_nobody_writes():
  with pipe() as (reading, writing, close):
    done = []

    def work():
      for i in range(1, 5):
        done.append(i)
        if i in (2, 4):
          os.write(writing, b'%d\n' % i)
        yield i

    batches = line_reader.read_lines(reading, meanwhile=work())
    # What is written while it works is not kept waiting for the rest of it.
    assert next(batches) == [b'2']
    assert done == [1, 2]
    assert next(batches) == [b'4']
    close()
    assert list(batches) == []
    assert done == [1, 2, 3, 4]
