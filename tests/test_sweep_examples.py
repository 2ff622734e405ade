"""Every sweep file that is shipped: what its first lines say works."""

import json
import re

import pytest
from live_launcher import ROOT

from experiments import sweep_definition

FILES = sorted((ROOT / 'gin' / 'sweeps').glob('*.yaml'))
NAMES = [path.name for path in FILES]
SMALL = ('--gin_bindings=N_STEPS=2', '--gin_bindings=N_EVAL_BATCHES=1')


def flags(path):
  """The flags of the command at the top of a file, but for the gin file."""
  comment = ''.join(
    line.removeprefix('#')
    for line in path.read_text().splitlines(keepends=True)
  )
  command = re.search(r'python launcher\.py(( |\\\n)+--\S+)+', comment)
  assert command, f'{path.name} begins with no command'
  return [
    str(ROOT / flag.partition('=')[2]).join(('--sweep=', ''))
    if flag.startswith('--sweep=')
    else flag
    for flag in re.findall(r'--\S+', command[0])
    if not flag.startswith('--gin_file=')
  ]


def test_the_files_are_there():
  assert NAMES == ['learning_rate.yaml', 'search.yaml', 'width_and_rate.yaml']


@pytest.mark.parametrize('path', FILES, ids=NAMES)
def test_a_file_says_how_to_use_it(path):
  assert f'--sweep={ROOT}/gin/sweeps/{path.name}' in flags(path)
  assert sweep_definition.read_definition([str(path)]).grids


@pytest.mark.parametrize('path', FILES, ids=NAMES)
def test_the_command_of_a_file_is_accepted(path, launcher, tmp_path):
  done = launcher(
    f'--gin_file={ROOT}/gin/bbc_news.gin',
    *flags(path),
    *('--dry_run', f'--output_dir={tmp_path / "sweep"}'),
  )
  assert done.returncode == 0, done.stderr
  assert not (tmp_path / 'sweep').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
  ('path', 'n_trials'),
  list(zip(FILES, (8, 3, 6), strict=True)),
  ids=NAMES,
)
def test_the_command_of_a_file_runs(path, n_trials, launcher, tmp_path):
  given = [
    '--trials=3' if flag.startswith('--trials=') else flag
    for flag in flags(path)
  ]
  directory = tmp_path / 'sweep'
  done = launcher(
    '--gin_file=tiny.gin', *given, *SMALL, f'--output_dir={directory}'
  )
  assert done.returncode == 0, done.stderr
  sweep = json.loads((directory / 'sweep.json').read_text())
  assert len(sweep['trials']) == n_trials
  statuses = {trial['status'] for trial in sweep['trials'].values()}
  assert statuses <= {'finished', 'pruned'}
