"""The command line: what is refused, with which status and in which words."""

import json
import platform
import signal
import subprocess
import time

import pytest

from tests.fixtures.live_launcher import ROOT


def test_help_shows_our_flags_first_each_with_an_example(launcher, tmp_path):
  done = launcher('--help', cwd=tmp_path)
  assert done.returncode == 0
  assert done.stderr == ''
  lines = done.stdout.splitlines()
  assert lines[2] == '  python launcher.py --gin_file=gin/bbc_news.gin'
  ours = done.stdout.partition('absl.logging:')[0]
  for name in (
    'gin_file',
    'gin_bindings',
    'gin_search_paths',
    'output_dir',
    'mode',
    'input',
    'source',
    'dry_run',
    'sweep',
  ):
    [start] = [
      i
      for i, line in enumerate(lines)
      if line.startswith((f'  --{name}:', f'  --[no]{name}:'))
    ]
    end = next(
      i for i in range(start + 1, len(lines)) if lines[i][:4] != '    '
    )
    help_ = ' '.join(line.strip() for line in lines[start:end])
    assert lines[start] in ours
    assert help_.count(f'--{name}') >= (1 if name == 'dry_run' else 2), help_
  assert list(tmp_path.iterdir()) == []


REFUSED = [
  (
    ['--gin_fil=x'],
    "Unknown command line flag 'gin_fil'. Did you mean: gin_file? See --help.",
  ),
  (['--gin_file'], 'Missing value for flag --gin_file. See --help.'),
  (
    ['--mode=trian'],
    'flag --mode=trian: value should be one of '
    '<train|eval|predict|prepare|compare|audit|find_lr>. See --help.',
  ),
  (
    ['--gin_file=tiny.gin', '--gin_bindings', 'N_STEPS', '=', '10'],
    "'=' is no flag. Values follow an =, and what holds spaces needs quotes: "
    "--gin_bindings='N_STEPS = 10'. See --help.",
  ),
  ([], '--mode=train needs --gin_file, e.g. --gin_file=gin/agnews.gin'),
  (
    ['--mode=eval'],
    '--mode=eval needs --output_dir, e.g. --output_dir=runs/agnews/default',
  ),
  (
    ['--mode=predict', '--output_dir=x'],
    '--mode=predict needs --input, e.g. --input=articles.txt',
  ),
  (
    ['--mode=prepare', '--gin_file=x'],
    '--mode=prepare needs --source, e.g. --source=reviews.csv',
  ),
  (
    ['--gin_file=x', '--input=y'],
    '--input does not go with --mode=train, only with --mode=predict.',
  ),
  (
    ['--mode=compare', '--output_dir=x', '--gin_bindings=N_STEPS=1'],
    '--gin_bindings does not go with --mode=compare, only with --mode=train or '
    'eval or predict or prepare or audit or find_lr.',
  ),
  (
    ['--mode=eval', '--output_dir=x', '--dry_run'],
    '--dry_run does not go with --mode=eval, only with --mode=train.',
  ),
  (
    ['--gin_file=missing.gin'],
    '--gin_file=missing.gin: missing.gin does not exist.',
  ),
  (
    ['--gin_file={tiny}', '--gin_bindings=LEARNIG_RATE=1'],
    "--gin_bindings='LEARNIG_RATE=1': macro LEARNIG_RATE is bound but nothing "
    'uses it. Did you mean LEARNING_RATE?',
  ),
  (
    ['--mode=predict', '--output_dir=none', '--input=-'],
    '--output_dir=none: no run directory (it has no config.gin). Give the '
    'directory of a run, e.g. runs/agnews/default.',
  ),
]


@pytest.mark.parametrize(('args', 'message'), REFUSED)
def test_what_the_user_must_change_is_one_message_and_status_2(
  launcher, tmp_path, args, message
):
  args = [arg.format(tiny=launcher.cwd / 'tiny.gin') for arg in args]
  done = launcher(*args, cwd=tmp_path)
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == message + '\n'
  assert list(tmp_path.iterdir()) == []


