"""Every sweep file that is shipped: what its first lines say works."""

import json
import re
import shlex

import pytest

from experiments.sweeps import sweep_definition
from tests.fixtures.live_launcher import ROOT

FILES = sorted((ROOT / 'gin' / 'sweeps').glob('*.yaml'))
NAMES = [path.name for path in FILES]
# How many trials those have that need nothing but the embedded data.
N_TRIALS = {'learning_rate.yaml': 8, 'search.yaml': 3, 'width_and_rate.yaml': 6}
SMALL = ('--gin_bindings=N_STEPS=2', '--gin_bindings=N_EVAL_BATCHES=1')


def flags(path):
  """The flags of the command at the top of a file, with whole paths."""
  comment = ''.join(
    line.removeprefix('#')
    for line in path.read_text().splitlines(keepends=True)
    if line.startswith('#')
  )
  command = re.search(r'python (launcher\.py(\\\n|[^\n])+)', comment)
  assert command, f'{path.name} begins with no command'
  _, *given = shlex.split(command[1].replace('\\\n', ''))
  return [
    re.sub(r'^(--gin_file|--sweep)=', rf'\1={ROOT}/', flag) for flag in given
  ]


def test_the_files_are_there():
  assert {*N_TRIALS} <= {*NAMES}


@pytest.mark.parametrize('path', FILES, ids=NAMES)
def test_a_file_says_how_to_use_it(path):
  assert f'--sweep={ROOT}/gin/sweeps/{path.name}' in flags(path)
  assert sweep_definition.read_definition([str(path)]).grids


@pytest.mark.parametrize('path', FILES, ids=NAMES)
def test_the_command_of_a_file_is_accepted(path, launcher, tmp_path):
  done = launcher(
    *(*flags(path), '--dry_run', f'--output_dir={tmp_path / "sweep"}')
  )
  assert done.returncode == 0, done.stderr
  assert not (tmp_path / 'sweep').exists()
  # It leaves test alone.
  assert re.search(
    r'\nRanked by: +\w+ of train\[(80%:|5_folds)\]\n', done.stdout
  )


@pytest.mark.slow
@pytest.mark.parametrize('name', N_TRIALS)
def test_the_command_of_a_file_runs(name, launcher, tmp_path):
  given = [
    '--trials=3' if flag.startswith('--trials=') else flag
    for flag in flags(ROOT / 'gin' / 'sweeps' / name)
    if not flag.startswith('--gin_file=')
  ]
  directory = tmp_path / 'sweep'
  done = launcher(
    '--gin_file=tiny.gin', *given, *SMALL, f'--output_dir={directory}'
  )
  assert done.returncode == 0, done.stderr
  sweep = json.loads((directory / 'sweep.json').read_text())
  assert len(sweep['trials']) == N_TRIALS[name]
  statuses = {trial['status'] for trial in sweep['trials'].values()}
  assert statuses <= {'finished', 'pruned'}
