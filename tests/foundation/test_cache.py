"""Cache entries: whole or absent, built once, built again when damaged."""

import json
import logging
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest

from experiments.foundation import cache
from experiments.foundation.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Builds an entry slowly, and says so in a file that all builders append to.
BUILDER = """
import os, pathlib, sys, time
from experiments.foundation import cache

path, journal, seconds = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def build(aside):
  (aside / 'content').write_bytes(b'x' * 1000)
  with open(journal, 'a') as file:
    file.write('built\\n')
  time.sleep(float(seconds))
  return {'by': os.getpid()}

print(cache.open_or_build(path, build=build, what='a thing')['by'])
"""


def start_builder(path, journal, seconds) -> subprocess.Popen:
  command = [sys.executable, '-c', BUILDER, path, journal, str(seconds)]
  return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def build_content(aside: pathlib.Path) -> dict:
  (aside / 'content').write_bytes(b'0123456789' * 100)
  (aside / 'empty').touch()
  return {'n': 3}


@pytest.fixture
def entry(tmp_path) -> pathlib.Path:
  path = tmp_path / 'kind' / 'name'
  assert cache.open_entry(path) is None
  record = cache.open_or_build(path, build=build_content, what='a thing')
  assert record == {'n': 3}
  return path


def test_where_the_cache_is(monkeypatch):
  monkeypatch.setenv('HOME', '/home/someone')
  monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
  monkeypatch.delenv('TRAX_EXPERIMENTS_CACHE', raising=False)
  default = pathlib.Path('/home/someone/.cache/trax-experiments')
  assert cache.cache_dir() == default
  monkeypatch.setenv('XDG_CACHE_HOME', '/caches')
  assert cache.cache_dir() == pathlib.Path('/caches/trax-experiments')
  monkeypatch.setenv('TRAX_EXPERIMENTS_CACHE', '~/own')
  assert cache.cache_dir() == pathlib.Path('/home/someone/own')


def test_an_entry_is_built_once(entry):
  def never(aside):
    raise AssertionError('built again')

  assert cache.open_or_build(entry, build=never, what='a thing') == {'n': 3}
  assert cache.open_entry(entry) == {'n': 3}
  assert (entry / 'content').read_bytes() == b'0123456789' * 100


def damage_flip(path):
  content = bytearray((path / 'content').read_bytes())
  content[500] ^= 1
  (path / 'content').write_bytes(content)


def damage_truncate(path):
  os.truncate(path / 'content', 999)


def damage_empty_the_manifest(path):
  (path / 'manifest.json').write_bytes(b'')


def damage_nest_the_manifest_too_deeply(path):
  (path / 'manifest.json').write_text('[' * 200_000)


def damage_change_the_manifest(path):
  manifest = json.loads((path / 'manifest.json').read_bytes())
  manifest['files'] = [1]
  (path / 'manifest.json').write_text(json.dumps(manifest))


def damage_remove_a_file(path):
  (path / 'empty').unlink()


def damage_remove_the_manifest(path):
  (path / 'manifest.json').unlink()


@pytest.mark.parametrize(
  'damage',
  [
    damage_flip,
    damage_truncate,
    damage_empty_the_manifest,
    damage_nest_the_manifest_too_deeply,
    damage_change_the_manifest,
    damage_remove_a_file,
    damage_remove_the_manifest,
  ],
)
def test_a_damaged_entry_is_built_again_and_said_so(entry, damage, caplog):
  damage(entry)
  assert cache.open_entry(entry) is None
  caplog.clear()
  with caplog.at_level(logging.WARNING):
    record = cache.open_or_build(entry, build=build_content, what='a thing')
  assert record == {'n': 3}
  assert f'Making a thing again, since {entry} is damaged.' in caplog.messages
  assert (entry / 'content').read_bytes() == b'0123456789' * 100
  assert cache.open_entry(entry) == {'n': 3}