def test_an_output_dir_that_is_a_file(launcher, tmp_path):
  (tmp_path / 'file').write_text('mine')
  done = launcher('--gin_file=tiny.gin', f'--output_dir={tmp_path}/file/below')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    f'--output_dir={tmp_path}/file/below: {tmp_path}/file is a file. Choose '
    'another directory.\n'
  )
  assert (tmp_path / 'file').read_text() == 'mine'


def test_an_output_dir_of_something_else(launcher, tmp_path):
  (tmp_path / 'thesis.tex').write_text('mine')
  done = launcher('--gin_file=tiny.gin', f'--output_dir={tmp_path}')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr == (
    f'--output_dir={tmp_path}: not empty, and no run directory (it has no '
    'config.gin). Choose another directory.\n'
  )
  assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


def test_data_that_cannot_be_had_are_named_in_three_lines(launcher, tmp_path):
  """No network, and nothing half-written: see NO_NETWORK."""
  done = launcher(
    f'--gin_file={ROOT}/gin/agnews.gin',
    '--gin_bindings=VOCAB_FILE=None',
    f'--output_dir={tmp_path}/run',
    env={'TFDS_DATA_DIR': str(tmp_path / 'data')},
  )
  assert (done.returncode, done.stdout) == (2, '')
  failed, get, then = done.stderr.splitlines()
  assert failed == (
    f"data set 'ag_news_subset' is not in '{tmp_path}/data', and its download "
    'failed: cannot connect to 127.0.0.1 (Connection refused)'
  )
  assert get.startswith(
    'Get ag_news_csv.tar.gz (11,784,327 bytes, sha256 4e2fc37d369e6e317a8b62d0'
  )
  assert then == (
    'Then: python launcher.py --mode=prepare --gin_file=gin/agnews.gin '
    '--source=ag_news_csv.tar.gz'
  )
  assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time_until_it_is_told_to_stop(launcher, tmp_path):
  run = tmp_path / 'run'
  args = [
    '--gin_file=tiny.gin',
    '--gin_bindings=N_STEPS=1000000000',
    f'--output_dir={run}',
  ]
  first = subprocess.Popen(
    launcher.command(*args),
    cwd=launcher.cwd,
    env=launcher.env,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    end = time.monotonic() + 120
    while not list(run.glob('checkpoints/*.npz')):
      assert first.poll() is None, first.communicate()
      assert time.monotonic() < end
      time.sleep(0.05)
    assert json.loads((run / 'run.json').read_text())['status'] == 'running'
    second = launcher(*args)
    assert (second.returncode, second.stdout) == (2, '')
    assert second.stderr.splitlines()[-1] == (
      f'--output_dir={run}: process {first.pid} on {platform.node()} is '
      'writing in it. Wait for it to end, or choose another directory.'
    )
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    stdout, stderr = first.communicate(timeout=60)
  finally:
    first.kill()
    first.communicate()
  assert first.returncode == 143
  assert stdout == ''
  record = json.loads((run / 'run.json').read_text())
  assert record['status'] == 'interrupted'
  assert record['error'] is None
  steps = record['steps']
  assert (run / 'checkpoints' / f'step_{steps:010d}.npz').is_file()
  assert stderr.splitlines()[-1] == (
    f'Stopped at step {steps}, with a checkpoint. The same command goes on.'
  )


def test_a_signal_before_training_leaves_nothing_behind(launcher, tmp_path):
  """While the modules of a config are imported: there is nothing to save."""
  (tmp_path / 'slow.py').write_text(
    'import os, signal\n'
    "os.kill(os.getpid(), getattr(signal, os.environ['SIGNAL']))\n"
  )
  (tmp_path / 'slow.gin').write_text(
    f"import slow\ninclude '{launcher.cwd}/tiny.gin'\n"
  )
  for name, status in (('SIGINT', 130), ('SIGTERM', 143)):
    done = launcher(
      f'--gin_file={tmp_path}/slow.gin',
      f'--output_dir={tmp_path}/run',
      env={'PYTHONPATH': str(tmp_path), 'SIGNAL': name},
    )
    assert done.returncode == status
    assert (done.stdout, done.stderr) == ('', 'Stopped.\n')
    assert not (tmp_path / 'run').exists()
