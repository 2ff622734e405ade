"""What modules that gin files import may do, and may not."""

import sys

import pytest

from experiments.config import configurables
from experiments.config.gin_statements import Import
from experiments.config.gin_syntax import Place
from experiments.foundation.errors import UserError

NOISY = """
import os
import subprocess
import sys

print('by print')
sys.__stdout__.write('by the first stdout\\n')
os.write(1, b'by the system\\n')
subprocess.run(['echo', 'by another process'])
"""


@pytest.fixture
def imported(tmp_path, monkeypatch):
  """A function that imports a module of a text as a gin file would."""
  monkeypatch.syspath_prepend(str(tmp_path))
  monkeypatch.setattr(sys, 'dont_write_bytecode', True)

  def import_module(text):
    (tmp_path / 'my_module.py').write_text(text)
    statement = Import('import my_module', 'my_module', Place('x.gin', 1))
    configurables.import_modules([statement])

  yield import_module
  sys.modules.pop('my_module', None)


def test_what_a_module_prints_is_no_result(imported, capfd):
  print('a result')
  imported(NOISY)
  print('another')
  out, err = capfd.readouterr()
  assert out == 'a result\nanother\n'
  assert sorted(err.splitlines()) == [
    'by another process',
    'by print',
    'by the first stdout',
    'by the system',
  ]


def test_a_module_cannot_end_the_program(imported, tmp_path):
  with pytest.raises(UserError) as caught:
    imported('import sys\nsys.exit(0)\n')
  assert str(caught.value) == (
    f'x.gin:1: importing my_module failed in {tmp_path}/my_module.py:2: '
    'SystemExit: 0'
  )
