"""What is declared, locked and shipped is what the code needs."""

import ast
import configparser
import importlib.metadata
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

import pytest
from packaging import requirements, utils

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCK = ROOT / 'requirements.lock'
OURS = {'experiments', 'launcher', 'benchmarks', 'tests'}


@pytest.fixture(scope='module')
def setup_cfg() -> configparser.ConfigParser:
  parser = configparser.ConfigParser()
  parser.read(ROOT / 'setup.cfg')
  return parser


def _requirements(text: str) -> dict[str, requirements.Requirement]:
  parsed = [
    requirements.Requirement(line) for line in text.splitlines() if line
  ]
  return {utils.canonicalize_name(each.name): each for each in parsed}


def _locked() -> dict[str, str]:
  pins = re.findall(r'^([\w.-]+)==(\S+)$', LOCK.read_text(), re.MULTILINE)
  return {utils.canonicalize_name(name): version for name, version in pins}


def _imported(*folders: str) -> set[str]:
  """Names of the packages, not ours, that the code imports anywhere."""
  files = [path for folder in folders for path in ROOT.glob(folder)]
  names = set()
  for path in files:
    for node in ast.walk(ast.parse(path.read_bytes())):
      if isinstance(node, ast.Import):
        names |= {alias.name.split('.')[0] for alias in node.names}
      elif isinstance(node, ast.ImportFrom) and not node.level:
        names.add(str(node.module).split('.')[0])
  return names - OURS - set(sys.stdlib_module_names)


def test_the_lock_pins_every_line_and_names_no_address():
  lines = LOCK.read_text().splitlines()
  code = [line for line in lines if line and not line.lstrip().startswith('#')]
  assert len(code) > 50
  assert all(re.fullmatch(r'[\w.-]+==[\w.!+-]+', line) for line in code)
  assert '://' not in LOCK.read_text()


@pytest.mark.parametrize(
  ('section', 'key'),
  [('options', 'install_requires'), ('options.extras_require', 'dev')],
)
def test_the_lock_fits_the_ranges(setup_cfg, section, key):
  locked = _locked()
  for name, required in _requirements(setup_cfg[section][key]).items():
    assert required.specifier.contains(locked[name]), str(required)


def test_what_the_code_imports_is_declared(setup_cfg):
  run_time = set(_requirements(setup_cfg['options']['install_requires']))
  extras = setup_cfg['options.extras_require']
  optional = set(
    _requirements(extras['ray'] + extras['search'] + extras['audit'])
  )
  dev = set(_requirements(extras['dev']))
  distributions = importlib.metadata.packages_distributions()

  def undeclared(names: set[str], declared: set[str]) -> set[str]:
    return {
      name
      for name in names
      if not declared
      & {
        utils.canonicalize_name(each)
        for each in distributions.get(name, [name])
      }
    }

  code = _imported('experiments/**/*.py', 'launcher.py')
  assert not undeclared(code, run_time | optional)
  # What benchmarks/peers needs is installed in environments of its own.
  tests = _imported('tests/**/*.py', 'benchmarks/*.py')
  # tests/fixtures/make_encoders.py, too, which nothing imports.
  tests -= {'torch', 'transformers'}
  assert not undeclared(tests, run_time | optional | dev)


def test_gin_is_the_library_and_no_package_of_ours():
  assert not list(ROOT.glob('gin/**/__init__.py'))
  command = 'import gin; print(gin.__file__); gin.parse_config'
  found = subprocess.run(
    [sys.executable, '-c', command],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  assert ROOT / 'gin' not in pathlib.Path(found.stdout.strip()).parents


def test_the_wheel_holds_every_module_and_gin_file(tmp_path):
  tree = tmp_path / 'tree'
  tree.mkdir()
  for name in ('experiments', 'gin'):
    shutil.copytree(
      ROOT / name, tree / name, ignore=shutil.ignore_patterns('__pycache__')
    )
  for name in ('launcher.py', 'setup.cfg', 'pyproject.toml', 'LICENSE'):
    shutil.copy(ROOT / name, tree)
  (tree / 'README.md').write_text('# A title\n')
  build = subprocess.run(
    [sys.executable, '-m', 'build', '--wheel', '--no-isolation', str(tree)],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )
  assert build.returncode == 0, build.stdout
  (wheel,) = (tree / 'dist').glob('*.whl')
  names = {
    name
    for name in zipfile.ZipFile(wheel).namelist()
    if '.dist-info/' not in name
  }
  modules = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'experiments').glob('**/*.py')
  }
  gin_files = {
    f'experiments/{path.relative_to(ROOT).as_posix()}'
    for pattern in ('*.gin', '*.yaml')
    for path in (ROOT / 'gin').rglob(pattern)
  }
  assert names == modules | gin_files | {'launcher.py'}


def test_the_command_that_is_installed_exists(setup_cfg):
  scripts = setup_cfg['options.entry_points']['console_scripts'].strip()
  assert scripts == 'trax-experiments = launcher:run'
  launcher = ast.parse((ROOT / 'launcher.py').read_bytes())
  functions = {
    node.name: node.args
    for node in launcher.body
    if isinstance(node, ast.FunctionDef)
  }
  assert not ast.unparse(functions['run'])


@pytest.fixture
def checkout(tmp_path):
  """A checkout with a Makefile, a lock of no packages and no `.venv`."""
  shutil.copy(ROOT / 'Makefile', tmp_path)
  (tmp_path / 'requirements.lock').write_text('')
  return tmp_path


def _make(checkout, *arguments) -> subprocess.CompletedProcess:
  outside = {
    name: value
    for name, value in os.environ.items()
    if name not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'PYTHON')
  }
  return subprocess.run(
    ['make', *arguments],
    cwd=checkout,
    env=outside,
    capture_output=True,
    text=True,
  )


