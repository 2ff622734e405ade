"""What is in run directories, locks and checks, without a run."""

import json
import os
import pathlib
import platform
import subprocess
import sys

import pytest

from experiments.foundation.errors import UserError
from experiments.rundir import run_dir
from tests.fixtures.live_launcher import ROOT


def test_run_json_is_written_field_by_field(tmp_path):
  directory = run_dir.RunDir(tmp_path)
  assert directory.read_run() == {}
  directory.write_run(status='running', steps=0)
  directory.write_run(steps=7, error=None)
  expected = {'status': 'running', 'steps': 7, 'error': None}
  assert json.loads((tmp_path / 'run.json').read_text()) == expected
  assert os.listdir(tmp_path) == ['run.json']
  (tmp_path / 'run.json').write_text('{"status":')
  with pytest.raises(UserError, match=r'run\.json is damaged \(Expecting'):
    directory.read_run()


def test_a_directory_in_which_a_run_may_begin(tmp_path):
  directory = run_dir.RunDir(tmp_path / 'run')
  assert directory.is_free()
  directory.path.mkdir()
  assert directory.is_free()
  # What a process leaves that is killed before config.gin is there.
  for name in ('.lock', 'vocabulary.subword', 'run.json', '.config.gin.x.tmp'):
    (directory.path / name).touch()
    assert directory.is_free(), name
  (directory.path / 'notes.txt').touch()
  assert not directory.is_free()


@pytest.mark.parametrize(
  ('original', 'name'),
  [
    ('en_8k.subword', 'vocabulary.subword'),
    ('vocab', 'vocabulary.subword'),
    ('train.words', 'vocabulary.words'),
    ('tokenizer.json', 'vocabulary.tokenizer.json'),
    ('spiece.model', 'vocabulary.sentencepiece.model'),
  ],
)
def test_a_vocabulary_takes_the_place_of_another(tmp_path, original, name):
  directory = run_dir.RunDir(tmp_path / 'run')
  directory.path.mkdir()
  assert directory.vocabulary.name == 'vocabulary.subword'
  for other in ('x.words', original, original):
    (tmp_path / other).write_text(other)
    directory.store_vocabulary(tmp_path / other)
  assert os.listdir(directory.path) == [name]
  assert directory.vocabulary.read_bytes() == original.encode()
  assert directory.is_free()
  # Its own copy may be what a config names.
  directory.store_vocabulary(directory.vocabulary.path)
  assert directory.vocabulary.read_bytes() == original.encode()


def test_one_process_has_the_lock(tmp_path):
  directory = run_dir.RunDir(tmp_path / 'run')
  command = (
    'import sys\n'
    'from experiments.rundir import run_dir\n'
    'try:\n'
    '  with run_dir.RunDir(sys.argv[1]).locked():\n'
    "    print('locked')\n"
    'except ValueError as error:\n'
    '  print(error)\n'
  )

  def other():
    return subprocess.run(
      [sys.executable, '-c', command, str(directory.path)],
      cwd=ROOT,
      capture_output=True,
      text=True,
      check=True,
    ).stdout

  with directory.locked():
    assert other() == (
      f'--output_dir={directory.path}: process {os.getpid()} on '
      f'{platform.node()} is writing in it. Wait for it to end, or choose '
      'another directory.\n'
    )
  assert other() == 'locked\n'


@pytest.mark.parametrize('name', ['open', 'closed', 'closed/a/b'])
def test_what_may_not_be_written_is_found_without_a_trace(name):
  """As nobody, below directories of somebody else, if the tests run as root."""
  command = (
    'import os, pathlib, sys, tempfile\n'
    'from experiments.rundir import run_dir\n'
    'with tempfile.TemporaryDirectory() as top:\n'
    '  os.chmod(top, 0o755)\n'
    "  os.mkdir(f'{top}/closed')\n"
    "  os.chmod(f'{top}/closed', 0o555 if os.geteuid() else 0o700)\n"
    "  os.mkdir(f'{top}/open')\n"
    "  os.chmod(f'{top}/open', 0o777)\n"
    '  if not os.geteuid():\n'
    '    os.setresuid(65534, 65534, 0)\n'
    '  try:\n'
    "    run_dir.check_writable(pathlib.Path(f'{top}/{sys.argv[1]}'))\n"
    "    print('writable')\n"
    '  except ValueError as error:\n'
    "    print(str(error).replace(top, 'TOP'))\n"
    '  if os.getresuid()[2] == 0:\n'
    '    os.setresuid(0, 0, 0)\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', command, name],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  expected = 'writable'
  if name != 'open':
    expected = (
      f'--output_dir=TOP/{name}: TOP/closed is not writable. Choose another '
      'directory.'
    )
  assert done.stdout == expected + '\n'


def test_a_relative_path_may_be_new():
  run_dir.check_writable(pathlib.Path('runs/none/none'))
  assert not os.path.exists('runs/none')


@pytest.mark.parametrize('value', ['2', 0, 257, [2], 1.5])
def test_a_number_of_threads_that_cannot_be_is_refused(value, tmp_path):
  directory = run_dir.RunDir(tmp_path)
  assert run_dir.RunDir(tmp_path / 'none').n_threads is None
  directory.write_run(n_threads=256)
  assert run_dir.RunDir(tmp_path).n_threads == 256
  content = json.loads(directory.run.read_bytes()) | {'n_threads': value}
  (tmp_path / 'run.json').write_text(json.dumps(content), encoding='utf-8')
  with pytest.raises(UserError, match=r'run\.json is damaged .*n_threads'):
    _ = directory.n_threads


def test_names_every_directory_that_a_run_has(tmp_path):
  """Those called by their split, and evaluations on other data, too."""
  directory = run_dir.RunDir(tmp_path)
  directory.write_run(
    splits={
      'train': 'train[:80%]',
      'test': 'train[80%:]',
      'validation': 'report',
    }
  )
  left = [
    directory.events('train[80%..]').file('events.out.tfevents.1.x'),
    directory.events('report,exact').file('events.out.tfevents.1.x'),
    directory.evaluation_of('mail, all').file('evaluation.json'),
    directory.evaluation_of('mail, all').directory('report').file('a.csv'),
  ]
  for file in left:
    file.parent.make()
    (file.parent.path / f'.{file.name}.0123abcd.tmp').write_text('')
  other = tmp_path / 'notes' / '.events.out.tfevents.1.x.0123abcd.tmp'
  other.parent.mkdir()
  other.write_text('')
  with directory.locked():
    pass
  assert list(tmp_path.rglob('*.tmp')) == [other]
  os.rename(tmp_path / 'train[80%..]', tmp_path / 'elsewhere')
  (tmp_path / 'train[80%..]').symlink_to('elsewhere')
  with pytest.raises(UserError, match='is a symbolic link'):
    directory.check_kinds()
