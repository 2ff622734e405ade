"""Fixtures that every test gets."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _clear_gin():
  """Leaves no binding of one test to the next."""
  yield
  if 'gin' in sys.modules:
    sys.modules['gin'].clear_config()