def test_every_block_of_a_large_file_is_checked(tmp_path):
  block = 2**24

  def build(aside):
    (aside / 'content').write_bytes(bytes(2 * block + 5))
    return {'n': 3}

  path = tmp_path / 'entry'
  cache.open_or_build(path, build=build, what='a thing')
  for place in (0, block - 1, block, 2 * block - 1, 2 * block, 2 * block + 4):
    for byte, expected in ((b'\1', None), (b'\0', {'n': 3})):
      with (path / 'content').open('r+b') as file:
        file.seek(place)
        file.write(byte)
      assert cache.open_entry(path) == expected
  assert cache.open_entry(path) == {'n': 3}


def test_no_flipped_bit_of_a_manifest_changes_what_it_says(entry):
  path = entry / 'manifest.json'
  whole = path.read_bytes()
  n_unnoticed = 0
  for bit in range(8 * len(whole)):
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    found = cache.open_entry(entry)
    assert found in (None, {'n': 3})
    n_unnoticed += found is not None
  # One kind of white space for another.
  assert n_unnoticed < 0.1 * 8 * len(whole)


def test_a_manifest_of_an_earlier_version_proves_nothing(entry):
  path = entry / 'manifest.json'
  manifest = json.loads(path.read_bytes())
  del manifest['crc32']
  path.write_text(json.dumps(manifest))
  assert cache.open_entry(entry) is None


def test_a_build_that_fails_leaves_nothing(tmp_path):
  def build(aside):
    (aside / 'content').write_bytes(b'half')
    raise RuntimeError('no more')

  with pytest.raises(RuntimeError, match='no more'):
    cache.open_or_build(tmp_path / 'entry', build=build, what='a thing')
  assert [p.name for p in tmp_path.iterdir()] == ['entry.lock']


def test_of_several_processes_one_builds(tmp_path):
  path, journal = tmp_path / 'entry', tmp_path / 'journal'
  processes = [start_builder(path, journal, 0.5) for _ in range(4)]
  answers = {p.communicate(timeout=60)[0] for p in processes}
  assert [p.returncode for p in processes] == [0] * 4
  assert journal.read_text() == 'built\n'
  assert len(answers) == 1


def test_a_killed_build_is_cleaned_up_by_the_next(tmp_path):
  path, journal = tmp_path / 'entry', tmp_path / 'journal'
  process = start_builder(path, journal, 60)
  while not journal.exists():
    assert process.poll() is None
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert not path.exists()
  assert list(tmp_path.glob('.entry.*.tmp'))
  assert cache.open_or_build(path, build=build_content, what='it') == {'n': 3}
  assert not list(tmp_path.glob('.entry.*.tmp'))


@pytest.fixture
def small_files():
  """Lets no file grow beyond 2,000 bytes, as a full disk would not."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
  yield
  resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_named_and_nothing_is_left(tmp_path, small_files):
  def build(aside):
    (aside / 'content').write_bytes(b'x' * 5000)
    return {}

  with pytest.raises(UserError) as error:
    cache.open_or_build(tmp_path / 'entry', build=build, what='a thing')
  message = str(error.value)
  assert message.startswith(f'no space left for a thing in {tmp_path}: ')
  assert message.endswith(
    ' MiB are free.\nMake space, or set TRAX_EXPERIMENTS_CACHE to another disk.'
  )
  assert [p.name for p in tmp_path.iterdir()] == ['entry.lock']


def test_a_build_can_say_what_it_would_have_needed(tmp_path):
  def build(aside):
    raise cache.FullDiskError(5 * 2**20)

  with pytest.raises(UserError, match=': about 5 MiB are needed, '):
    cache.open_or_build(tmp_path / 'entry', build=build, what='a thing')


def test_a_cache_that_cannot_be_written_is_refused(tmp_path):
  (tmp_path / 'file').touch()
  path = tmp_path / 'file' / 'kind' / 'entry'
  with pytest.raises(UserError) as error:
    cache.open_or_build(path, build=build_content, what='a thing')
  assert str(error.value) == (
    f'cannot write a thing to {path.parent}: Not a directory.\n'
    'Set TRAX_EXPERIMENTS_CACHE to a directory that can be written.'
  )