def _fake_python(folder, *, pip_status: int) -> str:
  """A Python that fits, and whose venv holds a pip with that exit status."""
  fake = folder / 'fake-python'
  fake.write_text(
    '#!/bin/sh\n'
    'test "$2" = venv || exit 0\n'
    'rm -rf .venv && mkdir -p .venv/bin && echo built >>builds\n'
    f'printf "#!/bin/sh\\nexit {pip_status}\\n" >.venv/bin/python\n'
    'chmod +x .venv/bin/python\n'
  )
  fake.chmod(0o755)
  return f'PYTHON={fake}'


needs_make = pytest.mark.skipif(
  shutil.which('make') is None, reason='make is not installed'
)


@needs_make
def test_make_installs_once_and_again_when_the_lock_is_newer(checkout):
  python = _fake_python(checkout, pip_status=0)
  assert _make(checkout, 'install', python).returncode == 0
  assert _make(checkout, 'install', python).stdout.count('Installing') == 0
  assert (checkout / 'builds').read_text() == 'built\n'

  stamp = (checkout / '.venv' / 'installed').stat().st_mtime
  lock = checkout / 'requirements.lock'
  subprocess.run(['touch', '-d', f'@{stamp + 10}', str(lock)], check=True)
  assert _make(checkout, 'install', python).returncode == 0
  assert (checkout / 'builds').read_text() == 'built\nbuilt\n'


@needs_make
def test_make_repeats_an_install_that_was_cut_short(checkout):
  cut = _make(checkout, 'install', _fake_python(checkout, pip_status=1))
  assert cut.returncode == 2
  assert (checkout / '.venv').is_dir()
  _make(checkout, 'install', _fake_python(checkout, pip_status=0))
  assert (checkout / 'builds').read_text() == 'built\nbuilt\n'
  assert (checkout / '.venv' / 'installed').exists()


@needs_make
def test_make_says_which_python_it_needs(checkout):
  none = _make(checkout, 'install', 'PYTHON=')
  assert none.returncode == 2
  assert 'This needs Python 3.11 with venv, and found none' in none.stderr
  wrong = _make(checkout, 'install', 'PYTHON=/bin/false')
  assert wrong.returncode == 2
  assert '/bin/false does not do: it must be Python 3.11' in wrong.stderr
  assert not (checkout / '.venv').exists()


@needs_make
@pytest.mark.parametrize('target', ['check', 'format'])
def test_make_looks_at_our_files_alone(target):
  """What lies beside them is a user's."""
  done = _make(ROOT, '--dry-run', '--always-make', target)
  commands = re.findall(r'\S+/(?:ruff|mypy) [^|;\n]+', done.stdout)
  assert len(commands) in (2, 3)
  for command in commands:
    assert shlex.split(command)[-4:] == [
      *('launcher.py', 'benchmarks', 'experiments', 'tests')
    ]


def _try_pythons(folder, **scripts) -> subprocess.CompletedProcess:
  """Runs .ci/try_pythons on a PATH that has no Python but these scripts."""
  tools = folder / 'tools'
  tools.mkdir()
  for name in [
    'bash',
    'cat',
    'chmod',
    'cp',
    'dirname',
    'grep',
    'mkdir',
    'mktemp',
    'rm',
    'tail',
  ]:
    (tools / name).symlink_to(str(shutil.which(name)))
  for name, script in scripts.items():
    python = tools / name.replace('_', '.')
    python.write_text(f'#!/usr/bin/env bash\n{script}\n')
    python.chmod(0o755)
  return subprocess.run(
    [ROOT / '.ci' / 'try_pythons'],
    env={'PATH': str(tools), 'TMPDIR': str(folder)},
    capture_output=True,
    text=True,
  )


# Makes a venv whose pip and launcher do as they are told.
_FAKE_VENV = """
[ "$2" = venv ] || exit 0
mkdir -p "$3/bin"
printf '#!/usr/bin/env bash\\n%s\\n' '{pip}' >"$3/bin/python"
printf '#!/usr/bin/env bash\\n%s\\n' '{launcher}' >"$3/bin/trax-experiments"
chmod +x "$3/bin/python" "$3/bin/trax-experiments"
"""
_HERE_NOT = 'Python 3.12 is not here, so nothing is tried on it.\n'


def test_ci_tries_no_python_that_does_not_start(tmp_path):
  done = _try_pythons(tmp_path, python3_12='exit 127')
  assert done.returncode == 0, done.stderr
  assert done.stdout == _HERE_NOT + _HERE_NOT.replace('12', '13')
  # What it made is gone.
  assert [path.name for path in tmp_path.iterdir()] == ['tools']


@pytest.mark.parametrize(
  ('pip', 'launcher', 'status', 'last'),
  [
    ('exit 0', 'echo \\"label\\"', 0, 'trained, evaluated and answered.'),
    ('echo no wheel; exit 1', '', 0, 'no wheel'),
    ('exit 0', '', 1, 'The run on Python 3.13 failed.'),
    ('exit 0', 'echo \\"label\\"; exit 1', 1, 'The run on Python 3.13 failed.'),
    (
      'exit 0',
      'echo \\"label\\"; [[ $1 != --mode=eval ]]',
      1,
      'The run on Python 3.13 failed.',
    ),
  ],
)
def test_ci_fails_where_a_run_fails_and_not_for_want_of_packages(
  tmp_path, pip, launcher, status, last
):
  python = _FAKE_VENV.format(pip=pip, launcher=launcher)
  done = _try_pythons(tmp_path, python3_13=python)
  assert done.returncode == status, done.stdout + done.stderr
  assert done.stdout.startswith(_HERE_NOT)
  assert done.stdout.rstrip().endswith(last)
