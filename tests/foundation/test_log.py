"""Whose words the log holds."""

import subprocess
import sys

import pytest

from tests.fixtures.live_launcher import ROOT

# What Python says where a library's source is compiled at each start.
_COMPILES = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from experiments.foundation import log
log.start_log(IS_VERBOSE)
compile('a is ()', '/x/site-packages/library/module.py', 'exec')
compile('b is ()', '/y/my_models.py', 'exec')
"""


@pytest.mark.parametrize(('is_verbose', 'expected'), [(False, 1), (True, 2)])
def test_what_python_says_of_a_library_is_its_own_affair(is_verbose, expected):
  done = subprocess.run(
    [sys.executable, '-c', _COMPILES.replace('IS_VERBOSE', str(is_verbose))],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stderr.count('SyntaxWarning') == expected
  assert '/y/my_models.py' in done.stderr
