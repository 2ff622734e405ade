"""Configs that must be refused: how to write one down and how to try it."""

import dataclasses
import pathlib
import re
import shutil
import sys
from collections.abc import Mapping, Sequence

import pytest

from experiments import config
from experiments.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEAD = "include 'base.gin'\nDATASET = 'bbc_news'\nKEYS = ('text', 'label')\n"


@dataclasses.dataclass(frozen=True)
class Bad:
  """A config and the whole message that refuses it.

  Attributes:
    message: '<NAME>' stands for the line of gin/base.gin that binds
      NAME, '<DIR>' for the working directory.
    flags: values of --gin_bindings.
    text: what gin/x.gin says after HEAD.
    before: what it says before HEAD.
    files: other files by path, or gin/x.gin itself.
    gin_files: values of --gin_file.
  """

  message: str
  flags: Sequence[str] = ()
  text: str = ''
  before: str = ''
  files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
  gin_files: Sequence[str] = ('gin/x.gin',)

  def __str__(self) -> str:
    return re.sub(r'\W+', '_', '_'.join(self.flags) or self.message)[:50]


def write(case: Bad, directory: pathlib.Path, monkeypatch) -> None:
  """Writes the files of a case into a new project, and goes there."""
  (directory / 'gin').mkdir()
  for name in ('base.gin', 'agnews.gin'):
    shutil.copy(ROOT / 'gin' / name, directory / 'gin')
  text = case.before + HEAD + case.text
  (directory / 'gin' / 'x.gin').write_text(text)
  for name, data in case.files.items():
    (directory / name).write_bytes(data)
  monkeypatch.chdir(directory)
  monkeypatch.syspath_prepend(str(directory))
  monkeypatch.setattr(sys, 'dont_write_bytecode', True)


def assert_refused(case: Bad, directory: pathlib.Path, monkeypatch) -> None:
  """Asserts the message, and that refusing leaves nothing on disk."""
  write(case, directory, monkeypatch)
  before = sorted(directory.rglob('*'))
  modules = set(sys.modules)
  with pytest.raises(UserError) as caught:
    config.check(config.parse(case.gin_files, case.flags))
  assert str(caught.value) == expected(case.message, directory)
  assert sorted(directory.rglob('*')) == before
  for name in set(sys.modules) - modules:
    if name.startswith('my_'):
      del sys.modules[name]


def expected(message: str, directory: pathlib.Path) -> str:
  """Fills in what only the place of the test knows."""
  lines = (ROOT / 'gin' / 'base.gin').read_text().splitlines()

  def line(match):
    starts = [line.split(' = ')[0] for line in lines]
    return str(starts.index(match[1]) + 1)

  return re.sub(r'<([\w.]+)>', line, message.replace('<DIR>', str(directory)))
